"""Warns of a database that may lose what it has acknowledged."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from gateway.db.cluster import Durability, read_durability
from gateway.db.database import Database
from gateway.db.url import has_several_hosts, parse_url
from gateway.feed.service.alarms import DATABASE_ASYNCHRONOUS, Alarms
from gateway.node.settings import Settings

CHECK_S: Final = 10.0
"""Seconds between looks: settings and standbys change seldom."""


ALONE: Final = (
    "the standby is away, and its disk's loss, or a failover to the standby, loses acknowledged commits: bring it back"
)
"""The risk of a server that isn't meant to be alone."""


class DurabilityMonitor:
    """Raises the alarm while a PostgreSQL cluster can lose acknowledged commits; used by one task.

    Each look is noted in the marks: after a failover they say whether commits of other replicas may be lost.
    """

    def __init__(
        self, database: Database, alarms: Alarms, *, standby_expected: bool, note: Callable[[bool], None]
    ) -> None:
        """
        Args:
            standby_expected: whether the settings name more than one server: one that is left alone then has lost
                another.
            note: is told at each look whether a failover loses nothing; raises StoreUnavailableError.
        """
        self._note = note
        self._database = database
        self._alarms = alarms
        self._standby_expected = standby_expected
        self._next_s = 0.0

    def check(self) -> None:
        """Looks every CHECK_S; raises StoreUnavailableError."""
        if time.monotonic() < self._next_s:
            return
        durability = durability_of(self._database)
        self._next_s = time.monotonic() + CHECK_S
        if durability is None:
            return
        self._note(durability.lossless)
        self._standby_expected |= not durability.alone
        risk = durability.risk or (ALONE if durability.alone and self._standby_expected else "")
        if risk:
            self._alarms.set(DATABASE_ASYNCHRONOUS, "own", f"{durability.detail}: {risk}")
        else:
            self._alarms.clear(DATABASE_ASYNCHRONOUS, "own")


def durability_of(database: Database) -> Durability | None:
    """What a database does before it acknowledges a commit; None for SQLite, which syncs each."""
    if database.dialect != "postgresql":
        return None
    with database.read() as conn:
        return read_durability(conn)


def names_standby(settings: Settings) -> bool:
    """Whether the settings name more than one server of the database."""
    url = settings.effective_database_url
    return bool(settings.history.standby_url) or (not url.startswith("sqlite") and has_several_hosts(parse_url(url)))
