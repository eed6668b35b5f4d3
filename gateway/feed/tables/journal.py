"""Statements on the journal, which stores the local log's order, and on how far it is projected."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import BigInteger, Connection, Integer, bindparam, func, insert, select
from sqlalchemy.exc import IntegrityError

from gateway.contract.ids import FeedOrigin
from gateway.db.schema import Progress
from gateway.db.statements import Prepared, Rows
from gateway.errors import GatewayError, Kind
from gateway.feed.tables.schema import feeds, journal, projector_progress

_HEAD = Prepared(
    select(journal.c.first_position + journal.c.count - 1).order_by(journal.c.first_position.desc()).limit(1)
)
_first = select(func.max(journal.c.first_position)).where(journal.c.first_position <= bindparam("position"))
_AFTER = Prepared(
    select(journal)
    .where(journal.c.first_position >= func.coalesce(_first.scalar_subquery(), 1))
    .order_by(journal.c.first_position)
    .limit(bindparam("most"))
)
_size_at = (
    select(journal.c.first_index + journal.c.count)
    .where(journal.c.first_position <= bindparam("position"))
    .order_by(journal.c.first_position.desc())
    .limit(1)
)
_SIZE_AT = Prepared(_size_at.where(journal.c.feed_id == bindparam("feed")))
_FEED_AT = Prepared(
    select(feeds.c.id, func.coalesce(_size_at.where(journal.c.feed_id == feeds.c.id).scalar_subquery(), 0)).where(
        feeds.c.origin == bindparam("origin")
    )
)
_newest = (
    select(journal.c.first_position + journal.c.count).order_by(journal.c.first_position.desc()).limit(1)
).scalar_subquery()
_ADD = Prepared(
    insert(journal).from_select(
        ["first_position", "feed_id", "first_index", "count", "committed_at"],
        select(
            func.coalesce(_newest, 1),
            bindparam("of_feed", type_=Integer),
            bindparam("from_index", type_=BigInteger),
            bindparam("entries", type_=Integer),
            bindparam("at", type_=BigInteger),
        ),
    )
)


class HeadMovedError(GatewayError):
    """Another writer moved the head first; a retry succeeds."""

    reason = "HEAD_MOVED"
    kind = Kind.ABORTED
    way_out = "Retry."


@dataclass(frozen=True, slots=True)
class JournalRun:
    """Entries of one feed at consecutive positions."""

    first_position: int
    feed_id: int
    first_index: int
    count: int
    committed_at: int


def add(conn: Connection, feed_id: int, first_index: int, count: int, *, committed_at: int) -> Rows:
    """Gives entries the next positions. In `unless_taken`, as the waiting for its result."""
    return _ADD(conn, of_feed=feed_id, from_index=first_index, entries=count, at=committed_at)


@contextmanager
def unless_taken() -> Iterator[None]:
    """For `add` and the reading of its result.

    Raises:
        HeadMovedError: another writer took the positions; roll back.
    """
    try:
        yield
    except IntegrityError as error:
        raise HeadMovedError("the next positions of the local log were taken") from error


def head_position(conn: Connection) -> int:
    """Position of the local log's newest entry; 0 for none."""
    return _HEAD(conn).scalar_one_or_none() or 0


def runs_after(conn: Connection, position: int, limit: int) -> list[JournalRun]:
    """Runs that end after `position`, in order; the first may begin before it."""
    runs = [JournalRun(*row) for row in _AFTER(conn, position=position + 1, most=limit)]
    return [run for run in runs if run.first_position + run.count - 1 > position]


def size_at(conn: Connection, feed_id: int, position: int) -> int:
    """Number of a feed's entries up to a position of the local log."""
    return _SIZE_AT(conn, feed=feed_id, position=position).scalar_one_or_none() or 0


def feed_at(conn: Connection, origin: FeedOrigin, position: int) -> tuple[int, int] | None:
    """Row of a feed, and number of its entries up to a position of the local log; None without the feed."""
    row = _FEED_AT(conn, origin=origin.line, position=position).one_or_none()
    return None if row is None else (row[0], row[1])


class ProjectorProgress(NamedTuple):
    """Last projected position, and digest of the known kinds; empty at first."""

    position: int = 0
    knowledge: bytes = b""


_PROGRESS = Progress(projector_progress, ProjectorProgress)


def projected_position(conn: Connection) -> int:
    """Last projected position."""
    return _PROGRESS.read(conn).position


def lock_projected(conn: Connection) -> int:
    """The position, locked until the transaction ends.

    Raises:
        HeadMovedError: another writer has just made the row; retry.
    """
    try:
        return _PROGRESS.lock(conn).position
    except IntegrityError as error:
        raise HeadMovedError("another writer has just made the projector's progress") from error


def move_projected(conn: Connection, position: int) -> None:
    """Sets the position."""
    _PROGRESS.write(conn, position=position)


def knowledge(conn: Connection) -> bytes:
    """Digest of the kinds known when held entries were last checked; empty for never."""
    return bytes(_PROGRESS.read(conn).knowledge)


def note_knowledge(conn: Connection, digest: bytes) -> None:
    """Sets the digest of the known kinds."""
    _PROGRESS.write(conn, knowledge=digest)
