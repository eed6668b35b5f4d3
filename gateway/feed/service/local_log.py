"""This node's order: an entry enters it only after what its publisher had seen when it recorded the entry.

Each entry says how many entries of the counter-feed it follows. As long as nobody loses anything these are there.
After a restore the entries of two feeds come back over two connections, each in its own order, and an own step may
come back before the partner's alert that it speaks of. Both sides project in an order of their own, and their alerts
stay equal only when both orders keep to what each entry follows. So entries that come too early are stored and
receipted, and wait: `size - journaled_size` of them in each feed, while the counter-feed notes in `awaited_size` how
far it must be for the next of them. Nothing is looked up for entries that follow nothing, or while nothing waits.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from gateway.contract.ids import FeedOrigin
from gateway.contract.limits import MAX_FOLLOWS
from gateway.feed.codec import EncodedEntry, parse_header
from gateway.feed.tables import feeds
from gateway.feed.tables.feeds import Feed, StoredCheckpoint
from gateway.tlog.merkle import Growth

CHUNK = 1_000
"""Waiting entries that are read at once."""


def append(
    conn: Connection,
    feed: Feed,
    new: Sequence[EncodedEntry],
    growth: Growth,
    checkpoint: StoredCheckpoint,
    *,
    now_ms: int,
) -> Feed:
    """Writes entries that came from a partner; those that are ready enter this node's order, and what waited for them.

    Returns:
        The feed as it is then; `waiting` says how many of its entries don't have their place yet.

    Raises:
        HeadMovedError: as `feeds.append`.
    """
    ready = 0 if feed.waiting else _ready(conn, feed, new)
    grown = feeds.append(conn, feed, new, growth, checkpoint, committed_at=now_ms, ready=ready)
    settle(conn, grown, now_ms=now_ms)
    return feeds.get(conn, feed.origin) if grown.waiting else grown


def settle(conn: Connection, moved: Feed, *, now_ms: int) -> None:
    """Lets entries of the counter-feed that waited for a feed into this node's order, and what waits for those.

    To be called whenever a feed has moved in this node's order; costs nothing while nothing waits.
    """
    while 0 < moved.awaited_size <= moved.journaled_size:
        waiting = feeds.get(conn, moved.origin.counter)
        moved = _release(conn, waiting, moved, limit=moved.journaled_size, now_ms=now_ms)


def force(conn: Connection, origin: FeedOrigin, *, now_ms: int) -> int:
    """Lets everything that waits in a feed and its counter-feed into this node's order: what it follows is lost.

    First comes what follows entries that neither feed has; what can still be kept to is kept to.

    Returns:
        How many entries waited.
    """
    both = [found for one in (origin, origin.counter) if (found := feeds.find(conn, one)) is not None]
    waited = sum(feed.waiting for feed in both)
    while any(feed.waiting for feed in both):
        blocked, other = min(((a, b) for a, b in (both, both[::-1]) if a.waiting), key=lambda pair: _hope(*pair))
        if other.waiting:
            feeds.journal_more(conn, blocked, 1, committed_at=now_ms)
            limit = other.journaled_size
        else:
            limit = MAX_FOLLOWS
        moved = _release(conn, feeds.get(conn, blocked.origin), other, limit=limit, now_ms=now_ms)
        settle(conn, moved, now_ms=now_ms)
        both = [feeds.get(conn, feed.origin) for feed in both]
    return waited


def _hope(waiting: Feed, counter: Feed) -> tuple[bool, str]:
    """Sorts a feed that waits for what is nowhere before one that waits for what is here and waits itself; both sides
    choose alike."""
    return counter.awaited_size <= counter.size, waiting.origin.line


def _ready(conn: Connection, feed: Feed, new: Sequence[EncodedEntry]) -> int:
    """How many of the new entries can enter now; notes what the next one waits for."""
    most = max(entry.follows for entry in new)
    if not most or most <= feeds.journaled_size_of(conn, feed.origin.counter):
        return len(new)
    own_node = feed.origin.publisher if feed.direction == "out" else feed.origin.recipient
    counter = feeds.ensure(conn, feed.origin.counter, own_node)
    ready = next(at for at, entry in enumerate(new) if entry.follows > counter.journaled_size)
    feeds.set_awaited_size(conn, counter, new[ready].follows)
    return ready


def _release(conn: Connection, waiting: Feed, followed: Feed, *, limit: int, now_ms: int) -> Feed:
    """Lets the entries of `waiting` that follow at most `limit` entries of `followed` in, up to the first that doesn't;
    returns the feed as it is then."""
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
