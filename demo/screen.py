"""What is told of the run: a line for each thing that happened and, in a terminal, a live view of the three nodes.

Without a terminal (CI, a file) there are the lines alone and no pauses.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import wrap
from types import TracebackType
from typing import Self

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from demo.eyes import Sight
from demo.facts import Carried
from demo.summary import Check

WIDTH = 100
"""Columns, unless the terminal is narrower."""
_NEWS = 4
"""Newest changes shown for each node."""
_REFRESH_PER_S = 8
_PAIR_CELLS, _TIME_CELLS, _TIMES = 12, 9, ("stored", "shown", "receipt", "applied")
_MARK_CELLS, _VALUE_CELLS = 1, 22
_COLOURS: Mapping[str, str] = {"cn": "red", "hk": "magenta", "mo": "green"}

_LEGEND = (
    "Milliseconds after the message was handed to the sender's gateway, until",
    "  stored   it is signed and durable there, and acknowledged",
    "  shown    the partner's officers see it",
    "  receipt  the partner's signed receipt is in the sender's database",
    "  applied  the sender has the partner's signed word on what it made of it (alerts alone)",
)


@dataclass(slots=True)
class NodeView:
    """What the live view shows of a node."""

    title: str
    state: str = "starting"
    published: int = 0
    received: int = 0
    news: deque[Text] = field(default_factory=lambda: deque(maxlen=_NEWS))


@dataclass(slots=True)
class FeedView:
    """What the live view shows of a feed, as its publisher sees it; `state` is empty while its link is whole."""

    size: int = 0
    backlog: int = 0
    state: str = ""


class Screen:
    """The only place that prints. Use it as a context manager around everything that is told."""

    def __init__(self, console: Console, titles: Mapping[str, str]) -> None:
        self.console = console
        self.nodes = {node: NodeView(title) for node, title in titles.items()}
        self.feeds: dict[tuple[str, str], FeedView] = {}
        self._heading = ""
        self._live: Live | None = None

    @property
    def is_live(self) -> bool:
        """Whether somebody looks at a terminal."""
        return self.console.is_terminal

    def __enter__(self) -> Self:
        if self.is_live:
            self._live = Live(
                console=self.console,
                get_renderable=self._view,
                refresh_per_second=_REFRESH_PER_S,
                transient=True,
                vertical_overflow="crop",
            )
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end_live()

    def end_live(self) -> None:
        """Takes the live view away; lines can still be printed."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def heading(self, text: str) -> None:
        """Begins a scene."""
        self._heading = text
        self.console.print()
        self.console.print(Rule(Text(text, style="bold"), align="left", style="dim"))

    def say(self, text: str, style: str = "") -> None:
        """A sentence; what doesn't fit goes on below it, indented."""
        lead = " " * (len(text) - len(text.lstrip()))
        lines = wrap(
            text.strip(),
            self.console.width,
            initial_indent=lead,
            subsequent_indent=lead + "  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        for line in lines:
            self.console.print(Text(line, style=style))

    def line(self, text: str) -> None:
        """One line of a list; what doesn't fit is cut off."""
        self.console.print(Text(text.rstrip()), no_wrap=True, overflow="ellipsis")

    @property
    def width(self) -> int:
        """Columns that there are."""
        return min(WIDTH, self.console.width)

    def drawn(self, text: str) -> None:
        """Shows a drawing as it is."""
        self.console.print(Text.from_ansi(text), soft_wrap=True)

    def legend(self) -> None:
        """What the columns of `carried` mean."""
        for line in _LEGEND:
            self.console.print(Text(line, style="dim"))
        names = "".join(f"{name:>{_TIME_CELLS}}" for name in _TIMES)
        self.console.print(Text(" " * (_PAIR_CELLS + self._what_cells) + names, style="dim"))

    def carried(self, one: Carried) -> None:
        """A message with its times; what it is goes on below when it is long."""
        line = Text("  ")
        line.append(one.sender, _COLOURS[one.sender]).append(" → ").append(one.recipient, _COLOURS[one.recipient])
        first, *more = wrap_cells(one.what, self._what_cells - 1) or [""]
        line.append("   ").append(set_cell_size(first, self._what_cells))
        for ms in (one.stored_ms, one.shown_ms, one.receipt_ms, one.applied_ms):
            line.append(f"{'' if ms is None else f'{ms:.1f}':>{_TIME_CELLS}}", "cyan")
        self.console.print(line)
        for rest in more:
            self.console.print(Text(" " * _PAIR_CELLS + rest))

    @property
    def _what_cells(self) -> int:
        """Cells for what a message is, beside its times."""
        return max(16, self.width - _PAIR_CELLS - _TIME_CELLS * len(_TIMES) - 2)

    def sight(self, node: str, sight: Sight) -> None:
        """Somebody at a node was shown a change: for the live view."""
        view, change = self.nodes[node], sight.change
        publisher = change.entry.origin.split("/")[1]
        own = publisher == node
        if sight.kind == "published":
            view.published += own
            view.received += not own
        partner = change.entry.origin.split("/")[2] if own else publisher
        line = Text("→ " if own else "← ", "bold").append(partner, _COLOURS[partner])
        view.news.append(line.append(f" {sight.kind} ").append(_about(sight), "dim"))

    async def beat(self, seconds: float = 0.5) -> None:
        """Time to read, where somebody reads."""
        if self.is_live:
            await asyncio.sleep(seconds)

    def summary(self, checks: Sequence[Check], times: str, elapsed_s: float) -> None:
        """The last word."""
        self.end_live()
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim", width=self.width, expand=True)
        table.add_column(width=_MARK_CELLS, no_wrap=True)
        table.add_column("What", ratio=1, overflow="fold")
        table.add_column("Expected", justify="right", max_width=_VALUE_CELLS, overflow="fold")
        table.add_column("Measured", justify="right", max_width=_VALUE_CELLS, overflow="fold")
        for check in checks:
            mark = Text("✓", "green") if check.holds else Text("✗", "bold red")
            style = "" if check.holds else "bold red"
            table.add_row(mark, Text(check.what, style), Text(check.expected, style), Text(check.measured, style))
        self.heading("Summary: measured in this run")
        self.console.print(table)
        self.say(f"Times in this run: {times or 'none'}.", "dim")
        failed = [check.what.strip() for check in checks if not check.holds]
        if failed:
            self.say(f"NOT as expected, {len(failed)} of {len(checks)}: {'; '.join(failed)}", "bold red")
        else:
            self.say(f"All {len(checks)} expectations hold; {elapsed_s:.1f} s.", "bold green")

    def _view(self) -> RenderableType:
        panels = Table.grid(expand=True, padding=0)
        for _ in self.nodes:
            panels.add_column(ratio=1)
        panels.add_row(*(self._panel(node, view) for node, view in self.nodes.items()))
        return Group(Text(), panels, self._feed_table())

    def _panel(self, node: str, view: NodeView) -> Panel:
        state = Text("● ", "green" if view.state.startswith("serving") else "bold red").append(view.state, "default")
        counts = Text(f"alerts out {view.published:,}  in {view.received:,}")
        news = [*view.news, *[Text()] * (_NEWS - len(view.news))]
        for line in (state, counts, *news):
            line.no_wrap, line.overflow = True, "ellipsis"
        return Panel(Group(state, counts, *news), title=f"[bold]{node}[/] {view.title}", border_style=_COLOURS[node])

    def _feed_table(self) -> Table:
        table = Table.grid(expand=True, padding=(0, 1))
        for _ in range(3):
            table.add_column(ratio=1)
        cells = [self._feed(*pair, view) for pair, view in sorted(self.feeds.items())]
        for start in range(0, len(cells), 3):
            table.add_row(*cells[start : start + 3])
        return table

    def _feed(self, publisher: str, recipient: str, view: FeedView) -> Text:
        line = Text(" ").append(publisher, _COLOURS[publisher]).append("→").append(recipient, _COLOURS[recipient])
        line.append(f" {view.size:,} entries ")
        if view.state:
            line.append(view.state.upper(), "bold red").append(f", {view.backlog:,} wait", "bold yellow")
        elif view.backlog:
            line.append(f"backlog {view.backlog:,}", "bold yellow")
        else:
            line.append("receipted", "green")
        return line


def wrap_cells(text: str, width: int) -> list[str]:
    """The text in lines of at most so many cells; wide characters take two."""
    lines: list[str] = []
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and cell_len(joined) <= width:
            lines[-1] = joined
        else:
            lines.extend(chop_cells(word, width))
    return lines


def _about(sight: Sight) -> str:
    event = sight.change.event
    if sight.kind == "published":
        return event.published.content.case_reference
    return f"…{sight.change.alert.alert_id[-6:]}"
