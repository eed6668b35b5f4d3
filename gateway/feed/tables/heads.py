"""Moves a feed's head, and its place in the local log, by compare-and-swap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, bindparam, update

from gateway.db.database import insert_rows
from gateway.db.statements import Prepared
from gateway.feed.codec import EncodedEntry
from gateway.feed.tables import checkpoints, journal, tiles
from gateway.feed.tables.checkpoints import StoredCheckpoint
from gateway.feed.tables.feeds import Feed
from gateway.feed.tables.journal import HeadMovedError
from gateway.feed.tables.schema import entries, feeds
from gateway.tlog.merkle import Growth

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
    grown = tiles.extend(conn, feed.id, growth)
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
    tiles.finish(conn, feed.id, grown)
    checkpoints.add(conn, feed.id, checkpoint)
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
