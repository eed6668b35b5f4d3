"""Reads and writes watchlists in CSV, with own columns or by a mapping."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

from gateway.errors import MalformedError
from gateway.formats.lists.columns import ADDRESS_PARTS, COLUMNS, FIELDS, column_of
from gateway.formats.lists.export import Export, Tally
from gateway.formats.lists.rows import BadRow, ListOptions, Row, finish
from gateway.formats.tables.cell_values import enum_of
from gateway.formats.tables.layout import FilledColumn, Line, Table
from gateway.formats.tables.lines import Dialect
from gateway.formats.tables.mapping import Extra, Family, MappingKind, TableMapping, Zone
from gateway.formats.tables.notation import guarded, write_text
from gateway.formats.tables.table_file import read_table
from gateway.v1 import watchlist_pb2
from gateway.v1.party_pb2 import Identifier
from gateway.v1.watchlist_pb2 import ListedName, WatchlistContent, WatchlistEntry

OWN_COLUMNS = ("list", "id", *COLUMNS)
"""Columns of the gateway's CSV, in written order."""

LISTS = Table(
    fields=FIELDS,
    needed=("id",),
    mapped=frozenset(ADDRESS_PARTS),
    help=f"the columns are {', '.join(OWN_COLUMNS)}; a mapping reads other columns",
)


def _kind(text: str) -> int:
    try:
        return int(enum_of(text, watchlist_pb2.ListedNameKind, "LISTED_NAME_KIND_"))
    except MalformedError as error:
        raise MalformedError(f"kind: {error.message}") from None


LIST_MAPPINGS = MappingKind(
    table=LISTS,
    family=Family.WATCHLIST,
    default="watchlist_entities",
    record="entry",
    date="%Y-%m-%d",
    zone=Zone.MAYBE,
    numbers=False,
    own_constants=True,
    extras={
        "names": Extra(keys={"kind": _kind, "script": str, "language": str}, needed=("kind",)),
        "identifiers": Extra(keys={"scheme": str}, needed=("scheme",)),
    },
)


def read_csv(
    stream: BinaryIO,
    options: ListOptions,
    mapping: TableMapping | None = None,
    dialect: Dialect | None = None,
    *,
    source: str = "the file",
) -> Iterator[Row]:
    """Entries in the file's order; arguments and errors as `read_table`.

    Args:
        mapping: None: the columns are OWN_COLUMNS, in any order, `id` at least.
    """
    table = read_table(stream, mapping or LISTS, dialect, source=source)
    columns = table.layout.columns(COLUMNS)
    return (row for line in table for row in _row(line, columns, options))


def _row(line: Line, columns: Sequence[FilledColumn], options: ListOptions) -> Iterator[Row]:
    content, entry_id = WatchlistContent(), ""
    if not line.problems:
        entry_id, named = line.text("id"), line.text("list")
        if named and options.list and named != options.list:
            line.problem("list", f"{named[:64]!r} isn't {options.list!r}, which is being read")
        line.fill(content, columns)
        for source in line.layout.extras.get("names", ()):
            content.names.extend(ListedName(text=text, **source.extra) for text in line.values_of(source))
        for source in line.layout.extras.get("identifiers", ()):
            content.identifiers.extend(Identifier(value=text, **source.extra) for text in line.values_of(source))
        _put_address(content, line)
    if line.problems:
        yield from (BadRow(problem.line, entry_id, problem.field, problem.reason) for problem in line.problems)
    else:
        yield from finish(line.number, entry_id, content, options, column_of)


def _put_address(content: WatchlistContent, line: Line) -> None:
    """Constants and defaults alone make no address."""
    if line.said(*ADDRESS_PARTS):
        street, city, territory = (", ".join(line.values(part)) for part in ADDRESS_PARTS)
        content.addresses.add(street=street, city=city, territory=territory)


def write_csv(stream: BinaryIO, entries: Iterable[WatchlistEntry]) -> Export:
    """Writes all of OWN_COLUMNS in UTF-8; revisions and times of publication have none."""
    tally = Tally()
    text = io.TextIOWrapper(stream, "utf-8", newline="", write_through=True)
    try:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(OWN_COLUMNS)
        for entry in entries:
            content = entry.content
            cells = [entry.list, write_text(entry.id), *(column.get(content) for column in COLUMNS.values())]
            writer.writerow(map(guarded, cells))
            tally.wrote()
    finally:
        text.detach()
    return tally.export()
