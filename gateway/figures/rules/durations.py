"""Counts durations in classes of equal relative width, and reads quantiles from them."""

from __future__ import annotations

import math
from collections.abc import Mapping

WIDTH = 1.05
"""Upper bound of a class over its lower one: a quantile is at most 2.5 % off, and a year has 354 classes."""

_LOG_WIDTH = math.log(WIDTH)

MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400

SHOWN_UP_TO_S = (
    15 * MINUTE_S,
    HOUR_S,
    4 * HOUR_S,
    12 * HOUR_S,
    DAY_S,
    3 * DAY_S,
    7 * DAY_S,
    30 * DAY_S,
)
"""Upper bounds of the classes that people see; one without bound follows."""


def duration_class(seconds: float) -> int:
    """Number of the class; 0 for up to a second, and for what clocks make negative."""
    if seconds <= 1:
        return 0
    return math.ceil(math.log(seconds) / _LOG_WIDTH - 1e-9)


def middle_s(number: int) -> float:
    """Geometric middle of a class in seconds; 0 for the first."""
    return WIDTH ** (number - 0.5) if number else 0.0


def quantile_s(counts: Mapping[int, int], share: float) -> float | None:
    """The time in seconds within which a share of the sample lies; None without a sample.

    Args:
        counts: by class.
        share: above 0, at most 1.
    """
    wanted = math.ceil(share * sum(counts.values()))
    reached = 0
    for number in sorted(counts):
        reached += counts[number]
        if reached >= wanted and counts[number]:
            return middle_s(number)
    return None


def shown_class(number: int) -> int:
    """Index in SHOWN_UP_TO_S of the class in which people see one of these; its length for those above."""
    middle = middle_s(number)
    return next((at for at, bound in enumerate(SHOWN_UP_TO_S) if middle <= bound), len(SHOWN_UP_TO_S))
