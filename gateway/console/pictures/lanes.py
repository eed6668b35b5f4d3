"""Draws a trace: territories in lanes, time downwards, contradictions at the records that they are about."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from markupsafe import Markup

from gateway.console.pictures.svg import Illustration, element, path, picture, text
from gateway.tracing.report import words
from gateway.tracing.report.picture import Arrowhead, Box, Dot, Drawing, Shape, Stroke, TextLine, draw
from gateway.tracing.report.rows import EventLine, LegBlock, Picture, Row, picture_of
from gateway.tracing.report.steps import ReportStep, steps
from gateway.translation.messages import gettext as _
from gateway.translation.messages import ngettext
from gateway.v1.trace_pb2 import Trace

MAX_LANES: Final = 4
MAX_DRAWINGS: Final = 20
"""Days or parts of them; the table has all."""

GAP: Final = timedelta(hours=24)
"""So long without a record is said: nobody recorded where the goods were."""


def trace_lanes(trace: Trace) -> list[Illustration]:
    """A picture for each day or part of it, in order; none where nothing was found.

    A wide one has a lane for each territory, a narrow one a single lane that names them.
    """
    if not trace.legs:
        return []
    whole = picture_of(trace, MAX_LANES)
    wide = list(draw(whole))
    narrow = list(draw(_single(whole)))
    tables = _tables(whole)
    gaps = _gaps(whole.rows)
    return [
        Illustration(
            title=heading,
            description=words.conclusion(trace),
            wide=Markup("").join(_svg(each, trace) for each in _of_day(wide, date)),
            narrow=Markup("").join(_svg(each, trace) for each in _of_day(narrow, date)),
            columns=(_("When"), _("Where"), _("What"), _("What doesn't add up")),
            rows=tables.get(date, ()),
            notes=gaps.get(date, ()),
        )
        for date, heading in list(_days(wide).items())[:MAX_DRAWINGS]
    ]


def _days(drawings: Sequence[Drawing]) -> dict[str, str]:
    """Headings of days by their dates."""
    headings: dict[str, str] = {}
    for drawing in drawings:
        headings.setdefault(drawing.date, drawing.date)
    return headings


def _of_day(drawings: Sequence[Drawing], date: str) -> list[Drawing]:
    return [drawing for drawing in drawings if drawing.date == date]


def _single(whole: Picture) -> Picture:
    """All rows in one lane, with the territory in words."""
    rows = []
    for row in whole.rows:
        lane = whole.lanes[row.lane]
        if isinstance(row.what, LegBlock):
            said: LegBlock | EventLine = replace(row.what, title=f"{lane} {row.what.title}")
        elif isinstance(row.what, EventLine):
            said = replace(row.what, text=f"{lane}: {row.what.text}")
        else:
            said = EventLine(f"{lane} → {whole.lanes[row.what.to_lane]}", (row.what.text,) if row.what.text else ("–",))
        rows.append(Row(row.at, 0, said))
    return Picture(("",), tuple(rows))


def _gaps(rows: Sequence[Row]) -> dict[str, tuple[str, ...]]:
    """Long times without a record, by the date of the drawing that follows them."""
    said: dict[str, tuple[str, ...]] = {}
    before: datetime | None = None
    for row in rows:
        if before is not None and row.at - before >= GAP:
            hours = round((row.at - before) / timedelta(hours=1))
            line = ngettext(
                "{number} hour before this without any record of where the goods were.",
                "{number} hours before this without any record of where the goods were.",
                hours,
            )
            date = _date_of(row.at)
            said[date] = (*said.get(date, ()), line)
        before = row.at
    return said


def _date_of(at: datetime) -> str:
    return _("{date} {weekday}", date=f"{at:%Y-%m-%d}", weekday=words.weekday(at))


def _tables(whole: Picture) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Steps by their day."""
    tables: dict[str, tuple[tuple[str, ...], ...]] = {}
    for row, step in zip(whole.rows, steps(whole), strict=True):
        date = _date_of(row.at)
        tables[date] = (*tables.get(date, ()), _cells(step))
    return tables


def _cells(step: ReportStep) -> tuple[str, ...]:
    what = "; ".join((step.title, *step.lines))
    return step.time, step.place, what, "; ".join(mark for _kind, mark in step.marks)


def _svg(drawing: Drawing, trace: Trace) -> Markup:
    title = _("What happened on {date}", date=drawing.heading)
    parts = [part for shape in drawing.shapes for part in _element(shape)]
    return picture("trace", (drawing.width, drawing.height), title, words.conclusion(trace), parts)


def _element(shape: Shape) -> Iterator[Markup]:
    if isinstance(shape, TextLine):
        yield text(shape.kind, shape.x, shape.y, shape.text)
    elif isinstance(shape, Box):
        size = {"width": shape.width, "height": shape.height, "rx": shape.radius}
        yield element("rect", class_=shape.kind, x=shape.x, y=shape.y, **size)
    elif isinstance(shape, Dot):
        yield element("circle", class_=shape.kind, cx=shape.x, cy=shape.y, r=shape.radius)
    elif isinstance(shape, Stroke):
        yield element("line", class_=shape.kind, x1=shape.x, y1=shape.y, x2=shape.end, y2=shape.y)
    elif isinstance(shape, Arrowhead):
        base = shape.x + shape.back
        points = [(shape.x, shape.y), (base, shape.y - 5), (base, shape.y + 5)]
        yield element("path", class_=shape.kind, d=path(points, closed=True))
