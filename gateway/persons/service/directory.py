"""Reads persons and their sessions for those who may see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.db.database import Database
from gateway.errors import NotFoundError
from gateway.persons.codec import messages
from gateway.persons.rules.policy import PersonPolicy
from gateway.persons.rules.pseudonyms import PSEUDONYM_PREFIX
from gateway.persons.rules.sessions import SessionRow
from gateway.persons.tables import accounts, sessions
from gateway.v1 import person_service_pb2 as pb


class PersonQueries:
    """Queries of one node; thread-safe."""

    def __init__(self, policy: PersonPolicy, *, database: Database, clock: Callable[[], int]) -> None:
        self._policy = policy
        self._database = database
        self._clock = clock

    def page(self, after: str, limit: int) -> pb.ListPersonsResponse:
        """Persons by name; the page's token is the last name."""
        now_ms = self._clock()
        with self._database.read() as conn:
            found = accounts.page(conn, after=after, limit=limit + 1)
            counts, links = accounts.passkey_counts(conn), accounts.enrolments_open(conn, now_ms)
            locks = {account.name: sessions.failures_of(conn, account.name).locked_until for account in found[:limit]}
        persons = [
            messages.person_of(
                account,
                passkeys=counts.get(account.name, 0),
                locked_until=locks[account.name] if locks[account.name] > now_ms else 0,
                enrolment_open=account.name in links,
            )
            for account in found[:limit]
        ]
        more = len(found) > limit
        return pb.ListPersonsResponse(persons=persons, next_page_token=found[limit - 1].name if more else "")

    def get(self, name: str) -> pb.GetPersonResponse:
        """One person. Raises NotFoundError."""
        now_ms = self._clock()
        with self._database.read() as conn:
            account = accounts.find(conn, name)
            if account is None:
                raise NotFoundError(f"name: there is no person {name!r}")
            known, grant = accounts.passkeys(conn, name), sessions.newest_grant(conn, name)
            locked_until = sessions.failures_of(conn, name).locked_until
            open_link = name in accounts.enrolments_open(conn, now_ms)
        return pb.GetPersonResponse(
            person=messages.person_of(
                account,
                passkeys=len(known),
                locked_until=locked_until if locked_until > now_ms else 0,
                enrolment_open=open_link,
            ),
            passkeys=[messages.passkey_of(passkey) for passkey in known],
            break_glass=messages.grant_of(grant) if grant is not None and grant.lasts(now_ms) else None,
        )

    def sessions(self, person: str) -> Sequence[SessionRow]:
        """Sessions that last, of a person or of all."""
        with self._database.read() as conn:
            return sessions.lasting(conn, self._clock(), idle_ms=self._policy.idle_ms, person=person)

    def resolve(self, pseudonym: str) -> pb.ResolvePseudonymResponse:
        """Whom a pseudonym means. Raises NotFoundError."""
        full = pseudonym if pseudonym.startswith(PSEUDONYM_PREFIX) else PSEUDONYM_PREFIX + pseudonym.removeprefix("~")
        with self._database.read() as conn:
            meant = sessions.whose_pseudonym(conn, full)
            account = accounts.find(conn, meant[0]) if meant is not None else None
        if meant is None or account is None:
            raise NotFoundError(f"pseudonym: {pseudonym!r} isn't one of this node's")
        return pb.ResolvePseudonymResponse(person=messages.person_of(account), partner=meant[1])
