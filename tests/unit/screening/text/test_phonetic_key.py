"""Careless spelling of Latin words is levelled; letters of other scripts are letters, not nothing."""

from __future__ import annotations

import pytest

from gateway.screening.compare import compare_texts
from gateway.screening.result import MatchClass, NameKind
from gateway.screening.text.phonetic_key import phonetic_key


@pytest.mark.parametrize(
    ("word", "key"),
    [("mohammed", "mt"), ("muhammad", "mt"), ("ahmad", "amt"), ("иванов", "иванов"), ("7star", "7str")],
)
def test_keys(word: str, key: str) -> None:
    assert phonetic_key(word) == key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Иванов Сергей", "Петров Андрей"),
        ("محمد الحسن", "يوسف الامير"),
        ("Παπαδόπουλος Γεώργιος", "Αντωνόπουλος Δημήτριος"),
        ("นาย สมชาย ใจดี", "นาย วิชัย มั่นคง"),
    ],
)
def test_different_names_of_other_scripts_are_different(one: str, other: str) -> None:
    """Each word had the empty key, so that any two persons of such names were spelt alike."""
    for kind in (NameKind.PERSON, NameKind.VESSEL, NameKind.ORGANISATION):
        assert compare_texts(one, one, kind).match_class >= MatchClass.COMPATIBLE
        assert compare_texts(one, other, kind).match_class == MatchClass.NONE
