"""Draws a trace in a terminal: a timeline over three territories with what doesn't add up in its place.

Readable from 80 columns and without colour: severities stand there as words. Text from records can't repaint the
terminal (`output.printable`).
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gateway.tracing.report.lines import clean, cut, folded
from gateway.tracing.report.rows import Crossing, EventLine, LegBlock, Mark, Picture, Row, lane_title, picture_of
from gateway.tracing.report.words import (
    answer_in_words,
    answers_by_node,
    leg_name,
    not_whole,
    severities_in_words,
    span_of_events,
    way_in_words,
    withheld_by_class,
    zone_of,
)
from gateway.v1.history_pb2 import (
    ANSWER_STATUS_COMPLETE,
    ANSWER_STATUS_PARTIAL,
    NodeAnswer,
    QueryGrounds,
)
from gateway.v1.trace_pb2 import Discrepancy, Trace

MIN_WIDTH: Final = 60
"""Narrowest drawing in columns: below it lanes hold no word."""

MIN_LANE: Final = 15
"""Narrowest lane in columns of text, besides its border."""

MAX_LANE: Final = 46
"""Widest lane: eyes don't follow longer lines across three lanes."""

_ROOM_FOR_PARTIES: Final = 24
_ROOM_FOR_REASONS: Final = 36
"""Widths of a lane from which parties, and why something doesn't add up, stand in it."""

_STYLES: Final = {"high": "bold red", "medium": "yellow", "low": "cyan", "notice": "dim"}


def render_terminal(trace: Trace, grounds: QueryGrounds | None = None, *, width: int = 100, colour: bool = True) -> str:
    """The drawing as text.

    Args:
        trace: the consignment.
        grounds: on which it was asked for, to be shown above.
        width: columns; below 60 it's drawn as for 60.
        colour: whether with ANSI colours.
    """
    console = Console(
        file=io.StringIO(),
        width=max(width, MIN_WIDTH),
        force_terminal=colour,
        color_system="standard" if colour else None,
        no_color=not colour,
        highlight=False,
        emoji=False,
        legacy_windows=False,
    )
    with console.capture() as capture:
        console.print(trace_view(trace, grounds, max(width, MIN_WIDTH)))
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def trace_view(trace: Trace, grounds: QueryGrounds | None, width: int) -> RenderableType:
    """The drawing for a console of this many columns."""
    parts: list[RenderableType] = [*_head(trace, grounds)]
    if trace.legs:
        parts += [Text(), *_timeline(trace, width), Text(), *_discrepancies(trace), *_links(trace)]
    else:
        parts.append(Text())
    parts += [*_answers(trace), *_withheld(trace)]
    return Group(*parts)


def _head(trace: Trace, grounds: QueryGrounds | None) -> Iterator[Text]:
    span = span_of_events(trace)
    if span is None:
        yield Text("No record of this consignment was found.", style="bold")
    else:
        count = len(trace.legs)
        way = way_in_words(trace)
        yield Text(f"Consignment of {count} record{'s' if count > 1 else ''}: {clean(way)}", style="bold")
        yield Text(f"{span[0]:%Y-%m-%d %H:%M} {zone_of(span[0])} to {span[1]:%Y-%m-%d %H:%M} {zone_of(span[1])}")
        yield Text(severities_in_words(trace), style="bold" if trace.discrepancies else "")
    if trace.truncated:
        yield Text("This is a part: more was found, or was left to ask, than a trace takes in.", style="bold yellow")
    missing = not_whole(trace)
    if missing:
        yield Text(clean(f"Not answered whole by {', '.join(missing)}: see below."), style="bold yellow")
    if grounds is not None:
        said = f"Asked for {grounds.purpose} on {grounds.legal_basis}, case {grounds.case_reference}"
        yield Text(clean(said), style="dim")


# --- timeline


def _timeline(trace: Trace, width: int) -> Iterator[Text]:
    gutter = 1 + max(len(_time(row)) for row in picture_of(trace, 4).rows)
    picture = picture_of(trace, max(4, (width - gutter) // (MIN_LANE + 2)))
    lane = min(MAX_LANE, (width - gutter) // len(picture.lanes) - 2)
    page = _Page(picture, gutter, lane)
    yield page.line("", [Text(cut(clean(lane_title(each)), lane), style="bold") for each in picture.lanes])
    yield page.rule()
    day = ""
    for row in picture.rows:
        if f"{row.at:%Y}" != day[:4]:
            yield page.head(f"{row.at:%Y}")
        if f"{row.at:%Y-%m-%d}" != day:
            day = f"{row.at:%Y-%m-%d}"
            yield page.head(f"{row.at:%m-%d %a}")
        yield from page.row(row)
    yield page.rule("┴")


class _Page:
    """Lines of the timeline: a gutter with the time and a column for each lane."""

    def __init__(self, picture: Picture, gutter: int, lane: int) -> None:
        self._count = len(picture.lanes)
        self._gutter = gutter
        self._lane = lane

    def rule(self, joint: str = "┼") -> Text:
        lanes = (joint + "─" * (self._lane + 1)) * self._count
        return Text("─" * self._gutter + lanes, style="dim")

    def head(self, day: str) -> Text:
        """A line with a year or a day in the gutter."""
        line = self.line(day, [Text()] * self._count)
        line.stylize("bold", 0, len(day))
        return line

    def line(self, time: str, cells: Sequence[Text]) -> Text:
        line = Text(time.ljust(self._gutter))
        for cell in cells:
            line.append("│ ", style="dim")
            line.append_text(cell)
            line.append(" " * (self._lane - cell.cell_len))
        return line

    def row(self, row: Row) -> Iterator[Text]:
        if isinstance(row.what, Crossing):
            yield self._arrow(row.lane, row.what)
            return
        lines = _block(row.what, self._lane) if isinstance(row.what, LegBlock) else _event(row.what, self._lane)
        for number, text in enumerate(lines):
            cells = [Text() for _ in range(self._count)]
            cells[row.lane] = text
            yield self.line("" if number else _time(row), cells)

    def _arrow(self, lane: int, crossing: Crossing) -> Text:
        """From within one lane to the border of the other, over the borders between."""
        left, right = min(lane, crossing.to_lane), max(lane, crossing.to_lane)
        forward = lane < crossing.to_lane
        room = (right - left) * (self._lane + 2) - 2
        label = cut(clean(crossing.text), room - 5)
        body = f"─ {label} " if label else ""
        dashes = "─" * (room - 1 - cell_len(body))
        arrow = f"●{body}{dashes}▶" if forward else f"◀{body}{dashes}●"
        line = Text(" " * self._gutter)
        line.append(("│ " + " " * self._lane) * left, style="dim")
        line.append("│ ", style="dim")
        line.append(arrow, style="bold blue")
        line.append(" " * (self._lane + 1))
        line.append(("│ " + " " * self._lane) * (self._count - right - 1), style="dim")
        return line


def _time(row: Row) -> str:
    return f"{row.at:%H:%M} {zone_of(row.at)}"


def _block(block: LegBlock, width: int) -> Iterator[Text]:
    title = f"[{block.number}] {block.title.upper()}"
    yield from _folded(title, width, "bold reverse")
    yield from _folded(leg_name(block.leg), width, "bold")
    for fact in block.facts:
        yield from _folded(fact, width)
    if width >= _ROOM_FOR_PARTIES:
        for party in block.parties:
            yield from _folded(party, width, "dim")
    for item in block.leg.controlled:
        what = " ".join(filter(None, (item.code, item.substance)))
        yield from _folded(f"◆ under control: {what} ({item.confidence})", width, "magenta")
    count = len(block.leg.record.withheld)
    if count:
        yield from _folded(f"({count} field{'s' if count > 1 else ''} withheld)", width, "dim")
    for mark in block.marks:
        yield from _folded(_mark(mark), width, _STYLES[mark.severity], hang="  ")
        if mark.is_last and width >= _ROOM_FOR_REASONS:
            yield from _folded(f"  {mark.discrepancy.explanation}", width, _STYLES[mark.severity], hang="  ")


def _mark(mark: Mark) -> str:
    found = mark.discrepancy
    said = f"▲ {found.rule_id} {mark.severity.upper()} {found.name.replace('_', ' ')}"
    if not mark.others:
        return said
    others = ", ".join(f"[{other}]" for other in mark.others)
    return f"{said}, with {others}" if mark.is_last else f"{said}, see {others}"


def _event(event: EventLine, width: int) -> Iterator[Text]:
    yield from _folded(f"· {event.text} ({', '.join(event.nodes)})", width, hang="  ")


def _folded(text: str, width: int, style: str = "", hang: str = "") -> Iterator[Text]:
    return (Text(line, style=style) for line in folded(text, width, hang))


# --- lists below


def _discrepancies(trace: Trace) -> Iterator[RenderableType]:
    yield Text("What doesn't add up", style="bold")
    if not trace.discrepancies:
        yield Text("  nothing, by the rules that were applied")
    for number, found in enumerate(trace.discrepancies, start=1):
        yield from _discrepancy(number, found)
    if trace.rules_version:
        yield Text(f"  Rules {clean(trace.rules_version)}", style="dim")
    yield Text()


def _discrepancy(number: int, found: Discrepancy) -> Iterator[RenderableType]:
    severity = Mark(number, found, (), is_last=True).severity
    legs = ", ".join(f"[{leg + 1}]" for leg in found.legs)
    at = f" at {legs}" if legs else ""
    item = f", item {found.goods_sequence}" if found.goods_sequence else ""
    name = clean(f"{found.rule_id} {severity.upper()}")
    title = Text.assemble((f"▲ {name}", _STYLES[severity]), " ", clean(f"{found.name.replace('_', ' ')}{at}{item}"))
    yield Padding(title, (0, 0, 0, 2))
    if found.explanation:
        yield Padding(Text(clean(found.explanation)), (0, 0, 0, 4))
    lines = {
        "seen": _pairs(found.inputs.items()),
        "thresholds": _pairs(found.thresholds.items()),
        "measured": f"{found.measured:.6g}" if found.HasField("measured") else "",
        "speaks for": clean(f"{found.typology}; confidence of the rule: {found.confidence or 'not given'}"),
    }
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for label, said in lines.items():
        if said:
            table.add_row(label, Text(said))
    yield Padding(table, (0, 0, 0, 4))


def _pairs(items: Iterable[tuple[str, str]]) -> str:
    return " · ".join(clean(f"{name} = {value or 'none'}") for name, value in sorted(items))


def _links(trace: Trace) -> Iterator[RenderableType]:
    linked = [(number, leg) for number, leg in enumerate(trace.legs, start=1) if leg.links]
    if not linked:
        return
    yield Text("Why these records belong together", style="bold")
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for number, leg in linked:
        for position, link in enumerate(leg.links):
            numbered = f"[{number}] – [{link.leg + 1}]"
            style = "" if position == 0 else "dim"
            table.add_row(
                Text(numbered, style=style),
                Text(f"{link.strength:.2f}", style=style),
                Text(clean(link.because), style=style),
            )
    yield Padding(table, (0, 0, 0, 2))
    yield Text()


def _answers(trace: Trace) -> Iterator[RenderableType]:
    yield Text("Who answered", style="bold")
    if not trace.answers:
        yield Text("  nobody was asked")
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for node, answers in answers_by_node(trace).items():
        last = answers[-1]
        in_trace = sum(leg.record.node == node for leg in trace.legs)
        came = sum(each.count for each in answers)
        said = f"{came} record{'s' if came > 1 else ''} came, {in_trace} in the trace" if came else ""
        signed = "signed statement" if last.statement else ""
        details = "; ".join(filter(None, (last.reason, said, signed)))
        table.add_row(
            Text(clean(node), style="bold"),
            Text(clean(answer_in_words(answers)), style=_answer_style(last)),
            Text(clean(details)),
        )
    yield Padding(table, (0, 0, 0, 2))


def _answer_style(answer: NodeAnswer) -> str:
    if answer.status == ANSWER_STATUS_COMPLETE:
        return "green"
    return "yellow" if answer.status == ANSWER_STATUS_PARTIAL else "bold red"


def _withheld(trace: Trace) -> Iterator[RenderableType]:
    counted: dict[str, dict[str, int]] = {}
    for leg in trace.legs:
        for name, number in withheld_by_class(leg.record).items():
            of_node = counted.setdefault(leg.record.node, {})
            of_node[name] = of_node.get(name, 0) + number
    for node, classes in counted.items():
        total = sum(classes.values())
        said = ", ".join(f"{number} {name}" for name, number in classes.items())
        told = f"{node} withheld {total} field{'s' if total > 1 else ''}: {said}"
        yield Padding(Text(clean(told), style="dim"), (0, 0, 0, 2))
