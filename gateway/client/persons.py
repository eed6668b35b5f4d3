"""Client for sign-in, accounts and approvals of persons (`client.persons`)."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Iterable, Sequence
from hashlib import sha256

from google.protobuf.message import Message

from gateway.client.bulk import new_request_id
from gateway.client.connection import Connection
from gateway.client.pages import all_rows
from gateway.errors import MalformedError
from gateway.v1 import person_service_pb2 as service
from gateway.v1.person_pb2 import (
    BreakGlassGrant,
    Passkey,
    PasskeyChallenge,
    Person,
    PersonSession,
    Preferences,
    SignedIn,
)

PAGE_SIZE = 200
"""Persons per request when a list is read to its end."""


def approval_of(challenge_id: str, response_json: str) -> str:
    """The approval for `GatewayClient.acting_for`, of what the authenticator answered to `begin_approval`.

    Raises:
        MalformedError: not JSON.
    """
    try:
        response = json.loads(response_json)
    except (ValueError, RecursionError) as error:
        raise MalformedError("the authenticator's answer isn't JSON") from error
    return json.dumps({"challenge_id": challenge_id, "response": response}, separators=(",", ":"))


class PersonsClient:
    """PersonService. Sign-in is the console's own; all else is a person's: `client.acting_for(assertion).persons`.

    Sign-in raises SignInRefusedError whatever was wrong, with `retry_after_s` while it is locked. A call in a person's
    name raises SessionEndedError when the session or the assertion has ended, and ApprovalRequiredError without the
    approval that it needs.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def sign_in_methods(self) -> service.GetSignInMethodsResponse:
        """Which ways of signing in the node offers."""
        method = self._connection.stubs.persons.GetSignInMethods
        return await self._connection.unary(method, service.GetSignInMethodsRequest(), service.GetSignInMethodsResponse)

    async def sign_in(
        self, person: str, password: str, *, device: str = "", known_devices: Sequence[str] = ()
    ) -> SignedIn | PasskeyChallenge:
        """Signs in; a challenge is answered with `finish_passkey_sign_in`.

        Args:
            known_devices: `SignedIn.known_device` of earlier sessions in the same browser.
        """
        request = service.SignInRequest(person=person, password=password, device=device, known_devices=known_devices)
        method = self._connection.stubs.persons.SignIn
        response = await self._connection.unary(method, request, service.SignInResponse)
        return response.passkey if response.HasField("passkey") else response.signed_in

    async def begin_passkey_sign_in(self) -> PasskeyChallenge:
        """Begins a sign-in without a name."""
        request = service.BeginPasskeySignInRequest()
        method = self._connection.stubs.persons.BeginPasskeySignIn
        return (await self._connection.unary(method, request, service.BeginPasskeySignInResponse)).challenge

    async def finish_passkey_sign_in(self, challenge_id: str, response_json: str, *, device: str = "") -> SignedIn:
        """`response_json` is what `navigator.credentials.get` gave, in JSON."""
        request = service.FinishPasskeySignInRequest(
            challenge_id=challenge_id, response_json=response_json, device=device
        )
        method = self._connection.stubs.persons.FinishPasskeySignIn
        return (await self._connection.unary(method, request, service.FinishPasskeySignInResponse)).signed_in

    async def sign_in_with_id_token(self, id_token: str, nonce: str, *, device: str = "") -> SignedIn:
        """`nonce` is the one that the console sent to the provider for this browser."""
        request = service.SignInWithIdTokenRequest(id_token=id_token, nonce=nonce, device=device)
        method = self._connection.stubs.persons.SignInWithIdToken
        return (await self._connection.unary(method, request, service.SignInWithIdTokenResponse)).signed_in

    async def renew(self, session_token: str, *, background: bool = False) -> SignedIn:
        """A new assertion for a session; `background` for work that the person didn't cause."""
        request = service.RenewAssertionRequest(session_token=session_token, background=background)
        method = self._connection.stubs.persons.RenewAssertion
        return (await self._connection.unary(method, request, service.RenewAssertionResponse)).signed_in

    async def sign_out(self, session_token: str) -> None:
        """Ends a session, also one that has ended already."""
        request = service.SignOutRequest(session_token=session_token)
        await self._connection.unary(self._connection.stubs.persons.SignOut, request, service.SignOutResponse)

    async def enrolment(self, token: str) -> service.GetEnrolmentResponse:
        """For whom an enrolment link is. Raises NotFoundError for one that was used or has ended."""
        request = service.GetEnrolmentRequest(token=token)
        method = self._connection.stubs.persons.GetEnrolment
        return await self._connection.unary(method, request, service.GetEnrolmentResponse)

    async def enrol(self, token: str, password: str, *, device: str = "") -> SignedIn:
        """Uses an enrolment link. Raises InvalidRequestError for a password that is too short or too common."""
        request = service.EnrolRequest(token=token, password=password, device=device)
        method = self._connection.stubs.persons.Enrol
        return (await self._connection.unary(method, request, service.EnrolResponse)).signed_in

    async def own_account(self) -> service.GetOwnAccountResponse:
        """The person of this session, with its passkeys and preferences."""
        method = self._connection.stubs.persons.GetOwnAccount
        return await self._connection.unary(method, service.GetOwnAccountRequest(), service.GetOwnAccountResponse)

    async def change_password(self, password: str, new_password: str) -> None:
        """Changes the caller's password; all other sessions end."""
        request = service.ChangePasswordRequest(password=password, new_password=new_password)
        method = self._connection.stubs.persons.ChangePassword
        await self._connection.unary(method, request, service.ChangePasswordResponse)

    async def begin_passkey_registration(self) -> PasskeyChallenge:
        """A person who has a passkey approves this with it: begin_approval(BEGIN_REGISTRATION, its request)."""
        request = service.BeginPasskeyRegistrationRequest()
        method = self._connection.stubs.persons.BeginPasskeyRegistration
        return (await self._connection.unary(method, request, service.BeginPasskeyRegistrationResponse)).challenge

    async def finish_passkey_registration(self, challenge_id: str, response_json: str, *, label: str = "") -> Passkey:
        """`response_json` is what `navigator.credentials.create` gave, in JSON."""
        request = service.FinishPasskeyRegistrationRequest(
            challenge_id=challenge_id, response_json=response_json, label=label
        )
        method = self._connection.stubs.persons.FinishPasskeyRegistration
        return (await self._connection.unary(method, request, service.FinishPasskeyRegistrationResponse)).passkey

    async def remove_passkey(self, credential_id: str) -> None:
        """Removes an own passkey."""
        request = service.RemovePasskeyRequest(credential_id=credential_id)
        method = self._connection.stubs.persons.RemovePasskey
        await self._connection.unary(method, request, service.RemovePasskeyResponse)

    async def begin_approval(self, method: str, request: Message) -> PasskeyChallenge | None:
        """Begins the approval of a call; None where the person has no passkey, so that none is asked for.

        The call must then send the same bytes: give the client's method the same `request_id`.

        Args:
            method: full name, e.g. "/gateway.v1.WatchlistService/DecideProposal".
            request: what will be sent.
        """
        begin = service.BeginApprovalRequest(method=method, request_sha256=sha256(request.SerializeToString()).digest())
        response = await self._connection.unary(
            self._connection.stubs.persons.BeginApproval, begin, service.BeginApprovalResponse
        )
        return response.challenge if response.HasField("challenge") else None

    async def set_preferences(self, *, language: str = "", zone: str = "", theme: str = "") -> Preferences:
        """Sets all three; empty is as the browser wants it. `own_account` and `SignedIn` have them."""
        request = service.SetPreferencesRequest(preferences=Preferences(language=language, zone=zone, theme=theme))
        method = self._connection.stubs.persons.SetPreferences
        return (await self._connection.unary(method, request, service.SetPreferencesResponse)).preferences

    async def sessions(self, person: str = "", *, everybody: bool = False) -> Sequence[PersonSession]:
        """Sessions that haven't ended: the caller's, a person's or everybody's."""
        request = service.ListSessionsRequest(person=person, everybody=everybody)
        method = self._connection.stubs.persons.ListSessions
        return (await self._connection.unary(method, request, service.ListSessionsResponse)).sessions

    async def end_session(self, session_id: str = "", *, person: str = "") -> int:
        """Ends a session, or all of a person; returns how many ended."""
        request = service.EndSessionRequest(session_id=session_id, person=person)
        method = self._connection.stubs.persons.EndSession
        return (await self._connection.unary(method, request, service.EndSessionResponse)).ended

    async def break_glass(
        self, roles: Iterable[str], reason: str, *, minutes: int, request_id: str | None = None
    ) -> BreakGlassGrant:
        """Takes roles beyond their own for a time; an alarm tells everybody who watches."""
        request = service.BreakGlassRequest(
            request_id=request_id or new_request_id(), roles=roles, reason=reason, minutes=minutes
        )
        method = self._connection.stubs.persons.BreakGlass
        return (await self._connection.unary(method, request, service.BreakGlassResponse)).grant

    async def end_break_glass(self) -> None:
        """Gives the roles back."""
        method = self._connection.stubs.persons.EndBreakGlass
        await self._connection.unary(method, service.EndBreakGlassRequest(), service.EndBreakGlassResponse)

    async def list_page(self, *, page_size: int = 0, page_token: str = "") -> service.ListPersonsResponse:
        request = service.ListPersonsRequest(page_size=page_size, page_token=page_token)
        method = self._connection.stubs.persons.ListPersons
        return await self._connection.unary(method, request, service.ListPersonsResponse)

    def list_persons(self, *, page_size: int = PAGE_SIZE) -> AsyncGenerator[Person, None]:
        """Persons by name."""
        return all_rows(lambda token: self.list_page(page_size=page_size, page_token=token), lambda page: page.persons)

    async def get(self, name: str) -> service.GetPersonResponse:
        request = service.GetPersonRequest(name=name)
        return await self._connection.unary(
            self._connection.stubs.persons.GetPerson, request, service.GetPersonResponse
        )

    async def add(
        self, name: str, display_name: str, roles: Iterable[str], *, email: str = ""
    ) -> service.AddPersonResponse:
        """Adds a person; the answer has the enrolment link's token, once."""
        request = service.AddPersonRequest(name=name, display_name=display_name, roles=roles, email=email)
        return await self._connection.unary(
            self._connection.stubs.persons.AddPerson, request, service.AddPersonResponse
        )

    async def change(
        self,
        name: str,
        *,
        display_name: str = "",
        roles: Iterable[str] = (),
        disabled: bool | None = None,
        email: str | None = None,
    ) -> Person:
        """Changes what is given; roles replace all present ones."""
        request = service.ChangePersonRequest(
            name=name, display_name=display_name, roles=roles, disabled=disabled, email=email
        )
        method = self._connection.stubs.persons.ChangePerson
        return (await self._connection.unary(method, request, service.ChangePersonResponse)).person

    async def reset(self, name: str) -> service.ResetPersonResponse:
        """Removes password and passkeys; the answer has a new enrolment link's token, once."""
        request = service.ResetPersonRequest(name=name)
        method = self._connection.stubs.persons.ResetPerson
        return await self._connection.unary(method, request, service.ResetPersonResponse)

    async def rotate_assertion_key(self, *, end_everything: bool = False) -> service.RotateAssertionKeyResponse:
        """Replaces the key that signs assertions; those of the present key hold until they expire.

        Args:
            end_everything: end all assertions, sessions, grants and links now; everybody signs in again.
        """
        request = service.RotateAssertionKeyRequest(end_everything=end_everything)
        method = self._connection.stubs.persons.RotateAssertionKey
        return await self._connection.unary(method, request, service.RotateAssertionKeyResponse)

    async def resolve_pseudonym(self, pseudonym: str, *, reason: str) -> service.ResolvePseudonymResponse:
        """Whom a pseudonym means that a partner sees."""
        request = service.ResolvePseudonymRequest(pseudonym=pseudonym, reason=reason)
        method = self._connection.stubs.persons.ResolvePseudonym
        return await self._connection.unary(method, request, service.ResolvePseudonymResponse)
