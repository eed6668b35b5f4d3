"""Numbers that partners go on by: each is lower than the one before, whatever is drawn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.history.rules.page_numbers import RANDOM_BYTES, first_number, next_number

DRAWN = st.binary(min_size=RANDOM_BYTES, max_size=RANDOM_BYTES)
NOTHING, MOST = bytes(RANDOM_BYTES), b"\xff" * RANDOM_BYTES


@given(st.integers(min_value=1, max_value=2**63 - 1), DRAWN)
def test_each_is_lower_than_the_one_before(before: int, random: bytes) -> None:
    assert 0 <= next_number(before, random) < before
    assert 0 <= first_number(before, random) < before


def test_the_least_and_the_most_that_can_be_drawn() -> None:
    assert [next_number(before, NOTHING) for before in (3, 2, 1, 0)] == [2, 1, 0, 0]
    assert first_number(1_000, NOTHING) == 999
    assert next_number(5, MOST) == 0
    assert first_number(1_000, MOST) >= 499
