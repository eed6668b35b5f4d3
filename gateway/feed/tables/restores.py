"""Statements on what was lost: by restores, of which callers' positions still mean the same, and of own feeds.

A restored database gives the same numbers again to other changes. So a position has two parts: how many restores there
were when it was given, and the number. One that was given before a restore counts only as far as the restored state
goes. An own feed that lost entries has what was signed of it, and where it went on without these.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway.contract.messages import clipped_moment
from gateway.db.statements import Prepared
from gateway.errors import PositionUnknownError
from gateway.feed.tables.journal import HeadMovedError
from gateway.feed.tables.schema import given_up_heads, restores, signed_heads

_ALL = Prepared(select(restores).order_by(restores.c.number))


@dataclass(frozen=True, slots=True)
class Loss:
    """What a restore lacks of one kind.

    Attributes:
        kind: name of a feed, or `shipments`, `holds`, `audit events`, `requests`, `list decisions`, `positions`.
        kept: how far the backup has it.
        reached: how far it went before; None where nobody knows.
        source: partner that has the rest; empty where nobody has.
    """

    kind: str
    kept: int
    reached: int | None
    source: str = ""

    @property
    def of_feed(self) -> bool:
        """Whether it is of an own feed."""
        return "/" in self.kind

    @property
    def lost(self) -> int | None:
        """Number that the backup lacks; None for unknown."""
        return None if self.reached is None else max(0, self.reached - self.kept)


@dataclass(frozen=True, slots=True)
class Restore:
    """One restore. Times in milliseconds since 1970; `backup_at` 0 for unknown."""

    number: int
    restored_at: int
    backup_at: int
    position: int
    list_changes: int
    matches: int
    losses: tuple[Loss, ...]
    started: bool


def list_all(conn: Connection) -> list[Restore]:
    """All restores, oldest first."""
    return [_restore(row) for row in _ALL(conn)]


def add(conn: Connection, restore: Restore) -> None:
    """Records a restore."""
    values = {name: getattr(restore, name) for name in restores.c.keys()}  # noqa: SIM118  # a collection of columns
    losses = json.dumps([asdict(loss) for loss in restore.losses]).encode()
    conn.execute(insert(restores).values({**values, "losses": losses, "started": int(restore.started)}))


def set_started(conn: Connection, number: int) -> None:
    """Notes that the node has started on a restored database."""
    conn.execute(update(restores).where(restores.c.number == number).values(started=1))


def _restore(row: Iterable[Any]) -> Restore:
    values: dict[str, Any] = dict(zip(restores.c.keys(), row, strict=True))
    losses: Sequence[dict[str, Any]] = json.loads(bytes(values["losses"]))
    return Restore(**{**values, "losses": tuple(Loss(**loss) for loss in losses), "started": bool(values["started"])})


NUMBER_BITS = 44
"""Bits of the number; with 512 restores a position is below 2**53, which every JSON reader keeps exact."""


NUMBERS = (1 << NUMBER_BITS) - 1
"""The bits of a position that are its number."""


class PositionKind(Enum):
    """What is numbered, by the attribute of a restore that says up to where numbers mean the same."""

    ALERT_CHANGES = "position"
    LIST_CHANGES = "list_changes"
    MATCHES = "matches"


def public_position(conn: Connection, number: int) -> int:
    """The position that a caller keeps for a number."""
    return len(list_all(conn)) << NUMBER_BITS | number


def number_of(conn: Connection, position: int, numbered: PositionKind, newest: int) -> int:
    """The number of a position that a caller has kept.

    Args:
        newest: the newest number there is.

    Raises:
        PositionUnknownError: beyond the newest, or lost by a restore; `metadata["last"]` is the last position that
            still means the same.
    """
    epoch, number = position >> NUMBER_BITS, position & NUMBERS
    done = list_all(conn)
    since = done[epoch:]
    kept = min((getattr(restore, numbered.value) for restore in since), default=newest)
    if epoch <= len(done) and number <= min(kept, newest):
        return number
    last = min(kept, newest)
    shown = len(done) << NUMBER_BITS | last
    if since:
        when = clipped_moment(since[-1].restored_at).strftime("%Y-%m-%d %H:%M:%S")
        problem = f"position {position} was given before the database was restored on {when} UTC, and is lost"
    else:
        problem = f"position {position} is beyond this gateway's last one, {shown}"
    raise PositionUnknownError(problem, metadata={"position": str(position), "last": str(shown)})


_OF_FEED = given_up_heads.c.feed_id == bindparam("feed")
_FIND_GIVEN_UP = Prepared(
    select(*(given_up_heads.c[name] for name in ("given_up_at", "size", "root", "reached"))).where(_OF_FEED)
)
_REMOVE = Prepared(delete(given_up_heads).where(_OF_FEED))
_ADD_GIVEN_UP = Prepared(insert(given_up_heads))
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


def find_given_up(conn: Connection, feed_id: int) -> GivenUpHead | None:
    """The newest decision on a feed."""
    row = _FIND_GIVEN_UP(conn, feed=feed_id).one_or_none()
    return None if row is None else given_up_head(row)


def largest_signed(conn: Connection, feed_id: int) -> HeadSigned | None:
    """What replicas that blocked a feed had signed of it since the newest decision; None for nothing."""
    row = _SIGNED(conn, feed=feed_id).one_or_none()
    return None if row is None else HeadSigned(row[0], bytes(row[1]))


def note_signed(conn: Connection, feed_id: int, head: HeadSigned) -> None:
    """Tells all replicas what this one had signed, if it is more than they know."""
    before = largest_signed(conn, feed_id)
    if before is None or before.size < head.size:
        _FORGET_SIGNED(conn, feed=feed_id)
        with _one_writer():
            _NOTE_SIGNED(conn, feed_id=feed_id, size=head.size, root=head.root)


def record_given_up(
    conn: Connection, feed_id: int, *, size: int, root: bytes, reached: int, now_ms: int, after: int = 0
) -> GivenUpHead:
    """Decides on a feed, in place of what was decided before; `after`: time of a decision that the marks know."""
    before = find_given_up(conn, feed_id)
    head = GivenUpHead(max(now_ms, after + 1, 0 if before is None else before.at + 1), size, root, reached)
    _write_given_up(conn, feed_id, head)
    return head


def note_reached(conn: Connection, feed_id: int, head: GivenUpHead, reached: int) -> None:
    """Notes that more was signed than the decision knew."""
    _write_given_up(conn, feed_id, replace(head, reached=reached))


def given_up_head(row: Sequence[Any]) -> GivenUpHead:
    """What a row of time, size, root and reach says."""
    at, size, root, reached = row
    return GivenUpHead(at, size, bytes(root), reached)


def _write_given_up(conn: Connection, feed_id: int, head: GivenUpHead) -> None:
    _FORGET_SIGNED(conn, feed=feed_id)
    _REMOVE(conn, feed=feed_id)
    with _one_writer():
        _ADD_GIVEN_UP(conn, feed_id=feed_id, given_up_at=head.at, size=head.size, root=head.root, reached=head.reached)


@contextmanager
def _one_writer() -> Iterator[None]:
    """Raises HeadMovedError where another replica has just written the row: the transaction is run again."""
    try:
        yield
    except IntegrityError as error:
        raise HeadMovedError("another replica has just written what is known of a feed") from error
