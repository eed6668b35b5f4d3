"""What streams and watchers get of commits unread: new entries of own feeds, and trace contexts beside entries."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from gateway.contract import limits
from gateway.contract.ids import FeedOrigin
from gateway.feed.service.writing.commits import Commit
from gateway.feed.service.writing.transaction import EntryPosition, PlacedEntry, SealedEntries
from gateway.telemetry.traces import Traces, TraceSpan, is_context
from gateway.trust.rules.directory import Directory
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


MAX_REMEMBERED: Final = 10_000
"""Entries whose contexts are kept, some 2 MB; the oldest give way."""


class TracedEntries:
    """Trace contexts of entries on their way: never in signed bytes, only where the agreement allows it. Thread-safe.

    Where it doesn't, the steps of this node are spans all the same. Contexts are kept in memory, and a restart forgets
    them: traces are for operators, no evidence.
    """

    def __init__(self, traces: Traces, *, directory: Callable[[], Directory], now: Callable[[], datetime]) -> None:
        self._traces = traces
        self._directory = directory
        self._now = now
        self._lock = threading.Lock()
        self._contexts: dict[EntryPosition, str] = {}
        self._own: set[EntryPosition] = set()
        """Contexts that don't travel."""

    def committed(self, commit: Commit) -> None:
        """Remembers the contexts of new entries, and notes which have been projected."""
        if commit.traces or commit.own_traces:
            self._remember({**commit.traces, **commit.own_traces}, own=commit.own_traces)
        if self._contexts:
            for page in commit.projected:
                self._note_projected(page)

    def _remember(self, contexts: Mapping[EntryPosition, str], own: Iterable[EntryPosition] = ()) -> None:
        with self._lock:
            self._contexts.update(contexts)
            self._own.update(own)
            while len(self._contexts) > MAX_REMEMBERED:
                oldest = next(iter(self._contexts))
                del self._contexts[oldest]
                self._own.discard(oldest)

    def _note_projected(self, entries: Iterable[PlacedEntry]) -> None:
        for entry in entries:
            context = self._contexts.get(EntryPosition(entry.feed.origin, entry.index))
            if context:
                self._start("alert.project", context, entry.feed.origin, entry.index, entry.committed_at).end()

    def watched(self, entries: Iterable[tuple[str, int]]) -> list[TraceSpan]:
        """Spans for a message to a watcher, by feed and index of its entries; ended when it was taken."""
        if not self._contexts:
            return []
        spans = []
        for line, index in entries:
            origin = FeedOrigin.parse(line)
            if context := self._contexts.get(EntryPosition(origin, index)):
                spans.append(self._start("alert.watch", context, origin, index))
        return spans

    def _start(self, name: str, parent: str, origin: FeedOrigin, index: int, since_ms: int = 0) -> TraceSpan:
        return self._traces.start(name, parent=parent, since_ms=since_ms, feed_origin=origin.line, feed_index=index)

    def sending(self, origin: FeedOrigin, batch: feed_pb2.Batch) -> list[TraceSpan]:
        """Puts the contexts of a batch's entries beside them; the spans end with its receipt."""
        if not self._contexts:
            return []
        spans = []
        for offset in range(len(batch.entries)):
            index = batch.first_index + offset
            position = EntryPosition(origin, index)
            if parent := self._contexts.get(position, ""):
                span = self._start("alert.send", parent, origin, index)
                spans.append(span)
                if position not in self._own:
                    batch.traces.add(offset=offset, traceparent=span.context or parent)
        return spans

    def received(self, origin: FeedOrigin, batch: feed_pb2.Batch) -> list[TraceSpan]:
        """Spans below the contexts beside a partner's entries; ended with the commit. Wrong ones are ignored."""
        if not batch.traces or not self._traces.enabled:
            return []
        if not self._directory().may_trace(origin.publisher, origin.recipient, self._now()):
            return []
        spans = {
            EntryPosition(origin, index): self._start("alert.receive", trace.traceparent, origin, index)
            for trace in batch.traces[: len(batch.entries)]
            if trace.offset < len(batch.entries) and is_context(trace.traceparent)
            for index in (batch.first_index + trace.offset,)
        }
        self._remember({position: span.context for position, span in spans.items() if span.context})
        return list(spans.values())


def end_all(spans: Iterable[TraceSpan], error: BaseException | None = None) -> None:
    """Ends spans together."""
    for span in spans:
        span.end(error)
