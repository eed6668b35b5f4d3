"""Rules of romanisation, held against spellings that persons and places have."""

from __future__ import annotations

import csv
from importlib import resources

import pytest

from gateway.screening.text.romanisation import hong_kong, macao, mainland, wade_giles
from gateway.screening.text.sounds import SYLLABLES, RomanisationScheme, cantonese, sounds_of, splits


@pytest.mark.parametrize(
    ("jyutping", "in_hong_kong", "in_macao"),
    [
        ("gwok", "kwok", "kuok"), ("joeng", "yeung", "ieong"), ("zoeng", "cheung", "cheong"), ("wai", "wai", "vai"),
        ("jat", "yat", "iat"), ("sing", "shing", "seng"), ("dak", "tak", "tac"), ("jyu", "yue", "u"),
        ("hou", "ho", "hou"), ("siu", "siu", "sio"), ("lau", "lau", "lao"), ("jing", "ying", "ieng"),
        ("zi", "tsz", "chi"), ("fuk", "fook", "fok"), ("loeng", "leung", "leong"), ("heoi", "hui", "hoi"),
        ("jiu", "yiu", "io"), ("sek", "sek", "seac"), ("wong", "wong", "vong"),
    ],
)  # fmt: skip
def test_cantonese_syllables(jyutping: str, in_hong_kong: str, in_macao: str) -> None:
    assert in_hong_kong in hong_kong(jyutping)
    assert in_macao in macao(jyutping)


@pytest.mark.parametrize(
    ("pinyin", "spelt"),
    [
        ("xu", "hsu"),
        ("zhang", "chang"),
        ("cai", "tsai"),
        ("zhou", "chou"),
        ("guo", "kuo"),
        ("jian", "chien"),
        ("si", "szu"),
    ],
)
def test_wade_giles_syllables(pinyin: str, spelt: str) -> None:
    assert spelt in wade_giles(pinyin)


def test_ue_has_three_spellings() -> None:
    assert mainland("lv") == {"lu", "lv", "lyu"}


def test_rules_give_most_surnames_as_registers_spell_them() -> None:
    text = resources.files("gateway.reference").joinpath("surnames.csv").read_text(encoding="utf-8")
    rows = [row for row in csv.DictReader(text.splitlines()) if row["macao"] and len(row["hant"]) == 1]
    assert len(rows) > 130
    for column, rule in (("hk", hong_kong), ("macao", macao)):
        spelt = [(row["hant"], row[column].split("|")[0].lower()) for row in rows]
        missed = [pair for pair in spelt if not any(pair[1] in rule(reading) for reading in cantonese(pair[0]))]
        assert len(missed) <= 0.05 * len(rows), missed


def test_characters_share_sounds_with_their_spellings_only() -> None:
    for scheme, spelt in (
        (RomanisationScheme.MAINLAND, "guo"),
        (RomanisationScheme.HONG_KONG, "kwok"),
        (RomanisationScheme.MACAO, "kuok"),
    ):
        assert SYLLABLES[scheme][spelt] & sounds_of("國")
        assert not SYLLABLES[scheme][spelt] & sounds_of("何")


def test_joined_syllables_come_apart() -> None:
    assert any(s >> RomanisationScheme.MAINLAND & 1 and split == ("jia", "yin") for s, split in splits("jiayin"))
    assert any(s >> RomanisationScheme.HONG_KONG & 1 and split == ("kong", "sang") for s, split in splits("kongsang"))
    assert not any(s >> RomanisationScheme.HONG_KONG & 1 for s, _ in splits("peter"))
