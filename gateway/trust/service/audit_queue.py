"""Queues audit events from many threads for the writer's group commits, and merges equal ones without effect.

1. The first of a series is stored with the next commit.
2. Equal ones that follow become one event with a count, the times of the first and last, and the subjects of all. It is
   stored when its period ends; periods double up to MAX_PERIOD_S while the series goes on.
3. Equal means: caller and its system, method, result and reason, and for permitted calls the subjects too. Permitted
   calls with an effect, a purpose or a case are never merged.

A crash loses the counts of periods that haven't ended; a stop doesn't.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeAlias

from gateway.errors import MarksBehindError, OverloadedError
from gateway.trust.rules.audit import AuditEntry, AuditResult

AUDIT_QUEUE_EVENTS = 65_536
"""Most waiting events: seconds of full load, about 50 MB."""

DRAIN_EVENTS = 10_000
"""Most events of a group commit, to delay a publish by at most 50 ms."""

RETRY_AFTER_S = 1.0

FIRST_PERIOD_S = 60.0

MAX_PERIOD_S = 960.0
"""Longest period, in seconds: a series that never ends leaves a hundred events a day."""

MAX_SERIES = 4_096
"""Most series at once, some MB: directory and settings bound the callers, the code methods and reasons."""

MAX_UNVERIFIED = 256
"""Most series of callers that aren't verified, who choose their names."""

UNVERIFIED = "unverified:"
"""Begins the principal of a caller that isn't verified."""

_Key: TypeAlias = tuple[str, str, str, str, tuple[str, ...]]


@dataclass(slots=True)
class _Series:
    """Equal events; `repeats` since the last one that was queued."""

    ends_s: float
    period_s: float
    repeats: AuditEntry | None = None


class AuditQueue:
    """Events on the way to the writer. Thread-safe; no method blocks.

    Nothing is durable before the writer's commit: a call whose event doesn't fit is refused, and `drained` restores
    uncommitted events. A flood of events without effect can't displace others.
    """

    def __init__(
        self, *, capacity: int = AUDIT_QUEUE_EVENTS, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._capacity = capacity
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._events: list[AuditEntry] = []
        self._series: dict[_Key, _Series] = {}
        self._unverified = 0
        self._next_end_s = float("inf")
        self._lost_denials = 0
        self._tell: Callable[[], None] = lambda: None

    def on_event(self, tell: Callable[[], None]) -> None:
        """Calls `tell` when there may be an event to store; in any thread, it must not block."""
        self._tell = tell

    def __len__(self) -> int:
        """Events to store now."""
        return len(self._events) + (self._monotonic_s() >= self._next_end_s)

    @property
    def next_end_in_s(self) -> float:
        """Seconds until a period ends, and there may be an event to store; infinite without one."""
        return max(0.0, self._next_end_s - self._monotonic_s())

    @property
    def lost_denials(self) -> int:
        """Refusals that were stored nowhere, since the start: a metric."""
        return self._lost_denials

    def record(self, event: AuditEntry) -> None:
        """Queues an event, serialised on the calling thread.

        Raises:
            OverloadedError: the queue is full, and the event can't be merged; the call must stop.
        """
        event = event.clipped()
        if event.result is AuditResult.ALLOW and not (
            event.repeatable and not event.purpose and not event.case_reference
        ):
            event.canonical()
            with self._lock:
                self._append(event)
        else:
            with self._lock:
                self._record_repeatable(event)
        if self._events:
            self._tell()

    def _append(self, event: AuditEntry) -> None:
        if len(self._events) >= self._capacity:
            raise OverloadedError("the audit log can't keep up", retry_after_s=RETRY_AFTER_S)
        self._events.append(event)

    def _record_repeatable(self, event: AuditEntry) -> None:
        event, key = self._keyed(event)
        series = self._series.get(key)
        if series is not None:
            series.repeats = event if series.repeats is None else series.repeats.merged(event)
        elif len(self._series) < MAX_SERIES:
            full = len(self._events) >= self._capacity
            if not full:  # 1
                self._events.append(event)
            self._begin(key, _Series(self._monotonic_s() + FIRST_PERIOD_S, FIRST_PERIOD_S, event if full else None))
        elif event.result is AuditResult.ALLOW:
            self._append(event)
        elif len(self._events) < self._capacity:
            self._events.append(event)
        else:
            self._lost_denials += 1

    def _keyed(self, event: AuditEntry) -> tuple[AuditEntry, _Key]:
        key = _key(event)
        if key not in self._series and event.principal.startswith(UNVERIFIED) and self._unverified >= MAX_UNVERIFIED:
            event = replace(event, principal=f"{UNVERIFIED}(others)")
            key = _key(event)
        return event, key

    def _begin(self, key: _Key, series: _Series) -> None:
        self._series[key] = series
        self._unverified += key[0].startswith(UNVERIFIED)
        self._next_end_s = min(self._next_end_s, series.ends_s)

    def drain(self, limit: int = DRAIN_EVENTS) -> list[AuditEntry]:
        """Takes up to `limit` events, oldest first."""
        with self._lock:
            self._end_periods(self._monotonic_s())
            taken, self._events = self._events[:limit], self._events[limit:]
        return taken

    def flush(self) -> None:
        """Queues all repeats, though their periods go on; for a stop."""
        with self._lock:
            self._end_periods(float("inf"))

    def _end_periods(self, now_s: float) -> None:
        if now_s < self._next_end_s:
            return
        self._next_end_s = float("inf")
        for key, series in list(self._series.items()):
            if series.ends_s <= now_s:
                self._end_period(key, series)
            if key in self._series:
                self._next_end_s = min(self._next_end_s, series.ends_s)

    def _end_period(self, key: _Key, series: _Series) -> None:
        """2. Even beyond capacity; a series without repeats ends."""
        if series.repeats is None:
            del self._series[key]
            self._unverified -= key[0].startswith(UNVERIFIED)
            return
        self._events.append(series.repeats)
        series.period_s = min(2 * series.period_s, MAX_PERIOD_S)
        series.ends_s += series.period_s
        series.repeats = None

    def restore(self, events: list[AuditEntry]) -> None:
        """Puts uncommitted events back in front, even beyond capacity."""
        with self._lock:
            self._events = events + self._events

    @contextmanager
    def drained(self, limit: int = DRAIN_EVENTS) -> Iterator[list[AuditEntry]]:
        """Puts uncommitted events back in front, even beyond capacity."""
        events = self.drain(limit)
        try:
            yield events
        except MarksBehindError:  # they are committed
            raise
        except BaseException:
            self.restore(events)
            raise


def _key(event: AuditEntry) -> _Key:
    """3."""
    subjects = event.subject_ids if event.result is AuditResult.ALLOW else ()
    return event.principal, event.method, event.result.value, event.reason, (event.system, *subjects)
