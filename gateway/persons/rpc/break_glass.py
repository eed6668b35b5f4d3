"""Shows who has roles beyond its own, as alarms for everybody who watches this node."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.db.commit_watch import NewsSince
from gateway.db.database import Database
from gateway.feed.service.alarms import BREAK_GLASS, Alarms
from gateway.persons.rpc.looking import poll
from gateway.persons.rules.sessions import GrantRow
from gateway.persons.tables import sessions

LOOK_S = 5.0
"""Seconds between two looks: how late another replica's break-glass shows here, and its end."""


QUIET_S = 60.0
"""The same if nobody has such roles and nothing was committed."""


class BreakGlassAlarms:
    """Keeps the alarms at what the database says."""

    def __init__(self, database: Database, alarms: Alarms, clock: Callable[[], int]) -> None:
        self._database = database
        self._alarms = alarms
        self._clock = clock
        self._news = NewsSince(database.commits, most_s=QUIET_S)
        self._lasts = False  # a grant, which time ends

    async def run(self) -> None:
        """Looks again and again, as long as there may be anything."""
        await poll(self._look_for_news, LOOK_S)

    async def _look_for_news(self) -> None:
        if self._news.is_due or self._lasts:
            await self.look()
            self._news.looked()

    async def look(self) -> None:
        """Looks now. Raises StoreUnavailableError."""
        grants = await asyncio.to_thread(self._read)
        self._lasts = bool(grants)
        self._alarms.keep(BREAK_GLASS, {grant.person: (_message(grant), grant.granted_at) for grant in grants})

    def _read(self) -> list[GrantRow]:
        with self._database.read() as conn:
            return sessions.grants_in_force(conn, self._clock())


def _message(grant: GrantRow) -> str:
    roles, minutes = ", ".join(sorted(grant.roles)), (grant.expires_at - grant.granted_at) // 60_000
    return f"{grant.person} has taken {roles} for {minutes} min (break-glass {grant.grant_id}): {grant.reason}"
