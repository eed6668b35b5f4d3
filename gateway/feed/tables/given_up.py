"""Statements on own feeds that lost entries: what was signed of them, and where they went on without these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, select
from sqlalchemy.exc import IntegrityError

from gateway.db.statements import Prepared
from gateway.feed.tables.journal import HeadMovedError
from gateway.feed.tables.schema import given_up_heads, signed_heads

_OF_FEED = given_up_heads.c.feed_id == bindparam("feed")
_FIND = Prepared(
    select(*(given_up_heads.c[name] for name in ("given_up_at", "size", "root", "reached"))).where(_OF_FEED)
)
_REMOVE = Prepared(delete(given_up_heads).where(_OF_FEED))
_ADD = Prepared(insert(given_up_heads))
_SIGNED = Prepared(select(signed_heads.c.size, signed_heads.c.root).where(signed_heads.c.feed_id == bindparam("feed")))
_FORGET_SIGNED = Prepared(delete(signed_heads).where(signed_heads.c.feed_id == bindparam("feed")))
_NOTE_SIGNED = Prepared(insert(signed_heads))


class HeadSigned(NamedTuple):
    """The largest head of a feed that a replica had signed when it blocked the feed."""

    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class GivenUpHead:
    """The newest decision to go on with a feed as it is.

    Attributes:
        at: in milliseconds since 1970; larger than that of the decision before.
        size: of the feed then.
        root: of these entries.
        reached: the largest size that a replica is known to have signed before; those beyond `size` are lost.
    """

    at: int
    size: int
    root: bytes
    reached: int

    @property
    def lost(self) -> int:
        """Number of entries that were given up."""
        return self.reached - self.size


def find(conn: Connection, feed_id: int) -> GivenUpHead | None:
    """The newest decision on a feed."""
    row = _FIND(conn, feed=feed_id).one_or_none()
    return None if row is None else given_up_head(row)


def signed(conn: Connection, feed_id: int) -> HeadSigned | None:
    """What replicas that blocked a feed had signed of it since the newest decision; None for nothing."""
    row = _SIGNED(conn, feed=feed_id).one_or_none()
    return None if row is None else HeadSigned(row[0], bytes(row[1]))


def note_signed(conn: Connection, feed_id: int, head: HeadSigned) -> None:
    """Tells all replicas what this one had signed, if it is more than they know."""
    before = signed(conn, feed_id)
    if before is None or before.size < head.size:
        _FORGET_SIGNED(conn, feed=feed_id)
        with _one_writer():
            _NOTE_SIGNED(conn, feed_id=feed_id, size=head.size, root=head.root)


def record(
    conn: Connection, feed_id: int, *, size: int, root: bytes, reached: int, now_ms: int, after: int = 0
) -> GivenUpHead:
    """Decides on a feed, in place of what was decided before; `after`: time of a decision that the marks know."""
    before = find(conn, feed_id)
    head = GivenUpHead(max(now_ms, after + 1, 0 if before is None else before.at + 1), size, root, reached)
    _write(conn, feed_id, head)
    return head


def note_reached(conn: Connection, feed_id: int, head: GivenUpHead, reached: int) -> None:
    """Notes that more was signed than the decision knew."""
    _write(conn, feed_id, replace(head, reached=reached))


def given_up_head(row: Sequence[Any]) -> GivenUpHead | None:
    """What a row of time, size, root and reach says; None where these are null."""
    at, size, root, reached = row
    return None if at is None else GivenUpHead(at, size, bytes(root), reached)


def _write(conn: Connection, feed_id: int, head: GivenUpHead) -> None:
    _FORGET_SIGNED(conn, feed=feed_id)
    _REMOVE(conn, feed=feed_id)
    with _one_writer():
        _ADD(conn, feed_id=feed_id, given_up_at=head.at, size=head.size, root=head.root, reached=head.reached)


@contextmanager
def _one_writer() -> Iterator[None]:
    """Raises HeadMovedError where another replica has just written the row: the transaction is run again."""
    try:
        yield
    except IntegrityError as error:
        raise HeadMovedError("another replica has just written what is known of a feed") from error
