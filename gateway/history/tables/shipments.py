"""Statements on the log of recorded shipments and the tables that index it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from itertools import compress, repeat
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Connection, bindparam, delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from gateway.contract.ids import Channel, FeedOrigin
from gateway.db.statements import Prepared, PreparedList, insert_rows, run
from gateway.feed.tables.schema import feeds
from gateway.history.tables import cells, releases
from gateway.history.tables.schema import (
    inspection_outcomes,
    record_log,
    risk_hits,
    shipment_keys,
    shipment_revisions,
    shipments,
)

# Fields are in column order, as the driver takes rows.


class LogRow(NamedTuple):
    """A recorded item; salt and content are empty after erasure."""

    position: int
    record_id: str
    kind: int
    recorded_at: int
    recorded_by: str
    salt: bytes
    content: bytes


class ShipmentRow(NamedTuple):
    """A record; `position` is its newest revision's, 0 while only additions are known."""

    record_id: str
    position: int
    revision: int
    additions: int
    declared_at: int
    procedure: int
    digest: bytes
    retention_class: str
    delete_at: int


class RevisionRow(NamedTuple):
    """The revision at a position."""

    position: int
    record_id: str
    revision: int
    declared_at: int
    procedure: int


_KEYS_PER_STATEMENT = 100
"""Keys in one INSERT on SQLite: a thousand took a fifth longer."""

_LAST = Prepared(select(func.max(record_log.c.position)))
_LOG_AFTER = Prepared(
    select(record_log)
    .where(record_log.c.position > bindparam("after"))
    .order_by(record_log.c.position)
    .limit(bindparam("most"))
)
_LOG_BEFORE = Prepared(
    select(record_log)
    .where(record_log.c.position < bindparam("before"))
    .order_by(record_log.c.position.desc())
    .limit(bindparam("most"))
)
_RECORDED_AFTER = Prepared(
    select(record_log.c.recorded_at)
    .where(record_log.c.position > bindparam("after"))
    .order_by(record_log.c.position)
    .limit(1)
)
_PENDING = Prepared(
    select(func.count(), func.max(record_log.c.position)).where(
        record_log.c.position > bindparam("after"), record_log.c.record_id == bindparam("of_record")
    )
)
_values: BindParameter[Any] = bindparam("values", expanding=True)
_LOG_ROWS = PreparedList(select(record_log).where(record_log.c.position.in_(_values)))
_ERASED = PreparedList(
    select(record_log.c.position).where(record_log.c.position.in_(_values), func.length(record_log.c.content) == 0)
)
_SHIPMENTS = PreparedList(select(shipments).where(shipments.c.record_id.in_(_values)))
_SINGLE = PreparedList(
    select(shipments.c.position).where(
        shipments.c.record_id.in_(_values), shipments.c.position > 0, shipments.c.revision + shipments.c.additions == 1
    )
)
_REVISIONS = PreparedList(select(shipment_revisions).where(shipment_revisions.c.position.in_(_values)))
_OF_KIND = PreparedList(
    select(record_log.c.position).where(record_log.c.position.in_(_values), record_log.c.kind == bindparam("of_kind"))
)
_DATE = Prepared(
    update(shipment_revisions)
    .where(shipment_revisions.c.position == bindparam("at"))
    .values(declared_at=bindparam("declared"), procedure=bindparam("done"))
)
_ERASE_SHIPMENTS = PreparedList(delete(shipments).where(shipments.c.record_id.in_(_values)))
_ERASE_OUTCOMES = PreparedList(delete(inspection_outcomes).where(inspection_outcomes.c.record_id.in_(_values)))
_ERASE_POSITIONS = (
    PreparedList(delete(shipment_revisions).where(shipment_revisions.c.position.in_(_values))),
    PreparedList(delete(risk_hits).where(risk_hits.c.position.in_(_values))),
    PreparedList(update(record_log).where(record_log.c.position.in_(_values)).values(salt=b"", content=b"")),
)
_ERASE_KEYS = PreparedList(
    delete(shipment_keys).where(
        shipment_keys.c.cell == bindparam("of_cell"),
        shipment_keys.c.key.in_(_values),
        shipment_keys.c.position == bindparam("at"),
    )
)


# The log


def last_position(conn: Connection) -> int:
    """Newest position; 0: none."""
    return int(_LAST(conn).scalar_one() or 0)


def recording_node(conn: Connection) -> str:
    """The recording node; empty before the first item."""
    origin = conn.execute(select(feeds.c.origin).where(feeds.c.channel == Channel.RECORDS.value)).scalar()
    return FeedOrigin.parse(origin).publisher if origin else ""


def append(conn: Connection, rows: Sequence[LogRow]) -> None:
    """Appends items to the log."""
    insert_rows(conn, record_log, LogRow._fields, rows)


def log_after(conn: Connection, position: int, limit: int) -> list[LogRow]:
    """Items after a position."""
    return [LogRow(*row) for row in _LOG_AFTER(conn, after=position, most=limit)]


def log_before(conn: Connection, position: int, limit: int) -> list[LogRow]:
    """Items before a position, newest first."""
    return [LogRow(*row) for row in _LOG_BEFORE(conn, before=position, most=limit)]


def recorded_after(conn: Connection, position: int) -> int:
    """When the first item after a position was recorded, milliseconds since 1970; 0: none."""
    return int(_RECORDED_AFTER(conn, after=position).scalar_one_or_none() or 0)


def pending(conn: Connection, record_id: str, after: int) -> tuple[int, int]:
    """Number of a record's items after a position, and the last of them (0: none)."""
    count, last = _PENDING(conn, after=after, of_record=record_id).one()
    return int(count), int(last or 0)


def log_rows(conn: Connection, positions: Sequence[int]) -> dict[int, LogRow]:
    """Items by position."""
    return {row[0]: LogRow(*row) for row in _LOG_ROWS(conn, positions)}


# Projections


def erased(conn: Connection, positions: Collection[int]) -> set[int]:
    """Those of these positions whose content was erased."""
    return {row[0] for row in _ERASED(conn, positions)}


def find(conn: Connection, record_ids: Sequence[str]) -> dict[str, ShipmentRow]:
    """Known records, sorted by id."""
    return {row[0]: ShipmentRow(*row) for row in sorted(_SHIPMENTS(conn, record_ids))}


def single(conn: Connection, record_ids: Collection[str]) -> set[int]:
    """Positions of those records that have one revision and no addition."""
    return {row[0] for row in _SINGLE(conn, record_ids)}


def put(conn: Connection, rows: Sequence[ShipmentRow]) -> None:
    """Inserts or replaces records."""
    if not rows:
        return
    make = postgresql_insert if conn.dialect.name == "postgresql" else sqlite_insert
    statement = make(shipments)
    changed = {name: statement.excluded[name] for name in ShipmentRow._fields if name != "record_id"}
    upsert = statement.on_conflict_do_update(index_elements=["record_id"], set_=changed)
    conn.execute(upsert, [row._asdict() for row in rows])


def add(conn: Connection, rows: Sequence[ShipmentRow]) -> None:
    """Inserts new records."""
    if rows:
        insert_rows(conn, shipments, ShipmentRow._fields, rows)


def add_revisions(conn: Connection, rows: Sequence[RevisionRow]) -> None:
    """Inserts revisions."""
    if rows:
        insert_rows(conn, shipment_revisions, RevisionRow._fields, rows)
        # An addition before its record has no time until `date_additions`.
        cells.widen(conn, [(row.position, row.declared_at) for row in rows if row.declared_at])


def add_keys(conn: Connection, keys: Sequence[int], positions: Sequence[int]) -> None:
    """Inserts distinct pairs of a key and a position that `add_revisions` has just inserted, best in order of keys."""
    if not keys:
        return
    numbers = range(min(positions) >> cells.CELL_BITS, (max(positions) >> cells.CELL_BITS) + 1)
    if len(numbers) == 1:
        _insert_keys(conn, numbers[0], keys, positions)
        return
    for cell in numbers:
        inside = [position >> cells.CELL_BITS == cell for position in positions]
        _insert_keys(conn, cell, list(compress(keys, inside)), list(compress(positions, inside)))


def _insert_keys(conn: Connection, cell: int, keys: Sequence[int], positions: Sequence[int]) -> None:
    """`insert_rows` for rows of one cell, of which SQLite gets no tuples and the cell once a statement."""
    if conn.dialect.name != "sqlite":
        rows = list(zip(repeat(cell), keys, positions, strict=False))
        insert_rows(conn, shipment_keys, ("cell", "key", "position"), rows)
        return
    values = [0] * (2 * len(keys))
    values[::2], values[1::2] = keys, positions
    for at in range(0, len(values), 2 * _KEYS_PER_STATEMENT):
        part = values[at : at + 2 * _KEYS_PER_STATEMENT]
        run(conn, _sqlite_keys_text(len(part) // 2), (cell, *part))


@cache
def _sqlite_keys_text(rows: int) -> str:
    values = ", ".join([f"(?1, ?{2 * row}, ?{2 * row + 1})" for row in range(1, rows + 1)])
    return f"INSERT INTO {shipment_keys.name} (cell, key, position) VALUES {values}"


def revisions(conn: Connection, positions: Sequence[int]) -> dict[int, RevisionRow]:
    """Revisions by position."""
    return {row[0]: RevisionRow(*row) for row in _REVISIONS(conn, positions)}


def of_kind(conn: Connection, positions: Collection[int], kind: int) -> set[int]:
    """Those positions that hold a kind of item."""
    return {row[0] for row in _OF_KIND(conn, positions, of_kind=kind)}


def date_additions(conn: Connection, positions: Sequence[int], declared_at: int, procedure: int) -> None:
    """Indexes additions under their record's time (milliseconds since 1970) and procedure."""
    for position in positions:
        _DATE(conn, at=position, declared=declared_at, done=procedure)
    cells.widen(conn, [(position, declared_at) for position in positions])


# Erasure


def erase(conn: Connection, record_ids: Sequence[str], keys: Mapping[int, Collection[int]]) -> None:
    """Empties content and salt of whole records, and removes their other rows; `keys` by position."""
    _ERASE_SHIPMENTS.execute(conn, record_ids)
    _ERASE_OUTCOMES.execute(conn, record_ids)
    releases.erase(conn, record_ids)
    for statement in _ERASE_POSITIONS:
        statement.execute(conn, keys)
    for position, of_position in keys.items():
        _ERASE_KEYS.execute(conn, of_position, of_cell=position >> cells.CELL_BITS, at=position)


def due(conn: Connection, now_ms: int, limit: int, *, after: tuple[int, str]) -> list[ShipmentRow]:
    """Records whose retention has ended, by time and id."""
    statement = (
        select(shipments)
        .where(shipments.c.delete_at <= now_ms, tuple_(shipments.c.delete_at, shipments.c.record_id) > after)
        .order_by(shipments.c.delete_at, shipments.c.record_id)
        .limit(limit)
    )
    return [ShipmentRow(*row) for row in conn.execute(statement)]
