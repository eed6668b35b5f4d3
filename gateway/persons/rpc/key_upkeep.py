"""Keeps a node's assertion keys at what the database has, and replaces them by age."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from gateway.db.commit_watch import NewsSince
from gateway.db.database import Database
from gateway.feed.rpc.writer_client import WriterClient
from gateway.persons.commands.key_rotation import EndedAssertions, end_assertions, rotate_key
from gateway.persons.commands.transactions import PersonCommand
from gateway.persons.rpc.looking import poll
from gateway.persons.rules.assertion_keys import LOOK_S
from gateway.persons.service.assertion_keys import AssertionKeys
from gateway.persons.tables import assertion_keys
from gateway.persons.tables.assertion_keys import AssertionKeyRow

QUIET_S = 60.0
"""Seconds between looks for a key that has become too old, if nothing was committed."""


class AssertionKeyUpkeep:
    """Reads the keys every LOOK_S in each replica, so that one that another has made is known before it signs."""

    def __init__(
        self, keys: AssertionKeys, *, database: Database, writer: WriterClient, clock: Callable[[], int], oldest_ms: int
    ) -> None:
        """`oldest_ms`: milliseconds after which a key is replaced."""
        self._keys = keys
        self._database = database
        self._writer = writer
        self._clock = clock
        self._oldest_ms = oldest_ms
        self._news = NewsSince(database.commits, most_s=QUIET_S)

    async def run(self) -> None:
        """Looks again and again; where there can be no other replica, after commits and each QUIET_S."""
        await poll(self._look_for_news, LOOK_S)

    async def _look_for_news(self) -> None:
        if self._database.dialect == "postgresql" or self._news.is_due:
            await self.look()
            self._news.looked()

    async def look(self) -> None:
        """Looks now. Raises StoreUnavailableError."""
        rows = await asyncio.to_thread(self._read)
        if not rows or self._clock() - rows[-1].made_at >= self._oldest_ms:
            rows = await self._writer.run(PersonCommand(partial(rotate_key, older_than_ms=self._oldest_ms)))
        self._keys.use(rows)

    async def rotate(self) -> AssertionKeyRow:
        """Makes another key; returns it. Raises StoreUnavailableError."""
        rows = await self._writer.run(PersonCommand(rotate_key))
        self._keys.use(rows)
        return rows[-1]

    async def end_assertions(self) -> EndedAssertions:
        """Ends all assertions and sessions, and makes the only key. Raises StoreUnavailableError."""
        ended = await self._writer.run(PersonCommand(end_assertions))
        self._keys.use(ended.keys)
        return ended

    def _read(self) -> list[AssertionKeyRow]:
        with self._database.read() as conn:
            return assertion_keys.list_all(conn)
