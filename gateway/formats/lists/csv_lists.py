"""Watchlists in CSV: one entry a line, with the gateway's own columns or, by a mapping, with somebody else's."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from gateway.errors import ConfigurationError, MalformedError
from gateway.formats.lists.columns import COLUMNS, column_of
from gateway.formats.lists.csv_plan import Plan, Put
from gateway.formats.lists.export import Export, Tally
from gateway.formats.lists.list_mapping import ListMapping
from gateway.formats.lists.notation import OWN, read_text, write_text
from gateway.formats.lists.rows import BadRow, ListOptions, Row, finish
from gateway.formats.tables.lines import cells, decoded, numbered_lines, read_header
from gateway.v1.watchlist_pb2 import WatchlistContent, WatchlistEntry

OWN_COLUMNS = ("list", "id", *COLUMNS)
"""Every column of the gateway's own CSV, in the order in which it is written."""


def read_csv(
    stream: BinaryIO, options: ListOptions, mapping: ListMapping | None = None, *, source: str = "the file"
) -> Iterator[Row]:
    """Entries from a CSV file with a header, in its order; memory doesn't grow with the file.

    Args:
        stream: the file, opened in binary mode; the caller closes it.
        options: the caller's.
        mapping: what foreign columns mean; None: the columns are OWN_COLUMNS, in any order, `id` at least.
        source: names the file in errors.

    Raises:
        ConfigurationError: at once, before any row: the header can't be read, lacks a column that is needed, or has
            one twice or, without a mapping, one that isn't known.
    """
    lines = numbered_lines(stream)
    encoding, delimiter = (mapping.encoding, mapping.delimiter) if mapping else ("utf-8", ",")
    _, first = next(lines, (1, b""))
    header = read_header(first, source, encoding, delimiter)
    plan = mapping.plan(header, source) if mapping else _own_plan(header, source)
    return _rows(lines, plan, options)


def _own_plan(header: list[str], source: str) -> Plan:
    unknown = [name for name in header if name not in OWN_COLUMNS]
    twice = [name for name in header if header.count(name) > 1]
    if unknown or twice or "id" not in header:
        what = (
            f"unknown column {unknown[0][:40]!r}"
            if unknown
            else f"column {twice[0]!r} twice"
            if twice
            else "no column 'id'"
        )
        raise ConfigurationError(
            f"{source}: {what}; the columns are {', '.join(OWN_COLUMNS)}; a mapping reads other columns"
        )
    return Plan(
        width=len(header),
        list_of=_cell(header.index("list")) if "list" in header else lambda _: "",
        id_of=_cell(header.index("id")),
        puts=[(name, _own_put(name, header.index(name))) for name in COLUMNS if name in header],
    )


def _cell(place: int) -> Callable[[list[str]], str]:
    return lambda line: read_text(line[place].strip())


def _own_put(name: str, place: int) -> Put:
    put_cell = COLUMNS[name].put

    def put(content: WatchlistContent, line: list[str]) -> None:
        text = line[place]
        if text and (text := text.strip()):
            put_cell(content, text, OWN)

    return put


def _rows(lines: Iterable[tuple[int, bytes | None]], plan: Plan, options: ListOptions) -> Iterator[Row]:
    for number, line in lines:
        if line is not None and not line.strip():
            continue
        try:
            row = cells(decoded(line, plan.encoding), plan.delimiter)
            if len(row) != plan.width:
                raise MalformedError(f"the line has {len(row)} columns, the header has {plan.width}")
        except MalformedError as error:
            yield BadRow(number, "", "", error.message)
            continue
        yield from _row(number, row, plan, options)


def _row(number: int, row: list[str], plan: Plan, options: ListOptions) -> Iterator[Row]:
    content = WatchlistContent()
    problems = []
    entry_id, named = plan.id_of(row), plan.list_of(row)
    if named and options.list and named != options.list:
        problems.append(
            BadRow(number, entry_id, "list", f"list: {named[:64]!r} isn't {options.list!r}, which is being read")
        )
    for column, put in plan.puts:
        try:
            put(content, row)
        except MalformedError as error:
            problems.append(BadRow(number, entry_id, column, f"{column}: {error.message}"))
        except ValueError as error:  # protobuf's own, e.g. a lone surrogate
            problems.append(BadRow(number, entry_id, column, f"{column}: {error}"))
    if problems:
        yield from problems
    else:
        yield from finish(number, entry_id, content, options, column_of)


def write_csv(stream: BinaryIO, entries: Iterable[WatchlistEntry]) -> Export:
    """Writes entries with all of OWN_COLUMNS in UTF-8. Revisions and times of publication have no column."""
    tally = Tally()
    text = io.TextIOWrapper(stream, "utf-8", newline="", write_through=True)
    try:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(OWN_COLUMNS)
        for entry in entries:
            content = entry.content
            writer.writerow([entry.list, write_text(entry.id), *(column.get(content) for column in COLUMNS.values())])
            tally.wrote()
    finally:
        text.detach()
    return tally.export()
