"""Lists what happened to a consignment, a step after the other, where a drawing doesn't fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gateway.tracing.report import words
from gateway.tracing.report.rows import Crossing, EventLine, LegBlock, Mark, Picture, Row, lane_title
from gateway.translation.messages import gettext as _
from gateway.translation.messages import ngettext
from gateway.translation.rule_sentences import explained


class ReportStep(NamedTuple):
    """A step.

    Attributes:
        day: of the first step of a day; else empty.
        place: territory.
        kind: record, event or way.
        lines: below the title.
        marks: kind and text of contradictions.
    """

    day: str
    time: str
    place: str
    kind: str
    title: str
    lines: tuple[str, ...] = ()
    marks: tuple[tuple[str, str], ...] = ()


def steps(picture: Picture) -> Iterator[ReportStep]:
    """The rows of a picture in order of time."""
    before = ""
    for row in picture.rows:
        day = f"{row.at:%Y-%m-%d}"
        heading = "" if day == before else f"{day} {words.weekday(row.at)}"
        yield _step(row, picture.lanes)._replace(day=heading, time=f"{row.at:%H:%M} {words.zone_of(row.at)}")
        before = day


def _step(row: Row, lanes: tuple[str, ...]) -> ReportStep:
    place = lane_title(lanes[row.lane])
    if isinstance(row.what, LegBlock):
        return _record(row.what, place)
    if isinstance(row.what, EventLine):
        return ReportStep("", "", place, "event", f"{row.what.text} ({', '.join(row.what.nodes)})")
    return _crossing(row.what, place, lanes)


def _record(block: LegBlock, place: str) -> ReportStep:
    count = len(block.leg.record.withheld)
    withheld = ngettext("{number} field withheld", "{number} fields withheld", count) if count else ""
    lines = (words.leg_name(block.leg), *block.facts, *block.parties, *block.controls, withheld)
    marks = tuple((mark.kind, text) for mark in block.marks for text in _mark(mark))
    return ReportStep("", "", place, "record", f"{block.number}  {block.title}", tuple(filter(None, lines)), marks)


def _mark(mark: Mark) -> Iterator[str]:
    yield mark.title
    if mark.is_last and mark.discrepancy.explanation:
        yield explained(mark.discrepancy.explanation)


def _crossing(crossing: Crossing, place: str, lanes: tuple[str, ...]) -> ReportStep:
    title = _("{start} → {end}", start=place, end=lane_title(lanes[crossing.to_lane]))
    return ReportStep("", "", place, "way", title, tuple(filter(None, (crossing.text,))))
