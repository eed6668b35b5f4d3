"""Checks that what each feed is grown from is what was signed, and keeps an alarm while it isn't."""

from __future__ import annotations

from gateway.db.database import Database
from gateway.feed.service.alarms import FEED_DAMAGED, Alarms
from gateway.feed.tables import feeds


class FeedHeadMonitor:
    """The heads of all feeds; a damaged one is refused by every command, this only tells of it."""

    def __init__(self, database: Database, alarms: Alarms) -> None:
        self._database = database
        self._alarms = alarms
        self._told: set[str] = set()

    def check(self) -> None:
        """Compares each edge with the root in the newest checkpoint; raises StoreUnavailableError."""
        with self._database.read() as conn:
            damaged = feeds.damaged(conn)
        for origin in self._told - damaged.keys():
            self._alarms.clear(FEED_DAMAGED, origin)
        for origin, damage in damaged.items():
            self._alarms.set(FEED_DAMAGED, origin, f"{origin}: {damage}; nothing is added to it")
        self._told = set(damaged)
