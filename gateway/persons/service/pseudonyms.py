"""Shows partners a pseudonym in place of a person, where the agreement says so."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from gateway.errors import UnavailableError
from gateway.persons.rules.pseudonyms import pseudonym
from gateway.persons.tables import sessions
from gateway.trust.rules.directory import Directory
from gateway.trust.rules.permissions import PERSON_PREFIX


@dataclass(frozen=True, slots=True)
class ShownPseudonym:
    """Who acts, as a partner sees it; `person` is empty where that is no pseudonym."""

    actor: str
    partner: str = ""
    person: str = ""


class Pseudonyms:
    """The pseudonyms of one node's persons. Thread-safe once started."""

    def __init__(self, node: str, directory: Callable[[], Directory]) -> None:
        self._node = node
        self._directory = directory
        self._key = b""

    def start(self, key: bytes) -> None:
        """Persons act from now on; `key` is the node's secret."""
        self._key = key

    def shown(self, actor: str, *, recipient: str, purpose: str, at_ms: int) -> ShownPseudonym:
        """Who acts, as the recipient of a message for a purpose sees it.

        Raises:
            UnavailableError: a person acts before `start`.
        """
        if not actor.startswith(PERSON_PREFIX):
            return ShownPseudonym(actor)
        at = datetime.fromtimestamp(at_ms // 1000, UTC)
        if not self._directory().hides_persons(self._node, recipient, at, purpose=purpose):
            return ShownPseudonym(actor)
        if not self._key:
            raise UnavailableError("the node isn't ready for persons yet")
        person = actor.removeprefix(PERSON_PREFIX)
        return ShownPseudonym(pseudonym(self._key, partner=recipient, person=person), recipient, person)


def keep_pseudonyms(conn: Connection, shown: Iterable[ShownPseudonym], *, now_ms: int) -> None:
    """Stores whom pseudonyms mean, in the transaction of what shows them."""
    for one in shown:
        sessions.keep_pseudonym(conn, one.actor, partner=one.partner, person=one.person, now_ms=now_ms)
