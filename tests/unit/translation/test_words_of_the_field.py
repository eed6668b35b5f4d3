"""Catalogues say the words that docs/console.md has as reviewed, and one English text has one meaning."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.translation.labels import TYPOLOGY, label
from gateway.translation.messages import CATALOGUES, gettext, in_language
from gateway.translation.step_titles import step_title
from tests.unit.translation.test_catalogues import read, translations

DOCS = Path(__file__).parents[3] / "docs" / "console.md"

SAID = {
    "alert": lambda: gettext("Alert"),
    "false declaration": lambda: label(TYPOLOGY, "false_declaration"),
    "finding": lambda: gettext("Finding"),
    "bill of lading": lambda: gettext("Bill of lading, waybill or road cargo manifest."),
    "declaration": lambda: label("ShipmentReferenceKind", "declaration"),
    "shipments": lambda: gettext("Shipments"),
    "who said what": lambda: gettext("Who said what"),
}
"""How a catalogue says each word of the table."""

NOT_SAID = {
    "pt": r"[Cc]onstata(ç|ram)",
    "zh_Hans": r"警报|(?<!空运)提单|虚假申报",
    "zh_Hant": r"警報|誰說了|合作方方",
}
"""Words that the review has replaced."""


def reviewed() -> dict[str, dict[str, str]]:
    """The table: word, and what it is in each language."""
    rows = re.findall(r"^\|([a-z ]+)\|([^|]+)\|([^|]+)\|([^|]+)\|([^|]+)\|$", DOCS.read_text("utf-8"), re.MULTILINE)
    assert all(source for *_words, source in rows)
    return {
        word: {"zh-Hans": hans, "zh-Hant": hant, "pt": pt} for word, hans, hant, pt, _source in rows if word in SAID
    }


def test_all_words_are_in_the_table() -> None:
    assert set(reviewed()) == set(SAID)


@pytest.mark.parametrize("word", SAID)
@pytest.mark.parametrize("language", ["zh-Hans", "zh-Hant", "pt"])
def test_the_catalogue_says_the_reviewed_word(word: str, language: str) -> None:
    with in_language(language):
        assert reviewed()[word][language].casefold() in SAID[word]().casefold()


@pytest.mark.parametrize("language", NOT_SAID)
def test_what_was_replaced_is_nowhere(language: str) -> None:
    texts = [text for message in read(CATALOGUES / f"{language}.po") for text in translations(message) if message.id]
    assert [text for text in texts if text and re.search(NOT_SAID[language], text)] == []


@pytest.mark.parametrize(
    ("language", "time", "step"), [("zh-Hans", "发布时间", "已发布"), ("zh-Hant", "發布時間", "已發布")]
)
def test_what_is_published_and_when_are_two_words(language: str, time: str, step: str) -> None:
    with in_language(language):
        assert (gettext("Published"), step_title("published")) == (time, step)
