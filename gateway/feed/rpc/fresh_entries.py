"""Keeps what commits have just added to own feeds, so that open streams send it without reading it again."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from gateway.contract import limits
from gateway.contract.ids import FeedOrigin
from gateway.feed.service.writing.commits import Commit
from gateway.feed.service.writing.transaction import SealedEntries
from gateway.v1 import feed_pb2

MOST_KEPT_BYTES = limits.BATCH_BYTES
"""Most bytes kept of a feed: a stream that is further behind reads from the database."""


class FreshEntries:
    """New entries of the feeds with open streams; for one event loop.

    What is kept is what the database has: a commit that changes a feed in any other way ends it, and after a gap
    streams read.
    """

    def __init__(self) -> None:
        self._kept: dict[FeedOrigin, deque[SealedEntries]] = {}

    def follow(self, origin: FeedOrigin) -> None:
        """Keeps a feed's entries from now on."""
        self._kept[origin] = deque()

    def leave(self, origin: FeedOrigin) -> None:
        """Keeps none any more."""
        self._kept.pop(origin, None)

    def forget(self) -> None:
        """Forgets all: something else may have written."""
        for kept in self._kept.values():
            kept.clear()

    def committed(self, commit: Commit) -> None:
        """Takes note of a commit, of this process or another replica."""
        added = {sealed.feed.origin for sealed in commit.sealed}
        for origin in commit.feeds & self._kept.keys():
            if origin not in added:
                self._kept[origin].clear()
        for sealed in commit.sealed:
            kept = self._kept.get(sealed.feed.origin)
            if kept is not None:
                if kept and kept[-1].end != sealed.first:
                    kept.clear()
                kept.append(sealed)
                if sum(one.size_bytes for one in kept) > MOST_KEPT_BYTES:
                    kept.clear()

    def batch(self, origin: FeedOrigin, first: int, most_bytes: int) -> feed_pb2.Batch | None:
        """The batch from `first` on, up to a checkpoint; None if it has to be read."""
        kept = self._kept.get(origin)
        if kept is None:
            return None
        while kept and kept[0].end <= first:
            kept.popleft()
        taken: list[SealedEntries] = []
        count = size = 0
        for sealed in kept:
            count, size = count + len(sealed.entries), size + sealed.size_bytes
            if size > most_bytes or count > limits.BATCH_ENTRIES or sealed.feed.suspended:
                break
            taken.append(sealed)
        if not taken or taken[0].first != first:
            return None
        return _batch(origin, taken)


def _batch(origin: FeedOrigin, sealed: Sequence[SealedEntries]) -> feed_pb2.Batch:
    return feed_pb2.Batch(
        origin=origin.line,
        first_index=sealed[0].first,
        entries=[
            feed_pb2.Entry(header=entry.header, salt=entry.salt, payload=entry.payload)
            for one in sealed
            for entry in one.entries
        ],
        checkpoint=sealed[-1].checkpoint,
    )
