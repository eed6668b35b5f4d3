"""gRPC handlers of PersonService."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias, TypeVar

import grpc.aio
from sqlalchemy import Connection

from gateway.contract.filters import page_size
from gateway.contract.messages import to_timestamp
from gateway.contract.validation import validate
from gateway.feed.rpc.writer_client import WriterClient
from gateway.persons.codec import messages
from gateway.persons.commands import administration
from gateway.persons.commands.administration import BreakGlassCommand
from gateway.persons.commands.transactions import PersonCommand
from gateway.persons.rpc.asserted import AssertedPersons
from gateway.persons.rpc.break_glass import BreakGlassAlarms
from gateway.persons.rpc.key_upkeep import AssertionKeyUpkeep
from gateway.persons.rpc.own_account import OwnAccount
from gateway.persons.rpc.sign_in import SignIn
from gateway.persons.rules.assertion_keys import ANNOUNCED_MS, OUTLIVES_MS
from gateway.persons.rules.policy import PersonPolicy
from gateway.persons.service.directory import PersonQueries
from gateway.rpc.calls import Call, current_call
from gateway.v1 import person_service_pb2 as pb
from gateway.v1 import person_service_pb2_grpc

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
ResultT = TypeVar("ResultT")


class PersonServicer(person_service_pb2_grpc.PersonServiceServicer):
    """Handlers of PersonService."""

    def __init__(
        self,
        policy: PersonPolicy,
        *,
        sign_in: SignIn,
        own: OwnAccount,
        asserted: AssertedPersons,
        queries: PersonQueries,
        alarms: BreakGlassAlarms,
        keys: AssertionKeyUpkeep,
        writer: WriterClient,
        new_id: Callable[[], str],
    ) -> None:
        self._policy = policy
        self._sign_in = sign_in
        self._own = own
        self._asserted = asserted
        self._queries = queries
        self._alarms = alarms
        self._keys = keys
        self._writer = writer
        self._new_id = new_id

    def register(self, server: grpc.aio.Server) -> None:
        """Adds the handlers to a server."""
        person_service_pb2_grpc.add_PersonServiceServicer_to_server(self, server)

    async def GetSignInMethods(
        self, request: pb.GetSignInMethodsRequest, context: Context
    ) -> pb.GetSignInMethodsResponse:
        return self._sign_in.methods()

    async def SignIn(self, request: pb.SignInRequest, context: Context) -> pb.SignInResponse:
        validate(request)
        return await self._sign_in.by_password(current_call(), request)

    async def BeginPasskeySignIn(
        self, request: pb.BeginPasskeySignInRequest, context: Context
    ) -> pb.BeginPasskeySignInResponse:
        return pb.BeginPasskeySignInResponse(challenge=await self._sign_in.begin_passkey(current_call()))

    async def FinishPasskeySignIn(
        self, request: pb.FinishPasskeySignInRequest, context: Context
    ) -> pb.FinishPasskeySignInResponse:
        validate(request)
        return pb.FinishPasskeySignInResponse(signed_in=await self._sign_in.finish_passkey(current_call(), request))

    async def SignInWithIdToken(
        self, request: pb.SignInWithIdTokenRequest, context: Context
    ) -> pb.SignInWithIdTokenResponse:
        validate(request)
        return pb.SignInWithIdTokenResponse(signed_in=await self._sign_in.by_id_token(current_call(), request))

    async def RenewAssertion(self, request: pb.RenewAssertionRequest, context: Context) -> pb.RenewAssertionResponse:
        validate(request)
        return pb.RenewAssertionResponse(signed_in=await self._sign_in.renew(current_call(), request))

    async def SignOut(self, request: pb.SignOutRequest, context: Context) -> pb.SignOutResponse:
        validate(request)
        await self._sign_in.sign_out(current_call(), request.session_token)
        return pb.SignOutResponse()

    async def GetEnrolment(self, request: pb.GetEnrolmentRequest, context: Context) -> pb.GetEnrolmentResponse:
        validate(request)
        return await self._sign_in.enrolment(request.token)

    async def Enrol(self, request: pb.EnrolRequest, context: Context) -> pb.EnrolResponse:
        validate(request)
        return pb.EnrolResponse(signed_in=await self._sign_in.enrol(current_call(), request))

    async def GetOwnAccount(self, request: pb.GetOwnAccountRequest, context: Context) -> pb.GetOwnAccountResponse:
        return await self._own.show(current_call())

    async def ChangePassword(self, request: pb.ChangePasswordRequest, context: Context) -> pb.ChangePasswordResponse:
        validate(request)
        await self._own.change_password(current_call(), request)
        return pb.ChangePasswordResponse()

    async def BeginPasskeyRegistration(
        self, request: pb.BeginPasskeyRegistrationRequest, context: Context
    ) -> pb.BeginPasskeyRegistrationResponse:
        return pb.BeginPasskeyRegistrationResponse(challenge=await self._own.begin_registration(current_call()))

    async def FinishPasskeyRegistration(
        self, request: pb.FinishPasskeyRegistrationRequest, context: Context
    ) -> pb.FinishPasskeyRegistrationResponse:
        validate(request)
        passkey = await self._own.finish_registration(current_call(), request)
        return pb.FinishPasskeyRegistrationResponse(passkey=passkey)

    async def RemovePasskey(self, request: pb.RemovePasskeyRequest, context: Context) -> pb.RemovePasskeyResponse:
        validate(request)
        await self._own.remove_passkey(current_call(), request.credential_id)
        return pb.RemovePasskeyResponse()

    async def BeginApproval(self, request: pb.BeginApprovalRequest, context: Context) -> pb.BeginApprovalResponse:
        validate(request)
        return await self._own.begin_approval(current_call(), request)

    async def SetPreferences(self, request: pb.SetPreferencesRequest, context: Context) -> pb.SetPreferencesResponse:
        validate(request)
        return pb.SetPreferencesResponse(
            preferences=await self._own.set_preferences(current_call(), request.preferences)
        )

    async def ListSessions(self, request: pb.ListSessionsRequest, context: Context) -> pb.ListSessionsResponse:
        validate(request)
        caller = current_call().principal
        person = "" if request.everybody else request.person or caller.person
        administration.require_own_or_allowed(person, caller=caller.person, roles=caller.roles)
        listed = await asyncio.to_thread(self._queries.sessions, person)
        return pb.ListSessionsResponse(
            sessions=[messages.session_of(session, current=caller.session) for session in listed]
        )

    async def EndSession(self, request: pb.EndSessionRequest, context: Context) -> pb.EndSessionResponse:
        validate(request)
        call = current_call()
        call.record(subject_ids=[request.session_id or f"person/{request.person or call.principal.person}"])
        work = partial(
            administration.end_sessions,
            session_id=request.session_id,
            person=request.person,
            caller=call.principal.person,
            roles=call.principal.roles,
        )
        _, ended = await self._run(work)
        return pb.EndSessionResponse(ended=ended)

    async def BreakGlass(self, request: pb.BreakGlassRequest, context: Context) -> pb.BreakGlassResponse:
        validate(request)
        call = current_call()
        self._own.require_person(call)
        roles = ", ".join(sorted(request.roles))
        call.record(detail=f"{roles} for {request.minutes} min: {request.reason}", reason="BREAK_GLASS")
        person = call.principal.person
        command = BreakGlassCommand(request, call.principal.id, person, self._policy, self._new_id)
        response = await self._writer.run(command)
        self._asserted.forget()
        await self._alarms.look()
        return response

    async def EndBreakGlass(self, request: pb.EndBreakGlassRequest, context: Context) -> pb.EndBreakGlassResponse:
        call = current_call()
        self._own.require_person(call)
        call.record(reason="BREAK_GLASS_ENDED")
        await self._run(partial(administration.end_break_glass, person=call.principal.person))
        await self._alarms.look()
        return pb.EndBreakGlassResponse()

    async def ListPersons(self, request: pb.ListPersonsRequest, context: Context) -> pb.ListPersonsResponse:
        validate(request)
        return await asyncio.to_thread(self._queries.page, request.page_token, page_size(request.page_size))

    async def GetPerson(self, request: pb.GetPersonRequest, context: Context) -> pb.GetPersonResponse:
        validate(request)
        return await asyncio.to_thread(self._queries.get, request.name)

    async def AddPerson(self, request: pb.AddPersonRequest, context: Context) -> pb.AddPersonResponse:
        validate(request)
        self._record(current_call(), request.name, f"roles: {', '.join(sorted(request.roles))}")
        added: pb.AddPersonResponse = await self._run(
            partial(administration.add_person, request=request, policy=self._policy)
        )
        return added

    async def ChangePerson(self, request: pb.ChangePersonRequest, context: Context) -> pb.ChangePersonResponse:
        validate(request)
        call = current_call()
        changes = [f"roles: {', '.join(sorted(request.roles))}"] if request.roles else []
        changes += [f"disabled: {request.disabled}".lower()] if request.HasField("disabled") else []
        self._record(call, request.name, "; ".join(changes))
        work = partial(administration.change_person, request=request, caller=call.principal.person)
        return pb.ChangePersonResponse(person=await self._run(work))

    async def ResetPerson(self, request: pb.ResetPersonRequest, context: Context) -> pb.ResetPersonResponse:
        validate(request)
        call = current_call()
        self._record(call, request.name, "password, passkeys and sessions")
        reset: pb.ResetPersonResponse = await self._run(
            partial(administration.reset_person, name=request.name, caller=call.principal.person, policy=self._policy)
        )
        return reset

    async def ResolvePseudonym(
        self, request: pb.ResolvePseudonymRequest, context: Context
    ) -> pb.ResolvePseudonymResponse:
        validate(request)
        current_call().record(subject_ids=[request.pseudonym], detail=request.reason)
        return await asyncio.to_thread(self._queries.resolve, request.pseudonym)

    async def RotateAssertionKey(
        self, request: pb.RotateAssertionKeyRequest, context: Context
    ) -> pb.RotateAssertionKeyResponse:
        if request.end_everything:
            return await self._end_assertions()
        current_call().record(reason="ASSERTION_KEY_ROTATED", detail="the key that signs assertions is replaced")
        made_at = (await self._keys.rotate()).made_at
        return pb.RotateAssertionKeyResponse(
            signs_from=to_timestamp(made_at + ANNOUNCED_MS), old_ends_at=to_timestamp(made_at + OUTLIVES_MS)
        )

    async def _end_assertions(self) -> pb.RotateAssertionKeyResponse:
        detail = "all sessions, grants and enrolment links end, and the key that signs assertions is replaced"
        current_call().record(reason="ASSERTIONS_ENDED", detail=detail)
        try:
            ended = await self._keys.end_assertions()
        finally:
            self._asserted.forget()
        now = to_timestamp(ended.keys[-1].made_at)
        return pb.RotateAssertionKeyResponse(signs_from=now, old_ends_at=now, ended_sessions=ended.sessions)

    @staticmethod
    def _record(call: Call, name: str, detail: str) -> None:
        call.record(subject_ids=[f"person/{name}"], detail=detail)

    async def _run(self, work: Callable[[Connection, int], ResultT]) -> Any:
        try:
            return await self._writer.run(PersonCommand(work))
        finally:
            self._asserted.forget()
