"""Signs persons in and out: the methods that a console calls in its own name."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection

from gateway.contract.messages import to_timestamp
from gateway.db.database import Database
from gateway.errors import NotFoundError, SignInRefusedError
from gateway.feed.rpc.writer_client import WriterClient
from gateway.persons.codec import messages
from gateway.persons.codec.passkeys import authentication_question
from gateway.persons.commands import administration, signing_in
from gateway.persons.commands.transactions import PersonCommand
from gateway.persons.rpc.asserted import AssertedPersons, must_enrol, party_of
from gateway.persons.rules.policy import CHALLENGE_S, PersonPolicy
from gateway.persons.rules.sessions import LiveSession, SignInWay
from gateway.persons.service.passwords import Passwords, require_password
from gateway.persons.service.sign_in import SignInChecks, VerifiedPasskey
from gateway.persons.tables import accounts
from gateway.persons.tables.sessions import ChallengeKind, ChallengeRow
from gateway.rpc.calls import Call
from gateway.v1 import person_pb2
from gateway.v1 import person_service_pb2 as pb

ResultT = TypeVar("ResultT")

_WAYS = {ChallengeKind.SIGN_IN: SignInWay.PASSKEY, ChallengeKind.SECOND_FACTOR: SignInWay.PASSWORD_AND_PASSKEY}


class SignIn:
    """Sign-in at one node, on the event loop's thread."""

    def __init__(
        self,
        policy: PersonPolicy,
        *,
        asserted: AssertedPersons,
        passwords: Passwords,
        database: Database,
        writer: WriterClient,
        clock: Callable[[], int],
    ) -> None:
        self._policy = policy
        self._asserted = asserted
        self._passwords = passwords
        self._database = database
        self._writer = writer
        self._clock = clock
        self._checks = SignInChecks(policy, database=database, passwords=passwords, clock=clock)

    def methods(self) -> pb.GetSignInMethodsResponse:
        """Which ways there are."""
        policy, oidc = self._policy, self._policy.oidc
        offered = pb.GetSignInMethodsResponse(
            local_accounts=policy.local_accounts,
            passkey_domain=policy.domain,
            min_password_chars=policy.min_password_chars,
        )
        if oidc is not None:
            offered.oidc_issuer, offered.oidc_client_id = oidc.issuer, oidc.client_id
            offered.oidc_name = oidc.display_name
            offered.oidc_scopes.extend(oidc.scopes)
        return offered

    async def by_password(self, call: Call, request: pb.SignInRequest) -> pb.SignInResponse:
        """1. The attempt counts as failed before it is made. 2. The password. 3. A passkey, if the person has one."""
        name = request.person.strip().casefold()
        call.subject_ids = (_subject(name),)
        self._require_local()
        counting = partial(signing_in.count_attempt, name=name, known_devices=list(request.known_devices))
        attempt: signing_in.SignInAttempt = await self._run(counting)  # 1
        if attempt.locked_ms:
            what = "device" if attempt.device else "name"
            raise SignInRefusedError(f"the {what} is locked after failures", retry_after_s=attempt.locked_ms / 1000)
        known = await asyncio.to_thread(self._checks.password, name, request.password)  # 2
        if known and self._policy.domain:  # 3
            kind, allowed = ChallengeKind.SECOND_FACTOR, [passkey.credential_id for passkey in known]
            asked = await self._run(partial(signing_in.ask, kind=kind, system=call.principal.name, person=name))
            call.record(detail="the password is right; a passkey is asked for", repeatable=True)
            return pb.SignInResponse(passkey=self._question(asked, allowed))
        signed_in = await self._begin(call, name, request.device, SignInWay.PASSWORD, counted=attempt.counted)
        return pb.SignInResponse(signed_in=signed_in)

    async def begin_passkey(self, call: Call) -> person_pb2.PasskeyChallenge:
        """Asks whoever has a passkey."""
        self._require_passkeys()
        asked = await self._run(partial(signing_in.ask, kind=ChallengeKind.SIGN_IN, system=call.principal.name))
        return self._question(asked, [])

    async def finish_passkey(self, call: Call, request: pb.FinishPasskeySignInRequest) -> person_pb2.SignedIn:
        """Signs in whose passkey it is."""
        self._require_passkeys()
        verified: VerifiedPasskey = await asyncio.to_thread(
            self._checks.passkey, request.challenge_id, request.response_json, system=call.principal.name
        )
        call.subject_ids = (_subject(verified.passkey.person),)
        used = await self._run(
            partial(
                signing_in.use_answer,
                challenge=verified.challenge,
                passkey=verified.passkey,
                sign_count=verified.sign_count,
            )
        )
        if not used:
            raise SignInRefusedError("passkey: the answer was used before")
        way = _WAYS[verified.challenge.kind]
        return await self._begin(call, verified.passkey.person, request.device, way)

    async def by_id_token(self, call: Call, request: pb.SignInWithIdTokenRequest) -> person_pb2.SignedIn:
        """Signs in whom the identity provider has signed in."""
        identity = await asyncio.to_thread(self._checks.id_token, request.id_token, request.nonce)
        call.subject_ids = (_subject(identity.name),)
        assert self._policy.oidc is not None  # noqa: S101  else the check refuses
        name: str = await self._run(
            partial(
                signing_in.provided_account,
                issuer=self._policy.oidc.issuer,
                subject=identity.subject,
                name=identity.name,
                display_name=identity.display_name,
                email=identity.email,
                roles=identity.roles,
            )
        )
        self._asserted.forget()
        return await self._begin(call, name, request.device, SignInWay.ID_TOKEN)

    async def enrolment(self, token: str) -> pb.GetEnrolmentResponse:
        """For whom a link is."""
        self._require_local()
        return await asyncio.to_thread(self._enrolment, token)

    def _enrolment(self, token: str) -> pb.GetEnrolmentResponse:
        with self._database.read() as conn:
            link = administration.open_link(conn, self._clock(), token=token)
            account = accounts.find(conn, link.person)
        if account is None:
            raise NotFoundError("the enrolment link was used, replaced or has expired")
        return pb.GetEnrolmentResponse(
            person=account.name,
            display_name=account.display_name,
            expires_at=to_timestamp(link.expires_at),
            min_password_chars=self._policy.min_password_chars,
        )

    async def enrol(self, call: Call, request: pb.EnrolRequest) -> person_pb2.SignedIn:
        """Uses a link: sets the password and signs in."""
        link = await self.enrolment(request.token)
        call.subject_ids = (_subject(link.person),)
        await asyncio.to_thread(
            require_password,
            request.password,
            name=link.person,
            least_chars=self._policy.min_password_chars,
            known=link.display_name.split(),
        )
        hashed = await asyncio.to_thread(self._passwords.hash, request.password)
        name = await self._run(partial(administration.use_enrolment, token=request.token, password_hash=hashed))
        return await self._begin(call, name, request.device, SignInWay.ENROLMENT)

    async def renew(self, call: Call, request: pb.RenewAssertionRequest) -> person_pb2.SignedIn:
        """A new assertion for a session."""
        live: LiveSession = await self._run(
            partial(
                signing_in.renew,
                policy=self._policy,
                token=request.session_token,
                system=call.principal.name,
                background=request.background,
            )
        )
        call.subject_ids = (_subject(live.account.name),)
        return self._answer(call, request.session_token, live)

    async def sign_out(self, call: Call, token: str) -> None:
        """Ends a session."""
        name = await self._run(partial(signing_in.sign_out, token=token, system=call.principal.name))
        if name:
            call.record(subject_ids=[_subject(name)])
        self._asserted.forget()

    async def _begin(
        self, call: Call, name: str, device: str, way: SignInWay, *, counted: str = ""
    ) -> person_pb2.SignedIn:
        call.record(subject_ids=[_subject(name)], detail=f"signed in by {way.value}")
        token, live = await self._run(
            partial(
                signing_in.begin_session,
                policy=self._policy,
                person=name,
                system=call.principal.name,
                device=device,
                way=way,
                counted=counted,
            )
        )
        return self._answer(call, token, live)

    def _answer(self, call: Call, token: str, live: LiveSession) -> person_pb2.SignedIn:
        assertion, ends = self._asserted.assertion_for(live, call.principal)
        return messages.signed_in(
            live,
            token=token,
            assertion=assertion,
            assertion_ends=ends,
            now_ms=self._clock(),
            idle_ms=self._policy.idle_ms,
            must_enrol=must_enrol(self._policy, live),
        )

    def _question(self, asked: ChallengeRow, allowed: list[bytes]) -> person_pb2.PasskeyChallenge:
        options = authentication_question(
            party_of(self._policy), asked.challenge, allowed=allowed, timeout_ms=CHALLENGE_S * 1000
        )
        return challenge_message(asked, options)

    def _require_local(self) -> None:
        if not self._policy.local_accounts:
            raise SignInRefusedError("password: the settings allow no local accounts")

    def _require_passkeys(self) -> None:
        if not self._policy.domain:
            raise SignInRefusedError("passkey: the settings name no domain for passkeys")

    async def _run(self, work: Callable[[Connection, int], ResultT]) -> Any:
        return await self._writer.run(PersonCommand(work))


def challenge_message(asked: ChallengeRow, options: str) -> person_pb2.PasskeyChallenge:
    """A question as the contract has it."""
    return person_pb2.PasskeyChallenge(
        challenge_id=asked.challenge_id, options_json=options, expires_at=to_timestamp(asked.expires_at)
    )


def _subject(name: str) -> str:
    return f"person/{name}"
