"""Chooses ticks of an axis: few, round, from zero."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

SMALLEST: Final = 1e-9


class LinearScale(NamedTuple):
    """An axis from zero: its ticks, the last of which is its end."""

    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """Where a value lies, 0 to 1."""
        return max(0.0, min(1.0, value / self.ticks[-1]))


def linear_scale(largest: float, *, most: int = 5, whole: bool = True) -> LinearScale:
    """Ticks 1, 2 or 5 times a power of ten apart.

    Args:
        largest: the largest value; what isn't finite or not above `SMALLEST` counts as zero.
        most: steps at most.
        whole: only whole numbers, for counts.
    """
    top = largest if math.isfinite(largest) and largest > SMALLEST else 1.0
    step = 10.0 ** math.floor(math.log10(top / most))
    step = next(step * times for times in (1, 2, 5, 10, 20) if step * times * most >= top * 0.999999)
    if whole:
        step = max(1.0, math.ceil(step))
    count = max(1, math.ceil(top / step - 1e-9))
    return LinearScale(tuple(round(step * at, 10) for at in range(count + 1)))
