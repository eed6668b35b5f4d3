"""Begins and ends sessions, counts failures, asks and uses up challenges."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Collection
from dataclasses import replace
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import Connection

from gateway.errors import SessionEndedError, SignInRefusedError
from gateway.persons.rules.accounts import AccountSource, PasskeyRow, PersonAccount
from gateway.persons.rules.lockout import FORGET_MS, lock_ms
from gateway.persons.rules.policy import CHALLENGE_S, PersonPolicy
from gateway.persons.rules.sessions import LiveSession, SessionRow, SignInWay
from gateway.persons.tables import accounts, sessions
from gateway.persons.tables.sessions import ChallengeKind, ChallengeRow, FailureRow
from gateway.trust.rules.permissions import Role

TOKEN_BYTES = 32
"""Random bytes of session and enrolment tokens: nobody guesses them, so their digests need no slow hash."""

KEEP_SESSIONS_MS = 30 * 24 * 3_600_000
"""Milliseconds for which ended sessions are kept, to see from where somebody signed in."""

USE_STEP_MS = 30_000
"""Milliseconds within which the use of a session isn't written again."""


def new_token() -> str:
    """256 random bits as text, 43 characters."""
    return secrets.token_urlsafe(TOKEN_BYTES)


class SignInAttempt(NamedTuple):
    """An attempt to sign in.

    Attributes:
        locked_ms: for how long nothing may be tried; then nothing was counted.
        counted: what it was counted under.
        device: the session that shows a device of the person; empty for none.
    """

    locked_ms: int
    counted: str
    device: str


def count_attempt(conn: Connection, now_ms: int, *, name: str, known_devices: Collection[str] = ()) -> SignInAttempt:
    """Counts an attempt as failed until it succeeds, so that attempts side by side are counted too.

    On a device of the person's it is counted apart: what strangers try under the name doesn't lock it.
    """
    device = sessions.device_of(conn, name, known_devices) if known_devices else ""
    counted = sessions.counted_on(name, device) if device else name
    before = sessions.failures_of(conn, counted)
    if before.locked_until > now_ms:
        return SignInAttempt(before.locked_until - now_ms, counted, device)
    failures = 1 if now_ms - before.last_at > FORGET_MS else before.failures + 1
    row = FailureRow(failures=failures, last_at=now_ms, locked_until=now_ms + lock_ms(failures))
    sessions.set_failures(conn, counted, row)
    return SignInAttempt(0, counted, device)


def begin_session(
    conn: Connection,
    now_ms: int,
    *,
    policy: PersonPolicy,
    person: str,
    system: str,
    device: str,
    way: SignInWay,
    counted: str = "",
) -> tuple[str, LiveSession]:
    """Begins a session, and forgets failures; returns its token and the session.

    Args:
        counted: what the attempt was counted under, whose failures are forgotten; empty: all of the person's.

    Raises:
        SignInRefusedError: the person is gone or disabled.
    """
    account = accounts.find(conn, person)
    if account is None or account.disabled:
        raise SignInRefusedError(f"{person} is disabled or gone")
    if counted:
        sessions.set_failures(conn, counted, FailureRow())
    else:
        sessions.forget_failures(conn, person)
    sessions.clean(conn, now_ms, forget_failures_ms=FORGET_MS, keep_sessions_ms=KEEP_SESSIONS_MS)
    token = new_token()
    session = SessionRow(
        session_id=str(uuid.uuid4()),
        person=person,
        system=system,
        device=device,
        way=way,
        token_digest=sessions.digest_of_token(token),
        started_at=now_ms,
        used_at=now_ms,
        ends_at=now_ms + policy.session_ms,
    )
    sessions.begin(conn, session)
    accounts.change(conn, person, signed_in_at=now_ms)
    grant, passkeys = sessions.newest_grant(conn, person), accounts.passkey_count(conn, person)
    return token, LiveSession(session, replace(account, signed_in_at=now_ms), grant, passkeys)


def renew(
    conn: Connection, now_ms: int, *, policy: PersonPolicy, token: str, system: str, background: bool
) -> LiveSession:
    """The session of a token; counts as use unless it is in the background.

    Raises:
        SessionEndedError: its message is for the audit log.
    """
    live = sessions.find_by_token(conn, token)
    if live is None or live.session.system != system:
        raise SessionEndedError("there is no session with this token at this console")
    problem = live.problem(now_ms, idle_ms=policy.idle_ms)
    if problem:
        raise SessionEndedError(f"{live.account.name}: {problem}")
    if background or now_ms - live.session.used_at < USE_STEP_MS:
        return live
    sessions.use(conn, live.session.session_id, now_ms)
    return replace(live, session=replace(live.session, used_at=now_ms))


def sign_out(conn: Connection, now_ms: int, *, token: str, system: str) -> str:
    """Ends the session of a token; returns its person, or nothing where it had ended."""
    live = sessions.find_by_token(conn, token)
    if live is None or live.session.system != system:
        return ""
    sessions.end(conn, live.session.session_id, now_ms)
    return live.account.name


def ask(
    conn: Connection,
    now_ms: int,
    *,
    kind: ChallengeKind,
    system: str,
    person: str = "",
    session_id: str = "",
    method: str = "",
    request_sha256: bytes = b"",
) -> ChallengeRow:
    """Makes a challenge; it waits for an answer for CHALLENGE_S."""
    challenge = ChallengeRow(
        challenge_id=str(uuid.uuid4()),
        kind=kind,
        challenge=secrets.token_bytes(32),
        system=system,
        expires_at=now_ms + CHALLENGE_S * 1000,
        person=person,
        session_id=session_id,
        method=method,
        request_sha256=request_sha256,
    )
    sessions.ask(conn, challenge)
    return challenge


def use_answer(conn: Connection, now_ms: int, *, challenge: ChallengeRow, passkey: PasskeyRow, sign_count: int) -> bool:
    """Uses a verified answer up: once, and only if the passkey's counter is still as it was verified against."""
    if challenge.expires_at <= now_ms or not sessions.take_challenge(conn, challenge.challenge_id):
        return False
    return accounts.use_passkey(conn, passkey, sign_count=sign_count, now_ms=now_ms)


def provided_account(
    conn: Connection,
    now_ms: int,
    *,
    issuer: str,
    subject: str,
    name: str,
    display_name: str,
    email: str,
    roles: frozenset[Role],
) -> str:
    """Brings the account of somebody whom the provider has signed in to what it says; adds it at the first time.

    Returns:
        The person's name; it stays when the provider's changes, since records name it.

    Raises:
        SignInRefusedError: the person is disabled here, or the name is somebody else's.
    """
    key = f"{sha256(issuer.encode()).hexdigest()[:16]}:{subject}"[:255]
    account = accounts.find_by_subject(conn, key)
    if account is not None:
        if account.disabled:
            raise SignInRefusedError(f"{account.name} is disabled here")
        accounts.change(conn, account.name, display_name=display_name, email=email, roles=roles)
        return account.name
    if accounts.find(conn, name) is not None:
        raise SignInRefusedError(f"the name {name} is another account's here")
    added = PersonAccount(
        name=name,
        display_name=display_name,
        roles=roles,
        source=AccountSource.PROVIDER,
        subject=key,
        email=email,
        added_at=now_ms,
        user_handle=secrets.token_bytes(32),
    )
    accounts.add(conn, added)
    return name
