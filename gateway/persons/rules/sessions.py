"""When a person's session has ended, and which roles it has."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256

from gateway.persons.rules.accounts import PersonAccount
from gateway.trust.rules.permissions import Role


class SignInWay(StrEnum):
    """How a person signed in."""

    PASSWORD = "password"  # noqa: S105
    PASSWORD_AND_PASSKEY = "password_and_passkey"  # noqa: S105
    PASSKEY = "passkey"
    ID_TOKEN = "id_token"  # noqa: S105
    ENROLMENT = "enrolment"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """A sign-in; times in milliseconds since 1970, `ended_at` 0 while it lasts.

    Attributes:
        system: through which the person signed in; no other may use it.
        token_digest: SHA-256 of the session's token.
    """

    session_id: str
    person: str
    system: str
    device: str
    way: SignInWay
    token_digest: bytes
    started_at: int
    used_at: int
    ends_at: int
    ended_at: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRow:
    """Roles beyond a person's own, for a time; times in milliseconds since 1970, `ended_at` 0 while it lasts."""

    grant_id: str
    person: str
    roles: frozenset[Role]
    reason: str
    granted_at: int
    expires_at: int
    ended_at: int = 0

    def lasts(self, now_ms: int) -> bool:
        return not self.ended_at and now_ms < self.expires_at


def roles_at(account: PersonAccount, grant: GrantRow | None, now_ms: int) -> frozenset[Role]:
    """A person's roles, with those of the newest grant while it lasts."""
    return account.roles | (grant.roles if grant is not None and grant.lasts(now_ms) else frozenset())


@dataclass(frozen=True, slots=True)
class LiveSession:
    """A session with what its calls need; read together."""

    session: SessionRow
    account: PersonAccount
    grant: GrantRow | None
    passkeys: int

    def problem(self, now_ms: int, *, idle_ms: int) -> str:
        """Why it has ended; empty while it lasts."""
        session = self.session
        if session.ended_at:
            return "the session was ended"
        if self.account.disabled:
            return "the person is disabled"
        if now_ms >= session.ends_at:
            return "the session's time is over"
        if now_ms >= session.used_at + idle_ms:
            return "the session was idle for too long"
        return ""

    def grant_at(self, now_ms: int) -> GrantRow | None:
        """The grant while it lasts."""
        return self.grant if self.grant is not None and self.grant.lasts(now_ms) else None

    def roles_at(self, now_ms: int) -> frozenset[Role]:
        """Roles in force."""
        return roles_at(self.account, self.grant, now_ms)


def known_device(token_digest: bytes) -> str:
    """What shows that somebody has had a session with a token of this digest, without giving either away."""
    return urlsafe_b64encode(sha256(b"known device\n" + token_digest).digest()).rstrip(b"=").decode()
