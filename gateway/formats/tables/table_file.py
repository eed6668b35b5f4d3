"""Reads a CSV file with a header, line by line, by own columns or a mapping."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import BinaryIO

from gateway.errors import ConfigurationError, InputFileError, MalformedError
from gateway.formats.tables.layout import Columns, Layout, Line, Problem
from gateway.formats.tables.lines import Dialect, cells, find_delimiter, table_lines
from gateway.plurals import counted

MAX_COLUMNS = 1_024
"""Most columns of a file; names are compared with each other. The gateway's own tables have up to 86."""


@dataclass(frozen=True, slots=True)
class TableFile:
    """A CSV file after its header."""

    layout: Layout
    _lines: Iterator[Line]

    def __iter__(self) -> Iterator[Line]:
        return self._lines


def read_table(stream: BinaryIO, columns: Columns, dialect: Dialect | None, *, source: str) -> TableFile:
    """Reads the header of a CSV file, and its lines on demand; memory doesn't grow with the file.

    Args:
        stream: binary; the caller closes it.
        dialect: known encoding and delimiter; found ones are set in it.
        source: names the file in errors.

    Raises:
        ConfigurationError: at once: an unreadable header; unknown, missing or repeated columns; no line below it.
    """
    dialect = columns.dialect(dialect or Dialect())
    dialect.check()
    named = bool(dialect.delimiter)
    lines = table_lines(stream, dialect)
    _, text, fault = next(lines, (1, "", ""))
    text = text.removeprefix("\ufeff")
    dialect.delimiter = dialect.delimiter or find_delimiter(text)
    try:
        header = [name.strip() for name in cells(text, dialect.delimiter)]
    except MalformedError as error:
        fault = error.message
    if not fault and len(header) > MAX_COLUMNS:
        fault = f"it has {counted(len(header), 'column')}; at most {MAX_COLUMNS} are read"
    if fault:
        raise InputFileError(
            f"{source}: the header can't be read: {fault}", way_out="Correct the header, the first line of the file."
        )
    try:
        layout = columns.layout(header, source)
    except ConfigurationError as error:
        whole = not named and len(header) == 1
        way_out = f" (no {dialect.delimiter!r} parts its columns; --delimiter names what does)" if whole else ""
        raise InputFileError(error.message + way_out, way_out=error.way_out) from None
    rows = _lines(lines, layout, dialect.delimiter)
    first_row = next(rows, None)
    if first_row is None:  # nobody means a table of nothing
        raise InputFileError(
            f"{source} has a header and no line below it", way_out="Add the lines, or give the file that has them."
        )
    return TableFile(layout, chain([first_row], rows))


def _lines(lines: Iterator[tuple[int, str, str]], layout: Layout, delimiter: str) -> Iterator[Line]:
    for number, text, unreadable in lines:
        if unreadable or (text and not text.isspace()):
            values, fault = ([], unreadable) if unreadable else _split(text, delimiter, layout.width)
            yield Line(layout, number, values, problems=[Problem(number, "", fault)] if fault else [])


def _split(text: str, delimiter: str, width: int) -> tuple[list[str], str]:
    """A line's cells, and why they can't be used."""
    try:
        values = cells(text, delimiter)
    except MalformedError as error:
        return [], error.message
    return values, "" if len(
        values
    ) == width else f"the line has {counted(len(values), 'column')}, the header has {width}"
