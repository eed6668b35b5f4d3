"""Texts come in the language of the environment or of the block, and in English where there is no translation."""

from __future__ import annotations

import pytest

from gateway.errors import ConfigurationError
from gateway.translation.labels import label, label_of
from gateway.translation.messages import (
    CATALOGUES,
    LANGUAGES,
    SOURCE,
    gettext,
    in_language,
    language,
    language_of,
    ngettext,
)
from gateway.v1.goods_pb2 import TransportMode


@pytest.mark.parametrize(
    ("locale", "tag"),
    [
        ("zh_CN.UTF-8", "zh-Hans"),
        ("zh", "zh-Hans"),
        ("zh-Hans-MO", "zh-Hans"),
        ("zh_HK", "zh-Hant"),
        ("zh_TW.Big5", "zh-Hant"),
        ("zh_MO@euro", "zh-Hant"),
        ("zh-Hant", "zh-Hant"),
        ("pt_PT.UTF-8", "pt"),
        ("pt_MO", "pt"),
        ("en_GB", "en"),
        ("C.UTF-8", "en"),
        ("POSIX", "en"),
        ("fr_FR", None),
        ("", None),
    ],
)
def test_a_locale_has_a_language(locale: str, tag: str | None) -> None:
    assert language_of(locale) == tag


@pytest.mark.parametrize(
    ("variables", "tag"),
    [
        ({}, "en"),
        ({"LANG": "pt_PT.UTF-8"}, "pt"),
        ({"LANG": "pt_PT.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8"}, "zh-Hans"),
        ({"LC_ALL": "zh_MO.UTF-8", "LC_MESSAGES": "zh_CN.UTF-8"}, "zh-Hant"),
        ({"LANGUAGE": "fr:pt:zh_CN", "LC_ALL": "zh_MO.UTF-8"}, "pt"),
        ({"LANGUAGE": "fr", "LANG": "pt_PT"}, "en"),
    ],
)
def test_the_environment_names_the_language(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], tag: str
) -> None:
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert language() == tag


NOTHING_FOUND = "No record of this consignment was found."


def test_a_block_has_its_language_and_no_more() -> None:
    before = gettext(NOTHING_FOUND)
    with in_language("zh_HK"):
        assert language() == "zh-Hant"
        assert gettext(NOTHING_FOUND) == "未找到該托運貨物的任何記錄。"
        with in_language("en"):
            assert gettext(NOTHING_FOUND) == NOTHING_FOUND
    assert gettext(NOTHING_FOUND) == before


def test_an_unknown_language_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match="en, pt, zh-Hans, zh-Hant"), in_language("tlh"):
        pass


def test_placeholders_are_filled_and_numbers_have_their_form() -> None:
    assert ngettext("{number} field withheld", "{number} fields withheld", 1) == "1 field withheld"
    assert ngettext("{number} field withheld", "{number} fields withheld", 2) == "2 fields withheld"
    assert gettext("{start} to {end}", start="{a}", end="b") == "{a} to b"
    with in_language("pt"):
        assert ngettext("{number} field withheld", "{number} fields withheld", 1) == "1 campo omitido"
        assert ngettext("{number} field withheld", "{number} fields withheld", 0) == "0 campos omitidos"


def test_what_has_no_translation_stays() -> None:
    with in_language("pt"):
        assert gettext("no text of this product") == "no text of this product"
        assert gettext("") == ""
        assert label("rule", "of_a_node_alone") == "of a node alone"


def test_labels_are_words_of_the_contract_for_people() -> None:
    assert label_of(TransportMode, TransportMode.TRANSPORT_MODE_INLAND_WATER) == "inland water"
    assert label_of(TransportMode, 0) == "—"
    assert label("event", "e_lock_applied") == "e-lock applied"
    with in_language("zh-Hans"):
        assert label_of(TransportMode, TransportMode.TRANSPORT_MODE_SEA) == "海运"


def test_every_language_but_the_source_has_a_catalogue() -> None:
    assert {file.stem.replace("_", "-") for file in CATALOGUES.glob("*.po")} == set(LANGUAGES) - {SOURCE}
