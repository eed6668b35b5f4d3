"""Owns the way of audit events from many threads to the one writer: a bounded queue, drained into group commits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from gateway.errors import OverloadedError
from gateway.trust.rules.audit import AuditEntry, AuditResult

AUDIT_QUEUE_EVENTS = 65_536
"""Most events waiting for the writer: some seconds of full load, about 50 MB."""

DRAIN_EVENTS = 10_000
"""Most events of one group commit, so that audit can't hold a publish back by more than some 50 ms."""

RETRY_AFTER_S = 1.0
"""Seconds after which a caller may try again when the queue was full; the writer drains it in less."""

REPEATED = "repeated"
"""Name of the count that says how often a denial repeated while it waited."""

_Key = tuple[str, str, str]


class AuditQueue:
    """Events on their way to the writer; every method may be called from any thread and none blocks.

    Nothing here is durable: an event is once the writer's transaction has committed. So a call whose event doesn't
    fit is refused, and `drained` puts back what its transaction didn't commit.

    A flood of refused calls can't push out the events of others: equal denials that wait together become one with a
    count, and when the queue is full they are only counted (`lost_denials`).
    """

    def __init__(self, *, capacity: int = AUDIT_QUEUE_EVENTS) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._events: list[AuditEntry] = []
        self._denials: dict[_Key, int] = {}
        self._lost_denials = 0

    def __len__(self) -> int:
        return len(self._events)

    @property
    def lost_denials(self) -> int:
        """Denials that found the queue full since the start; a metric to alarm on."""
        return self._lost_denials

    def record(self, event: AuditEntry) -> None:
        """Take one event, written out here and now: the writer, for whom others wait, only has to chain it. Denials, of
        which a flood becomes one event, are left to the writer.

        Raises:
            OverloadedError: the queue is full and the event isn't a denial; the call mustn't go on.
        """
        if event.result is not AuditResult.DENY:
            event = event.clipped()
            event.canonical()
        with self._lock:
            if event.result is AuditResult.DENY:
                self._record_denial(event)
            elif len(self._events) >= self._capacity:
                raise OverloadedError("the audit log can't keep up", retry_after_s=RETRY_AFTER_S)
            else:
                self._events.append(event)

    def _record_denial(self, event: AuditEntry) -> None:
        key = (event.principal, event.method, event.reason)
        place = self._denials.get(key)
        if place is not None:
            self._events[place] = _repeated(self._events[place])
        elif len(self._events) >= self._capacity:
            self._lost_denials += 1
        else:
            self._denials[key] = len(self._events)
            self._events.append(event)

    def drain(self, limit: int = DRAIN_EVENTS) -> list[AuditEntry]:
        """Take out up to `limit` events, oldest first."""
        with self._lock:
            taken, self._events = self._events[:limit], self._events[limit:]
            self._denials = {key: place - limit for key, place in self._denials.items() if place >= limit}
        return taken

    def restore(self, events: list[AuditEntry]) -> None:
        """Put back events that were taken out and not committed, in front of all others, past the capacity."""
        with self._lock:
            self._events = events + self._events
            self._denials = {key: place + len(events) for key, place in self._denials.items()}

    @contextmanager
    def drained(self, limit: int = DRAIN_EVENTS) -> Iterator[list[AuditEntry]]:
        """Take events out for one transaction; if the block raises they return to the queue.

        Open the transaction inside, so that a failed commit counts as failed:
        `with queue.drained() as events, engine.begin() as conn: audit.append(conn, events)`.
        """
        events = self.drain(limit)
        try:
            yield events
        except BaseException:
            self.restore(events)
            raise


def _repeated(event: AuditEntry) -> AuditEntry:
    counts = dict(event.counts)
    counts[REPEATED] = counts.get(REPEATED, 1) + 1
    return replace(event, counts=tuple(sorted(counts.items())))
