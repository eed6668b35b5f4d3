"""Statements for verifying a database: raw rows in order, a bounded number at a time, read only.

Bytes are cast, since SQLite accepts text in their place.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Cast, Column, Connection, LargeBinary, cast, func, select

from gateway.feed.tables.feeds import StoredEntry
from gateway.feed.tables.heads import StoredCheckpoint
from gateway.feed.tables.schema import checkpoints, entries, feeds, tiles
from gateway.history.tables.schema import record_log
from gateway.trust.tables import audit_events


@dataclass(frozen=True, slots=True)
class FeedRow:
    """A feed's raw row, with the end of its entries (-1 for none) and checkpoints (0 for none)."""

    id: int
    origin: str
    direction: str
    size: int
    journaled_size: int
    edge: bytes
    checkpoint: bytes
    receipted_size: int
    last_index: int
    last_checkpoint: int


def feed_rows(conn: Connection) -> list[FeedRow]:
    """All feeds, by id."""
    last_index = select(func.max(entries.c.idx)).where(entries.c.feed_id == feeds.c.id).scalar_subquery()
    last_checkpoint = select(func.max(checkpoints.c.size)).where(checkpoints.c.feed_id == feeds.c.id).scalar_subquery()
    rows = conn.execute(
        select(
            feeds.c.id,
            feeds.c.origin,
            feeds.c.direction,
            feeds.c.size,
            feeds.c.journaled_size,
            _bytes(feeds.c.edge),
            _bytes(feeds.c.checkpoint),
            feeds.c.receipted_size,
            func.coalesce(last_index, -1),
            func.coalesce(last_checkpoint, 0),
        ).order_by(feeds.c.id)
    )
    return [FeedRow(r[0], r[1], r[2], r[3], r[4], bytes(r[5]), bytes(r[6]), r[7], r[8], r[9]) for r in rows]


def checkpoints_after(conn: Connection, feed_id: int, size: int, most: int, limit: int) -> list[StoredCheckpoint]:
    """Checkpoints of a feed with size < their size ≤ most, smallest first."""
    c = checkpoints.c
    rows = conn.execute(
        select(c.size, _bytes(c.root), _bytes(c.note), _bytes(c.cosignature), c.receipted_at)
        .where(checkpoints.c.feed_id == feed_id, checkpoints.c.size > size, checkpoints.c.size <= most)
        .order_by(checkpoints.c.size)
        .limit(limit)
    )
    return [StoredCheckpoint(*row) for row in rows]


def entries_between(conn: Connection, feed_id: int, first: int, end: int) -> list[StoredEntry]:
    """Entries with first ≤ index < end."""
    c = entries.c
    rows = conn.execute(
        select(c.idx, _bytes(c.header), _bytes(c.salt), _bytes(c.payload))
        .where(c.feed_id == feed_id, c.idx >= first, c.idx < end)
        .order_by(c.idx)
    )
    return [StoredEntry(*row) for row in rows]


def tile(conn: Connection, feed_id: int, level: int, number: int) -> bytes:
    """A tile's hashes; empty if not stored."""
    rows = conn.execute(
        select(_bytes(tiles.c.hashes)).where(tiles.c.feed_id == feed_id, tiles.c.level == level, tiles.c.tile == number)
    ).scalar_one_or_none()
    return b"" if rows is None else bytes(rows)


def audit_length(conn: Connection) -> int:
    """Number of the newest audit event; 0 for none."""
    return conn.execute(select(func.max(audit_events.c.seq))).scalar_one() or 0


def _bytes(column: Column[Any]) -> Cast[bytes]:
    return cast(column, LargeBinary)


def records_after(conn: Connection, position: int, limit: int) -> list[tuple[int, bytes, bytes]]:
    """Items after a position as (position, salt, content)."""
    columns = record_log.c
    rows = conn.execute(
        select(columns.position, _bytes(columns.salt), _bytes(columns.content))
        .where(columns.position > position)
        .order_by(columns.position)
        .limit(limit)
    )
    return [(row[0], bytes(row[1]), bytes(row[2])) for row in rows]
