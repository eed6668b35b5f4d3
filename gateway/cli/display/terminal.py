"""Tables, lines and progress bars by rich; texts come printable."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.text import Text

from gateway.cli.display.layout import GAP, Fitted, Row, fit, natural, wrapped

UNFOLDED_COLUMNS = 2_000
"""Width of tables in pipes and files, where `grep` needs whole values."""

LONGEST_NAME = 26
"""Cells of the longest name of a fact that isn't folded."""


def console(*, stderr: bool = False) -> Console:
    """A console on stdout or stderr; made at each use, since tests and pipes replace them."""
    made = Console(stderr=stderr, highlight=False, emoji=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = UNFOLDED_COLUMNS
    return made


def folds() -> bool:
    """Whether stdout has a width that a person looks at."""
    return console().width != UNFOLDED_COLUMNS


def print_table(
    title: str, columns: Sequence[str], rows: Sequence[Row], *, minor: Collection[str] = (), empty: str = ""
) -> Fitted:
    """Prints rows under a title on stdout; returns what was printed of them. `empty` stands in place of no rows."""
    shown_on = console()
    _print_title(shown_on, title)
    fitted = fit(columns, rows, shown_on.width, minor)
    if not rows:
        shown_on.print(Text(empty, "dim"), soft_wrap=True)
    elif fitted.blocks:
        for number, row in enumerate(fitted.rows):
            if number:
                shown_on.print()
            _print_pairs(shown_on, zip(fitted.columns, row, strict=True))
    else:
        _print_row(shown_on, fitted.columns, fitted.widths)
        shown_on.print(Text("─" * (sum(fitted.widths) + GAP * (len(fitted.widths) - 1)), "dim"), soft_wrap=True)
        for row in fitted.rows:
            _print_row(shown_on, row, fitted.widths)
    return fitted


def print_facts(title: str, facts: Mapping[str, str]) -> None:
    """Prints names with values on stdout, one a line."""
    shown_on = console()
    _print_title(shown_on, title)
    _print_pairs(shown_on, facts.items())


def print_remark(text: str) -> None:
    """Prints what belongs to the table above, on stdout."""
    _print_wrapped(console(), Text(text, "dim"), set_in=False)


def print_blank() -> None:
    """Prints an empty line on stdout."""
    console().print()


def print_line(text: str, *, label: str = "", style: str = "bold", stderr: bool = False) -> None:
    """Prints a line, with a label in a style before it; a longer one is wrapped, but for commands and paths.

    On stderr on terminals alone: programs look for sentences there.
    """
    _print_wrapped(console(stderr=stderr), Text.assemble((label, style), text))


@contextmanager
def progress_bar(description: str, total: float | None, *, silent: bool) -> Iterator[Callable[[float], None]]:
    """A progress bar on stderr, moved by `advance(steps)`; silent without a terminal."""
    shown_on = console(stderr=True)
    with Progress(console=shown_on, transient=True, disable=silent or not shown_on.is_terminal) as progress:
        task = progress.add_task(escape(description), total=total)
        yield lambda steps: progress.advance(task, steps)


def _print_title(shown_on: Console, title: str) -> None:
    for line in Text(title, "bold underline").wrap(shown_on, shown_on.width, overflow="fold"):
        line.rstrip()
        shown_on.print(line, soft_wrap=True)


def _print_wrapped(shown_on: Console, line: Text, *, set_in: bool = True) -> None:
    looked_at = shown_on.is_terminal if shown_on.stderr else shown_on.width != UNFOLDED_COLUMNS
    cuts, inset = wrapped(line.plain, shown_on.width) if looked_at else ([], 0)
    for number, part in enumerate(line.divide(cuts)):
        if cuts:
            part.rstrip()
        shown_on.print(Text(" " * inset if number and set_in else "").append_text(part), soft_wrap=True)


def _print_pairs(shown_on: Console, pairs: Iterable[tuple[str, str]]) -> None:
    facts = tuple(pairs)
    names, values = natural(("", ""), facts)
    first = min(names, LONGEST_NAME)
    widths = (first, max(1, min(values, shown_on.width - first - GAP)))
    for fact in facts:
        _print_row(shown_on, fact, widths, "bold", "")


def _print_row(shown_on: Console, cells: Sequence[str], widths: Sequence[int], *styles: str) -> None:
    """Prints cells side by side; `styles` are theirs, the last one that of all others too."""
    style_of = [*styles, *[styles[-1] if styles else ""] * len(cells)]
    columns = [
        list(Text(cell, style_of[at]).wrap(shown_on, width, overflow="fold"))
        for at, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    for number in range(max(map(len, columns))):
        line = Text()
        for lines, width in zip(columns, widths, strict=True):
            part = lines[number] if number < len(lines) else Text()
            part.rstrip()
            line.append_text(part)
            line.append(" " * (width + GAP - cell_len(part.plain)))
        line.rstrip()
        shown_on.print(line, soft_wrap=True)
