"""Time stamps on receipted checkpoints of own feeds: each is kept as long as its checkpoint."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, Connection, ForeignKey, LargeBinary, Table, bindparam, insert, select

from gateway.db.schema import integrity_index, metadata
from gateway.db.statements import Prepared

time_stamps = Table(
    "time_stamps",
    metadata,
    Column("feed_id", ForeignKey("feeds.id"), primary_key=True),
    Column("size", BigInteger, primary_key=True, autoincrement=False),  # of the checkpoint
    Column("stamped_at", BigInteger, nullable=False),  # milliseconds since 1970, by the TSA's clock
    Column("stamp", LargeBinary, nullable=False),  # TimeStampResp in DER
    integrity_index("time_stamps", "feed_id", "size", "stamped_at", "stamp"),
    sqlite_with_rowid=False,
)

_ADD = Prepared(insert(time_stamps))
_OVER = Prepared(
    select(time_stamps)
    .where(time_stamps.c.feed_id == bindparam("feed"), time_stamps.c.size >= bindparam("least"))
    .order_by(time_stamps.c.size)
    .limit(1)
)
_NEWEST = Prepared(
    select(time_stamps.c.size, time_stamps.c.stamped_at)
    .where(time_stamps.c.feed_id == bindparam("feed"))
    .order_by(time_stamps.c.size.desc())
    .limit(1)
)


@dataclass(frozen=True, slots=True)
class StoredTimeStamp:
    """A stamp on the receipted checkpoint of a feed and size; `stamped_at`: milliseconds since 1970, the TSA's."""

    feed_id: int
    size: int
    stamped_at: int
    stamp: bytes


@dataclass(frozen=True, slots=True)
class NewestTimeStamp:
    """Up to which size a feed is stamped, and when; both 0 for never."""

    size: int = 0
    stamped_at: int = 0


def add(conn: Connection, stamp: StoredTimeStamp) -> None:
    """Writes a stamp unless the checkpoint has one."""
    there = _OVER(conn, feed=stamp.feed_id, least=stamp.size).one_or_none()
    if there is None or there[1] != stamp.size:
        _ADD(conn, feed_id=stamp.feed_id, size=stamp.size, stamped_at=stamp.stamped_at, stamp=stamp.stamp)


def first_over(conn: Connection, feed_id: int, size: int) -> StoredTimeStamp | None:
    """The stamp on the smallest checkpoint of at least a size."""
    row = _OVER(conn, feed=feed_id, least=size).one_or_none()
    return None if row is None else StoredTimeStamp(row[0], row[1], row[2], bytes(row[3]))


def newest(conn: Connection, feed_id: int) -> NewestTimeStamp:
    """The newest stamp of a feed."""
    row = _NEWEST(conn, feed=feed_id).one_or_none()
    return NewestTimeStamp() if row is None else NewestTimeStamp(*row)
