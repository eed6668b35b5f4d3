"""Reads from a hot standby, as long as it is there and hardly behind; from the primary otherwise."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from sqlalchemy import Connection, text

from gateway.db.database import Database
from gateway.errors import StoreUnavailableError

log = logging.getLogger(__name__)

CHECK_S: Final = 1.0
"""Seconds between two comparisons with the primary."""

MOST_SAMPLES: Final = 600
"""Places of the primary in its log that are remembered, one for each comparison."""

_WRITTEN = text("SELECT (pg_current_wal_flush_lsn() - '0/0'::pg_lsn)::bigint")
_REPLAYED = text("SELECT (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::bigint")


class Reads(Protocol):
    """Where to read: a `Database`, or `StandbyReads`. Thread-safe; nothing that was just written need be there."""

    def read(self) -> AbstractContextManager[Connection]:
        """A consistent snapshot; raises StoreUnavailableError."""

    def searching(self) -> AbstractContextManager[Connection]:
        """For the statements of a search, as in `Database`; raises StoreUnavailableError."""


@dataclass(frozen=True, slots=True)
class StandbyState:
    """What a comparison has found.

    Attributes:
        used: whether reads go to the standby.
        lag_s: how old its content is, in seconds; None while it isn't known.
        problem: why it isn't used; empty while it is.
    """

    used: bool
    lag_s: float | None
    problem: str = ""


class StandbyReads:
    """A database whose `read` goes to a standby. Thread-safe.

    Its content is as old as the primary's newest place in the write-ahead log that it has replayed: places are noted
    with their times at each comparison.
    """

    def __init__(self, primary: Database, standby_url: str, *, max_lag_s: float) -> None:
        """Connects to nothing yet; raises ConfigurationError for a URL that isn't PostgreSQL's."""
        self._primary = primary
        self._standby = Database(standby_url)
        self._max_lag_s = max_lag_s
        self._lock = threading.Lock()
        self._samples: deque[tuple[float, int]] = deque(maxlen=MOST_SAMPLES)
        self._checked_s = float("-inf")
        self._state = StandbyState(used=False, lag_s=None, problem="not compared yet")

    @property
    def state(self) -> StandbyState:
        """As of the last comparison."""
        return self._state

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent snapshot; raises StoreUnavailableError."""
        with self._used().read() as conn:
            yield conn

    @contextmanager
    def searching(self) -> Iterator[Connection]:
        """For the statements of a search, as in `Database`; raises StoreUnavailableError."""
        with self._used().searching() as conn:
            yield conn

    def _used(self) -> Database:
        self.compare()
        return self._standby if self._state.used else self._primary

    def compare(self) -> None:
        """Compares the two, unless that was done a moment ago; raises StoreUnavailableError without the primary."""
        with self._lock:
            now = time.monotonic()
            if now - self._checked_s < CHECK_S:
                return
            self._checked_s = now
        with self._primary.look() as conn:
            written = int(conn.execute(_WRITTEN).scalar_one())
        self._samples.append((now, written))
        state = self._compared(now)
        if state.used is not self._state.used:
            log.warning("history is read from %s", "the standby" if state.used else f"the primary: {state.problem}")
        self._state = state

    def close(self) -> None:
        """Closes connections to the standby."""
        self._standby.close()

    def _compared(self, now: float) -> StandbyState:
        try:
            with self._standby.look() as conn:
                replayed = conn.execute(_REPLAYED).scalar_one()
        except StoreUnavailableError as error:
            return StandbyState(used=False, lag_s=None, problem=error.message)
        if replayed is None:
            return StandbyState(used=False, lag_s=None, problem="history.standby_url names no standby")
        if replayed >= self._samples[-1][1]:
            return StandbyState(used=True, lag_s=0.0)
        reached = [at for at, place in self._samples if place <= replayed]
        if not reached:
            return StandbyState(used=False, lag_s=None, problem="the standby is further behind than is known yet")
        lag_s = now - reached[-1]
        if lag_s > self._max_lag_s:
            return StandbyState(used=False, lag_s=lag_s, problem=f"the standby is {lag_s:.0f} s behind")
        return StandbyState(used=True, lag_s=lag_s)
