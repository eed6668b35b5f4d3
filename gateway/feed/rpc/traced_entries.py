"""Carries trace contexts beside entries: never in signed bytes, and only where the agreement allows it.

A context is kept in memory until its entry was sent, and a restart forgets it: traces are for operators, no evidence.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from gateway.contract.ids import FeedOrigin
from gateway.feed.service.writing.commits import Commit
from gateway.feed.service.writing.transaction import EntryPosition
from gateway.telemetry.traces import Traces, TraceSpan, is_context
from gateway.trust.rules.directory import Directory
from gateway.v1 import feed_pb2

MAX_REMEMBERED: Final = 10_000
"""Entries whose contexts are kept, some 2 MB; the oldest give way."""


class TracedEntries:
    """Trace contexts of entries on their way. Thread-safe."""

    def __init__(self, traces: Traces, *, directory: Callable[[], Directory], now: Callable[[], datetime]) -> None:
        self._traces = traces
        self._directory = directory
        self._now = now
        self._lock = threading.Lock()
        self._contexts: dict[EntryPosition, str] = {}

    def committed(self, commit: Commit) -> None:
        """Remembers the contexts of new entries."""
        if not commit.traces:
            return
        with self._lock:
            self._contexts.update(commit.traces)
            while len(self._contexts) > MAX_REMEMBERED:
                del self._contexts[next(iter(self._contexts))]

    def sending(self, origin: FeedOrigin, batch: feed_pb2.Batch) -> list[TraceSpan]:
        """Puts the contexts of a batch's entries beside them; the spans end with its receipt."""
        if not self._contexts:
            return []
        spans = []
        for offset in range(len(batch.entries)):
            index = batch.first_index + offset
            parent = self._contexts.get(EntryPosition(origin, index), "")
            if parent:
                span = self._traces.start("alert.send", parent=parent, feed_origin=origin.line, feed_index=index)
                batch.traces.add(offset=offset, traceparent=span.context or parent)
                spans.append(span)
        return spans

    def received(self, origin: FeedOrigin, batch: feed_pb2.Batch) -> list[TraceSpan]:
        """Spans below the contexts beside a partner's entries; ended with the commit. Wrong ones are ignored."""
        if not batch.traces or not self._traces.enabled:
            return []
        if not self._directory().may_trace(origin.publisher, origin.recipient, self._now()):
            return []
        return [
            self._traces.start(
                "alert.receive",
                parent=trace.traceparent,
                feed_origin=origin.line,
                feed_index=batch.first_index + trace.offset,
            )
            for trace in batch.traces[: len(batch.entries)]
            if trace.offset < len(batch.entries) and is_context(trace.traceparent)
        ]


def end_all(spans: Iterable[TraceSpan], error: BaseException | None = None) -> None:
    """Ends spans together."""
    for span in spans:
        span.end(error)
