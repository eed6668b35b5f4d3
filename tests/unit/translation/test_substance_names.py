"""Substances and elements have names in four languages, by the reference data."""

from __future__ import annotations

import pytest

from gateway.translation.messages import LANGUAGES, in_language
from gateway.translation.substance_names import (
    element_name,
    listed_substance,
    reference_rows,
    substance_name,
    substance_title,
    substance_words,
)

CONTROLLED = [row for row in reference_rows("physical_data.csv") if row["role"] == "controlled"]


@pytest.mark.parametrize(
    ("language", "element", "oxide"),
    [
        ("en", "antimony", "antimony trioxide"),
        ("zh-Hans", "锑", "三氧化二锑"),
        ("zh-Hant", "銻", "三氧化二銻"),
        ("pt", "antimónio", "trióxido de antimónio"),
    ],
)
def test_a_name_in_any_language_is_said_in_the_readers(language: str, element: str, oxide: str) -> None:
    with in_language(language):
        assert element_name("Sb") == element
        assert substance_name("锑") == element
        assert substance_name("氧化锑") == oxide
        assert substance_title("", "Sb") == element
        assert substance_title("something else", "Sb") == "something else"


@pytest.mark.parametrize("row", CONTROLLED, ids=lambda row: row["substance"])
def test_every_controlled_substance_has_a_name_in_each_language(row: dict[str, str]) -> None:
    said = {}
    for language in LANGUAGES:
        with in_language(language):
            said[language] = substance_name(row["names"].split("|")[0])
    assert said["pt"] != said["en"]
    assert said["zh-Hans"] not in (said["en"], "")
    assert set(said["zh-Hans"]) & set(row["names"]), "of the table"


def test_the_publishers_own_words_stay_beside_the_name() -> None:
    with in_language("zh-Hans"):
        assert substance_words("antimony ingot", "Sb") == "锑 (antimony ingot)"
        assert substance_words("锑", "Sb") == "锑"
        assert substance_words("regulus", "Sb") == "regulus、锑"
        assert substance_words("antimony", "Ga") == "锑 (antimony)、镓", "an element that isn't of the substance"
        assert listed_substance("targets with dysprosium", "Dy") == "镝 (targets with dysprosium)"
    with in_language("en"):
        assert substance_words("antimony ingot", "Sb") == "antimony ingot"
        assert substance_words("锑", "Sb") == "antimony (锑)"
        assert listed_substance("targets with dysprosium", "Dy") == "targets with dysprosium"


def test_what_the_tables_dont_know_stays_as_it_is() -> None:
    assert (element_name("Xx"), element_name("C"), substance_name("steel"), substance_name("")) == ("Xx", "C", "", "")
