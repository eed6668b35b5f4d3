"""Finds alerts of which any revision names a listed party, also withdrawn, amended and old ones.

What an own system gives to be screened may come from such an alert. Reports without a person's decision follow its
handling.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from gateway.alerts import codec as wire
from gateway.alerts.tables import events as alert_events
from gateway.db.database import Database
from gateway.feed.tables import journal
from gateway.screening.index.entries import IndexEntry
from gateway.screening.result import Thresholds
from gateway.watchlists.codec.matches import NamingAlerts
from gateway.watchlists.codec.subjects import subjects_of
from gateway.watchlists.rules.matches import SourceKey, SourceKind
from gateway.watchlists.service.recent_parties import RecentParties, parties_of

log = logging.getLogger(__name__)

MOST_PARTIES = 200_000
"""Parties of all revisions that are held; some 200 MB. With more, nothing is reported without a person."""

EVENTS_AT_ONCE = 200
"""Events read in one transaction."""

READ_S = 10.0
"""Seconds for reading alerts at once; the first time takes longest. What isn't read yet leaves reports to people."""


class AlertHistory:
    """Parties of all revisions of all alerts, read when first needed. Not thread-safe."""

    def __init__(self, database: Database, *, most: int = MOST_PARTIES) -> None:
        """Reads nothing yet."""
        self._database = database
        self._most = most
        self._parties = RecentParties(most)
        self._position = 0
        self._read = 0
        self._alerts: dict[str, SourceKey] = {}

    def naming(self, record: IndexEntry, limits: Callable[[str], Thresholds]) -> NamingAlerts:
        """The alerts that name what an entry lists, and whether all could be compared.

        Raises:
            StoreUnavailableError: the database can't be read; call again.
        """
        is_current = self._follow(time.monotonic() + READ_S)
        found = {
            self._alerts[hit.place.source.id]: None
            for hit in self._parties.hits(record, limits)
            if hit.place.source.id in self._alerts
        }
        return NamingAlerts(
            tuple((source.publisher, source.id) for source in found), is_current and self._read <= self._most
        )

    def _follow(self, end: float) -> bool:
        """Reads newer events; False where time ended first."""
        while time.monotonic() < end:
            with self._database.read() as conn:
                head = journal.projected_position(conn)
                if head < self._position:  # projections are being rebuilt; positions of events stay
                    return False
                events = alert_events.after(conn, self._position, EVENTS_AT_ONCE)
            for event, _, payload in events:
                if payload:
                    self._remember(event.key.publisher, event.key.alert_id, event.position, payload)
                self._position = event.position
            if len(events) < EVENTS_AT_ONCE:
                return True
        log.info("alerts are read up to position %d, to be compared with new entries of lists", self._position)
        return False

    def _remember(self, publisher: str, alert_id: str, position: int, payload: bytes) -> None:
        alert = wire.alert_of(wire.parse_event(payload))
        if alert is None:
            return
        parties = parties_of(subjects_of(alert.content))
        self._read += len(parties)
        if self._read > self._most:
            return  # whole never again
        revision = SourceKey(SourceKind.ALERT, publisher, f"{alert_id}@{position}")
        self._alerts[revision.id] = SourceKey(SourceKind.ALERT, publisher, alert_id)
        self._parties.remember(revision, alert.revision, parties)
