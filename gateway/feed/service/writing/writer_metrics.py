"""Counts and times the writer's transactions."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from gateway.contract.ids import FeedOrigin
from gateway.telemetry.metrics import Metrics

COMMANDS, PROJECTION = "commands", "projection"
"""Kinds of transactions: of commands, and of the projector alone."""


class WriterMetrics:
    """The writer's part of a node's metrics; for its thread."""

    def __init__(self, metrics: Metrics, own_node: str) -> None:
        self._own_node = own_node
        self._entries = metrics.entries
        self._items = metrics.commit_items
        self._seconds = {kind: metrics.commit_seconds.labels(kind) for kind in (COMMANDS, PROJECTION)}
        self._commits = {
            (kind, result): metrics.commits.labels(kind, result)
            for kind in (COMMANDS, PROJECTION)
            for result in ("ok", "failed")
        }

    @contextmanager
    def commit(self, items: int) -> Iterator[None]:
        """Times the commit of a group with so many items; an error in the block is a failed one."""
        with self._timed(COMMANDS):
            yield
        self._items.observe(items)

    @contextmanager
    def projection(self) -> Iterator[None]:
        """Times a transaction of the projector alone."""
        with self._timed(PROJECTION):
            yield

    def added(self, entries: Mapping[FeedOrigin, int]) -> None:
        """Counts the new entries of a commit, by feed."""
        for origin, number in entries.items():
            outgoing = origin.publisher == self._own_node
            partner = origin.recipient if outgoing else origin.publisher
            self._entries.labels(partner, origin.channel.value, "out" if outgoing else "in").inc(number)

    @contextmanager
    def _timed(self, kind: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        except BaseException:
            self._commits[kind, "failed"].inc()
            raise
        self._seconds[kind].observe(time.perf_counter() - began)
        self._commits[kind, "ok"].inc()
