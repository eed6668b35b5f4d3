"""Statements on what a feed has signed: its head, which moves by compare-and-swap, its checkpoints and tiles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, LargeBinary, bindparam, cast, func, insert, select, update

from gateway.db.statements import Prepared, Rows, insert_rows
from gateway.errors import VerificationError
from gateway.feed.codec import EncodedEntry
from gateway.feed.tables import journal
from gateway.feed.tables.feeds import Feed, move_receipted
from gateway.feed.tables.journal import HeadMovedError
from gateway.feed.tables.schema import checkpoints, entries, feeds, tiles
from gateway.tlog.merkle import TILE_WIDTH, Growth, split_by_tile

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
_RECEIPTED_BY = Prepared(
    select(checkpoints)
    .where(*_ABOVE, checkpoints.c.receipted_at > 0, checkpoints.c.receipted_at <= bindparam("by_ms"))
    .order_by(checkpoints.c.size.desc())
    .limit(1)
)
_ADD_CHECKPOINT = Prepared(insert(checkpoints))
_UNRECEIPTED = Prepared(
    select(checkpoints).where(*_ABOVE, checkpoints.c.receipted_at == 0).order_by(checkpoints.c.size)
)
_SET_NOTE = Prepared(
    update(checkpoints).where(_OF_FEED, checkpoints.c.size == bindparam("at_size")).values(note=bindparam("note"))
)
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


def add_checkpoint(conn: Connection, feed_id: int, checkpoint: StoredCheckpoint) -> None:
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


def checkpoint_at(conn: Connection, feed_id: int, size: int) -> StoredCheckpoint | None:
    """The checkpoint of this size."""
    return _checkpoint(_CHECKPOINT(conn, feed=feed_id, at_size=size).one_or_none())


def checkpoint_between(conn: Connection, feed_id: int, above: int, most: int) -> StoredCheckpoint | None:
    """The largest checkpoint with above < size ≤ most, else the next one above."""
    checkpoint = _LARGEST_CHECKPOINT(conn, feed=feed_id, above=above, most=most).one_or_none()
    return _checkpoint(checkpoint or _NEXT_CHECKPOINT(conn, feed=feed_id, above=above).one_or_none())


def receipted_over(conn: Connection, feed_id: int, index: int) -> StoredCheckpoint | None:
    """The smallest receipted checkpoint that covers an entry."""
    return _checkpoint(_RECEIPTED_OVER(conn, feed=feed_id, above=index).one_or_none())


def receipted_by(conn: Connection, feed_id: int, above: int, by_ms: int) -> StoredCheckpoint | None:
    """The largest checkpoint above a size with a receipt of this time or before, in milliseconds since 1970."""
    return _checkpoint(_RECEIPTED_BY(conn, feed=feed_id, above=above, by_ms=by_ms).one_or_none())


def unreceipted(conn: Connection, feed_id: int, above: int) -> list[StoredCheckpoint]:
    """Checkpoints above a size without a receipt."""
    found = map(_checkpoint, _UNRECEIPTED(conn, feed=feed_id, above=above))
    return [checkpoint for checkpoint in found if checkpoint is not None]


def set_note(conn: Connection, feed_id: int, size: int, note: bytes) -> None:
    """Replaces a checkpoint's note by one of the same text."""
    _SET_NOTE(conn, feed=feed_id, at_size=size, note=note)


def record_receipt(conn: Connection, feed_id: int, size: int, cosignature: bytes, receipted_at: int) -> None:
    """Stores a verified cosignature unless there is one, and raises `receipted_size`."""
    _ADD_RECEIPT(conn, feed=feed_id, at_size=size, cosignature=cosignature, receipted_at=receipted_at)
    move_receipted(conn, feed_id, size)


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


_HASH = 32

_THIS_TILE = (
    tiles.c.feed_id == bindparam("feed"),
    tiles.c.level == bindparam("at_level"),
    tiles.c.tile == bindparam("number"),
)
_TILE = Prepared(select(tiles.c.hashes).where(*_THIS_TILE))
_ADD_TILE = Prepared(insert(tiles))
_EXTEND_TILE = Prepared(
    update(tiles)
    .where(*_THIS_TILE, func.length(tiles.c.hashes) == bindparam("before"))
    .values(hashes=cast(tiles.c.hashes.concat(bindparam("added", type_=LargeBinary)), LargeBinary))
)
"""Adds hashes where the tile ends; SQLite calls joined bytes a text unless they are cast."""


@dataclass(frozen=True, slots=True)
class TileGrowth:
    """New hashes of one tile; `added` is the statement's result where the tile exists, None for a new one."""

    level: int
    tile: int
    hashes: bytes
    added: Rows | None


def extend_tiles(conn: Connection, feed_id: int, growth: Growth) -> list[TileGrowth]:
    """Adds a tree's new hashes to the tiles that exist, without waiting for results; `finish_tiles` must follow.

    What is written here is right only if the head hasn't moved: otherwise nothing is, or the transaction ends.
    """
    grown = []
    for write in growth.tiles:
        for tile, offset, hashes in split_by_tile(write):
            place = {"feed": feed_id, "at_level": write.level, "number": tile}
            added = _EXTEND_TILE(conn, before=offset * _HASH, added=hashes, **place) if offset else None
            grown.append(TileGrowth(write.level, tile, hashes, added))
    return grown


def finish_tiles(conn: Connection, feed_id: int, grown: Iterable[TileGrowth]) -> None:
    """Writes the new tiles, once it is known that the head hasn't moved.

    Raises:
        VerificationError: a tile didn't end where the tree began.
    """
    for new in grown:
        if new.added is None:
            _ADD_TILE(conn, feed_id=feed_id, level=new.level, tile=new.tile, hashes=new.hashes)
        elif new.added.rowcount != 1:
            before = _TILE(conn, feed=feed_id, at_level=new.level, number=new.tile).scalar_one_or_none()
            has = f"tile {new.level}/{new.tile} of feed {feed_id} has {len(before or b'')} bytes"
            raise VerificationError(has, step="tiles")


class StoredTiles:
    """tlog's TileReader on the database. Not thread-safe."""

    def __init__(self, conn: Connection, feed_id: int) -> None:
        self._conn = conn
        self._feed_id = feed_id
        self._cache: dict[tuple[int, int], bytes] = {}

    def hashes(self, level: int, start: int, count: int) -> bytes:
        """Concatenated hashes start … start + count - 1 of a level.

        Raises:
            VerificationError: the database was damaged.
        """
        found = bytearray()
        end = start + count
        while start < end:
            tile, offset = divmod(start, TILE_WIDTH)
            stop = min(end - tile * TILE_WIDTH, TILE_WIDTH)
            part = self._tile(level, tile)[offset * _HASH : stop * _HASH]
            if len(part) != (stop - offset) * _HASH:
                raise VerificationError(f"hashes are missing from tile {level}/{tile}", step="tiles")
            found += part
            start = tile * TILE_WIDTH + stop
        return bytes(found)

    def _tile(self, level: int, tile: int) -> bytes:
        key = (level, tile)
        if key not in self._cache:
            row = _TILE(self._conn, feed=self._feed_id, at_level=level, number=tile).scalar_one_or_none()
            self._cache[key] = b"" if row is None else bytes(row)
        return self._cache[key]


_UNMOVED = (
    feeds.c.id == bindparam("feed"),
    feeds.c.size == bindparam("size_before"),
    feeds.c.journaled_size == bindparam("journaled_before"),
)
_MOVE_HEAD = Prepared(
    update(feeds)
    .where(*_UNMOVED)
    .values(
        size=bindparam("size"),
        journaled_size=bindparam("journaled_size"),
        edge=bindparam("edge"),
        checkpoint=bindparam("checkpoint"),
    )
)
_MOVE_JOURNALED = Prepared(update(feeds).where(*_UNMOVED).values(journaled_size=bindparam("journaled_size")))
_SET_AWAITED = Prepared(
    update(feeds).where(feeds.c.id == bindparam("feed")).values(awaited_size=bindparam("awaited_size"))
)


def append(
    conn: Connection,
    feed: Feed,
    new: Sequence[EncodedEntry],
    growth: Growth,
    checkpoint: StoredCheckpoint,
    *,
    committed_at: int,
    ready: int | None = None,
) -> Feed:
    """Writes entries, tiles, checkpoint and journal, and moves the head; returns the new state.

    Args:
        committed_at: milliseconds since 1970.
        ready: new entries that enter the local log now; None for all.

    Raises:
        HeadMovedError: another writer moved the head or journal; roll back.
    """
    ready = len(new) if ready is None else ready
    journaled = feed.journaled_size + ready
    moved = _MOVE_HEAD(
        conn,
        feed=feed.id,
        size_before=feed.size,
        journaled_before=feed.journaled_size,
        size=growth.tree.size,
        journaled_size=journaled,
        edge=growth.tree.edge_bytes(),
        checkpoint=checkpoint.note,
    )
    grown = extend_tiles(conn, feed.id, growth)
    with journal.unless_taken():
        entered = None
        if ready:
            entered = journal.add(conn, feed.id, feed.journaled_size, ready, committed_at=committed_at)
        if moved.rowcount != 1:  # the only wait: nothing reads what the following statements answer
            raise HeadMovedError(f"feed {feed.origin} is no longer at size {feed.size}")
        if entered is not None:
            entered.wait()
    insert_rows(
        conn,
        entries,
        ("feed_id", "idx", "header", "salt", "payload"),
        [(feed.id, index, e.header, e.salt, e.payload) for index, e in enumerate(new, feed.size)],
    )
    finish_tiles(conn, feed.id, grown)
    add_checkpoint(conn, feed.id, checkpoint)
    return replace(feed, tree=growth.tree, checkpoint=checkpoint.note, journaled_size=journaled)


def journal_more(conn: Connection, feed: Feed, count: int, *, committed_at: int) -> Feed:
    """Moves the next `count` pending entries into the local log; returns the new state.

    Raises:
        HeadMovedError: as `append`.
    """
    journaled = feed.journaled_size + count
    moved = _MOVE_JOURNALED(
        conn,
        feed=feed.id,
        size_before=feed.size,
        journaled_before=feed.journaled_size,
        journaled_size=journaled,
    )
    if moved.rowcount != 1:
        raise HeadMovedError(f"feed {feed.origin} has moved in the local log")
    with journal.unless_taken():
        journal.add(conn, feed.id, feed.journaled_size, count, committed_at=committed_at).wait()
    return replace(feed, journaled_size=journaled)


def set_awaited_size(conn: Connection, feed: Feed, size: int) -> Feed:
    """Sets `awaited_size`; returns the new state."""
    _SET_AWAITED(conn, feed=feed.id, awaited_size=size)
    return replace(feed, awaited_size=size)
