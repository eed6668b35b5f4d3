"""A console's certificate without a person: whoever steals it has a form to sign in at, and nothing behind it."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from google.protobuf import descriptor_pool
from google.protobuf.message_factory import GetMessageClass

from gateway.contract.channel_options import channel_options
from gateway.errors import GatewayError
from gateway.trust.codec.permissions import load_permissions
from gateway.trust.rules.permissions import Role
from gateway.trust.service.trial_federation import FEDERATION
from tests.support.console.trial import CONSOLE, ConsoleTrial

SIGN_IN = frozenset(
    {
        *("GetSignInMethods", "SignIn", "BeginPasskeySignIn", "FinishPasskeySignIn", "SignInWithIdToken"),
        *("RenewAssertion", "SignOut", "GetEnrolment", "Enrol"),
    }
)
"""Methods that a console calls before it knows whose session it is."""
CONSOLES = [f"/gateway.v1.PersonService/{name}" for name in sorted(SIGN_IN)]
REFUSALS = frozenset(
    {grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.UNIMPLEMENTED}
)
"""UNIMPLEMENTED: nobody is served there."""

ASSERTIONS = {
    "unsigned": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJvZmZpY2VyIn0.",
    "very long": "A." * 2_000,
}


def methods() -> list[str]:
    """Full names of all that own systems or persons may call, e.g. `/gateway.v1.AlertService/GetAlert`."""
    table = load_permissions()
    theirs = (method for method in table if table[method].persons or table[method].roles - {Role.CONSOLE})
    return [*sorted(method for method in theirs if method.startswith("/gateway.v1.")), *CONSOLES]


@pytest.fixture(scope="module")
def channel(trial: ConsoleTrial) -> Iterator[grpc.Channel]:
    node = trial.federation["hk"]
    with grpc.secure_channel(
        f"127.0.0.1:{node.local_port}",
        node.credentials(CONSOLE),
        options=channel_options(server_name=f"hk.{FEDERATION}"),
    ) as made:
        yield made


def code_of(channel: grpc.Channel, method: str, assertion: str | None) -> grpc.StatusCode:
    """How a call with an empty request ends."""
    described = descriptor_pool.Default().FindMethodByName(method.lstrip("/").replace("/", "."))
    request = GetMessageClass(described.input_type)()
    metadata = None if assertion is None else [("gateway-person", assertion)]
    call = channel.stream_stream(
        method,
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=GetMessageClass(described.output_type).FromString,
    )(iter([request]), metadata=metadata, timeout=20)
    try:
        for _ in call:
            pass
    except grpc.RpcError as error:
        return error.code()
    return call.code()


@pytest.mark.parametrize("assertion", [None, ""], ids=["none", "empty"])
def test_without_a_person_nothing_but_sign_in_is_allowed(channel: grpc.Channel, assertion: str | None) -> None:
    codes = {method: code_of(channel, method, assertion) for method in methods()}
    assert {method for method, code in codes.items() if code not in REFUSALS} == set(CONSOLES)


@pytest.mark.parametrize("assertion", ASSERTIONS.values(), ids=ASSERTIONS)
def test_with_a_made_up_person_nothing_is_allowed(channel: grpc.Channel, assertion: str) -> None:
    codes = {code_of(channel, method, assertion) for method in methods()}
    assert codes <= REFUSALS


def test_an_assertion_is_worth_nothing_with_another_certificate(trial: ConsoleTrial) -> None:
    """A person's assertion, stolen from the console's memory, used by another system of the same authority."""

    async def steal() -> list[str]:
        token = await trial["hk"].signed_in("officer")
        async with trial["hk"].client(CONSOLE) as console:
            assertion = (await console.persons.renew(token)).assertion
        refused = []
        for system in ("operator", "publisher", "analyst"):
            async with trial["hk"].client(system) as thief:
                try:
                    await thief.acting_for(assertion).persons.own_account()
                except GatewayError as error:
                    refused.append(error.kind.name)
        async with trial["cn"].client(CONSOLE) as console:
            try:
                await console.acting_for(assertion).persons.own_account()
            except GatewayError as error:
                refused.append(error.kind.name)
        return refused

    refused = trial.run(steal())
    assert refused == ["UNAUTHENTICATED"] * 4
