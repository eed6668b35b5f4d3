"""Statements on matches and search progress."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, bindparam, delete, func, insert, select, update

from gateway.db.schema import Progress
from gateway.watchlists.rules.matches import EntryKey, MatchPlace, MatchStatus, SourceKey, SourceKind
from gateway.watchlists.rules.verdicts import HELD
from gateway.watchlists.tables.schema import match_progress, matches

LISTS = "lists"
"""Cursor of list changes compared with earlier parties."""

_POSITION_COLUMNS = {
    SourceKind.ALERT.value: "alert_position",
    SourceKind.SHIPMENT.value: "shipment_position",
    LISTS: "change_seq",
}

_KEYS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class MatchRow:
    """Times in milliseconds since 1970; `change` is set when it is written."""

    match_id: str
    key: bytes
    source: str
    source_publisher: str
    source_id: str
    source_revision: int
    field: str
    subject: bytes
    publisher: str
    list: str
    entry_id: str
    match_class: int
    hit: bytes
    found_at: int
    backward: int
    status: str
    hit_id: str = ""
    decided_by: str = ""
    decided_at: int = 0
    reason: str = ""
    change: int = 0

    @property
    def state(self) -> MatchStatus:
        """Its status."""
        return MatchStatus(self.status)

    @property
    def place(self) -> MatchPlace:
        """The party's location."""
        source = SourceKey(SourceKind(self.source), self.source_publisher, self.source_id)
        return MatchPlace(source, self.source_revision, self.field)

    @property
    def entry(self) -> EntryKey:
        """The entry's key."""
        return EntryKey(self.publisher, self.list, self.entry_id)


class MatchProgress(NamedTuple):
    """Search progress, as in the columns; None before the first search."""

    alert_position: int | None = None
    shipment_position: int | None = None
    change_seq: int | None = None
    last_number: int = 0


_PROGRESS = Progress(match_progress, MatchProgress)

_NAMES = tuple(field.name for field in fields(MatchRow))
_COLUMNS = tuple(matches.c[name] for name in _NAMES)
_REPLACE = (
    update(matches)
    .where(matches.c.match_id == bindparam("which"))
    .values({name: bindparam(name) for name in _NAMES if name != "match_id"})
)


def last_change(conn: Connection) -> int:
    """Number of the newest change, or 0. Numbers aren't reused after removals."""
    newest = conn.execute(select(func.max(matches.c.change))).scalar_one() or 0
    return max(newest, _PROGRESS.read(conn).last_number)


def write(conn: Connection, new: Sequence[MatchRow], changed: Sequence[MatchRow]) -> None:
    """Writes matches, each as one change with the next number."""
    number = last_change(conn)
    numbered = [_kept(replace(row, change=number + at)) for at, row in enumerate([*new, *changed], start=1)]
    if new:
        conn.execute(insert(matches), numbered[: len(new)])
    if changed:
        conn.execute(_REPLACE, [{**values, "which": values["match_id"]} for values in numbered[len(new) :]])


def _kept(row: MatchRow) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in _NAMES}
    for name in ("source_id", "field", "reason"):  # PostgreSQL text can't hold NUL
        values[name] = values[name].replace("\0", "\N{REPLACEMENT CHARACTER}")
    return values


def find(conn: Connection, match_id: str) -> MatchRow | None:
    """A match by its id, or None."""
    return next(iter(_rows(conn, matches.c.match_id == match_id)), None)


def by_ids(conn: Connection, match_ids: Collection[str]) -> list[MatchRow]:
    """Matches by id; unknown ids are left out."""
    return _rows(conn, matches.c.match_id.in_(list(match_ids))) if match_ids else []


def by_keys(conn: Connection, keys: Collection[bytes]) -> dict[bytes, MatchRow]:
    """Matches by key; unknown keys are left out."""
    ordered = sorted(keys)
    found: dict[bytes, MatchRow] = {}
    for at in range(0, len(ordered), _KEYS_AT_ONCE):
        rows = _rows(conn, matches.c.key.in_(ordered[at : at + _KEYS_AT_ONCE]))
        found.update((row.key, row) for row in rows)
    return found


def open_of_sources(conn: Connection, sources: Collection[SourceKey]) -> list[MatchRow]:
    """Open matches of sources."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for source in sources:
        grouped.setdefault((source.kind.value, source.publisher), []).append(source.id)
    rows = []
    for (kind, publisher), ids in grouped.items():
        of_publisher = (matches.c.source == kind, matches.c.source_publisher == publisher)
        rows += _held_in(conn, matches.c.source_id, ids, of_publisher)
    return rows


def held_of_entries(conn: Connection, entries: Collection[EntryKey]) -> list[MatchRow]:
    """Open and confirmed matches with entries."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for entry in entries:
        grouped.setdefault((entry.publisher, entry.list), []).append(entry.id)
    rows = []
    for (publisher, name), ids in grouped.items():
        of_list = (matches.c.publisher == publisher, matches.c.list == name)
        rows += _held_in(conn, matches.c.entry_id, ids, of_list, HELD)
    return rows


def of_entry(conn: Connection, entry: EntryKey, kind: SourceKind) -> list[MatchRow]:
    """Matches of one kind of source with an entry, in any status."""
    of_entry = (matches.c.publisher == entry.publisher, matches.c.list == entry.list, matches.c.entry_id == entry.id)
    return _rows(conn, *of_entry, matches.c.source == kind.value)


def _held_in(
    conn: Connection,
    column: Column[str],
    values: Sequence[str],
    conditions: tuple[ColumnElement[bool], ...],
    statuses: Collection[MatchStatus] = frozenset({MatchStatus.OPEN}),
) -> list[MatchRow]:
    is_held = matches.c.status.in_([status.value for status in statuses])
    rows = []
    for at in range(0, len(values), _KEYS_AT_ONCE):
        rows += _rows(conn, *conditions, is_held, column.in_(values[at : at + _KEYS_AT_ONCE]))
    return rows


def page(
    conn: Connection, conditions: Iterable[ColumnElement[bool]], *, before: str | None, limit: int
) -> list[MatchRow]:
    """Matches, newest first, after the id `before`."""
    query = select(*_COLUMNS).where(*conditions).order_by(matches.c.match_id.desc()).limit(limit)
    if before is not None:
        query = query.where(matches.c.match_id < before)
    return [_row(row) for row in conn.execute(query)]


def changed_after(conn: Connection, change: int, *conditions: ColumnElement[bool], limit: int) -> list[MatchRow]:
    """Matches by last change, after a number."""
    query = select(*_COLUMNS).where(matches.c.change > change, *conditions).order_by(matches.c.change).limit(limit)
    return [_row(row) for row in conn.execute(query)]


def by_list(conn: Connection) -> dict[tuple[str, str], dict[str, int]]:
    """Counts matches by (publisher, list) and status."""
    columns = (matches.c.publisher, matches.c.list, matches.c.status)
    counted: dict[tuple[str, str], dict[str, int]] = {}
    for publisher, name, status, number in conn.execute(select(*columns, func.count()).group_by(*columns)):
        counted.setdefault((publisher, name), {})[status] = number
    return counted


def _rows(conn: Connection, *conditions: ColumnElement[bool]) -> list[MatchRow]:
    return [_row(row) for row in conn.execute(select(*_COLUMNS).where(*conditions).order_by(matches.c.match_id))]


def _row(row: Iterable[Any]) -> MatchRow:
    values = dict(zip(_NAMES, row, strict=True))
    for name in ("key", "subject", "hit"):
        values[name] = bytes(values[name])
    return MatchRow(**values)


# Search progress


def positions(conn: Connection) -> dict[str, int]:
    """Cursors of sources and of list changes; none before the first search."""
    row = _PROGRESS.read(conn)._asdict()
    return {key: row[column] for key, column in _POSITION_COLUMNS.items() if row[column] is not None}


def move_positions(conn: Connection, positions: Mapping[str, int]) -> None:
    """Writes cursors."""
    if positions:
        _PROGRESS.write(conn, **{_POSITION_COLUMNS[key]: position for key, position in positions.items()})


def forget_sources(conn: Connection, kind: SourceKind, ids: Sequence[str]) -> None:
    """Removes matches of expired sources, even decided ones: they name persons."""
    last = last_change(conn)
    gone = conn.execute(delete(matches).where(matches.c.source == kind.value, matches.c.source_id.in_(ids)))
    if gone.rowcount:
        _PROGRESS.write(conn, last_number=last)


def restart_search(conn: Connection) -> None:
    """A rebuild may renumber list changes."""
    _PROGRESS.write(conn, change_seq=None)
