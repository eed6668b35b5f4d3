"""Statements on sessions, challenges, failed sign-ins, grants and keys."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from gateway.db.statements import insert_rows
from gateway.persons.rules.sessions import GrantRow, LiveSession, SessionRow, SignInWay, known_device
from gateway.persons.tables import accounts
from gateway.persons.tables.schema import (
    person_challenges,
    person_enrolments,
    person_failures,
    person_grants,
    person_pseudonyms,
    person_secrets,
    person_sessions,
)

MOST_SESSIONS = 1_000
"""Most sessions listed."""


class ChallengeKind(StrEnum):
    """What an answer to a challenge does."""

    SIGN_IN = "sign_in"
    SECOND_FACTOR = "second_factor"
    REGISTRATION = "registration"
    APPROVAL = "approval"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeRow:
    """A question to an authenticator; `expires_at` in milliseconds since 1970."""

    challenge_id: str
    kind: ChallengeKind
    challenge: bytes
    system: str
    expires_at: int
    person: str = ""
    session_id: str = ""
    method: str = ""
    request_sha256: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureRow:
    """Failures of a name in a row; times in milliseconds since 1970."""

    failures: int = 0
    last_at: int = 0
    locked_until: int = 0


def digest_of_token(token: str) -> bytes:
    """What is kept of a token of 256 random bits."""
    return sha256(token.encode("utf-8", "replace")).digest()


def device_of(conn: Connection, person: str, known_devices: Collection[str]) -> str:
    """The session of a person, ended or not, that one of these shows; empty for none."""
    columns = person_sessions.c
    statement = select(columns.session_id, columns.token_digest).where(columns.person == person)
    shown = {known_device(bytes(digest)): session_id for session_id, digest in conn.execute(statement)}
    return next((str(shown[each]) for each in known_devices if each in shown), "")


def begin(conn: Connection, session: SessionRow) -> None:
    """Inserts a session."""
    conn.execute(insert(person_sessions).values(**(asdict(session) | {"way": session.way.value})))


def find_by_token(conn: Connection, token: str) -> LiveSession | None:
    """The session with this token, ended or not."""
    return _live(conn, person_sessions.c.token_digest == digest_of_token(token))


def find_live(conn: Connection, session_id: str) -> LiveSession | None:
    """The session with this id, ended or not."""
    return _live(conn, person_sessions.c.session_id == session_id)


def use(conn: Connection, session_id: str, now_ms: int) -> None:
    """Notes that the person used it."""
    conn.execute(update(person_sessions).where(person_sessions.c.session_id == session_id).values(used_at=now_ms))


def end(conn: Connection, session_id: str, now_ms: int) -> int:
    """Ends a session; returns 0 when it had ended."""
    columns = person_sessions.c
    statement = update(person_sessions).where(columns.session_id == session_id, columns.ended_at == 0)
    return conn.execute(statement.values(ended_at=now_ms)).rowcount


def end_all(conn: Connection, person: str, now_ms: int, *, but: str = "") -> int:
    """Ends a person's sessions but one; returns how many."""
    columns = person_sessions.c
    statement = update(person_sessions).where(
        columns.person == person, columns.ended_at == 0, columns.session_id != but, columns.ends_at > now_ms
    )
    return conn.execute(statement.values(ended_at=now_ms)).rowcount


def end_everything(conn: Connection, now_ms: int) -> int:
    """Ends all sessions and grants, and takes back questions and enrolment links; returns how many sessions."""
    columns = person_sessions.c
    lasting_ones = update(person_sessions).where(columns.ended_at == 0, columns.ends_at > now_ms)
    ended = conn.execute(lasting_ones.values(ended_at=now_ms)).rowcount
    grants = person_grants.c
    in_force = update(person_grants).where(grants.ended_at == 0, grants.expires_at > now_ms)
    conn.execute(in_force.values(ended_at=now_ms))
    conn.execute(delete(person_challenges))
    conn.execute(delete(person_enrolments))
    return ended


def lasting(conn: Connection, now_ms: int, *, idle_ms: int, person: str = "") -> Sequence[SessionRow]:
    """Sessions that haven't ended, the newest first: a person's, or all."""
    columns = person_sessions.c
    statement = select(person_sessions).where(
        columns.ended_at == 0, columns.ends_at > now_ms, columns.used_at > now_ms - idle_ms
    )
    if person:
        statement = statement.where(columns.person == person)
    statement = statement.order_by(columns.started_at.desc()).limit(MOST_SESSIONS)
    return [_session_of(row) for row in conn.execute(statement).mappings()]


def _live(conn: Connection, condition: Any) -> LiveSession | None:
    row = conn.execute(select(person_sessions).where(condition)).mappings().one_or_none()
    if row is None:
        return None
    session = _session_of(row)
    account = accounts.find(conn, session.person)
    if account is None:
        return None
    grant = newest_grant(conn, session.person)
    return LiveSession(session, account, grant, accounts.passkey_count(conn, session.person))


def _session_of(row: Any) -> SessionRow:
    values = dict(row) | {"way": SignInWay(row["way"]), "token_digest": bytes(row["token_digest"])}
    return SessionRow(**values)


def ask(conn: Connection, challenge: ChallengeRow) -> None:
    """Inserts a challenge."""
    conn.execute(insert(person_challenges).values(**(asdict(challenge) | {"kind": challenge.kind.value})))


def find_challenge(conn: Connection, challenge_id: str) -> ChallengeRow | None:
    """The challenge that waits for an answer."""
    statement = select(person_challenges).where(person_challenges.c.challenge_id == challenge_id)
    row = conn.execute(statement).mappings().one_or_none()
    if row is None:
        return None
    values = dict(row) | {"kind": ChallengeKind(row["kind"]), "challenge": bytes(row["challenge"])}
    return ChallengeRow(**(values | {"request_sha256": bytes(row["request_sha256"])}))


def take_challenge(conn: Connection, challenge_id: str) -> bool:
    """Uses a challenge up; False when somebody else did."""
    statement = delete(person_challenges).where(person_challenges.c.challenge_id == challenge_id)
    return conn.execute(statement).rowcount == 1


def failures_of(conn: Connection, name: str) -> FailureRow:
    """Failures of a name, whether somebody has it or not."""
    statement = select(person_failures).where(person_failures.c.name_digest == _digest_of_name(name))
    row = conn.execute(statement).mappings().one_or_none()
    if row is None:
        return FailureRow()
    return FailureRow(failures=row["failures"], last_at=row["last_at"], locked_until=row["locked_until"])


def forget_failures(conn: Connection, person: str) -> None:
    """Forgets a person's failures, on known devices too."""
    sessions = conn.execute(select(person_sessions.c.session_id).where(person_sessions.c.person == person)).scalars()
    names = [person, *(counted_on(person, session_id) for session_id in sessions)]
    digests = [_digest_of_name(name) for name in names]
    conn.execute(delete(person_failures).where(person_failures.c.name_digest.in_(digests)))


def counted_on(person: str, session_id: str) -> str:
    """What failures on a known device are counted under."""
    return f"{person}\n{session_id}"


def set_failures(conn: Connection, name: str, failure: FailureRow) -> None:
    """Stores failures; a row without failures goes."""
    digest = _digest_of_name(name)
    conn.execute(delete(person_failures).where(person_failures.c.name_digest == digest))
    if failure.failures:
        conn.execute(insert(person_failures).values(name_digest=digest, **asdict(failure)))


def _digest_of_name(name: str) -> bytes:
    return sha256(name.encode("utf-8", "replace")).digest()


def add_grant(conn: Connection, grant: GrantRow) -> None:
    """Inserts a grant."""
    conn.execute(insert(person_grants).values(**(asdict(grant) | {"roles": accounts.written(grant.roles)})))


def newest_grant(conn: Connection, person: str) -> GrantRow | None:
    """A person's last grant, in force or not."""
    columns = person_grants.c
    statement = select(person_grants).where(columns.person == person).order_by(columns.granted_at.desc()).limit(1)
    row = conn.execute(statement).mappings().one_or_none()
    return None if row is None else _grant_of(row)


def grants_in_force(conn: Connection, now_ms: int) -> list[GrantRow]:
    """All grants that last, oldest first."""
    columns = person_grants.c
    statement = select(person_grants).where(columns.ended_at == 0, columns.expires_at > now_ms)
    return [_grant_of(row) for row in conn.execute(statement.order_by(columns.granted_at)).mappings()]


def end_grants(conn: Connection, person: str, now_ms: int) -> int:
    """Ends a person's grants; returns how many were in force."""
    columns = person_grants.c
    statement = update(person_grants).where(
        columns.person == person, columns.ended_at == 0, columns.expires_at > now_ms
    )
    return conn.execute(statement.values(ended_at=now_ms)).rowcount


def _grant_of(row: Any) -> GrantRow:
    return GrantRow(**(dict(row) | {"roles": accounts.read_roles(row["roles"])}))


def secret(conn: Connection, purpose: str) -> bytes | None:
    """The key for a purpose."""
    statement = select(person_secrets.c.secret).where(person_secrets.c.purpose == purpose)
    value = conn.execute(statement).scalar_one_or_none()
    return None if value is None else bytes(value)


def keep_secret(conn: Connection, purpose: str, value: bytes, now_ms: int) -> None:
    """Stores a key unless another replica was first."""
    insert_rows(conn, person_secrets, ("purpose", "secret", "made_at"), [(purpose, value, now_ms)], or_ignore=True)


def keep_pseudonym(conn: Connection, pseudonym: str, *, partner: str, person: str, now_ms: int) -> None:
    """Stores whom a pseudonym means; repeating it is free."""
    row = (pseudonym, partner, person, now_ms)
    insert_rows(conn, person_pseudonyms, ("pseudonym", "partner", "person", "made_at"), [row], or_ignore=True)


def whose_pseudonym(conn: Connection, pseudonym: str) -> tuple[str, str] | None:
    """Person and partner of a pseudonym."""
    columns = person_pseudonyms.c
    row = conn.execute(select(columns.person, columns.partner).where(columns.pseudonym == pseudonym)).one_or_none()
    return None if row is None else (row[0], row[1])


def clean(conn: Connection, now_ms: int, *, forget_failures_ms: int, keep_sessions_ms: int) -> None:
    """Deletes what has no effect any more: old challenges, failures, sessions and links."""
    conn.execute(delete(person_challenges).where(person_challenges.c.expires_at < now_ms))
    conn.execute(delete(person_failures).where(person_failures.c.last_at < now_ms - forget_failures_ms))
    conn.execute(delete(person_sessions).where(person_sessions.c.ends_at < now_ms - keep_sessions_ms))
