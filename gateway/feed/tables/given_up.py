"""Statements on the heads at which own feeds went on without entries that were lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, bindparam, delete, insert, select

from gateway.db.statements import Prepared
from gateway.feed.tables.schema import given_up_heads

_OF_FEED = given_up_heads.c.feed_id == bindparam("feed")
_FIND = Prepared(
    select(*(given_up_heads.c[name] for name in ("given_up_at", "size", "root", "reached"))).where(_OF_FEED)
)
_REMOVE = Prepared(delete(given_up_heads).where(_OF_FEED))
_ADD = Prepared(insert(given_up_heads))


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


def record(conn: Connection, feed_id: int, *, size: int, root: bytes, reached: int, now_ms: int) -> GivenUpHead:
    """Decides on a feed, in place of what was decided before."""
    before = find(conn, feed_id)
    head = GivenUpHead(now_ms if before is None else max(now_ms, before.at + 1), size, root, reached)
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
    _REMOVE(conn, feed=feed_id)
    _ADD(conn, feed_id=feed_id, given_up_at=head.at, size=head.size, root=head.root, reached=head.reached)
