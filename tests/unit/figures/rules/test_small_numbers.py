"""Small numbers are withheld, and can't be computed from the others."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.figures.rules.small_numbers import withheld


@given(st.lists(st.integers(0, 30), max_size=12), st.integers(0, 10))
def test_no_small_number_is_shown_or_is_what_is_missing_to_the_sum(numbers: list[int], least: int) -> None:
    hidden = withheld(numbers, least)
    assert all(
        number == 0 or number >= least for number, is_hidden in zip(numbers, hidden, strict=True) if not is_hidden
    )
    others = [number for number, is_hidden in zip(numbers, hidden, strict=True) if is_hidden]
    assert len(others) != 1 or sum(number > 0 for number in numbers) == 1


def test_the_smallest_other_is_withheld_too() -> None:
    assert withheld([2, 40, 0, 7], 5) == [True, False, False, True]
    assert withheld([2, 40, 0, 7], 5, sum_is_known=False) == [True, False, False, False]
    assert withheld([2, 3, 40], 5) == [True, True, False]


def test_nothing_is_withheld_without_a_least_number() -> None:
    assert withheld([1, 2, 3], 0) == [False, False, False]
