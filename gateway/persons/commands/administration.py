"""Adds, changes and resets accounts, uses enrolment links, takes and gives back roles."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from gateway.contract.messages import to_timestamp
from gateway.errors import InvalidRequestError, NotFoundError, PermissionDeniedError, Violation
from gateway.feed.service.writing.commands import IdempotentCommand
from gateway.feed.service.writing.transaction import Transaction
from gateway.persons.codec import messages
from gateway.persons.commands.signing_in import new_token
from gateway.persons.rules.accounts import AccountSource, PasskeyRow, PersonAccount, require_other, roles_of
from gateway.persons.rules.policy import PersonPolicy
from gateway.persons.rules.sessions import GrantRow
from gateway.persons.tables import accounts, sessions
from gateway.persons.tables.accounts import EnrolmentRow
from gateway.trust.rules.permissions import Role
from gateway.v1 import person_pb2
from gateway.v1 import person_service_pb2 as pb

MOST_PASSKEYS = 16
"""Most passkeys of a person."""

MOST_PERSONS = 10_000
"""Most persons of an authority: beyond, something adds them by itself."""


def add_person(
    conn: Connection, now_ms: int, *, request: pb.AddPersonRequest, policy: PersonPolicy
) -> pb.AddPersonResponse:
    """Adds a local account with an enrolment link.

    Raises:
        InvalidRequestError: the name is taken, also by somebody who left; or a role isn't one.
    """
    roles = roles_of(request.roles)
    if accounts.find(conn, request.name) is not None:
        text = f"{request.name} is somebody's already; names are never given again"
        raise InvalidRequestError([Violation("name", "name.free", text)])
    account = PersonAccount(
        name=request.name,
        display_name=request.display_name,
        roles=roles,
        source=AccountSource.LOCAL,
        email=request.email,
        added_at=now_ms,
        user_handle=secrets.token_bytes(32),
    )
    accounts.add(conn, account)
    token, expires_at = _open_enrolment(conn, now_ms, request.name, policy)
    return pb.AddPersonResponse(
        person=messages.person_of(account, enrolment_open=True),
        enrolment_token=token,
        enrolment_expires_at=to_timestamp(expires_at),
    )


def _open_enrolment(conn: Connection, now_ms: int, person: str, policy: PersonPolicy) -> tuple[str, int]:
    token, expires_at = new_token(), now_ms + policy.enrolment_ms
    digest = sessions.digest_of_token(token)
    accounts.open_enrolment(conn, EnrolmentRow(person=person, token_digest=digest, expires_at=expires_at))
    return token, expires_at


def change_person(conn: Connection, now_ms: int, *, request: pb.ChangePersonRequest, caller: str) -> person_pb2.Person:
    """Changes what is given; sessions of a disabled person end.

    Raises:
        NotFoundError, PermissionDeniedError, InvalidRequestError.
    """
    account = _existing(conn, request.name)
    values: dict[str, Any] = {}
    if request.display_name:
        values["display_name"] = request.display_name
    if request.HasField("email"):
        values["email"] = request.email
    if request.roles:
        require_other(caller, request.name)
        if account.source is AccountSource.PROVIDER:
            text = "its roles come from the identity provider; change them there"
            raise InvalidRequestError([Violation("roles", "roles.local", text)])
        values["roles"] = roles_of(request.roles)
    if request.HasField("disabled"):
        require_other(caller, request.name)
        values["disabled"] = request.disabled
    if values:
        accounts.change(conn, request.name, **values)
    if request.HasField("disabled") and request.disabled:
        sessions.end_all(conn, request.name, now_ms)
        sessions.end_grants(conn, request.name, now_ms)
        accounts.close_enrolment(conn, request.name)
    return messages.person_of(_existing(conn, request.name), passkeys=accounts.passkey_count(conn, request.name))


def reset_person(
    conn: Connection, now_ms: int, *, name: str, caller: str, policy: PersonPolicy
) -> pb.ResetPersonResponse:
    """Takes password and passkeys away, ends sessions and opens a new enrolment link.

    Raises:
        NotFoundError, PermissionDeniedError.
    """
    account = _existing(conn, name)
    require_other(caller, name)
    accounts.remove_passkeys(conn, name)
    sessions.end_all(conn, name, now_ms)
    sessions.end_grants(conn, name, now_ms)
    sessions.set_failures(conn, name, sessions.FailureRow())
    if account.source is AccountSource.PROVIDER:
        return pb.ResetPersonResponse()  # signs in at the provider, and registers a new passkey
    accounts.change(conn, name, password_hash="")
    token, expires_at = _open_enrolment(conn, now_ms, name, policy)
    return pb.ResetPersonResponse(enrolment_token=token, enrolment_expires_at=to_timestamp(expires_at))


def use_enrolment(conn: Connection, now_ms: int, *, token: str, password_hash: str) -> str:
    """Sets the password by a link, which is used up; returns the person.

    Raises:
        NotFoundError: the link was used, replaced or has expired.
    """
    link = open_link(conn, now_ms, token=token)
    accounts.close_enrolment(conn, link.person)
    accounts.change(conn, link.person, password_hash=password_hash)
    return link.person


def open_link(conn: Connection, now_ms: int, *, token: str) -> EnrolmentRow:
    """The link with this token. Raises NotFoundError."""
    link = accounts.find_enrolment(conn, sessions.digest_of_token(token))
    if link is None or link.expires_at <= now_ms:
        raise NotFoundError("the enrolment link was used, replaced or has expired")
    return link


def set_password(conn: Connection, now_ms: int, *, name: str, password_hash: str, session_id: str) -> int:
    """Changes a password; other sessions end. Returns how many."""
    accounts.change(conn, name, password_hash=password_hash)
    return sessions.end_all(conn, name, now_ms, but=session_id)


def register_passkey(conn: Connection, now_ms: int, *, challenge_id: str, passkey: PasskeyRow) -> None:
    """Stores a verified passkey.

    Raises:
        InvalidRequestError: the challenge was used, the passkey is known, or there are too many.
    """
    problem = ""
    if accounts.find_passkey(conn, passkey.credential_id) is not None:
        problem = "this passkey is registered already"
    elif accounts.passkey_count(conn, passkey.person) >= MOST_PASSKEYS:
        problem = f"a person has at most {MOST_PASSKEYS} passkeys; remove one first"
    elif not sessions.take_challenge(conn, challenge_id):
        problem = "this question was answered before; begin again"
    if problem:
        raise InvalidRequestError([Violation("response_json", "passkey.new", problem)])
    accounts.add_passkey(conn, passkey)


@dataclass(frozen=True, slots=True)
class BreakGlassCommand(IdempotentCommand[pb.BreakGlassResponse]):
    """Gives a person roles beyond its own for a time.

    Raises:
        InvalidRequestError: a role isn't one or is the person's already, or the time is too long.
    """

    request: pb.BreakGlassRequest
    principal: str
    person: str
    policy: PersonPolicy
    new_id: Callable[[], str]
    weight: int = 1

    @property
    def response_type(self) -> type[pb.BreakGlassResponse]:
        return pb.BreakGlassResponse

    def answer(self, tx: Transaction) -> pb.BreakGlassResponse:
        account = _existing(tx.conn, self.person)
        roles, most = roles_of(self.request.roles), self.policy.break_glass_ms // 60_000
        problems = []
        if self.request.minutes > most:
            problems.append(Violation("minutes", "break_glass.time", f"at most {most} minutes are allowed here"))
        if roles <= account.roles:
            problems.append(Violation("roles", "break_glass.beyond", "the person has these roles already"))
        if problems:
            raise InvalidRequestError(problems)
        sessions.end_grants(tx.conn, self.person, tx.now_ms)
        grant = GrantRow(
            grant_id=self.new_id(),
            person=self.person,
            roles=roles,
            reason=self.request.reason,
            granted_at=tx.now_ms,
            expires_at=tx.now_ms + self.request.minutes * 60_000,
        )
        sessions.add_grant(tx.conn, grant)
        return pb.BreakGlassResponse(grant=messages.grant_of(grant))


def end_sessions(
    conn: Connection, now_ms: int, *, session_id: str, person: str, caller: str, roles: frozenset[Role]
) -> tuple[str, int]:
    """Ends a session or all of a person; returns whose, and how many.

    Raises:
        NotFoundError, PermissionDeniedError.
    """
    if not session_id:
        require_own_or_allowed(person or caller, caller=caller, roles=roles)
        return person or caller, sessions.end_all(conn, person or caller, now_ms)
    live = sessions.find_live(conn, session_id)
    if live is None:
        raise NotFoundError(f"there is no session {session_id}")
    require_own_or_allowed(live.account.name, caller=caller, roles=roles)
    return live.account.name, sessions.end(conn, session_id, now_ms)


SEES_ALL_SESSIONS = frozenset({Role.OPERATOR, Role.SUPERVISOR})
"""Roles that see and end sessions of others."""


def require_own_or_allowed(person: str, *, caller: str, roles: frozenset[Role]) -> None:
    """Raises PermissionDeniedError for sessions of others."""
    if person != caller and roles.isdisjoint(SEES_ALL_SESSIONS):
        raise PermissionDeniedError("sessions of others are for the roles: operator, supervisor")


def _existing(conn: Connection, name: str) -> PersonAccount:
    account = accounts.find(conn, name)
    if account is None:
        raise NotFoundError(f"name: there is no person {name!r}")
    return account


def end_break_glass(conn: Connection, now_ms: int, *, person: str) -> int:
    """Ends a person's grants; returns how many were in force."""
    return sessions.end_grants(conn, person, now_ms)


def remove_passkey(conn: Connection, _now_ms: int, *, person: str, credential_id: bytes) -> None:
    """Removes a passkey. Raises NotFoundError."""
    if not accounts.remove_passkey(conn, person, credential_id):
        raise NotFoundError("credential_id: the person has no such passkey")


def set_preferences(conn: Connection, _now_ms: int, *, name: str, language: str, zone: str, theme: str) -> None:
    """Stores how pages look for a person."""
    accounts.change(conn, name, language=language, zone=zone, theme=theme)
