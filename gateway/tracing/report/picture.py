"""Draws a trace as SVG: a lane for each territory, time downwards; a drawing for each day, parts of a long one.

Every text is escaped here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from rich.cells import cell_len

from gateway.tracing.report.lines import clean, folded
from gateway.tracing.report.rows import Crossing, EventLine, LegBlock, Mark, Picture, Row, lane_title
from gateway.tracing.report.words import leg_name, zone_of

GUTTER: Final = 84
LANE: Final = 300
HEAD: Final = 26
LINE: Final = 16
PAD: Final = 8
"""Sizes in pixels: the column of times, a lane, its head, a line of text, the space around."""

MAX_HEIGHT: Final = 560
"""Height of a drawing from which the next begins, in pixels: what a landscape page of A4 holds."""

TEXT: Final = LANE - 4 - 4 * PAD
"""Room for a line of text in a card."""

_WIDE: Final = frozenset("mwMW@%—…→")
_NARROW: Final = frozenset(" iljtfr.,:;'|!()[]-·")


def text_width(text: str) -> float:
    """About how wide a text is at 12 pixels, by a wide font (DejaVu Sans): others are narrower, and none is loaded."""
    return sum(map(_char_width, text))


def bold_width(text: str) -> float:
    """As `text_width`, in bold."""
    return 1.12 * text_width(text)


def _char_width(char: str) -> float:
    if not char.isascii():
        return 12.0 if cell_len(char) == 2 else 8.0
    if char in _NARROW:
        return 4.8
    if char in _WIDE:
        return 11.5
    return 8.6 if char.isupper() else 7.6


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of text and its class."""

    text: str
    kind: str = ""


def draw(picture: Picture) -> Iterator[tuple[str, str]]:
    """Drawings of a day, or of a part of a full one: its heading, and `<svg>…</svg>`."""
    part: list[Row] = []
    height, continued = 0.0, False
    for row in picture.rows:
        _, tall = _row(row, 0)
        new_day = bool(part) and row.at.date() != part[-1].at.date()
        full = height + tall > MAX_HEIGHT and not isinstance(row.what, Crossing)  # an arrow stays with its departure
        if part and (new_day or full):
            yield _date(part[0]) + (", continued" if continued else ""), _svg(picture.lanes, part)
            part, height, continued = [], 0.0, not new_day
        part.append(row)
        height += tall
    if part:
        yield _date(part[0]) + (", continued" if continued else ""), _svg(picture.lanes, part)


def _date(row: Row) -> str:
    return f"{row.at:%Y-%m-%d %A}"


def _svg(lanes: tuple[str, ...], rows: Sequence[Row]) -> str:
    y = float(HEAD + PAD)
    drawn: list[str] = []
    before = ""
    for row in rows:
        time = f"{row.at:%H:%M} {zone_of(row.at)}"
        shapes, height = _row(row, y)
        if not isinstance(row.what, Crossing) and time != before:
            drawn.append(_text(GUTTER - PAD, y + 12, time, "time"))
            before = time
        drawn += shapes
        y += height
    width, height = GUTTER + LANE * len(lanes), y + PAD
    label = escape(f"What happened on {_date(rows[0])}", quote=True)
    return (
        f'<svg viewBox="0 0 {width} {height:g}" role="img" aria-label="{label}">'
        + "".join(_lanes(lanes, height))
        + "".join(drawn)
        + "</svg>"
    )


def _lanes(lanes: tuple[str, ...], height: float) -> Iterator[str]:
    for number, lane in enumerate(lanes):
        x = _x(number)
        yield f'<rect class="lane lane{number % 4}" x="{x}" y="0" width="{LANE - 4}" height="{height:g}" rx="4"/>'
        yield _text(x + 2 * PAD, 18, lane_title(lane), "lane-title")


def _x(lane: int) -> int:
    return GUTTER + lane * LANE


def _row(row: Row, y: float) -> tuple[list[str], float]:
    """Shapes of a row and its height."""
    if isinstance(row.what, Crossing):
        return _arrow(row.lane, row.what, y), 30
    if isinstance(row.what, EventLine):
        return _event(row.lane, row.what, y)
    return _leg(row.lane, row.what, y)


def _event(lane: int, event: EventLine, y: float) -> tuple[list[str], float]:
    lines = list(folded(f"{event.text} ({', '.join(event.nodes)})", TEXT + PAD, measure=text_width))
    x = _x(lane)
    shapes = [f'<circle class="dot" cx="{x + 2 * PAD}" cy="{y + 8:g}" r="3"/>']
    shapes += [_text(x + 2 * PAD + 10, y + 12 + LINE * at, text, "event") for at, text in enumerate(lines)]
    return shapes, LINE * len(lines) + 6


def _arrow(lane: int, crossing: Crossing, y: float) -> list[str]:
    forward = crossing.to_lane > lane
    start = _x(lane) + 2 * PAD if forward else _x(lane) + LANE - 3 * PAD
    end = _x(crossing.to_lane) + 4 if forward else _x(crossing.to_lane) + LANE - PAD
    tip = -9 if forward else 9
    label = next(folded(crossing.text, abs(end - start) - 4 * PAD, measure=text_width), "") if crossing.text else ""
    middle = (start + end) / 2
    at = y + 18
    return [
        f'<line class="way" x1="{start}" y1="{at:g}" x2="{end + tip}" y2="{at:g}"/>',
        f'<circle class="way-start" cx="{start}" cy="{at:g}" r="4"/>',
        f'<path class="way-end" d="M{end} {at:g}l{tip} -5v10z"/>',
        f'<text class="way-label" x="{middle:g}" y="{at - 5:g}">{_clean(label)}</text>' if label else "",
    ]


def _leg(lane: int, block: LegBlock, y: float) -> tuple[list[str], float]:
    x, width = _x(lane) + PAD, LANE - 4 - 2 * PAD
    lines = list(_leg_lines(block))
    marks = [(mark, list(_mark_lines(mark))) for mark in block.marks]
    text_height = LINE * len(lines) + PAD
    height = 24 + text_height + sum(LINE * len(found) + 10 for _, found in marks)
    shapes = [
        f'<rect class="card" x="{x}" y="{y:g}" width="{width}" height="{height:g}" rx="5"/>',
        f'<rect class="card-head" x="{x}" y="{y:g}" width="{width}" height="22" rx="5"/>',
        _text(x + PAD, y + 15, f"{block.number}  {block.title}", "card-title"),
    ]
    shapes += [_text(x + PAD, y + 24 + 13 + LINE * at, line.text, line.kind) for at, line in enumerate(lines)]
    at = y + 24 + text_height
    for mark, found in marks:
        tall = LINE * len(found) + 6
        box = f'x="{x + 4}" y="{at:g}" width="{width - 8}" height="{tall}" rx="3"'
        shapes.append(f'<rect class="mark {mark.severity}" {box}/>')
        for number, line in enumerate(found):
            shapes.append(_text(x + 4 + PAD, at + 14 + LINE * number, line.text, line.kind))
        at += tall + 4
    return shapes, height + 10


def _leg_lines(block: LegBlock) -> Iterator[_Line]:
    yield from (_Line(text, "record") for text in folded(leg_name(block.leg), TEXT, measure=bold_width))
    for fact in (*block.facts, *block.parties):
        yield from (_Line(text) for text in folded(fact, TEXT, measure=text_width))
    for item in block.leg.controlled:
        what = " ".join(filter(None, (item.code, item.substance)))
        said = f"◆ under control: {what} ({item.confidence})"
        yield from (_Line(text, "controlled") for text in folded(said, TEXT, measure=bold_width))
    count = len(block.leg.record.withheld)
    if count:
        yield _Line(f"{count} field{'s' if count > 1 else ''} withheld", "withheld")


def _mark_lines(mark: Mark) -> Iterator[_Line]:
    found = mark.discrepancy
    others = f"record{'s' if len(mark.others) > 1 else ''} {', '.join(map(str, mark.others))}"
    where = f", {'with' if mark.is_last else 'see'} {others}" if mark.others else ""
    said = f"▲ {found.rule_id} {mark.severity.upper()} {found.name.replace('_', ' ')}{where}"
    kind = f"mark-text {mark.severity}"
    yield from (_Line(text, f"{kind} first") for text in folded(said, TEXT - PAD, measure=bold_width))
    if mark.is_last:
        yield from (_Line(text, kind) for text in folded(found.explanation, TEXT - PAD, measure=text_width))


def _text(x: float, y: float, text: str, kind: str) -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:g}" y="{y:g}">{_clean(text)}</text>'


def _clean(text: str) -> str:
    return escape(clean(text), quote=True)
