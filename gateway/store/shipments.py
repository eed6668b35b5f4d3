"""Statements on recorded shipments: the log of what was recorded, and the projections by which it is found.

Owns how rows read and are written, many at once, and the walk over the index of keys. Doesn't own what keys mean
(wire.shipment_keys), what a revision is (services.history_index) or who may see what.

The index of keys is cut into segments by position, so that keys, which come in no order, are written into a part of the
tree that fits into memory however large the whole has grown. A look-up asks the segments from the newest on, and leaves
out those of which is known that they don't hold what is asked for (store.segments).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from gateway.model.ids import Channel, FeedOrigin
from gateway.store import segments
from gateway.store.database import insert_rows
from gateway.store.prepared import Prepared, run
from gateway.store.schema import (
    cursors,
    feeds,
    party_name_keys,
    party_names,
    record_log,
    risk_hits,
    shipment_keys,
    shipment_revisions,
    shipments,
)
from gateway.store.segments import Known

MOST_KEYS_IN_TURN = 16
"""Keys that are looked up one by one, each with its own part of the statement."""

INDEXED = "history"
"""Cursor: position up to which what was recorded is found."""

MOST_IN_STATEMENT = 500
"""Values in one IN list; both databases take more, but a statement is compiled for each length."""


@dataclass(frozen=True, slots=True)
class LogRow:
    """An item as it was recorded; `salt` and `content` are empty after erasure."""

    position: int
    record_id: str
    kind: int
    recorded_at: int
    recorded_by: str
    salt: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class ShipmentRow:
    """Where a record stands; `position` is of its newest revision, 0 while only additions to it are known."""

    record_id: str
    position: int
    revision: int
    additions: int
    declared_at: int
    procedure: int
    digest: bytes
    retention_class: str
    delete_at: int


@dataclass(frozen=True, slots=True)
class RevisionRow:
    """Which record and revision a position belongs to."""

    position: int
    record_id: str
    revision: int
    declared_at: int
    procedure: int


class StandingRow(NamedTuple):
    """A position with the record that it belongs to, as that stands now.

    Attributes:
        hit: the position.
        matched_revision: revision of the record there.
        record_id, position, revision, additions: as in ShipmentRow; empty and 0 when the record is gone.
        recorded_at, content: of the newest revision; 0 and empty when it was erased or there is none.
    """

    hit: int
    matched_revision: int
    record_id: str
    position: int
    revision: int
    additions: int
    recorded_at: int
    content: bytes

    @property
    def grown(self) -> bool:
        """Whether more than one item was recorded of the record."""
        return self.revision + self.additions > 1


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Conditions of a search that aren't keys: declared from (inclusive) and until (exclusive) in milliseconds since
    1970, and procedures; 0 and empty for none."""

    declared_from: int = 0
    declared_until: int = 0
    procedures: tuple[int, ...] = ()

    @property
    def shape(self) -> tuple[bool, bool, int]:
        """Which of them there are: statements of one shape share their text."""
        return bool(self.declared_from), bool(self.declared_until), len(self.procedures)

    @property
    def values(self) -> tuple[int, ...]:
        """Their values in order of the shape."""
        return (*(bound for bound in (self.declared_from, self.declared_until) if bound), *self.procedures)

    def admits(self, row: RevisionRow | ShipmentRow) -> bool:
        """Whether a revision meets them, or a record in its newest."""
        return (
            row.declared_at >= self.declared_from
            and (not self.declared_until or row.declared_at < self.declared_until)
            and (not self.procedures or row.procedure in self.procedures)
        )


_LOG_COLUMNS = tuple(record_log.c.keys())
_SHIPMENT_COLUMNS = tuple(shipments.c.keys())
_REVISION_COLUMNS = tuple(shipment_revisions.c.keys())

_LAST = Prepared(select(func.max(record_log.c.position)))
_LOG_AFTER = Prepared(
    select(record_log)
    .where(record_log.c.position > bindparam("after"))
    .order_by(record_log.c.position)
    .limit(bindparam("most"))
)
_CURSOR = Prepared(select(cursors.c.position).where(cursors.c.name == bindparam("called")))
_MOVE = Prepared(update(cursors).where(cursors.c.name == bindparam("called")).values(position=bindparam("position")))


# The log


def last_position(conn: Connection) -> int:
    """Position of the newest item; 0 when there is none."""
    return int(_LAST(conn).scalar_one() or 0)


def recording_node(conn: Connection) -> str:
    """Name of the node whose records these are; empty before the first."""
    found = conn.execute(select(feeds.c.origin).where(feeds.c.channel == Channel.RECORDS.value)).scalar()
    return FeedOrigin.parse(found).publisher if found else ""


def append(conn: Connection, rows: Sequence[LogRow]) -> None:
    """Writes items at the end of the log."""
    values = [
        (row.position, row.record_id, row.kind, row.recorded_at, row.recorded_by, row.salt, row.content) for row in rows
    ]
    insert_rows(conn, record_log, _LOG_COLUMNS, values)


def log_after(conn: Connection, position: int, limit: int) -> list[LogRow]:
    """Items after a position, in order."""
    return [LogRow(*row) for row in _LOG_AFTER(conn, after=position, most=limit)]


def log_rows(conn: Connection, positions: Sequence[int]) -> dict[int, LogRow]:
    """Items by position."""
    return {row[0]: LogRow(*row) for row in _by_number(conn, "record_log", _LOG_COLUMNS, positions)}


def cursor(conn: Connection, name: str) -> int:
    """A cursor's position; 0 before it was moved."""
    return int(_CURSOR(conn, called=name).scalar_one_or_none() or 0)


def move_cursor(conn: Connection, name: str, position: int) -> None:
    """Moves a cursor."""
    if not _MOVE(conn, called=name, position=position).rowcount:
        conn.execute(insert(cursors).values(name=name, position=position))


# Projections


def find(conn: Connection, record_ids: Sequence[str]) -> dict[str, ShipmentRow]:
    """Records by id, in the order of their ids; unknown ones are left out."""
    found: dict[str, ShipmentRow] = {}
    for chunk in _chunks(sorted(record_ids)):
        rows = run(conn, _in_text(conn.dialect.name, "shipments", _SHIPMENT_COLUMNS, "record_id", len(chunk)), chunk)
        found.update(sorted((row[0], ShipmentRow(*row)) for row in rows))  # chunks are in order, their rows need not be
    return found


def standing(conn: Connection, record_ids: Sequence[str]) -> list[StandingRow]:
    """Records in the order of their ids, each as if it had been found in its newest revision; unknown ones, and those
    of which only additions are known, are left out."""
    known = [row for row in find(conn, record_ids).values() if row.position]
    logged = log_rows(conn, [row.position for row in known])
    return [
        StandingRow(
            row.position,
            row.revision,
            row.record_id,
            row.position,
            row.revision,
            row.additions,
            logged[row.position].recorded_at,
            logged[row.position].content,
        )
        for row in known
        if row.position in logged
    ]


def put(conn: Connection, rows: Sequence[ShipmentRow]) -> None:
    """Writes records' new states."""
    if not rows:
        return
    make = postgresql_insert if conn.dialect.name == "postgresql" else sqlite_insert
    statement = make(shipments)
    changed = {name: statement.excluded[name] for name in _SHIPMENT_COLUMNS if name != "record_id"}
    upsert = statement.on_conflict_do_update(index_elements=["record_id"], set_=changed)
    values = [{name: getattr(row, name) for name in _SHIPMENT_COLUMNS} for row in rows]
    conn.execute(upsert, values)


def add(conn: Connection, rows: Sequence[ShipmentRow]) -> None:
    """Writes new records."""
    if rows:
        insert_rows(
            conn,
            shipments,
            _SHIPMENT_COLUMNS,
            [tuple(getattr(row, name) for name in _SHIPMENT_COLUMNS) for row in rows],
        )


def add_revisions(conn: Connection, rows: Sequence[RevisionRow]) -> None:
    """Writes which record and revision positions belong to."""
    if rows:
        values = [(row.position, row.record_id, row.revision, row.declared_at, row.procedure) for row in rows]
        insert_rows(conn, shipment_revisions, _REVISION_COLUMNS, values)
        # What was added before its record has no time yet; it gets one from there (store.additions).
        widen_segments(conn, [(row.position, row.declared_at) for row in rows if row.declared_at])


def widen_segments(conn: Connection, declared: Iterable[tuple[int, int]]) -> None:
    """Lets segments know of times at which something in them was declared: (position, milliseconds since 1970)."""
    segments.widen(conn, [(position >> segments.SEGMENT_BITS, at) for position, at in declared])


def add_keys(conn: Connection, keys: Sequence[tuple[int, int]]) -> None:
    """Writes (key, position) pairs into the index."""
    if keys:
        rows = sorted((position >> segments.SEGMENT_BITS, key, position) for key, position in keys)
        insert_rows(conn, shipment_keys, ("segment", "key", "position"), rows, or_ignore=True)


def revisions(conn: Connection, positions: Sequence[int]) -> dict[int, RevisionRow]:
    """Which record and revision positions belong to."""
    rows = _by_number(conn, "shipment_revisions", _REVISION_COLUMNS, positions)
    return {row[0]: RevisionRow(*row) for row in rows}


# Names


def add_names(conn: Connection, names: Sequence[tuple[int, str]], keys: Sequence[tuple[int, int]]) -> None:
    """Writes names as (key in the index, text), and under which keys of screening they are filed: (key, name)."""
    if names:
        insert_rows(conn, party_names, ("name", "text"), sorted(names), or_ignore=True)
    if keys:
        insert_rows(conn, party_name_keys, ("key", "name"), sorted(keys), or_ignore=True)


def known_names(conn: Connection, names: Sequence[int]) -> dict[int, str]:
    """Texts of names by their key in the index."""
    return {row[0]: row[1] for row in _by_number(conn, "party_names", ("name", "text"), names, column="name")}


def names_filed(conn: Connection, keys: Sequence[int], limit: int) -> list[int]:
    """Names that are filed under any of some keys of screening, each once, at most `limit`."""
    statement = select(party_name_keys.c.name).where(party_name_keys.c.key.in_(sorted(keys))).distinct().limit(limit)
    return [int(row[0]) for row in conn.execute(statement)]


# Search


def search(
    conn: Connection,
    key_sets: Sequence[Sequence[int]],
    narrowing: Narrowing,
    *,
    before: int,
    limit: int,
    known: Known | None = None,
) -> Iterator[int]:
    """Positions at which of each set at least one key stands, the newest first.

    Args:
        key_sets: at least one; the first should be the one that is met least often.
        narrowing: further conditions.
        before: positions at or after this don't count.
        limit: most positions.
        known: what this transaction sees of the segments; None: it is read.
    """
    for (position,) in _walk(conn, _search_text, key_sets, narrowing, before=before, limit=limit, known=known):
        yield position


def search_standing(
    conn: Connection,
    key_sets: Sequence[Sequence[int]],
    narrowing: Narrowing,
    *,
    before: int,
    limit: int,
    known: Known | None = None,
) -> list[StandingRow]:
    """As `search`, each position with its record: one statement gives what four would."""
    found = _walk(conn, _standing_text, key_sets, narrowing, before=before, limit=limit, known=known)
    return [StandingRow(*row) for row in found]


def _walk(
    conn: Connection,
    text_of: Callable[[str, tuple[int, ...], int, tuple[bool, bool, int]], str],
    key_sets: Sequence[Sequence[int]],
    narrowing: Narrowing,
    *,
    before: int,
    limit: int,
    known: Known | None,
) -> Iterator[tuple[Any, ...]]:
    """Asks the segments from the newest on, one at first and then more at once, until there is enough."""
    first, *others = key_sets
    shape, further = tuple(map(len, key_sets)), (*chain.from_iterable(others), *narrowing.values)
    wanted = segments.to_ask(
        conn,
        known or segments.known(conn),
        before,
        key_sets,
        declared_from=narrowing.declared_from,
        declared_until=narrowing.declared_until,
    )
    left, at, size = limit, 0, 1
    while at < len(wanted) and left > 0:
        asked = wanted[at : at + size]
        values: tuple[int, ...] = (*asked, *first, before, *further, left)
        if _in_turn(shape, len(asked)):
            values = (*chain.from_iterable((*asked, key, before, *further, left) for key in first), left)
        found = run(conn, text_of(conn.dialect.name, shape, len(asked), narrowing.shape), values)
        yield from sorted(found, reverse=True)  # a join may leave them in any order
        left -= len(found)
        at += size
        size = min(2 * size, MOST_IN_STATEMENT)


def _in_turn(shape: tuple[int, ...], segments: int) -> bool:
    """Whether each key is looked up by itself, in the order of its positions and no further than needed.

    With several keys in one IN list everything that has any of them is read and sorted first: thousands of records
    where a trader ships much.
    """
    return segments == 1 and 1 < shape[0] <= MOST_KEYS_IN_TURN


@cache
def _search_text(dialect: str, shape: tuple[int, ...], segments: int, bounds: tuple[bool, bool, int]) -> str:
    mark = "?" if dialect == "sqlite" else "%s"
    if _in_turn(shape, segments):
        one = _search_text(dialect, (1, *shape[1:]), 1, bounds)
        each = " UNION ALL ".join([f"SELECT position FROM ({one}) one"] * shape[0])
        return f"SELECT DISTINCT position FROM ({each}) each ORDER BY position DESC LIMIT {mark}"

    def marks(count: int) -> str:
        return ", ".join([mark] * count)

    first, *others = shape
    conditions = [f"k.segment IN ({marks(segments)})", f"k.key IN ({marks(first)})", f"k.position < {mark}"]
    conditions += [
        "EXISTS (SELECT 1 FROM shipment_keys o WHERE o.segment = k.segment AND o.position = k.position "
        f"AND o.key IN ({marks(count)}))"
        for count in others
    ]
    since, until, procedures = bounds
    join = "JOIN shipment_revisions r ON r.position = k.position" if since or until or procedures else ""
    conditions += [f"r.declared_at >= {mark}"] if since else []
    conditions += [f"r.declared_at < {mark}"] if until else []
    conditions += [f"r.procedure IN ({marks(procedures)})"] if procedures else []
    distinct = "DISTINCT " if first > 1 else ""
    return (
        f"SELECT {distinct}k.position FROM shipment_keys k {join} "
        f"WHERE {' AND '.join(conditions)} ORDER BY k.position DESC LIMIT {mark}"
    )


@cache
def _standing_text(dialect: str, shape: tuple[int, ...], segments: int, bounds: tuple[bool, bool, int]) -> str:
    empty = "x''" if dialect == "sqlite" else "''::bytea"
    return (
        "SELECT h.position, COALESCE(m.revision, 0), COALESCE(s.record_id, ''), COALESCE(s.position, 0), "
        "COALESCE(s.revision, 0), COALESCE(s.additions, 0), COALESCE(l.recorded_at, 0), "
        f"COALESCE(l.content, {empty}) "
        f"FROM ({_search_text(dialect, shape, segments, bounds)}) h "
        "LEFT JOIN shipment_revisions m ON m.position = h.position "
        "LEFT JOIN shipments s ON s.record_id = m.record_id "
        "LEFT JOIN record_log l ON l.position = s.position"
    )


def matching(conn: Connection, positions: Collection[int], key_sets: Sequence[Sequence[int]]) -> set[int]:
    """Those of some positions at which of each set at least one key stands."""
    found: set[int] = set()
    for part in _chunks(sorted(positions)):
        left = set(part)
        for keys in key_sets:
            statement = select(shipment_keys.c.position).where(
                shipment_keys.c.segment.in_({position >> segments.SEGMENT_BITS for position in left}),
                shipment_keys.c.key.in_(keys),
                shipment_keys.c.position.in_(left),
            )
            left = {int(row[0]) for row in conn.execute(statement)} if left else left
        found |= left
    return found


# Erasure


def erase(conn: Connection, record_ids: Sequence[str], keys: Mapping[int, Collection[int]]) -> None:
    """Empties content and salt of whole records, and leaves nothing of them in the projections.

    Args:
        record_ids: the records.
        keys: by each of their positions the keys under which it may stand.
    """
    conn.execute(delete(shipments).where(shipments.c.record_id.in_(record_ids)))
    for part in _chunks(sorted(keys)):
        conn.execute(delete(shipment_revisions).where(shipment_revisions.c.position.in_(part)))
        conn.execute(delete(risk_hits).where(risk_hits.c.position.in_(part)))
        conn.execute(update(record_log).where(record_log.c.position.in_(part)).values(salt=b"", content=b""))
    for position, some in keys.items():
        conn.execute(
            delete(shipment_keys).where(
                shipment_keys.c.segment == position >> segments.SEGMENT_BITS,
                shipment_keys.c.key.in_(sorted(some)),
                shipment_keys.c.position == position,
            )
        )


def remove_names(conn: Connection, names: Sequence[int]) -> None:
    """Removes names, and what they are filed under."""
    if names:
        conn.execute(delete(party_names).where(party_names.c.name.in_(names)))
        conn.execute(delete(party_name_keys).where(party_name_keys.c.name.in_(names)))


def due(conn: Connection, now_ms: int, limit: int, *, after: tuple[int, str]) -> list[ShipmentRow]:
    """Records whose time is over, in order of that time and of their ids.

    Args:
        now_ms: the time, in milliseconds since 1970.
        limit: most records.
        after: time and id of the last one that was looked at.
    """
    statement = (
        select(shipments)
        .where(shipments.c.delete_at <= now_ms, tuple_(shipments.c.delete_at, shipments.c.record_id) > after)
        .order_by(shipments.c.delete_at, shipments.c.record_id)
        .limit(limit)
    )
    return [ShipmentRow(*row) for row in conn.execute(statement)]


def _by_number(
    conn: Connection, table: str, columns: tuple[str, ...], numbers: Sequence[int], *, column: str = "position"
) -> Iterator[tuple[Any, ...]]:
    for chunk in _chunks(sorted(set(numbers))):
        yield from run(conn, _in_text(conn.dialect.name, table, columns, column, len(chunk)), chunk)


def _chunks(values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """Values in parts of few different lengths, so that few statements are compiled: short ones repeat their last."""
    for at in range(0, len(values), MOST_IN_STATEMENT):
        part = tuple(values[at : at + MOST_IN_STATEMENT])
        length = 1 << (len(part) - 1).bit_length()
        yield part + (part[-1],) * (min(length, MOST_IN_STATEMENT) - len(part))


@cache
def _in_text(dialect: str, table: str, columns: tuple[str, ...], column: str, count: int) -> str:
    marks = ", ".join(["?" if dialect == "sqlite" else "%s"] * count)
    return f"SELECT {', '.join(columns)} FROM {table} WHERE {column} IN ({marks})"
