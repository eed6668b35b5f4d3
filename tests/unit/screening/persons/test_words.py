"""Names of other cultures than the Chinese are compared by their own rules, and a key finds those that agree."""

from __future__ import annotations

import random

import pytest

from gateway.screening.compare import compare_texts
from gateway.screening.persons.cultures import Culture, cultures
from gateway.screening.persons.words import agreement, units_of
from gateway.screening.result import MatchClass, NameKind
from gateway.screening.text.normalisation import words
from tests.support.innocents import CULTURES, SLIPS, innocents, slips_of
from tests.support.names import compared_as

ONE_PERSON = [
    ("Mohd Azlan bin Yusof", "Muhammad Azlan bin Yusuf"),
    ("Siti Nurhaliza binti Tarudin", "Siti Nurhaliza bt Tarudin"),
    ("Kumaravel a/l Subramaniam", "KUMARAVEL S/O SUBRAMANIAM"),
    ("João Manuel da Costa Antunes", "COSTA ANTUNES, João Manuel da"),
    ("Leonel Alberto Alves", "Leonel Alves"),
    ("Miguel Ángel Rodríguez Pérez", "Miguel Ángel Rodríguez"),
    ("Nguyễn Thị Lan Anh", "Nguyen Lan Anh"),
    ("Omar Abdel Rahman Saleh", "Umar Abd al-Rahman Salih"),
    ("محمد حسن إبراهيم", "Mohammed Hassan Ibrahim"),
    ("Pieter van der Merwe", "VAN DER MERWE, Pieter"),
    ("Сергей Хрущёв", "Serguei Khrouchtchev"),
    ("Andriy Shevchenko", "Andrij Schewtschenko"),
    ("Aleksei Sokolov", "Sokolov Alexey Yuryevich"),
    ("Innocent Kaina", "Innocent Kiana"),
]
OTHERS = [
    ("Ahmad bin Yusof", "Ahmad bin Ismail"),
    ("Wan Azlan bin Yusof", "Megat Azlan bin Yusof"),
    ("Maria da Costa", "Pedro da Costa"),
    ("Maria da Silva", "Ana Maria da Silva"),
    ("Nguyễn Thị Lan", "Trần Thị Lan"),
    ("Nguyễn Văn Lan", "Nguyễn Thị Lan"),
    ("Cao Đình Lan", "Cao Đình Thảo"),
    ("Hassan Ali", "Hussein Ali"),
    ("Mario Rossi", "Maria Rossi"),
    ("Daniel Costa", "Daniela Costa"),
    ("Sergey Ivanovich Petrov", "Sergey Nikolayevich Petrov"),
    ("Sergey Smirnov", "Sergey Smirnova"),
    ("John Michael Smith", "John Paul Smith"),
]


@pytest.mark.parametrize(("a", "b"), ONE_PERSON)
def test_writings_of_one_person_are_compatible(a: str, b: str) -> None:
    compared_as(a, b, NameKind.PERSON, same=True)


@pytest.mark.parametrize(("a", "b"), OTHERS)
def test_other_persons_are_told_apart(a: str, b: str) -> None:
    compared_as(a, b, NameKind.PERSON, same=False)


@pytest.mark.parametrize(
    ("name", "culture"),
    [
        ("Zhang Weimin", Culture.CHINESE),
        ("Bin Zhang", Culture.CHINESE),
        ("Maria Chan", Culture.CHINESE),
        ("Ahmad Faizal bin Yusof", Culture.ARABIC),
        ("Maria da Costa", Culture.PORTUGUESE),
        ("Trần Văn Xuân", Culture.VIETNAMESE),
        ("Dmitry Shapovalov", Culture.SLAVIC),
        ("John Taylor", Culture.OTHER),
    ],
)
def test_words_tell_the_culture(name: str, culture: Culture) -> None:
    likely = cultures(words(name))
    assert sum(likely.values()) == pytest.approx(1)
    assert max(likely, key=lambda each: likely[each]) == culture


def test_a_name_is_cut_into_units() -> None:
    assert units_of(words("Abu Bakar bin Abdul Rahman al-Otaibi")).units == ("abubakar", "abdrahman", "otaibi")
    assert units_of(words("Abu Bakar bin Abdul Rahman")).father == 1
    assert units_of(words("Maria de Fátima dos Santos")).units == ("maria", "fatima", "santos")
    assert units_of(words("John M. Smith")).initials == {"m"}


def test_vowels_count_and_known_names_differ() -> None:
    assert agreement("youssef", "yusuf", Culture.ARABIC)
    assert agreement("otaibi", "utaybi", Culture.ARABIC)
    assert agreement("hosseini", "hassani", Culture.ARABIC) is None
    assert agreement("rolando", "ronaldo", Culture.OTHER) is None
    assert agreement("lenora", "lenara", Culture.OTHER) is None


@pytest.mark.parametrize("how", SLIPS)
def test_most_slips_in_a_word_are_found(how: str) -> None:
    names = [name for culture in ("Malay", "Portuguese", "mixed") for name in innocents(culture, 60, seed=7)]
    pairs = slips_of(names, how, seed=7)
    found = [compare_texts(a, b, NameKind.PERSON).match_class > MatchClass.NONE for a, b in pairs]
    assert len(pairs) >= 100
    assert sum(found) / len(found) >= 0.75


@pytest.mark.parametrize("culture", CULTURES)
def test_innocents_of_other_given_names_are_left_alone(culture: str) -> None:
    listed, asked = innocents(culture, 60, seed=1, half=1), random.Random(1).sample(innocents(culture, 200, seed=1), 60)
    hits = [(a, b) for a in listed for b in asked if compare_texts(a, b, NameKind.PERSON).match_class]
    assert len(hits) <= 1
