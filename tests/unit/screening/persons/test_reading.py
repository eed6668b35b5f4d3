"""Persons: every writing of one Han name is compatible with it, and explained."""

from __future__ import annotations

from hypothesis import given, settings

from gateway.screening.compare import compare_texts
from gateway.screening.result import MatchClass, NameKind, Thresholds
from tests.support.names import WrittenPerson, WrittenTwice, persons, persons_written_twice


@settings(max_examples=300, deadline=None)
@given(persons())
def test_a_latin_writing_is_compatible_with_its_han_name(person: WrittenPerson) -> None:
    found = compare_texts(person.latin, person.han, NameKind.PERSON)
    assert found.match_class == MatchClass.COMPATIBLE


@settings(max_examples=200, deadline=None)
@given(persons_written_twice())
def test_two_romanisations_of_one_name_are_compatible(person: WrittenTwice) -> None:
    found = compare_texts(person.one, person.other, NameKind.PERSON)
    assert found.match_class == MatchClass.COMPATIBLE, person


def _rules(a: str, b: str) -> list[str]:
    return [token.rule for token in compare_texts(a, b, NameKind.PERSON).tokens]


def test_each_token_names_its_rule() -> None:
    assert _rules("黃少澤", "Wong Sio Chak") == [
        "Macao romanisation of 黄", "Macao romanisation of 少", "Macao romanisation of 泽",
    ]  # fmt: skip
    assert _rules("Peter Chan Tai Man", "陳大文")[-1] == "Western name absent in one"
    assert _rules("Ho Iat Seng", "He Yicheng")[0] == "surname of one Han character by Macao romanisation and pinyin"


def test_a_romanisation_is_never_more_than_compatible() -> None:
    for han in ("黃大文", "王大文", "汪大文"):
        assert compare_texts("Wong Tai Man", han, NameKind.PERSON).match_class == MatchClass.COMPATIBLE
    assert compare_texts("黃大文", "王大文", NameKind.PERSON).match_class == MatchClass.NONE


def test_the_same_latin_letters_are_compatible_with_full_score() -> None:
    found = compare_texts("WONG Tai Man", "Wong Tai-man", NameKind.PERSON)
    assert (found.match_class, found.score) == (MatchClass.COMPATIBLE, 1.0)


def test_han_characters_that_differ_outvote_latin_letters_that_agree() -> None:
    assert compare_texts("何一誠 Ho Iat Seng", "賀一誠 Ho Iat Seng", NameKind.PERSON).match_class == MatchClass.NONE
    assert compare_texts("賀一誠 Ho Iat Seng", "贺一诚", NameKind.PERSON).match_class == MatchClass.IDENTICAL


def test_a_western_name_beside_a_han_name_belongs_to_it() -> None:
    assert compare_texts("Jackie 陳港生", "Jackie Chan", NameKind.PERSON).match_class == MatchClass.COMPATIBLE
    assert compare_texts("Jackie 陳港生", "Peter Chan Kong Sang", NameKind.PERSON).match_class == MatchClass.NONE


def test_thresholds_belong_to_the_list() -> None:
    strict = Thresholds(compatible=0.97, strong=0.99)
    assert compare_texts("黃少澤", "Wong Sio Chak", NameKind.PERSON, strict).match_class == MatchClass.NONE
    assert compare_texts("黃少澤", "黄少泽", NameKind.PERSON, strict).match_class == MatchClass.IDENTICAL


def test_a_surname_written_in_two_ways_is_strong() -> None:
    assert compare_texts("蕭偉明", "肖伟明", NameKind.PERSON).match_class == MatchClass.STRONG


def test_hostile_texts_are_read_in_bounded_time() -> None:
    for text in ("a " * 4000, "li " * 4000, "ma-" * 4000, "陳" * 4000, "\u0301" * 4000, "", " ", ",,,", "一"):
        assert compare_texts(text, "Chan Tai Man").match_class == MatchClass.NONE
