"""Bloom filters: nothing that was put in is missed, and little else is found."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from gateway.history.rules.bloom import bloom_filter, may_hold

KEYS = st.integers(min_value=0, max_value=(1 << 62) - 1)


@given(st.sets(KEYS, max_size=200))
def test_every_key_that_was_put_in_is_found(keys: set[int]) -> None:
    bits = bloom_filter(keys)
    assert all(may_hold(bits, key) for key in keys)


def test_of_others_one_in_a_hundred_is_taken_for_one() -> None:
    chance = random.Random(1)
    bits = bloom_filter([chance.getrandbits(62) for _ in range(20_000)])
    assert len(bits) == 25_000
    taken = sum(may_hold(bits, chance.getrandbits(62)) for _ in range(50_000))
    assert 300 < taken < 700


def test_the_filter_of_nothing_holds_nothing() -> None:
    assert not any(may_hold(bloom_filter([]), key) for key in (0, 1, 1 << 61))
