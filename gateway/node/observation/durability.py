"""Warns of a database that may lose what it has acknowledged."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from gateway.db.cluster import Durability, read_durability
from gateway.db.database import Database
from gateway.feed.service.alarms import DATABASE_ASYNCHRONOUS, Alarms

CHECK_S: Final = 10.0
"""Seconds between looks: settings and standbys change seldom."""


class DurabilityMonitor:
    """Raises the alarm while a PostgreSQL cluster can lose acknowledged commits; used by one task.

    Each look is noted in the marks: after a failover they say whether commits of other replicas may be lost.
    """

    def __init__(self, database: Database, alarms: Alarms, *, note: Callable[[bool], None]) -> None:
        """`note`: is told at each look whether a failover loses nothing; raises StoreUnavailableError."""
        self._note = note
        self._database = database
        self._alarms = alarms
        self._next_s = 0.0

    def check(self) -> None:
        """Looks every CHECK_S; raises StoreUnavailableError."""
        if time.monotonic() < self._next_s:
            return
        durability = durability_of(self._database)
        self._next_s = time.monotonic() + CHECK_S
        if durability is not None:
            self._note(durability.lossless)
        if durability is not None and durability.risk:
            self._alarms.set(DATABASE_ASYNCHRONOUS, "own", f"{durability.detail}: {durability.risk}")
        else:
            self._alarms.clear(DATABASE_ASYNCHRONOUS, "own")


def durability_of(database: Database) -> Durability | None:
    """What a database does before it acknowledges a commit; None for SQLite, which syncs each."""
    if database.dialect != "postgresql":
        return None
    with database.read() as conn:
        return read_durability(conn)
