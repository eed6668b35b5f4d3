"""Learns from outcomes of inspections: a rule's lift, and the threshold that would have served best."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

from gateway.risk.facts.findings import Outcomes

LEAST_LIFT = 1.5
"""A rule of a lower measured lift isn't applied unless a node wants it."""

LEAST_OUTCOMES = 20
"""Fewer inspected hits show no lift of a threshold: a judgement."""


class LearnedThreshold(NamedTuple):
    """A threshold, and what the hits from it on came to."""

    value: float
    lift: float
    hits: int


def lift(hits: Outcomes, all_records: Outcomes) -> float | None:
    """How many times as often as usual inspections of hits found something; None if that isn't known."""
    if not hits.inspected or not all_records.confirmed:
        return None
    return hits.confirmed / hits.inspected / (all_records.confirmed / all_records.inspected)


def learned_threshold(measured: Iterable[tuple[float, bool]], all_records: Outcomes) -> LearnedThreshold | None:
    """The threshold from which on hits had the highest lift; the lowest of equal ones.

    Args:
        measured: what was measured of each inspected hit, and whether something was found.
    """
    ordered: Sequence[tuple[float, bool]] = sorted(measured, reverse=True)
    best: LearnedThreshold | None = None
    for count, confirmed in enumerate(accumulate(found for _, found in ordered), start=1):
        value = ordered[count - 1][0]
        if count < LEAST_OUTCOMES or (count < len(ordered) and ordered[count][0] == value):
            continue
        of_hits = lift(Outcomes(count, confirmed), all_records)
        if of_hits is not None and (best is None or of_hits >= best.lift):
            best = LearnedThreshold(value, of_hits, count)
    return best
