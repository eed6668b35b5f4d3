"""Spellings of one word, and slips of a letter."""

from __future__ import annotations

import pytest

from gateway.screening.text.spelling import is_slip, slavic, spelt_alike


@pytest.mark.parametrize(
    "spellings",
    [
        ("shevchenko", "schewtschenko", "chevtchenko"),
        ("khrushchyov", "khrushchev", "khrouchtchev", "chruscev"),
        ("tsvetkov", "cvetkov", "zwetkow"),
        ("yakovlev", "iakovlev", "jakowlew"),
        ("vasilyev", "vasiliev", "wassiljew"),
        ("smirnov", "smirnoff"),
    ],
)
def test_transliterations_of_a_slavic_word_are_one(spellings: tuple[str, ...]) -> None:
    assert len({slavic(spelling) for spelling in spellings}) == 1


def test_slavic_words_stay_apart() -> None:
    assert slavic("sokolov") != slavic("sorokin")
    assert slavic("smirnov") != slavic("smirnova")


def test_vowels_are_compared_in_classes() -> None:
    assert spelt_alike("otaibi", "utaybi", lenient=True)
    assert not spelt_alike("ahmedi", "ahmadi", lenient=False)
    assert spelt_alike("ahmedi", "ahmadi", lenient=True)
    assert not spelt_alike("marisa", "maresu", lenient=True)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("shimiray", "shimriay", True),
        ("shimiray", "shimray", True),
        ("shimiray", "shimkray", True),
        ("shimiray", "shimiraya", False),
        ("mario", "maria", False),
        ("petrov", "ketrov", False),
        ("chan", "chen", False),
    ],
)
def test_a_slip(one: str, other: str, same: bool) -> None:
    assert is_slip(one, other) == is_slip(other, one) == same
