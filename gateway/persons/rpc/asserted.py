"""Decides about calls in a person's name: steps 5 to 8 of `gateway.rpc.authentication`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256

from gateway.db.database import Database
from gateway.errors import ApprovalRequiredError, GatewayError, SessionEndedError
from gateway.feed.rpc.writer_client import WriterClient
from gateway.persons.codec import passkeys
from gateway.persons.codec.approvals import parse_approval
from gateway.persons.codec.passkeys import RelyingParty
from gateway.persons.commands import signing_in
from gateway.persons.commands.transactions import PersonCommand
from gateway.persons.rules.accounts import PasskeyRow
from gateway.persons.rules.assertions import AssertionClaims, require_for_call
from gateway.persons.rules.policy import ASSERTION_S, PersonPolicy
from gateway.persons.rules.sessions import LiveSession
from gateway.persons.service.assertion_keys import AssertionKeys
from gateway.persons.tables import accounts, sessions
from gateway.persons.tables.sessions import ChallengeKind, ChallengeRow
from gateway.trust.rules.permissions import Principal, Role

REMEMBERED_S = 1.0
"""Seconds for which a session isn't read again: how long another replica still serves a person that was disabled."""

MAX_REMEMBERED = 4_096
"""Sessions in the cache: more than an authority has officers at work."""


@dataclass(frozen=True, slots=True)
class _Remembered:
    live: LiveSession
    read_at_s: float


class AssertedPersons:
    """The persons of one node, on the event loop's thread; reads and verifications run in others."""

    def __init__(
        self,
        policy: PersonPolicy,
        *,
        keys: AssertionKeys,
        database: Database,
        writer: WriterClient,
        clock: Callable[[], int],
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._policy = policy
        self._keys = keys
        self._database = database
        self._writer = writer
        self._clock = clock
        self._monotonic_s = monotonic_s
        self._remembered: dict[str, _Remembered] = {}

    def forget(self) -> None:
        """Reads every session again at its next call: something has changed here."""
        self._remembered.clear()

    def identify(self, assertion: str, system: Principal) -> Principal:
        if Role.CONSOLE not in system.roles:  # 5
            raise SessionEndedError("console: only a system with the role console calls for persons")
        claims = self._keys.verify(assertion)  # 6
        require_for_call(
            claims,
            audience=self._policy.audience,
            certificate=system.certificate_fingerprint,
            now_s=self._clock() // 1000,
            longest_s=ASSERTION_S,
        )
        return replace(system, roles=frozenset(), person=claims.person, session=claims.session)

    async def recheck(self, principal: Principal, system: Principal) -> Principal:
        return await self._in_session(principal.session, system)

    async def needs_approval(self, principal: Principal) -> bool:
        return (await self._live(principal.session)).passkeys > 0

    async def approve(self, principal: Principal, method: str, approval: str, request: bytes) -> bool:
        if not approval:
            if await self.needs_approval(principal):
                raise ApprovalRequiredError("this needs the person's approval by passkey")
            return False
        claimed = parse_approval(approval)
        asked, passkey, sign_count = await asyncio.to_thread(
            self._verified, principal, claimed.challenge_id, claimed.response_json
        )
        digest = sha256(request).digest()
        if (asked.method, asked.request_sha256) != (method, digest):
            raise ApprovalRequiredError("the approval was given to another request")
        use = partial(signing_in.use_answer, challenge=asked, passkey=passkey, sign_count=sign_count)
        if not await self._writer.run(PersonCommand(use)):
            raise ApprovalRequiredError("the approval was used before, or came too late")
        return True

    def _verified(self, principal: Principal, challenge_id: str, response: str) -> tuple[ChallengeRow, PasskeyRow, int]:
        try:
            named = passkeys.claimed_passkey(response)
            with self._database.read() as conn:
                asked = sessions.find_challenge(conn, challenge_id)
                passkey = accounts.find_passkey(conn, named.credential_id)
            if asked is None or asked.kind is not ChallengeKind.APPROVAL or asked.expires_at <= self._clock():
                raise ApprovalRequiredError("the approval's question isn't open: it was used before, or is too old")
            if asked.session_id != principal.session or asked.system != principal.name:
                raise ApprovalRequiredError("the approval's question was asked in another session")
            if passkey is None or passkey.person != principal.person:
                raise ApprovalRequiredError("the approval's passkey isn't one of this person")
            sign_count = passkeys.verify_authentication(
                party_of(self._policy),
                asked.challenge,
                response,
                public_key=passkey.public_key,
                sign_count=passkey.sign_count,
            )
        except ApprovalRequiredError:
            raise
        except GatewayError as error:
            raise ApprovalRequiredError(f"the approval doesn't verify: {error.message}") from error
        return asked, passkey, sign_count

    async def _in_session(self, session_id: str, system: Principal) -> Principal:
        live, now_ms = await self._live(session_id), self._clock()
        if live.session.system != system.name:
            raise SessionEndedError(f"session: began through {live.session.system}, not {system.name}")
        problem = live.problem(now_ms, idle_ms=self._policy.idle_ms)
        if problem:
            raise SessionEndedError(f"session: {live.account.name}: {problem}")
        grant = live.grant_at(now_ms)
        roles = frozenset[Role]() if must_enrol(self._policy, live) else live.roles_at(now_ms)
        return replace(
            system,
            roles=roles,
            person=live.account.name,
            session=session_id,
            break_glass="" if grant is None else grant.grant_id,
        )

    async def _live(self, session_id: str) -> LiveSession:
        now_s = self._monotonic_s()
        known = self._remembered.get(session_id)
        if known is not None and now_s - known.read_at_s < REMEMBERED_S:
            return known.live
        live = await asyncio.to_thread(self._read, session_id)
        if len(self._remembered) >= MAX_REMEMBERED:
            self._remembered.clear()
        self._remembered[session_id] = _Remembered(live, now_s)
        return live

    def _read(self, session_id: str) -> LiveSession:
        with self._database.read() as conn:
            live = sessions.find_live(conn, session_id)
        if live is None:
            raise SessionEndedError("session: there is no such session")
        return live

    def assertion_for(self, live: LiveSession, system: Principal) -> tuple[str, int]:
        """A new assertion for a session through a console, and its end in milliseconds since 1970."""
        now_s = self._clock() // 1000
        claims = AssertionClaims(
            issuer=self._policy.audience,
            audience=self._policy.audience,
            subject=f"person/{self._policy.node}/{live.account.name}",
            session=live.session.session_id,
            certificate=system.certificate_fingerprint,
            issued_at=now_s,
            expires_at=now_s + ASSERTION_S,
        )
        return self._keys.sign(claims), claims.expires_at * 1000


def party_of(policy: PersonPolicy) -> RelyingParty:
    """Who asks authenticators."""
    return RelyingParty(policy.domain, policy.origins)


def must_enrol(policy: PersonPolicy, live: LiveSession) -> bool:
    """Whether a passkey must come before everything else."""
    return policy.require_passkey and live.passkeys == 0
