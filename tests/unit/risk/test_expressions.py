"""Functions of our own in expressions, against what they say in so many words."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.risk.expressions import NUMBER, Facts, Language

LANGUAGE = Language({"numbers": "list double", "weights": "list double", "span": "double"})
MOST = LANGUAGE.compile("most_within(numbers, span)", NUMBER)
SUM = LANGUAGE.compile("sum_within(numbers, weights, span)", NUMBER)

_numbers = st.floats(min_value=-1e6, max_value=1e6).map(lambda number: round(number, 2))
_pairs = st.lists(st.tuples(_numbers, st.integers(min_value=0, max_value=1000).map(float)), max_size=20)


def facts(pairs: list[tuple[float, float]], span: float) -> Facts:
    numbers, weights = [number for number, _ in pairs], [weight for _, weight in pairs]
    return Facts(LANGUAGE, {"numbers": numbers, "weights": weights, "span": span})


@given(_pairs, st.floats(min_value=0, max_value=1e6))
def test_what_lies_within_one_span_at_most(pairs: list[tuple[float, float]], span: float) -> None:
    windows = [[weight for number, weight in pairs if 0 <= number - begin <= span] for begin, _ in pairs]
    known = facts(pairs, span)
    assert MOST.evaluate(known) == max(map(len, windows), default=0)
    assert SUM.evaluate(known) == max(map(sum, windows), default=0)


@pytest.mark.parametrize("weight", [math.nan, math.inf])
def test_a_sum_is_known_only_where_every_weight_is(weight: float) -> None:
    assert math.isnan(SUM.evaluate(facts([(0.0, 1.0), (100.0, weight)], 1.0)))


def test_a_number_without_a_weight_doesnt_count() -> None:
    assert SUM.evaluate(Facts(LANGUAGE, {"numbers": [0.0, 1.0], "weights": [5.0], "span": 9.0})) == 5.0
