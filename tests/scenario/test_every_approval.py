"""Each method of the permission table that asks for an approval refuses a request without the right one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.protobuf.message import Message

from gateway.errors import ApprovalRequiredError, GatewayError
from gateway.trust.codec.permissions import load_permissions
from gateway.trust.rules.permissions import Approval
from gateway.v1 import (
    history_pb2,
    history_service_pb2,
    licence_service_pb2,
    match_pb2,
    node_service_pb2,
    person_service_pb2,
    risk_profile_service_pb2,
    watchlist_service_pb2,
)
from gateway.v1.watchlist_pb2 import HIT_OUTCOME_FALSE, MATCH_CLASS_STRONG, WatchlistReference
from tests.support.federation import Federation, new_id, with_logs
from tests.support.passkeys import SoftAuthenticator
from tests.support.persons import SETTINGS, SYSTEMS, Officer, desk, enrolled

ALL_ROLES = ("officer", "supervisor", "operator", "publisher")
HISTORY, LICENCES, NODES, PERSONS, WATCHLISTS = (
    f"/gateway.v1.{name}Service/" for name in ("History", "Licence", "Node", "Person", "Watchlist")
)

REQUESTS: dict[str, Callable[[str], Message]] = {
    HISTORY + "PlaceHold": lambda text: history_service_pb2.PlaceHoldRequest(
        request_id=new_id(),
        criteria=history_pb2.SearchCriteria(containers=["CSQU3054383"]),
        reason=text,
        case_reference="HK-2026-17",
    ),
    HISTORY + "ReleaseHold": lambda text: history_service_pb2.ReleaseHoldRequest(
        request_id=new_id(), hold_id=new_id(), reason=text
    ),
    LICENCES + "DecideLicenceProposal": lambda text: licence_service_pb2.DecideLicenceProposalRequest(
        request_id=new_id(), proposal_id=new_id(), remarks=text
    ),
    NODES + "TakeDirectory": lambda text: node_service_pb2.TakeDirectoryRequest(note=text.encode()),
    PERSONS + "BeginPasskeyRegistration": lambda _: person_service_pb2.BeginPasskeyRegistrationRequest(),
    PERSONS + "RemovePasskey": lambda text: person_service_pb2.RemovePasskeyRequest(
        credential_id=text.replace(" ", "")
    ),
    PERSONS + "BreakGlass": lambda text: person_service_pb2.BreakGlassRequest(
        request_id=new_id(), roles=["auditor"], reason=text, minutes=5
    ),
    PERSONS + "AddPerson": lambda text: person_service_pb2.AddPersonRequest(
        name=f"added-{new_id()[-8:]}", display_name=text, roles=["officer"]
    ),
    PERSONS + "ChangePerson": lambda text: person_service_pb2.ChangePersonRequest(name="nobody", display_name=text),
    PERSONS + "ResetPerson": lambda text: person_service_pb2.ResetPersonRequest(name=text.replace(" ", "-").lower()),
    PERSONS + "RotateAssertionKey": lambda _: person_service_pb2.RotateAssertionKeyRequest(),
    "/gateway.v1.RiskProfileService/DecideRiskProfileProposal": lambda text: (
        risk_profile_service_pb2.DecideRiskProfileProposalRequest(
            request_id=new_id(), proposal_id=new_id(), remarks=text
        )
    ),
    WATCHLISTS + "DecideProposal": lambda text: watchlist_service_pb2.DecideProposalRequest(
        request_id=new_id(), proposal_id=new_id(), remarks=text
    ),
    WATCHLISTS + "ReportHit": lambda text: watchlist_service_pb2.ReportHitRequest(
        request_id=new_id(),
        entry=WatchlistReference(publisher="cn", list="minerals", id="none"),
        revision=1,
        match_class=MATCH_CLASS_STRONG,
        purpose="export_control",
        case_reference=text,
    ),
    WATCHLISTS + "AnswerHit": lambda text: watchlist_service_pb2.AnswerHitRequest(
        request_id=new_id(), reporter="cn", hit_id=new_id(), outcome=HIT_OUTCOME_FALSE, remarks=text
    ),
    WATCHLISTS + "DecideMatch": lambda text: match_pb2.DecideMatchRequest(
        request_id=new_id(),
        match_id=new_id(),
        confirm=match_pb2.MatchConfirmation(purpose="export_control", case_reference=text),
    ),
}
"""A request of each such method; those that take a text differ by it."""

WITHOUT_CONTENT = {PERSONS + "BeginPasskeyRegistration", PERSONS + "RotateAssertionKey"}
"""Methods whose requests are all the same bytes: an approval can't be of another request."""


def approved_methods() -> list[str]:
    table = load_permissions()
    return sorted(method for method in table if table[method].approval is not Approval.NEVER)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    for made in with_logs(tmp_path_factory.mktemp("every-approval"), settings=SETTINGS, systems=SYSTEMS):
        made.start("cn")
        yield made


@pytest.fixture(scope="module")
def present(nodes: Federation) -> tuple[str, SoftAuthenticator]:
    """The session's token and the passkey of a person with all roles, who is enrolled once."""

    async def run() -> tuple[str, SoftAuthenticator]:
        async with desk(nodes) as (console, operator):
            person = await enrolled(console, operator, *ALL_ROLES)
            await person.add_passkey()
            return person.signed_in.session_token, person.authenticator

    token, authenticator = nodes.run(run())
    return str(token), authenticator


async def called(officer: Officer, approval: str, method: str, request: Message) -> None:
    """The call as it is, without what the client adds; a handler's own refusal counts as admitted."""
    connection = officer.client(approval).persons._connection
    service, name = method.removeprefix("/gateway.v1.").split("/")
    stubs: dict[str, Any] = {
        "HistoryService": connection.stubs.history,
        "LicenceService": connection.stubs.licences,
        "NodeService": connection.stubs.node,
        "RiskProfileService": connection.stubs.risk_profiles,
        "PersonService": connection.stubs.persons,
        "WatchlistService": connection.stubs.watchlist,
    }
    response = type(request).__name__.removesuffix("Request") + "Response"
    modules = (
        history_service_pb2,
        licence_service_pb2,
        node_service_pb2,
        person_service_pb2,
        risk_profile_service_pb2,
        watchlist_service_pb2,
        match_pb2,
    )
    (kind,) = [getattr(module, response) for module in modules if hasattr(module, response)]
    try:
        await connection.unary(getattr(stubs[service], name), request, kind)
    except ApprovalRequiredError:
        raise
    except GatewayError as error:
        if error.reason in ("PERMISSION_DENIED", "SESSION_ENDED"):
            raise


@pytest.mark.parametrize("method", approved_methods())
def test_a_method_is_refused_without_the_approval_of_its_very_request(
    nodes: Federation, present: tuple[str, SoftAuthenticator], method: str
) -> None:
    assert method in REQUESTS, f"{method} asks for an approval: give it a request here"
    token, authenticator = present

    async def run() -> None:
        async with desk(nodes) as (console, _):
            officer = Officer(console, await console.persons.renew(token), authenticator)
            request, other = REQUESTS[method]("As it was read"), REQUESTS[method]("As somebody changed it")
            with pytest.raises(ApprovalRequiredError):
                await called(officer, "", method, request)
            elsewhere = await officer.approval(next(one for one in REQUESTS if one != method), request)
            with pytest.raises(ApprovalRequiredError, match="another request"):
                await called(officer, elsewhere, method, request)
            approval = await officer.approval(method, request)
            if method not in WITHOUT_CONTENT:
                with pytest.raises(ApprovalRequiredError, match="another request"):
                    await called(officer, approval, method, other)
            await called(officer, approval, method, request)
            with pytest.raises(ApprovalRequiredError, match="used before"):
                await called(officer, approval, method, request)

    nodes.run(run())


def test_no_request_here_is_of_a_method_without_approval() -> None:
    assert sorted(REQUESTS) == approved_methods()
