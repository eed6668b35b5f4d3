"""Draws a trace in a terminal: a timeline over the territories, with contradictions at their records.

Readable from 80 columns and without colour.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType  # noqa: TID251  # draws into a text
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gateway.tracing.report.criteria_words import criteria_lines
from gateway.tracing.report.lines import clean, cut, folded
from gateway.tracing.report.rows import Crossing, EventLine, LegBlock, Mark, Picture, Row, lane_title, picture_of
from gateway.tracing.report.words import (
    answer_in_words,
    answers_by_node,
    class_word,
    confidence,
    gaps_in_words,
    leg_name,
    moment,
    proof_in_words,
    reasons,
    refusals_in_words,
    rule_name,
    severities_in_words,
    severity_kind,
    severity_word,
    short_weekday,
    span_of_events,
    typology,
    way_in_words,
    zone_of,
)
from gateway.translation.messages import gettext as _
from gateway.translation.messages import listed, ngettext
from gateway.translation.rule_sentences import explained
from gateway.translation.trace_sentences import link_reason
from gateway.v1.history_pb2 import (
    ANSWER_STATUS_COMPLETE,
    ANSWER_STATUS_PARTIAL,
    NodeAnswer,
    QueryGrounds,
    SearchCriteria,
)
from gateway.v1.trace_pb2 import Discrepancy, Trace

MIN_WIDTH: Final = 60
"""Narrowest drawing, in columns."""

MIN_LANE: Final = 15
"""Narrowest lane, in columns of text."""

MAX_LANE: Final = 46
"""Widest lane: longer lines are hard to read."""

_ROOM_FOR_PARTIES: Final = 24
_ROOM_FOR_REASONS: Final = 36
"""Widths of a lane that has parties and explanations."""

_STYLES: Final = {"high": "bold red", "medium": "yellow", "low": "cyan", "notice": "dim"}


def render_terminal(
    trace: Trace,
    grounds: QueryGrounds | None = None,
    *,
    criteria: SearchCriteria | None = None,
    width: int = 100,
    colour: bool = True,
) -> str:
    """The drawing as text; at least MIN_WIDTH columns wide."""
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
        console.print(trace_view(trace, grounds, criteria, max(width, MIN_WIDTH)))
    return "\n".join(line.rstrip() for line in capture.get().splitlines()) + "\n"


def trace_view(
    trace: Trace, grounds: QueryGrounds | None, criteria: SearchCriteria | None, width: int
) -> RenderableType:
    """The drawing for a console of this many columns."""
    parts: list[RenderableType] = [*_head(trace, grounds, criteria)]
    if trace.legs:
        parts += [Text(), *_timeline(trace, width), Text(), *_discrepancies(trace), *_links(trace)]
    else:
        parts.append(Text())
    parts += [*_answers(trace), *_withheld(trace)]
    return Group(*parts)


def _head(trace: Trace, grounds: QueryGrounds | None, criteria: SearchCriteria | None) -> Iterator[Text]:
    span = span_of_events(trace)
    if span is None:
        yield Text(_("No record of this consignment was found."), style="bold")
    else:
        title = ngettext(
            "Consignment of {number} record: {way}",
            "Consignment of {number} records: {way}",
            len(trace.legs),
            way=way_in_words(trace),
        )
        yield Text(clean(title), style="bold")
        yield Text(_("{start} to {end}", start=moment(span[0]), end=moment(span[1])))
        yield Text(severities_in_words(trace), style="bold" if trace.discrepancies else "")
    if criteria is not None:
        yield Text(clean(_("Searched for {criteria}", criteria=listed(criteria_lines(criteria)))))
    if trace.truncated:
        part = _("This is a part: more was found, or was left to ask, than a trace takes in.")
        yield Text(part, style="bold yellow")
    for line in gaps_in_words(trace):
        yield Text(clean(line), style="bold yellow")
    for refusal in refusals_in_words(trace):
        yield Text(clean(refusal), style="bold yellow")
    if grounds is not None:
        asked = _(
            "Asked for {purpose} on {legal_basis}, case {case}",
            purpose=grounds.purpose,
            legal_basis=grounds.legal_basis,
            case=grounds.case_reference,
        )
        yield Text(clean(asked), style="dim")


# --- timeline


def _timeline(trace: Trace, width: int) -> Iterator[Text]:
    rows = picture_of(trace, 4).rows
    gutter = 1 + max(max(len(_time(row)), cell_len(_day(row))) for row in rows)
    picture = picture_of(trace, max(4, (width - gutter) // (MIN_LANE + 2)))
    lane = min(MAX_LANE, (width - gutter) // len(picture.lanes) - 2)
    page = TimelinePage(picture, gutter, lane)
    yield page.line("", [Text(cut(clean(lane_title(each)), lane), style="bold") for each in picture.lanes])
    yield page.rule()
    day = ""
    for row in picture.rows:
        if f"{row.at:%Y}" != day[:4]:
            yield page.head(f"{row.at:%Y}")
        if f"{row.at:%Y-%m-%d}" != day:
            day = f"{row.at:%Y-%m-%d}"
            yield page.head(_day(row))
        yield from page.row(row)
    yield page.rule("┴")


class TimelinePage:
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
        line = Text(time + " " * (self._gutter - cell_len(time)))
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
            cells = [Text() for lane in range(self._count)]
            cells[row.lane] = text
            yield self.line("" if number else _time(row), cells)

    def _arrow(self, lane: int, crossing: Crossing) -> Text:
        """From within one lane to the border of the other."""
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


def _day(row: Row) -> str:
    return f"{row.at:%m-%d} {short_weekday(row.at)}"


def _block(block: LegBlock, width: int) -> Iterator[Text]:
    title = f"[{block.number}] {block.title.upper()}"
    yield from _folded(title, width, "bold reverse")
    yield from _folded(leg_name(block.leg), width, "bold")
    for fact in block.facts:
        yield from _folded(fact, width)
    if width >= _ROOM_FOR_PARTIES:
        for party in block.parties:
            yield from _folded(party, width, "dim")
    for control in block.controls:
        yield from _folded(control, width, "magenta")
    count = len(block.leg.record.withheld)
    if count:
        withheld = ngettext("({number} field withheld)", "({number} fields withheld)", count)
        yield from _folded(withheld, width, "dim")
    for mark in block.marks:
        yield from _folded(_mark(mark), width, _STYLES[mark.kind], hang="  ")
        if mark.is_last and width >= _ROOM_FOR_REASONS:
            yield from _folded(f"  {explained(mark.discrepancy.explanation)}", width, _STYLES[mark.kind], hang="  ")


def _mark(mark: Mark) -> str:
    others = ", ".join(f"[{other}]" for other in mark.others)
    if not others:
        return mark.title
    if mark.is_last:
        return _("{title}, with {others}", title=mark.title, others=others)
    return _("{title}, see {others}", title=mark.title, others=others)


def _event(event: EventLine, width: int) -> Iterator[Text]:
    yield from _folded(f"· {event.text} ({', '.join(event.nodes)})", width, hang="  ")


def _folded(text: str, width: int, style: str = "", hang: str = "") -> Iterator[Text]:
    return (Text(line, style=style) for line in folded(text, width, hang))


# --- lists below


def _discrepancies(trace: Trace) -> Iterator[RenderableType]:
    """What doesn't add up; the verdict at the head says what it means that there is nothing."""
    if trace.discrepancies:
        yield Text(_("What doesn't add up"), style="bold")
    for discrepancy in trace.discrepancies:
        yield from _discrepancy(discrepancy)
    if trace.rules_version:
        yield Text("  " + _("Rules {version}", version=clean(trace.rules_version)), style="dim")
    yield Text()


def _discrepancy(discrepancy: Discrepancy) -> Iterator[RenderableType]:
    kind = severity_kind(discrepancy.severity)
    rule = clean(f"▲ {discrepancy.rule_id} {severity_word(kind).upper()}")
    yield Padding(Text.assemble((rule, _STYLES[kind]), " ", clean(_where(discrepancy))), (0, 0, 0, 2))
    if discrepancy.explanation:
        yield Padding(Text(clean(explained(discrepancy.explanation))), (0, 0, 0, 4))
    lines = {
        _("seen"): _pairs(discrepancy.inputs.items()),
        _("thresholds"): _pairs(discrepancy.thresholds.items()),
        _("measured"): f"{discrepancy.measured:.6g}" if discrepancy.HasField("measured") else "",
        _("speaks for"): clean(
            _(
                "{typology}; confidence of the rule: {confidence}",
                typology=typology(discrepancy),
                confidence=confidence(discrepancy.confidence) or _("not given"),
            )
        ),
    }
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for name, value in lines.items():
        if value:
            table.add_row(name, Text(value))
    yield Padding(table, (0, 0, 0, 4))


def _where(discrepancy: Discrepancy) -> str:
    """`density mismatch at [1], item 1`."""
    text = rule_name(discrepancy)
    legs = ", ".join(f"[{leg + 1}]" for leg in discrepancy.legs)
    if legs:
        text = _("{rule} at {records}", rule=text, records=legs)
    item = discrepancy.goods_sequence
    return _("{records}, item {item}", records=text, item=item) if item else text


def _pairs(items: Iterable[tuple[str, str]]) -> str:
    return " · ".join(clean(f"{name} = {value or _('none')}") for name, value in sorted(items))


def _links(trace: Trace) -> Iterator[RenderableType]:
    linked = [(number, leg) for number, leg in enumerate(trace.legs, start=1) if leg.links]
    if not linked:
        return
    yield Text(_("Why these records belong together"), style="bold")
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
                Text(clean(link_reason(link.because)), style=style),
            )
    yield Padding(table, (0, 0, 0, 2))
    yield Text()


def _answers(trace: Trace) -> Iterator[RenderableType]:
    yield Text(_("Who answered"), style="bold")
    if not trace.answers:
        yield Text("  " + _("nobody was asked"))
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(overflow="fold")
    for node, answers in answers_by_node(trace).items():
        last = answers[-1]
        in_trace = sum(leg.record.node == node for leg in trace.legs)
        received = sum(answer.count for answer in answers)
        counted = ngettext(
            "{number} record came, {in_trace} in the trace",
            "{number} records came, {in_trace} in the trace",
            received,
            in_trace=in_trace,
        )
        signed = _("signed statement") if last.statement else ""
        details = "; ".join(
            filter(None, (proof_in_words(answers), *reasons(answers), counted if received else "", signed))
        )
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
    fields: dict[str, dict[str, str]] = {}
    for leg in trace.legs:
        for field in leg.record.withheld:
            fields.setdefault(leg.record.node, {})[field.path] = class_word(field)
    for node, class_words in fields.items():
        classes = Counter(class_words.values())
        withheld = ngettext(
            "{node} withheld {number} field: {classes}",
            "{node} withheld {number} fields: {classes}",
            sum(classes.values()),
            node=node,
            classes=listed(_("{number} {class_}", number=number, class_=name) for name, number in classes.items()),
        )
        yield Padding(Text(clean(withheld), style="dim"), (0, 0, 0, 2))
