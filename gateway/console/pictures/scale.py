"""Chooses ticks of an axis: few, round, from zero, and of durations those that people count in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

MINUTE: Final = 60.0
SMALLEST: Final = 1e-9

HOUR: Final = 3600.0
DAY: Final = 86400.0

DURATIONS: Final = (
    1.0, 10.0, 30.0, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR, 12 * HOUR, DAY, 3 * DAY, 7 * DAY, 30 * DAY,
    90 * DAY, 365 * DAY, 1000 * DAY, 3650 * DAY,
)  # fmt: skip
"""Seconds at which an axis of durations may have a tick."""


class LinearScale(NamedTuple):
    """An axis from zero: its ticks, the last of which is its end."""

    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """Where a value lies, 0 to 1."""
        return max(0.0, min(1.0, value / self.ticks[-1]))


class DurationScale(NamedTuple):
    """An axis on which twice as long is the same step everywhere."""

    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """Where a number of seconds lies, 0 to 1."""
        start, end = math.log(self.ticks[0]), math.log(self.ticks[-1])
        return max(0.0, min(1.0, (math.log(max(value, self.ticks[0])) - start) / (end - start)))


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


def duration_scale(values: Sequence[float]) -> DurationScale:
    """Ticks around these numbers of seconds."""
    finite = [value for value in values if math.isfinite(value) and value > 0] or [HOUR]
    below = [tick for tick in DURATIONS if tick <= min(finite)]
    above = [tick for tick in DURATIONS if tick >= max(finite)]
    start = below[-1] if below else DURATIONS[0]
    end = above[0] if above else DURATIONS[-1]
    if start == end:
        at = DURATIONS.index(end)
        start, end = DURATIONS[max(0, at - 1)], DURATIONS[min(len(DURATIONS) - 1, at + 1)]
    return DurationScale(tuple(tick for tick in DURATIONS if start <= tick <= end))
