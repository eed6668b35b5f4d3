"""Tables, lines and progress bars by rich; texts come printable."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

UNFOLDED_COLUMNS = 2_000
"""Width of tables in pipes and files, where `grep` needs whole values."""


def console(*, stderr: bool = False) -> Console:
    """A console on stdout or stderr; made at each use, since tests and pipes replace them."""
    made = Console(stderr=stderr, highlight=False, emoji=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = UNFOLDED_COLUMNS
    return made


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints rows under a title on stdout."""
    table = Table(title=Text(title), title_justify="left", header_style="bold")
    for number, column in enumerate(columns):
        # the first column is copied into commands: in one piece
        table.add_column(column, overflow="fold", no_wrap=number == 0)
    for row in rows:
        table.add_row(*map(Text, row))
    console().print(table)


def print_facts(title: str, facts: Mapping[str, str]) -> None:
    """Prints names with values on stdout, one a line."""
    table = Table(title=Text(title), title_justify="left", show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        table.add_row(Text(name), Text(value))
    console().print(table)


def print_line(text: str, *, label: str = "", style: str = "bold", stderr: bool = False) -> None:
    """Prints a line, with a label in a style before it."""
    console(stderr=stderr).print(Text.assemble((label, style), text), soft_wrap=True)


@contextmanager
def progress_bar(description: str, total: float | None, *, silent: bool) -> Iterator[Callable[[float], None]]:
    """A progress bar on stderr, moved by `advance(steps)`; silent without a terminal."""
    shown_on = console(stderr=True)
    with Progress(console=shown_on, transient=True, disable=silent or not shown_on.is_terminal) as progress:
        task = progress.add_task(escape(description), total=total)
        yield lambda steps: progress.advance(task, steps)
