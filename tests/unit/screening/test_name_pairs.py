"""Names whose answer is known: own pairs in every script and romanisation, with hard negatives, and shared ones."""

from __future__ import annotations

import pytest

from gateway.screening.compare import compare, compare_texts
from gateway.screening.index.keys import index_keys, query_keys
from gateway.screening.prepared_name import PreparedName, prepare
from gateway.screening.result import MatchClass
from gateway.screening.text.normalisation import han_part, has_han
from tests.support.names import TRADE_NAMES, Pair, balanced_accuracy, development_pairs, own_pairs

ALL = [*own_pairs(), *development_pairs()]
DECIDABLE = [pair for pair in ALL if pair.kind != "alias" and not {pair.a, pair.b} & TRADE_NAMES]


def _matched(pair: Pair) -> bool:
    return compare_texts(pair.a, pair.b, pair.name_kind).match_class > MatchClass.NONE


@pytest.mark.parametrize("kind", ["person", "org"])
def test_own_pairs_are_told_apart(kind: str) -> None:
    outcomes = [(pair.same, _matched(pair)) for pair in own_pairs() if pair.kind == kind]
    assert len(outcomes) >= 120
    assert balanced_accuracy(outcomes) >= 0.97


@pytest.mark.parametrize("kind", ["person", "org"])
def test_shared_pairs_are_told_apart(kind: str) -> None:
    outcomes = [(p.same, _matched(p)) for p in development_pairs() if p.kind == kind and p in DECIDABLE]
    assert balanced_accuracy(outcomes) >= 0.95


def brands_of(name: PreparedName) -> set[str]:
    """Meanings of a name that the table of brands gives."""
    spans = [span for firm in name.organisations for span in firm.names]
    return {concept for _, _, concepts in spans for concept in concepts if concept.startswith("brand ")}


@pytest.mark.parametrize("pair", [p for p in ALL if p.kind == "alias" or {p.a, p.b} & TRADE_NAMES], ids=lambda p: p.b)
def test_a_trade_name_is_found_by_an_alias_or_the_table_of_brands(pair: Pair) -> None:
    query, entry, alias = (prepare(text, pair.name_kind) for text in (pair.b, pair.a, pair.b))
    shared = brands_of(query) & brands_of(entry)
    assert compare(query, entry).match_class <= (MatchClass.COMPATIBLE if shared else MatchClass.NONE)
    assert compare(query, alias).match_class > MatchClass.NONE


def test_class_and_keys_keep_their_promises() -> None:
    for pair in ALL:
        a, b = prepare(pair.a, pair.name_kind), prepare(pair.b, pair.name_kind)
        found, back = compare(a, b), compare(b, a)
        assert (found.match_class, found.score) == (back.match_class, back.score), pair
        if found.parts:
            assert sum(part.weight for part in found.parts) == pytest.approx(1, abs=1e-4), pair
            assert sum(part.contribution for part in found.parts) == pytest.approx(found.score, abs=1e-3), pair
            assert found.variants[0].score == found.score, pair
            assert found.tokens, pair
        if found.match_class > MatchClass.NONE:
            assert query_keys(a) & index_keys(b), pair
            assert query_keys(b) & index_keys(a), pair
        if not (has_han(pair.a) and has_han(pair.b)):
            assert found.match_class <= MatchClass.COMPATIBLE, pair
        if found.match_class == MatchClass.IDENTICAL:
            same = han_part(pair.a).strip("()") == han_part(pair.b).strip("()")
            assert same or "(" in han_part(pair.a + pair.b), pair
