"""Reads whom there is to tell and by which rules, at most every other second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from typing import Final

from sqlalchemy import Connection

from gateway.db.database import Database
from gateway.notifications.commands.keeping import Audience
from gateway.notifications.rules.audience import Addressee, RuleBook
from gateway.notifications.tables.rules import all_rules

LASTS_S: Final = 2.0
"""Seconds after which rules and persons are read again: what another replica has changed holds then."""

SHARED: Final = ""
"""Owner of the authority's rules."""


class AudienceSource:
    """The audience of one node. Thread-safe.

    Args:
        people: persons, and systems of the settings.
        webhooks: names of the settings.
    """

    def __init__(
        self, database: Database, *, people: Callable[[Connection], Sequence[Addressee]], webhooks: Collection[str]
    ) -> None:
        self._database = database
        self._people = people
        self._webhooks = tuple(webhooks)
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._audience = Audience()

    def __call__(self) -> Audience:
        """The audience now; raises StoreUnavailableError."""
        with self._lock:
            if time.monotonic() - self._read_at >= LASTS_S:
                with self._database.read() as conn:
                    self._audience = self._of(conn)
                self._read_at = time.monotonic()
            return self._audience

    def with_caller(self, caller: str) -> Audience:
        """The audience, read again where it lacks a caller, whose account may be younger than the last reading.

        Raises:
            StoreUnavailableError: it can't be read.
        """
        if caller not in self.by_id():
            self.forget()
        return self()

    def forget(self) -> None:
        """Reads again at the next call: rules have changed here."""
        with self._lock:
            self._read_at = float("-inf")

    def by_id(self) -> dict[str, Addressee]:
        """Everybody, by id."""
        return {one.id: one for one in self().addressees}

    def _of(self, conn: Connection) -> Audience:
        rules = all_rules(conn)
        shared = rules.pop(SHARED, None)
        book = RuleBook(rules, () if shared is None else tuple(shared.rules), self._webhooks)
        return Audience(tuple(self._people(conn)), book)
