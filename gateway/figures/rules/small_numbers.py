"""Withholds numbers so small that they could point to a case."""

from __future__ import annotations

from collections.abc import Sequence


def withheld(numbers: Sequence[int], least: int, *, sum_is_known: bool = True) -> list[bool]:
    """Which of some numbers to withhold.

    Numbers from 1 to below `least` are. Where their sum is known and one alone would be withheld, it could be computed
    from the others: the smallest other that isn't 0 is withheld too.

    Args:
        numbers: parts of one sum.
        least: 0 for none.
    """
    hidden = [0 < number < least for number in numbers]
    if sum_is_known and sum(hidden) == 1:
        others = [at for at, number in enumerate(numbers) if number and not hidden[at]]
        if others:
            hidden[min(others, key=lambda at: (numbers[at], at))] = True
    return hidden
