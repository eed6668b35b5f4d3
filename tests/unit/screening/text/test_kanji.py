"""Kanji are read as Japanese names do, and kana and Hangul as the English words they write."""

from __future__ import annotations

import pytest

from gateway.screening.text.kanji import code, codes, folded, is_loan, loans, spells
from gateway.screening.text.normalisation import simplified


@pytest.mark.parametrize(
    ("kanji", "letters"),
    [
        ("田中", "tanaka"),
        ("健一", "kenichi"),
        ("佐々木", "sasaki"),
        ("服部", "hattori"),
        ("木下", "kinoshita"),
        ("大森", "oomori"),
        ("大森", "omori"),
        ("一生", "issei"),
        ("山下", "yamasita"),
        ("濱田", "hamada"),
        ("浜田", "hamada"),
        ("三菱", "mitsubishi"),
        ("長谷川", "hasegawa"),
        ("てつお", "tetsuo"),
    ],
)
def test_characters_are_read_with_changes_of_sound_and_a_key_leads_there(kanji: str, letters: str) -> None:
    characters = tuple(simplified(kanji))
    assert spells(characters, letters)
    assert code(folded(letters))[:3] in codes(characters, 3)


@pytest.mark.parametrize(
    ("kanji", "letters"), [("田中", "tanabe"), ("健一", "kenji"), ("三菱", "mitsui"), ("木下", "kimura")]
)
def test_other_readings_are_other_names(kanji: str, letters: str) -> None:
    assert not spells(tuple(simplified(kanji)), letters)


@pytest.mark.parametrize(
    ("romanised", "word"),
    [("tekunopuro", "technopro"), ("akumosu", "acmos"), ("seukaitek", "skytech"), ("kurisutaru", "crystal")],
)
def test_a_loan_is_known_by_its_sound(romanised: str, word: str) -> None:
    assert is_loan(romanised, word)
    assert code(folded(romanised)) in {code(text) for text in loans(word)}


def test_a_short_or_other_word_is_no_loan() -> None:
    assert not is_loan("kuro", "clay")
    assert not is_loan("tekunopuro", "technogym")


def test_a_name_without_kanji_of_the_table_has_no_codes() -> None:
    assert codes(("𠀋",), 3) == frozenset()
    assert not spells((), "tanaka")
