"""Statements on checkpoints and their cosignatures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from gateway.db.statements import Prepared
from gateway.feed.tables import feeds
from gateway.feed.tables.schema import checkpoints

_CHECKPOINT_COLUMNS = tuple(checkpoints.c.keys())

_OF_FEED = checkpoints.c.feed_id == bindparam("feed")
_ABOVE = (_OF_FEED, checkpoints.c.size > bindparam("above"))
_CHECKPOINT = Prepared(select(checkpoints).where(_OF_FEED, checkpoints.c.size == bindparam("at_size")))
_NEXT_CHECKPOINT = Prepared(select(checkpoints).where(*_ABOVE).order_by(checkpoints.c.size).limit(1))
_LARGEST_CHECKPOINT = Prepared(
    select(checkpoints)
    .where(*_ABOVE, checkpoints.c.size <= bindparam("most"))
    .order_by(checkpoints.c.size.desc())
    .limit(1)
)
_RECEIPTED_OVER = Prepared(
    select(checkpoints).where(*_ABOVE, checkpoints.c.receipted_at > 0).order_by(checkpoints.c.size).limit(1)
)
_ADD_CHECKPOINT = Prepared(insert(checkpoints))
_ADD_RECEIPT = Prepared(
    update(checkpoints)
    .where(_OF_FEED, checkpoints.c.size == bindparam("at_size"), checkpoints.c.receipted_at == 0)
    .values(cosignature=bindparam("cosignature"), receipted_at=bindparam("receipted_at"))
)


@dataclass(frozen=True, slots=True)
class StoredCheckpoint:
    """A feed's checkpoint; without a receipt `cosignature` is empty and `receipted_at` 0."""

    size: int
    root: bytes
    note: bytes
    cosignature: bytes
    receipted_at: int

    @property
    def cosigned_note(self) -> bytes:
        return self.note + self.cosignature


def add(conn: Connection, feed_id: int, checkpoint: StoredCheckpoint) -> None:
    """Writes a new checkpoint."""
    _ADD_CHECKPOINT(
        conn,
        feed_id=feed_id,
        size=checkpoint.size,
        root=checkpoint.root,
        note=checkpoint.note,
        cosignature=checkpoint.cosignature,
        receipted_at=checkpoint.receipted_at,
    )


def at(conn: Connection, feed_id: int, size: int) -> StoredCheckpoint | None:
    """The checkpoint of this size."""
    return _checkpoint(_CHECKPOINT(conn, feed=feed_id, at_size=size).one_or_none())


def between(conn: Connection, feed_id: int, above: int, most: int) -> StoredCheckpoint | None:
    """The largest checkpoint with above < size ≤ most, else the next one above."""
    checkpoint = _LARGEST_CHECKPOINT(conn, feed=feed_id, above=above, most=most).one_or_none()
    return _checkpoint(checkpoint or _NEXT_CHECKPOINT(conn, feed=feed_id, above=above).one_or_none())


def receipted_over(conn: Connection, feed_id: int, index: int) -> StoredCheckpoint | None:
    """The smallest receipted checkpoint that covers an entry."""
    return _checkpoint(_RECEIPTED_OVER(conn, feed=feed_id, above=index).one_or_none())


def record_receipt(conn: Connection, feed_id: int, size: int, cosignature: bytes, receipted_at: int) -> None:
    """Stores a verified cosignature unless there is one, and raises `receipted_size`."""
    _ADD_RECEIPT(conn, feed=feed_id, at_size=size, cosignature=cosignature, receipted_at=receipted_at)
    feeds.move_receipted(conn, feed_id, size)


def _checkpoint(row: Iterable[Any] | None) -> StoredCheckpoint | None:
    if row is None:
        return None
    values = dict(zip(_CHECKPOINT_COLUMNS, row, strict=True))
    return StoredCheckpoint(
        values["size"],
        bytes(values["root"]),
        bytes(values["note"]),
        bytes(values["cosignature"]),
        values["receipted_at"],
    )
