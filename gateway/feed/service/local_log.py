"""Orders all feeds' entries so that each comes after its causal dependencies.

Each entry says how many entries of the reverse feed its publisher had seen (`follows`). After a restore, entries of two
feeds come over two connections, so a step may arrive before the alert that it concerns. Both sides' alerts stay equal
only when both local logs respect the dependencies. An early entry is stored, receipted and pending: each feed has `size
- journaled_size` pending entries, and the reverse feed's `awaited_size` is the size that frees the next one. Without
dependencies or pending entries there is no look-up.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from gateway.contract.ids import FeedOrigin
from gateway.contract.limits import MAX_FOLLOWS
from gateway.feed.codec import EncodedEntry, parse_header
from gateway.feed.tables import feeds
from gateway.feed.tables.checkpoints import StoredCheckpoint
from gateway.feed.tables.feeds import Feed
from gateway.tlog.merkle import Growth

CHUNK = 1_000
"""Pending entries read at once."""


def append(
    conn: Connection,
    feed: Feed,
    new: Sequence[EncodedEntry],
    growth: Growth,
    checkpoint: StoredCheckpoint,
    *,
    now_ms: int,
) -> Feed:
    """Stores a partner's entries; ready ones enter the local log, with pending ones that they free.

    Returns:
        The feed; `waiting` is the number of its pending entries.

    Raises:
        HeadMovedError: as `feeds.append`.
    """
    ready = 0 if feed.waiting else _ready(conn, feed, new)
    grown = feeds.append(conn, feed, new, growth, checkpoint, committed_at=now_ms, ready=ready)
    release_pending(conn, grown, now_ms=now_ms)
    return feeds.get(conn, feed.origin) if grown.waiting else grown


def release_pending(conn: Connection, moved: Feed, *, now_ms: int) -> None:
    """Moves entries of the reverse feed that this feed frees into the local log.

    Call it whenever a feed has moved in the local log; it costs nothing while nothing is pending.
    """
    while 0 < moved.awaited_size <= moved.journaled_size:
        waiting = feeds.get(conn, moved.origin.reverse)
        moved = _release(conn, waiting, moved, limit=moved.journaled_size, now_ms=now_ms)


def force(conn: Connection, origin: FeedOrigin, *, now_ms: int) -> int:
    """Moves all pending entries of a feed and its reverse feed into the local log, because dependencies are lost.

    Entries whose dependencies are in neither feed come first; the other dependencies are kept.

    Returns:
        Number of entries that were pending.
    """
    both = [feed for way in (origin, origin.reverse) if (feed := feeds.find(conn, way)) is not None]
    waited = sum(feed.waiting for feed in both)
    while any(feed.waiting for feed in both):
        pairs = [(a, b) for a, b in (both, both[::-1]) if a.waiting]
        blocked, other = min(pairs, key=lambda pair: _release_order(*pair))
        if other.waiting:
            feeds.journal_more(conn, blocked, 1, committed_at=now_ms)
            limit = other.journaled_size
        else:
            limit = MAX_FOLLOWS
        moved = _release(conn, feeds.get(conn, blocked.origin), other, limit=limit, now_ms=now_ms)
        release_pending(conn, moved, now_ms=now_ms)
        both = [feeds.get(conn, feed.origin) for feed in both]
    return waited


def _release_order(waiting: Feed, counter: Feed) -> tuple[bool, str]:
    """Sorts a feed with lost dependencies before one with pending ones; both sides choose alike."""
    return counter.awaited_size <= counter.size, waiting.origin.line


def _ready(conn: Connection, feed: Feed, new: Sequence[EncodedEntry]) -> int:
    """Number of new entries that can enter now; records the size that the next one awaits."""
    most = max(entry.follows for entry in new)
    if not most or most <= feeds.journaled_size_of(conn, feed.origin.reverse):
        return len(new)
    own_node = feed.origin.publisher if feed.direction == "out" else feed.origin.recipient
    counter = feeds.ensure(conn, feed.origin.reverse, own_node)
    ready = next(at for at, entry in enumerate(new) if entry.follows > counter.journaled_size)
    feeds.set_awaited_size(conn, counter, new[ready].follows)
    return ready


def _release(conn: Connection, waiting: Feed, followed: Feed, *, limit: int, now_ms: int) -> Feed:
    """Moves entries of `waiting` into the local log up to the first that follows more than `limit` entries."""
    awaited = 0
    while waiting.waiting and not awaited:
        first = waiting.journaled_size
        headers = feeds.read_headers(conn, waiting.id, first, min(first + CHUNK, waiting.size))
        follows = [parse_header(header).follows for header in headers]
        ready = next((at for at, number in enumerate(follows) if number > limit), len(follows))
        if ready:
            waiting = feeds.journal_more(conn, waiting, ready, committed_at=now_ms)
        if ready < len(follows):
            awaited = follows[ready]
    feeds.set_awaited_size(conn, followed, awaited)
    return waiting
