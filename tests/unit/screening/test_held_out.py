"""Pairs that the rules weren't written with: accuracy by group, and keys that find every pair.

The bounds lie below what `python -m bench.names` measures; docs/screening.md has the figures.
"""

from __future__ import annotations

from itertools import chain

import pytest

from gateway.screening.compare import compare, compare_texts
from gateway.screening.index.keys import index_keys, query_keys
from gateway.screening.prepared_name import prepare
from gateway.screening.result import MatchClass
from gateway.screening.text.normalisation import has_han
from tests.support.names import balanced_accuracy, held_out_pairs

PARTS = ("tuning", "sealed")
EVERYBODY = ("everybody_tuning", "everybody_sealed")
LATER = "later"
"""Pairs written beside those added to the tuning part, before the rules of brands and kanji; failures weren't read."""


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(("group", "least"), [("person", 0.95), ("org", 0.93), ("third", 0.85)])
def test_pairs_beyond_those_of_the_rules_are_told_apart(part: str, group: str, least: float) -> None:
    outcomes = []
    for pair in held_out_pairs(part)[group]:
        outcomes.append((pair.same, compare_texts(pair.a, pair.b, pair.name_kind).match_class > MatchClass.NONE))
    assert len(outcomes) >= 100
    assert balanced_accuracy(outcomes) >= least


@pytest.mark.parametrize(("group", "least"), [("person", 0.95), ("org", 0.9), ("third", 0.82)])
def test_later_pairs_are_told_apart(group: str, least: float) -> None:
    pairs = held_out_pairs(LATER)[group]
    outcomes = [(p.same, compare_texts(p.a, p.b, p.name_kind).match_class > MatchClass.NONE) for p in pairs]
    assert len(outcomes) >= 40
    assert balanced_accuracy(outcomes) >= least


@pytest.mark.parametrize("part", [*PARTS, LATER, *EVERYBODY])
def test_a_key_finds_every_pair_that_compares_and_latin_never_says_more(part: str) -> None:
    missed, certain = 0, 0
    for pair in chain(*held_out_pairs(part).values()):
        a, b = prepare(pair.a, pair.name_kind), prepare(pair.b, pair.name_kind)
        found, back = compare(a, b), compare(b, a)
        assert (found.match_class, found.score) == (back.match_class, back.score)
        certain += found.match_class > MatchClass.COMPATIBLE and not (has_han(pair.a) and has_han(pair.b))
        if found.match_class > MatchClass.NONE:
            missed += not (query_keys(a) & index_keys(b) and query_keys(b) & index_keys(a))
    assert (missed, certain) == (0, 0)


FIRMS = ("pinyin", "abbreviated", "forms", "parent")
OF_BOTH_KINDS = ("formerly", "disguised")


@pytest.mark.parametrize(
    ("part", "persons", "firms"), [("everybody_tuning", 0.95, 0.95), ("everybody_sealed", 0.93, 0.85)]
)
def test_names_of_everybody_are_told_apart(part: str, persons: float, firms: float) -> None:
    of_kind: dict[bool, list[tuple[bool, bool]]] = {True: [], False: []}
    for group, pairs in held_out_pairs(part).items():
        if group not in OF_BOTH_KINDS:
            outcomes = [(p.same, compare_texts(p.a, p.b, p.name_kind).match_class > MatchClass.NONE) for p in pairs]
            of_kind[group in FIRMS] += outcomes
    assert balanced_accuracy(of_kind[False]) >= persons
    assert balanced_accuracy(of_kind[True]) >= firms
