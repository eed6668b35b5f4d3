"""What persons do with their own accounts: password, passkeys, approvals, preferences."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection
from webauthn.helpers import base64url_to_bytes

from gateway.db.database import Database
from gateway.errors import (
    GatewayError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    SignInRefusedError,
    Violation,
)
from gateway.feed.rpc.writer_client import WriterClient
from gateway.persons.codec import messages, passkeys
from gateway.persons.commands import administration, signing_in
from gateway.persons.commands.transactions import PersonCommand
from gateway.persons.rpc.asserted import AssertedPersons, party_of
from gateway.persons.rpc.sign_in import challenge_message
from gateway.persons.rules.accounts import PasskeyRow, PersonAccount, require_preferences
from gateway.persons.rules.policy import CHALLENGE_S, PersonPolicy
from gateway.persons.service.passwords import Passwords, require_password
from gateway.persons.tables import accounts, sessions
from gateway.persons.tables.sessions import ChallengeKind, ChallengeRow
from gateway.rpc.calls import Call
from gateway.v1 import person_pb2
from gateway.v1 import person_service_pb2 as pb

ResultT = TypeVar("ResultT")


class OwnAccount:
    """The accounts of persons, as they change them themselves, at one node, on the event loop's thread."""

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

    @staticmethod
    def require_person(call: Call) -> str:
        """The person of a call. Raises PermissionDeniedError for a system's own."""
        if not call.principal.person:
            raise PermissionDeniedError("this method needs a person who has signed in")
        return call.principal.person

    async def show(self, call: Call) -> pb.GetOwnAccountResponse:
        """The account with its passkeys."""
        account, known = await asyncio.to_thread(self._read, call.principal.person)
        grant = await asyncio.to_thread(self._grant, call.principal.person)
        return pb.GetOwnAccountResponse(
            person=messages.person_of(account, passkeys=len(known)),
            roles=sorted(role.value for role in call.principal.roles),
            preferences=messages.preferences_of(account),
            passkeys=[messages.passkey_of(passkey) for passkey in known],
            break_glass=grant,
        )

    async def change_password(self, call: Call, request: pb.ChangePasswordRequest) -> None:
        """Compares the present password, with the lock-out of a sign-in, and sets another.

        Raises:
            SignInRefusedError: the present one is wrong, or locked.
            InvalidRequestError: the new one is too weak.
        """
        name = call.principal.person
        await asyncio.to_thread(
            require_password,
            request.new_password,
            name=name,
            least_chars=self._policy.min_password_chars,
            field="new_password",
        )
        attempt: signing_in.SignInAttempt = await self._run(partial(signing_in.count_attempt, name=name))
        if attempt.locked_ms:
            raise SignInRefusedError("the name is locked after failures", retry_after_s=attempt.locked_ms / 1000)
        account, _ = await asyncio.to_thread(self._read, name)
        if not await asyncio.to_thread(self._passwords.matches, account.password_hash, request.password):
            raise SignInRefusedError("password: is wrong")
        hashed = await asyncio.to_thread(self._passwords.hash, request.new_password)
        call.record(detail="password changed")
        await self._run(
            partial(administration.set_password, name=name, password_hash=hashed, session_id=call.principal.session)
        )

    async def begin_registration(self, call: Call) -> person_pb2.PasskeyChallenge:
        """Asks for a new passkey."""
        if not self._policy.domain:
            raise PermissionDeniedError("the settings name no domain for passkeys")
        account, known = await asyncio.to_thread(self._read, call.principal.person)
        asked = await self._ask(call, ChallengeKind.REGISTRATION)
        options = passkeys.registration_question(
            party_of(self._policy),
            asked.challenge,
            name=account.name,
            display_name=account.display_name,
            user_handle=account.user_handle,
            existing=[passkey.credential_id for passkey in known],
            timeout_ms=CHALLENGE_S * 1000,
        )
        return challenge_message(asked, options)

    async def finish_registration(self, call: Call, request: pb.FinishPasskeyRegistrationRequest) -> person_pb2.Passkey:
        """Registers what the authenticator made."""
        passkey = await asyncio.to_thread(self._registered, call, request)
        call.record(detail=f"passkey {passkey.label!r} registered")
        await self._run(partial(administration.register_passkey, challenge_id=request.challenge_id, passkey=passkey))
        return messages.passkey_of(passkey)

    def _registered(self, call: Call, request: pb.FinishPasskeyRegistrationRequest) -> PasskeyRow:
        with self._database.read() as conn:
            asked = sessions.find_challenge(conn, request.challenge_id)
        now_ms = self._clock()
        if (
            asked is None
            or asked.kind is not ChallengeKind.REGISTRATION
            or asked.session_id != call.principal.session
            or asked.expires_at <= now_ms
        ):
            raise _no_passkey("there is no such question, or it is too old; begin again")
        try:
            registered = passkeys.verify_registration(party_of(self._policy), asked.challenge, request.response_json)
        except GatewayError as error:
            raise _no_passkey(error.message) from error
        return PasskeyRow(
            credential_id=registered.credential_id,
            person=call.principal.person,
            label=request.label.strip() or "passkey",
            public_key=registered.public_key,
            sign_count=registered.sign_count,
            registered_at=now_ms,
            used_at=0,
            backed_up=registered.backed_up,
        )

    async def remove_passkey(self, call: Call, credential_id: str) -> None:
        """Removes a passkey. Raises NotFoundError."""
        try:
            raw = base64url_to_bytes(credential_id)
        except ValueError as error:
            raise NotFoundError("credential_id: isn't base64url") from error
        call.record(detail="passkey removed")
        work = partial(administration.remove_passkey, person=call.principal.person, credential_id=raw)
        await self._run(work)

    async def begin_approval(self, call: Call, request: pb.BeginApprovalRequest) -> pb.BeginApprovalResponse:
        """Asks for the approval of one request; nothing where the person has no passkey."""
        _, known = await asyncio.to_thread(self._read, call.principal.person)
        if not known:
            return pb.BeginApprovalResponse()
        asked = await self._ask(call, ChallengeKind.APPROVAL, request.method, request.request_sha256)
        options = passkeys.authentication_question(
            party_of(self._policy),
            asked.challenge,
            allowed=[passkey.credential_id for passkey in known],
            timeout_ms=CHALLENGE_S * 1000,
        )
        return pb.BeginApprovalResponse(challenge=challenge_message(asked, options))

    async def set_preferences(self, call: Call, wanted: person_pb2.Preferences) -> person_pb2.Preferences:
        """Stores what the person has chosen. Raises InvalidRequestError."""
        require_preferences(wanted.language, wanted.zone, wanted.theme)
        work = partial(
            administration.set_preferences,
            name=call.principal.person,
            language=wanted.language,
            zone=wanted.zone,
            theme=wanted.theme,
        )
        await self._run(work)
        return wanted

    async def _ask(
        self, call: Call, kind: ChallengeKind, method: str = "", request_sha256: bytes = b""
    ) -> ChallengeRow:
        asked = await self._writer.run(
            PersonCommand(
                partial(
                    signing_in.ask,
                    kind=kind,
                    system=call.principal.name,
                    person=call.principal.person,
                    session_id=call.principal.session,
                    method=method,
                    request_sha256=request_sha256,
                )
            )
        )
        return asked

    def _read(self, name: str) -> tuple[PersonAccount, list[PasskeyRow]]:
        with self._database.read() as conn:
            account, known = accounts.find(conn, name), accounts.passkeys(conn, name)
        if account is None:
            raise NotFoundError(f"there is no person {name}")
        return account, known

    def _grant(self, name: str) -> person_pb2.BreakGlassGrant | None:
        with self._database.read() as conn:
            grant = sessions.newest_grant(conn, name)
        lasts = grant is not None and grant.lasts(self._clock())
        return messages.grant_of(grant) if grant is not None and lasts else None

    async def _run(self, work: Callable[[Connection, int], ResultT]) -> Any:
        try:
            return await self._writer.run(PersonCommand(work))
        finally:
            self._asserted.forget()


def _no_passkey(problem: str) -> InvalidRequestError:
    return InvalidRequestError([Violation("response_json", "passkey.valid", problem)])
