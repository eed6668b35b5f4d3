"""Statements on recorded shipments: the log of what was recorded, and the projections by which it is found."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from gateway.contract.ids import Channel, FeedOrigin
from gateway.db.database import insert_rows
from gateway.db.statements import Prepared, run
from gateway.feed.tables.schema import feeds
from gateway.history.tables import segments
from gateway.history.tables.schema import (
    party_name_keys,
    party_names,
    record_log,
    risk_hits,
    shipment_keys,
    shipment_revisions,
    shipments,
)

MOST_IN_STATEMENT = 500
"""Values in one IN list; both databases take more, but a statement is compiled for each length."""

# Rows are tuples in the order of their tables' columns, so that they go to the driver as they are.


class LogRow(NamedTuple):
    """An item as it was recorded; `salt` and `content` are empty after erasure."""

    position: int
    record_id: str
    kind: int
    recorded_at: int
    recorded_by: str
    salt: bytes
    content: bytes


class ShipmentRow(NamedTuple):
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


class RevisionRow(NamedTuple):
    """Which record and revision a position belongs to."""

    position: int
    record_id: str
    revision: int
    declared_at: int
    procedure: int


_LOG_COLUMNS, _SHIPMENT_COLUMNS, _REVISION_COLUMNS = LogRow._fields, ShipmentRow._fields, RevisionRow._fields

_LAST = Prepared(select(func.max(record_log.c.position)))
_LOG_AFTER = Prepared(
    select(record_log)
    .where(record_log.c.position > bindparam("after"))
    .order_by(record_log.c.position)
    .limit(bindparam("most"))
)


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
    insert_rows(conn, record_log, _LOG_COLUMNS, rows)


def log_after(conn: Connection, position: int, limit: int) -> list[LogRow]:
    """Items after a position, in order."""
    return [LogRow(*row) for row in _LOG_AFTER(conn, after=position, most=limit)]


def log_rows(conn: Connection, positions: Sequence[int]) -> dict[int, LogRow]:
    """Items by position."""
    return {row[0]: LogRow(*row) for row in _by_number(conn, "record_log", _LOG_COLUMNS, positions)}


# Projections


def find(conn: Connection, record_ids: Sequence[str]) -> dict[str, ShipmentRow]:
    """Records by id, in the order of their ids; unknown ones are left out."""
    found: dict[str, ShipmentRow] = {}
    for chunk in in_parts(sorted(record_ids)):
        rows = run(conn, _in_text(conn.dialect.name, "shipments", _SHIPMENT_COLUMNS, "record_id", len(chunk)), chunk)
        found.update(sorted((row[0], ShipmentRow(*row)) for row in rows))  # chunks are in order, their rows need not be
    return found


def put(conn: Connection, rows: Sequence[ShipmentRow]) -> None:
    """Writes records' new states."""
    if not rows:
        return
    make = postgresql_insert if conn.dialect.name == "postgresql" else sqlite_insert
    statement = make(shipments)
    changed = {name: statement.excluded[name] for name in _SHIPMENT_COLUMNS if name != "record_id"}
    upsert = statement.on_conflict_do_update(index_elements=["record_id"], set_=changed)
    conn.execute(upsert, [row._asdict() for row in rows])


def add(conn: Connection, rows: Sequence[ShipmentRow]) -> None:
    """Writes new records."""
    if rows:
        insert_rows(conn, shipments, _SHIPMENT_COLUMNS, rows)


def add_revisions(conn: Connection, rows: Sequence[RevisionRow]) -> None:
    """Writes which record and revision positions belong to."""
    if rows:
        insert_rows(conn, shipment_revisions, _REVISION_COLUMNS, rows)
        # What was added before its record has no time yet; it gets one from there (history.tables.additions).
        segments.widen(conn, [(row.position, row.declared_at) for row in rows if row.declared_at])


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


# Erasure


def erase(conn: Connection, record_ids: Sequence[str], keys: Mapping[int, Collection[int]]) -> None:
    """Empties content and salt of whole records, and leaves nothing of them in the projections.

    Args:
        record_ids: the records.
        keys: by each of their positions the keys under which it may stand.
    """
    conn.execute(delete(shipments).where(shipments.c.record_id.in_(record_ids)))
    for part in in_parts(sorted(keys)):
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
    for chunk in in_parts(sorted(set(numbers))):
        yield from run(conn, _in_text(conn.dialect.name, table, columns, column, len(chunk)), chunk)


def in_parts(values: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
    """Values in parts of few different lengths, so that few statements are compiled: short ones repeat their last."""
    for at in range(0, len(values), MOST_IN_STATEMENT):
        part = tuple(values[at : at + MOST_IN_STATEMENT])
        length = 1 << (len(part) - 1).bit_length()
        yield part + (part[-1],) * (min(length, MOST_IN_STATEMENT) - len(part))


@cache
def _in_text(dialect: str, table: str, columns: tuple[str, ...], column: str, count: int) -> str:
    marks = ", ".join(["?" if dialect == "sqlite" else "%s"] * count)
    return f"SELECT {', '.join(columns)} FROM {table} WHERE {column} IN ({marks})"
