"""Queues audit events from many threads for the writer's group commits."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from gateway.errors import OverloadedError
from gateway.trust.rules.audit import AuditEntry, AuditResult

AUDIT_QUEUE_EVENTS = 65_536
"""Most waiting events: seconds of full load, about 50 MB."""

DRAIN_EVENTS = 10_000
"""Most events of a group commit, to delay a publish by at most 50 ms."""

RETRY_AFTER_S = 1.0

REPEATED = "repeated"
"""Name of the count of repeated denials."""

_Key = tuple[str, str, str]


class AuditQueue:
    """Events on the way to the writer. Thread-safe; no method blocks.

    Nothing is durable before the writer's commit: a call whose event doesn't fit is refused, and `drained` restores
    uncommitted events.

    A flood of denials can't displace other events: equal ones become one with a count; a full queue only counts them.
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
        """A metric, counted since the start."""
        return self._lost_denials

    def record(self, event: AuditEntry) -> None:
        """Queues an event, serialised on the calling thread; denials are left to the writer.

        Raises:
            OverloadedError: the queue is full and it isn't a denial; the call must stop.
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
        with self._lock:
            taken, self._events = self._events[:limit], self._events[limit:]
            self._denials = {key: place - limit for key, place in self._denials.items() if place >= limit}
        return taken

    def restore(self, events: list[AuditEntry]) -> None:
        """Puts uncommitted events back in front, even beyond capacity."""
        with self._lock:
            self._events = events + self._events
            self._denials = {key: place + len(events) for key, place in self._denials.items()}

    @contextmanager
    def drained(self, limit: int = DRAIN_EVENTS) -> Iterator[list[AuditEntry]]:
        """Puts uncommitted events back in front, even beyond capacity."""
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
