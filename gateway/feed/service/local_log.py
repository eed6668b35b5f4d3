"""Orders all feeds' entries so that each comes after its causal dependencies.

Each entry says how many entries of the reverse feed its publisher had seen (`follows`), and on which entries of other
feeds of alerts between the same two nodes it depends (`after`). After a restore, entries of several feeds come over
several connections, so a step may arrive before the alert that it concerns. Both sides' alerts stay equal only when
both local logs respect the dependencies. An early entry is stored, receipted and pending: each feed has `size -
journaled_size` pending entries, and `awaited_size` of each feed on which the first of them depends is the size that
may free it. Without dependencies or pending entries there is no look-up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from gateway.contract.ids import FeedOrigin
from gateway.feed.codec import CausalDependency, EncodedEntry, dependencies_of, parse_header
from gateway.feed.tables import feeds, heads
from gateway.feed.tables.feeds import Feed
from gateway.feed.tables.heads import StoredCheckpoint
from gateway.tlog.merkle import Growth

CHUNK = 1_000
"""Pending entries read at once."""

_Related = dict[FeedOrigin, Feed]
"""Feeds that exist among those on which each other's entries may depend, in the order of `FeedOrigin.related`."""

_Needs = Mapping[FeedOrigin, int]
"""Entries of other feeds that come before an entry."""


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
        The feed, where `waiting` is the number of its pending entries.

    Raises:
        HeadMovedError: as `feeds.append`.
    """
    ready = 0 if feed.waiting else _ready(conn, feed, new)
    grown = heads.append(conn, feed, new, growth, checkpoint, committed_at=now_ms, ready=ready)
    release_pending(conn, grown, now_ms=now_ms)
    return feeds.get(conn, feed.origin) if grown.waiting else grown


def release_pending(conn: Connection, moved: Feed, *, now_ms: int) -> None:
    """Moves pending entries that this feed frees into the local log.

    Call it whenever a feed has moved in the local log; it costs nothing while nothing is pending.
    """
    if 0 < moved.awaited_size <= moved.journaled_size:
        _release_all(conn, moved.origin, now_ms=now_ms)


def force(conn: Connection, origin: FeedOrigin, *, now_ms: int) -> int:
    """Moves all pending entries of a feed and its related feeds into the local log, because dependencies are lost.

    Entries whose dependencies are in no feed come first; the other dependencies are kept.

    Returns:
        Number of entries that were pending.
    """
    related = related_feeds(conn, origin)
    waited = sum(feed.waiting for feed in related.values())
    while waiting := [feed for feed in related.values() if feed.waiting]:
        blocked = min(waiting, key=lambda feed: _release_order(conn, feed, related))
        count = 1 if len(waiting) > 1 else blocked.waiting  # what a last one depends on won't come
        heads.journal_more(conn, blocked, count, committed_at=now_ms)
        _release_all(conn, origin, now_ms=now_ms)
        related = related_feeds(conn, origin)
    return waited


def related_feeds(conn: Connection, origin: FeedOrigin) -> _Related:
    """The feed and its related ones, as far as they exist here."""
    return {feed.origin: feed for way in origin.related if (feed := feeds.find(conn, way)) is not None}


def missing_dependencies(origin: FeedOrigin, header: bytes, journaled: Mapping[FeedOrigin, int]) -> _Needs:
    """Sizes that other feeds must have in the local log before an entry, beyond those in `journaled`.

    Raises:
        MalformedError: the header isn't one.
    """
    parsed = parse_header(header)
    return _missing(_needs(origin, parsed.follows, dependencies_of(parsed)), journaled)


def _release_order(conn: Connection, waiting: Feed, related: _Related) -> tuple[bool, str]:
    """Sorts a feed with lost dependencies before one with pending ones; both sides choose alike."""
    sizes = {feed.origin: feed.size for feed in related.values()}
    (header,) = feeds.read_headers(conn, waiting.id, waiting.journaled_size, waiting.journaled_size + 1)
    return not missing_dependencies(waiting.origin, header, sizes), waiting.origin.line


def _ready(conn: Connection, feed: Feed, new: Sequence[EncodedEntry]) -> int:
    """Number of new entries that can enter now; records the sizes that the next one awaits."""
    journaled: dict[FeedOrigin, int] = {}
    for at, entry in enumerate(new):
        needs = _needs(feed.origin, entry.follows, entry.after)
        for origin in needs.keys() - journaled.keys():
            journaled[origin] = feeds.journaled_size_of(conn, origin)
        if missing := _missing(needs, journaled):
            _await(conn, feed, missing)
            return at
    return len(new)


def _await(conn: Connection, waiting: Feed, missing: _Needs) -> None:
    """Records what a pending entry needs, where no other one needs less."""
    own_node = waiting.origin.publisher if waiting.direction == "out" else waiting.origin.recipient
    for origin, size in missing.items():
        feed = feeds.ensure(conn, origin, own_node)
        if not 0 < feed.awaited_size <= size:
            heads.set_awaited_size(conn, feed, size)


def _release_all(conn: Connection, origin: FeedOrigin, *, now_ms: int) -> None:
    """Moves all related entries whose dependencies are met, and records what the first of the others await."""
    related = related_feeds(conn, origin)
    moved = True
    while moved:
        moved = False
        journaled = {feed.origin: feed.journaled_size for feed in related.values()}
        for feed in [feed for feed in related.values() if feed.waiting]:
            released = _release(conn, feed, journaled, now_ms=now_ms)
            moved = moved or released.journaled_size > feed.journaled_size
            related[feed.origin], journaled[feed.origin] = released, released.journaled_size
    for feed in related.values():
        if feed.awaited_size:
            heads.set_awaited_size(conn, feed, 0)
    for feed in [feed for feed in related.values() if feed.waiting]:
        (header,) = feeds.read_headers(conn, feed.id, feed.journaled_size, feed.journaled_size + 1)
        _await(conn, feed, missing_dependencies(feed.origin, header, journaled))


def _release(conn: Connection, waiting: Feed, journaled: Mapping[FeedOrigin, int], *, now_ms: int) -> Feed:
    """Moves pending entries into the local log, up to the first that misses a dependency; returns the new state."""
    while waiting.waiting:
        first = waiting.journaled_size
        headers = feeds.read_headers(conn, waiting.id, first, min(first + CHUNK, waiting.size))
        ready = next(
            (at for at, one in enumerate(headers) if missing_dependencies(waiting.origin, one, journaled)), len(headers)
        )
        if ready:
            waiting = heads.journal_more(conn, waiting, ready, committed_at=now_ms)
        if ready < len(headers):
            break
    return waiting


def _needs(origin: FeedOrigin, follows: int, after: Sequence[CausalDependency]) -> _Needs:
    if not after:
        return {origin.reverse: follows} if follows else {}
    needs = {origin.reverse: follows}
    for dependency in after:
        feed = dependency.feed_of(origin)
        if feed in origin.related and feed != origin:
            needs[feed] = max(needs.get(feed, 0), dependency.size)
    return needs


def _missing(needs: _Needs, journaled: Mapping[FeedOrigin, int]) -> _Needs:
    return {origin: size for origin, size in needs.items() if size > journaled.get(origin, 0)}
