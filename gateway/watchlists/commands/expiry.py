"""Warns of own entries that end soon."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, and_, false, or_

from gateway.db.database import Database
from gateway.feed.service.alarms import LIST_EXPIRES, Alarms, Restriction
from gateway.feed.service.writing.transaction import Clock, Transaction
from gateway.trust.rules.audit import AuditEntry, AuditResult, AuditSink
from gateway.trust.rules.permissions import Role
from gateway.watchlists.commands.proposals import BY_ITSELF
from gateway.watchlists.rules.policies import WARN_BEFORE_MS
from gateway.watchlists.rules.visibility import EVERYTHING_VISIBLE, ListVisibility
from gateway.watchlists.tables import lists as watchlists
from gateway.watchlists.tables import progress as list_progress
from gateway.watchlists.tables.lists import EndingRow
from gateway.watchlists.tables.schema import list_entries

log = logging.getLogger(__name__)

OPERATION = "watchlist/expiry"

MOST_NAMED = 10
"""Most entries that a warning names; beyond that it gives the number."""

UNNAMED = "entries of a list end soon; a system that may see it finds them with `gateway watchlist list --expiring`"
"""What is said of a list with `visible_to` to those who may not see it, and in the log."""

_DAY_MS = 24 * 3600 * 1000


class ListExpiry:
    """Finds own entries that end soon. Thread-safe."""

    def __init__(
        self,
        node: str,
        clock: Clock,
        warn_before_ms: Mapping[str, int],
        visibility: ListVisibility = EVERYTHING_VISIBLE,
    ) -> None:
        """Sets warning times.

        Args:
            clock: milliseconds since 1970.
            warn_before_ms: by list, in milliseconds; 0 for never. Others use WARN_BEFORE_MS.
            visibility: warnings name a list to its roles alone.
        """
        self._node = node
        self._clock = clock
        self._warn_before_ms = warn_before_ms
        self._visibility = visibility
        self._raised: set[str] = set()

    def condition(self, *, since_ms: int | None = None) -> ColumnElement[bool]:
        """SQL condition: own entries that end soon, or began to after a time."""
        now, named = self._clock(), self._warn_before_ms
        time = list_entries.c.valid_until

        def within(ms: int) -> ColumnElement[bool]:
            later = time > 0 if since_ms is None else time > since_ms + ms
            return and_(later, time <= now + ms) if ms else false()

        bounds = [and_(list_entries.c.list.not_in(named), within(WARN_BEFORE_MS))]
        bounds += [and_(list_entries.c.list == name, within(ms)) for name, ms in sorted(named.items())]
        last = now + max([WARN_BEFORE_MS, *named.values()])
        return and_(time > 0, time <= last, watchlists.of_publisher(self._node), or_(*bounds))

    def watch(self, database: Database, alarms: Alarms) -> None:
        """Raises an alarm for each list with entries that end soon; clears others."""
        with database.read() as conn:
            ending = watchlists.ending_by_list(conn, self.condition())
        for row in ending:
            roles = self.roles_of(row.list)
            restriction = None if roles is None else Restriction(roles, UNNAMED)
            alarms.set(LIST_EXPIRES, self._subject(row.list), self._sentence(row), restriction=restriction)
        now = {row.list for row in ending}
        for name in self._raised - now:
            alarms.clear(LIST_EXPIRES, self._subject(name))
        self._raised = now

    def roles_of(self, name: str) -> frozenset[Role] | None:
        """Roles that may see an own list; None for one that every caller may see."""
        return self._visibility.roles_of(self._node, name)

    def _subject(self, name: str) -> str:
        return f"{self._node}/{name}"

    def _sentence(self, row: EndingRow) -> str:
        days = self._warn_before_ms.get(row.list, WARN_BEFORE_MS) // _DAY_MS
        first = datetime.fromtimestamp(row.first_ms / 1000, UTC)
        return (
            f"entries of {row.list} whose validity ends within {days} days: {row.entries}, the first at "
            f"{first:%Y-%m-%d %H:%M} UTC; see `gateway watchlist list --list {row.list} --expiring`"
        )


@dataclass(frozen=True, slots=True)
class WarnExpiringCommand:
    """Logs and audits each entry that ends soon once; returns their number.

    Entries published with less than the warning time left get no warning. Of a list that not every caller may see,
    neither log nor audit log says more than that.
    """

    expiry: ListExpiry
    node: str
    audit: AuditSink
    weight: int = 1

    def execute(self, tx: Transaction) -> int:
        condition = self.expiry.condition(since_ms=list_progress.warned_at(tx.conn))
        ending = watchlists.ending_by_list(tx.conn, condition)
        if not ending:
            return 0
        for row in ending:
            named = self.expiry.roles_of(row.list) is None
            ids = watchlists.ending_first(tx.conn, condition, row.list, MOST_NAMED) if named else []
            if named:
                log.warning("entries of %s that end soon: %d; first %s", row.list, row.entries, ", ".join(ids))
            else:
                log.warning(UNNAMED)
            self.audit(
                AuditEntry(
                    time_ms=tx.now_ms,
                    principal=BY_ITSELF,
                    method=OPERATION,
                    result=AuditResult.ALLOW,
                    reason=LIST_EXPIRES,
                    subject_ids=tuple(f"{self.node}/{row.list}/{entry_id}" for entry_id in ids),
                    counts=(("entries", row.entries),) if named else (),
                )
            )
        list_progress.move_warned_at(tx.conn, tx.now_ms)
        return sum(row.entries for row in ending)
