"""Draws a trace: territories in lanes, time downwards, a drawing for each day or part of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rich.cells import cell_len

from gateway.tracing.report import words
from gateway.tracing.report.lines import clean, folded
from gateway.tracing.report.rows import Crossing, EventLine, LegBlock, Mark, Picture, Row, lane_title
from gateway.translation.messages import gettext as _
from gateway.translation.messages import listed, ngettext
from gateway.translation.rule_sentences import explained

GUTTER: Final = 84
LANE: Final = 240
HEAD: Final = 26
LINE: Final = 16
PAD: Final = 8
"""Pixels: times, lane, its head, line, padding."""

MAX_HEIGHT: Final = 560
"""Half of a page of A4 in portrait, in pixels of three lanes: two drawings fill a page."""

TEXT: Final = LANE - 4 - 4 * PAD

_WIDE: Final = frozenset("mwMW@%—…→")
_NARROW: Final = frozenset(" iljtfr.,:;'|!()[]-·")


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of text; `y` is its baseline."""

    element: ClassVar[str] = "text"
    kind: str
    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle with round corners."""

    element: ClassVar[str] = "rect"
    kind: str
    x: float
    y: float
    width: float
    height: float
    radius: int


@dataclass(frozen=True, slots=True)
class Dot:
    """A circle."""

    element: ClassVar[str] = "circle"
    kind: str
    x: float
    y: float
    radius: int


@dataclass(frozen=True, slots=True)
class Stroke:
    """A horizontal line."""

    element: ClassVar[str] = "line"
    kind: str
    x: float
    y: float
    end: float


@dataclass(frozen=True, slots=True)
class Arrowhead:
    """An arrow's tip; `back` leads to its base."""

    element: ClassVar[str] = "arrowhead"
    kind: str
    x: float
    y: float
    back: int


Shape = TextLine | Box | Dot | Stroke | Arrowhead


@dataclass(frozen=True, slots=True)
class Drawing:
    """A day or part of it."""

    date: str
    heading: str
    width: float
    height: float
    shapes: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class _Styled:
    text: str
    kind: str = ""


def text_width(text: str) -> float:
    """Pixels at 12 px in a wide font (DejaVu Sans); no font is loaded."""
    return sum(map(_char_width, text))


def bold_width(text: str) -> float:
    """The same in bold."""
    return 1.12 * text_width(text)


def _char_width(char: str) -> float:
    if not char.isascii():
        return 12.0 if cell_len(char) == 2 else 8.0
    if char in _NARROW:
        return 4.8
    if char in _WIDE:
        return 11.5
    return 8.6 if char.isupper() else 7.6


def draw(picture: Picture) -> Iterator[Drawing]:
    """Drawings in order of time."""
    part: list[Row] = []
    height, continued = 0.0, False
    for row in picture.rows:
        _shapes, tall = _row(row, 0)
        new_day = bool(part) and row.at.date() != part[-1].at.date()
        full = height + tall > MAX_HEIGHT and not isinstance(row.what, Crossing)  # arrows stay with their departure
        if part and (new_day or full):
            yield _drawing(picture.lanes, part, continued=continued)
            part, height, continued = [], 0.0, not new_day
        part.append(row)
        height += tall
    if part:
        yield _drawing(picture.lanes, part, continued=continued)


def _drawing(lanes: tuple[str, ...], rows: Sequence[Row], *, continued: bool) -> Drawing:
    y = float(HEAD + PAD)
    shapes: list[Shape] = []
    before = ""
    for row in rows:
        time = f"{row.at:%H:%M} {words.zone_of(row.at)}"
        drawn, height = _row(row, y)
        if not isinstance(row.what, Crossing) and time != before:
            shapes.append(_text("time", GUTTER - PAD, y + 12, time))
            before = time
        shapes += drawn
        y += height
    width, height = GUTTER + LANE * len(lanes), y + PAD
    date = _("{date} {weekday}", date=f"{rows[0].at:%Y-%m-%d}", weekday=words.weekday(rows[0].at))
    heading = _("{date}, continued", date=date) if continued else date
    return Drawing(date, heading, width, height, (*_lanes(lanes, height), *shapes))


def _lanes(lanes: tuple[str, ...], height: float) -> Iterator[Shape]:
    for number, lane in enumerate(lanes):
        x = _x(number)
        yield Box(f"lane lane{number % 4}", x, 0, LANE - 4, height, 4)
        yield _text("lane-title", x + 2 * PAD, 18, lane_title(lane))


def _x(lane: int) -> int:
    return GUTTER + lane * LANE


def _row(row: Row, y: float) -> tuple[list[Shape], float]:
    if isinstance(row.what, Crossing):
        return list(_arrow(row.lane, row.what, y)), 30
    if isinstance(row.what, EventLine):
        return _event(row.lane, row.what, y)
    return _leg(row.lane, row.what, y)


def _event(lane: int, event: EventLine, y: float) -> tuple[list[Shape], float]:
    lines = list(folded(f"{event.text} ({', '.join(event.nodes)})", TEXT + PAD, measure=text_width))
    x = _x(lane) + 2 * PAD
    texts = [_text("event", x + 10, y + 12 + LINE * at, text) for at, text in enumerate(lines)]
    return [Dot("dot", x, y + 8, 3), *texts], LINE * len(lines) + 6


def _arrow(lane: int, crossing: Crossing, y: float) -> Iterator[Shape]:
    forward = crossing.to_lane > lane
    start = _x(lane) + 2 * PAD if forward else _x(lane) + LANE - 3 * PAD
    end = _x(crossing.to_lane) + 4 if forward else _x(crossing.to_lane) + LANE - PAD
    tip = -9 if forward else 9
    at = y + 18
    yield Stroke("way", start, at, end + tip)
    yield Dot("way-start", start, at, 4)
    yield Arrowhead("way-end", end, at, tip)
    label = next(folded(crossing.text, abs(end - start) - 4 * PAD, measure=text_width), "") if crossing.text else ""
    if label:
        yield _text("way-label", (start + end) / 2, at - 5, label)


def _leg(lane: int, block: LegBlock, y: float) -> tuple[list[Shape], float]:
    x, width = _x(lane) + PAD, LANE - 4 - 2 * PAD
    lines = list(_leg_lines(block))
    marks = [(mark, list(_mark_lines(mark))) for mark in block.marks]
    text_height = LINE * len(lines) + PAD
    height = 24 + text_height + sum(LINE * len(texts) + 10 for mark, texts in marks)
    shapes: list[Shape] = [
        Box("card", x, y, width, height, 5),
        Box("card-head", x, y, width, 22, 5),
        _text("card-title", x + PAD, y + 15, f"{block.number}  {block.title}"),
    ]
    shapes += [_text(line.kind, x + PAD, y + 24 + 13 + LINE * at, line.text) for at, line in enumerate(lines)]
    at = y + 24 + text_height
    for mark, texts in marks:
        tall = LINE * len(texts) + 6
        shapes.append(Box(f"mark {mark.kind}", x + 4, at, width - 8, tall, 3))
        shapes += [_text(line.kind, x + 4 + PAD, at + 14 + LINE * n, line.text) for n, line in enumerate(texts)]
        at += tall + 4
    return shapes, height + 10


def _leg_lines(block: LegBlock) -> Iterator[_Styled]:
    yield from (_Styled(text, "record") for text in folded(words.leg_name(block.leg), TEXT, measure=bold_width))
    for fact in (*block.facts, *block.parties):
        yield from (_Styled(text) for text in folded(fact, TEXT, measure=text_width))
    for control in block.controls:
        yield from (_Styled(text, "controlled") for text in folded(control, TEXT, measure=bold_width))
    count = len(block.leg.record.withheld)
    if count:
        yield _Styled(ngettext("{number} field withheld", "{number} fields withheld", count), "withheld")


def _mark_lines(mark: Mark) -> Iterator[_Styled]:
    kind = f"mark-text {mark.kind}"
    title = _mark_title(mark)
    yield from (_Styled(text, f"{kind} first") for text in folded(title, TEXT - PAD, measure=bold_width))
    if mark.is_last:
        explanation = explained(mark.discrepancy.explanation)
        yield from (_Styled(text, kind) for text in folded(explanation, TEXT - PAD, measure=text_width))


def _mark_title(mark: Mark) -> str:
    count = len(mark.others)
    if not count:
        return mark.title
    values = {"title": mark.title, "others": listed(map(str, mark.others))}
    if mark.is_last:
        return ngettext("{title}, with record {others}", "{title}, with records {others}", count, **values)
    return ngettext("{title}, see record {others}", "{title}, see records {others}", count, **values)


def _text(kind: str, x: float, y: float, text: str) -> TextLine:
    return TextLine(kind, x, y, clean(text))
