"""Reads reference tables in CSV whole, and names every bad line."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TypeVar

from gateway.errors import InputFileError, MalformedError
from gateway.formats.tables.mapping_files import read_text

MAX_TABLE_BYTES = 4 << 20
"""Packaged ones have under 40 kilobytes."""

MAX_PROBLEMS_SHOWN = 20
"""Most problems that one message lists."""

RowT = TypeVar("RowT")


def read_table(path: Path | None, name: str, *, what: str) -> tuple[str, str]:
    """Text and name of the file at `path`, else of the packaged one.

    Raises:
        ConfigurationError: the file can't be read.
    """
    if path is None:
        return resources.files("gateway.reference").joinpath(name).read_text("utf-8"), name
    return read_text(path, what=what, most_bytes=MAX_TABLE_BYTES), str(path)


def parse_table(
    lines: Iterable[str],
    columns: Sequence[str],
    make: Callable[[Mapping[str, str]], RowT],
    *,
    source: str,
    empty: str = "has no lines",
) -> tuple[RowT, ...]:
    """The rows of a CSV file.

    Args:
        lines: CSV with a header that names at least `columns`, in any order.
        make: raises MalformedError for a wrong row.
        source: names the table in errors.
        empty: says in errors that there are no rows.

    Raises:
        ConfigurationError: missing columns, no rows, or wrong rows, all named.
    """
    reader = csv.DictReader(lines, strict=True)
    rows: list[RowT] = []
    problems: list[str] = []
    try:
        missing = [column for column in columns if column not in (reader.fieldnames or ())]
        if missing:
            raise InputFileError(f"{source} has no column {', '.join(missing)}")
        for row in reader:
            try:
                if None in row or None in row.values():
                    raise MalformedError("the line has another number of columns than the header")
                rows.append(make({name: value.strip() for name, value in row.items()}))
            except MalformedError as error:
                problems.append(f"{source} line {reader.line_num}: {error.message}")
    except csv.Error as error:
        problems.append(f"{source} line {reader.reader.line_num}: not CSV: {error}")
    if problems:
        more = len(problems) - MAX_PROBLEMS_SHOWN
        tail = [f"and {more} more"] if more > 0 else []
        raise InputFileError("\n".join([*problems[:MAX_PROBLEMS_SHOWN], *tail]))
    if not rows:
        raise InputFileError(f"{source} {empty}")
    return tuple(rows)
