"""Ends the reading of a file that has too many lines that can't be used: it is in another form than was said."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from gateway.errors import InputFileError
from gateway.formats.tables.layout import Problem

MOST_WRONG_LINES = 1_000
"""Lines that can't be used after which a file isn't read further: each costs some 1 ms, and memory for its reasons."""

TOO_MANY_WRONG = (
    f"{MOST_WRONG_LINES} lines up to this one can't be used, and the rest of the file isn't read; choose the format or "
    "mapping that the file has, or correct these lines"
)

Row = TypeVar("Row")


def until_too_many_wrong(rows: Iterable[Row], problem_of: Callable[[Row], Problem | None]) -> Iterator[Row]:
    """The rows of a file.

    Args:
        rows: in the file's order; several in a row may be about one line.
        problem_of: why a row can't be used, else None.

    Raises:
        InputFileError: MOST_WRONG_LINES lines can't be used.
    """
    wrong, first, last = 0, "", 0
    for row in rows:
        yield row
        problem = problem_of(row)
        if problem is not None and problem.line != last:
            first = first or f"line {problem.line}: {problem.reason}"
            wrong, last = wrong + 1, problem.line
            if wrong == MOST_WRONG_LINES:
                raise InputFileError(f"line {last}: {TOO_MANY_WRONG}. The first is {first}")
