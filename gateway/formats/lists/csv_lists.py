"""Reads and writes watchlists in CSV, with own columns or by a mapping."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from gateway.contract.messages import is_set
from gateway.errors import MalformedError
from gateway.formats.lists.columns import ADDRESS_PARTS, COLUMNS, FIELDS, column_of
from gateway.formats.lists.export import Export, Tally
from gateway.formats.lists.rows import BadRow, ListOptions, Row, SkippedRow, finish
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

MOST_LINES = 500
"""Most lines of one entry."""

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
    return _entries(table, columns, options)


def _entries(table: Iterable[Line], columns: Sequence[FilledColumn], options: ListOptions) -> Iterator[Row]:
    """An entry of each line; of lines that follow each other with one id, one of all, if all can be read."""
    held: _ReadLine | None = None
    for line in table:
        read = _read(line, columns, options)
        if held is not None and read.entry_id == held.entry_id:
            yield from _joined(held, read)
        elif read.entry_id:
            yield from _finished(held, options)
            held = read
            yield from read.problems
        else:
            yield from _in_doubt(held, read.number, options)
            yield from read.problems or finish(read.number, "", read.content, options, column_of)
    yield from _finished(held, options)


@dataclass(slots=True)
class _ReadLine:
    number: int
    entry_id: str
    content: WatchlistContent
    problems: list[BadRow]
    lines: int = 1
    known: dict[str, set[str | bytes]] = field(default_factory=dict)


def _finished(held: _ReadLine | None, options: ListOptions) -> Iterator[Row]:
    """The entry; nothing more where its problems are told."""
    if held is not None and not held.problems:
        yield from finish(held.number, held.entry_id, held.content, options, column_of)


def _in_doubt(held: _ReadLine | None, number: int, options: ListOptions) -> Iterator[BadRow]:
    """Refuses the entry before a line whose id can't be read, by its own problems if it has any."""
    if held is not None and not held.problems:
        reason = f"line {number}, whose id can't be read, may belong to this entry, so it isn't known whole"
        own = [row for row in _finished(held, options) if isinstance(row, BadRow)]
        held.problems = own or [BadRow(held.number, held.entry_id, "", reason)]
        yield from held.problems


def _joined(held: _ReadLine, more: _ReadLine) -> Iterator[Row]:
    """Puts a further line of an entry to its first one; what is said once must be said alike."""
    held.lines += 1
    if held.lines > MOST_LINES:
        reason = f"id: an entry has at most {MOST_LINES} lines, and this one goes on"
        more.problems.append(BadRow(more.number, more.entry_id, "id", reason))
    if not (more.problems or held.problems):
        _put(held, more)
    if more.problems:
        held.problems = held.problems or more.problems
        yield from more.problems
    elif held.problems:
        yield SkippedRow(more.number, more.entry_id, f"the entry of line {held.number} has a line that can't be used")
    else:
        yield SkippedRow(more.number, more.entry_id, f"this line is put into the entry of line {held.number}")


def _put(held: _ReadLine, more: _ReadLine) -> None:
    for descriptor, value in more.content.ListFields():
        if descriptor.is_repeated:
            _add(held, descriptor.name, value)
        elif not is_set(held.content, descriptor):
            held.content.MergeFrom(WatchlistContent(**{descriptor.name: value}))
        elif getattr(held.content, descriptor.name) != value:
            name = descriptor.name
            more.problems.append(
                BadRow(more.number, more.entry_id, name, f"{name}: says something else than line {held.number}")
            )


def _add(held: _ReadLine, name: Any, more: Iterable[Any]) -> None:
    """Adds members that the entry doesn't have yet; main names after the first become aliases as in every entry."""
    members = getattr(held.content, name)
    known = held.known.get(name) or {_key(member) for member in members}
    held.known[name] = known
    for member in more:
        if (key := _key(member)) not in known:
            known.add(key)
            members.append(member)


def _key(member: Any) -> str | bytes:
    return member if isinstance(member, str) else bytes(member.SerializeToString(deterministic=True))


def _read(line: Line, columns: Sequence[FilledColumn], options: ListOptions) -> _ReadLine:
    content, entry_id = WatchlistContent(), ""
    if line.problems:
        entry_id = _first_cell(line)
    else:
        entry_id, named = line.text("id"), line.text("list")
        if named and options.list and named != options.list:
            line.problem("list", f"{named[:64]!r} isn't {options.list!r}, which is being read")
        line.fill(content, columns)
        for source in line.layout.extras.get("names", ()):
            content.names.extend(ListedName(text=text, **source.extra) for text in line.values_of(source))
        for source in line.layout.extras.get("identifiers", ()):
            content.identifiers.extend(Identifier(value=text, **source.extra) for text in line.values_of(source))
        _put_address(content, line)
    problems = [BadRow(problem.line, entry_id, problem.field, problem.reason) for problem in line.problems]
    return _ReadLine(line.number, entry_id, content, problems)


def _first_cell(line: Line) -> str:
    """The id of a line with too few or too many cells, if it is the first of them; else it isn't known."""
    source = line.layout.sources["id"]
    return line.cells[0].strip() if line.cells and source.at == (0,) else ""


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
