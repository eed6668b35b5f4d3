"""What a step of an alert adds to the figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from gateway.figures.rules.durations import duration_class
from gateway.v1 import alert_pb2


class FigureMeasure(StrEnum):
    """What is counted; the key of a count says which of it."""

    PRIORITY = "priority"
    TYPOLOGY = "typology"
    ACTION = "action"
    ACKNOWLEDGED = "acknowledged"
    TIME_TO_ACKNOWLEDGE = "ack_time"
    TIME_TO_CLOSE = "close_time"
    ENDING = "ending"
    FLAG = "flag"
    FINDING = "finding"
    TAKEN = "taken"
    TAKEN_WITHOUT_MASS = "taken_no_mass"
    ERASED = "erased"


MAX_GRAMS = 10**12
"""A million tonnes, the contract's most: so that no sum overflows."""

CLOSED = "closed_"
"""Begins the names of outcomes among the endings."""


@dataclass(frozen=True, slots=True)
class StepFacts:
    """What isn't in the step itself.

    Attributes:
        at_ms: when it happened, milliseconds since 1970.
        published_at_ms: when the alert was published; None where that isn't known.
        is_first: of an acknowledgement: whether it is the copy's first; of a closing: the alert's.
    """

    at_ms: int
    published_at_ms: int | None = None
    is_first: bool = False


@dataclass(frozen=True, slots=True)
class Increment:
    """Adds to the number that stands under a measure and key, and to its mass.

    Attributes:
        by_publisher: what the publisher did itself, whoever has a copy of the alert.
    """

    measure: FigureMeasure
    key: str = ""
    number: int = 1
    grams: int = 0
    by_publisher: bool = False


def increments(event: alert_pb2.AlertEvent, facts: StepFacts) -> Iterator[Increment]:
    """What an event adds."""
    kind = event.WhichOneof("event")
    match kind:
        case "published":
            yield from _published(event.published.content)
        case "acknowledged":
            if facts.is_first:
                yield Increment(FigureMeasure.ACKNOWLEDGED)
                yield from _time(FigureMeasure.TIME_TO_ACKNOWLEDGE, facts)
        case "flagged":
            yield Increment(FigureMeasure.FLAG, code(alert_pb2.FlagReason, event.flagged.reason))
        case "finding":
            yield from finding_increments(event.finding)
        case "closed":
            yield Increment(FigureMeasure.ENDING, CLOSED + code(alert_pb2.CloseOutcome, event.closed.outcome))
            yield from _time(FigureMeasure.TIME_TO_CLOSE, facts)
            if facts.is_first:  # each recipient has its copy of one closing
                yield from (replace(taken, by_publisher=True) for taken in _taken(event.closed.measures))
        case "withdrawn" | "expired":
            yield Increment(FigureMeasure.ENDING, kind)


def finding_increments(finding: alert_pb2.AlertFinding) -> Iterator[Increment]:
    """What a finding adds."""
    yield Increment(FigureMeasure.FINDING, code(alert_pb2.FindingResult, finding.result))
    yield from _taken(finding.measures)


def change_increments(event: alert_pb2.AlertEvent, before: alert_pb2.AlertFinding) -> Iterator[Increment]:
    """What a correction or withdrawal changes, on the day on which the finding counts: it counts as it is now.

    Args:
        before: what the finding said until then.
    """
    for increment in finding_increments(before):
        yield replace(increment, number=-increment.number, grams=-increment.grams)
    if event.HasField("finding_corrected"):
        yield from finding_increments(event.finding_corrected.finding)


def code(enum: Any, value: int) -> str:
    """A value's name without the enum's, in lower case; its number where a newer contract has it."""
    if value not in enum.values():
        return str(value)
    prefix = "".join(f"_{char}" if char.isupper() else char for char in enum.DESCRIPTOR.name).strip("_").upper()
    return str(enum.Name(value)).removeprefix(f"{prefix}_").lower()


def _published(content: alert_pb2.AlertContent) -> Iterator[Increment]:
    yield Increment(FigureMeasure.PRIORITY, code(alert_pb2.Priority, content.priority))
    yield Increment(FigureMeasure.ACTION, code(alert_pb2.RequestedAction, content.requested_action))
    for typology in dict.fromkeys(content.typologies):
        yield Increment(FigureMeasure.TYPOLOGY, typology)


def _time(measure: FigureMeasure, facts: StepFacts) -> Iterator[Increment]:
    if facts.published_at_ms is not None:
        yield Increment(measure, str(duration_class((facts.at_ms - facts.published_at_ms) / 1000)))


def _taken(measures: Iterable[alert_pb2.MeasureTaken]) -> Iterator[Increment]:
    for taken in measures:
        key = f"{code(alert_pb2.MeasureKind, taken.kind)}|{taken.element}"
        grams = min(round(taken.net_mass_kg * 1000), MAX_GRAMS)
        yield Increment(FigureMeasure.TAKEN, key, grams=grams)
        if not taken.HasField("net_mass_kg"):
            yield Increment(FigureMeasure.TAKEN_WITHOUT_MASS, key)
