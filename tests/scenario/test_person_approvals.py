"""What persons approve: bound to the request, used once, by two persons; and the glass that is broken."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.client import approval_of
from gateway.errors import (
    ApprovalRequiredError,
    InvalidRequestError,
    NotFoundError,
    OverloadedError,
    PermissionDeniedError,
    RequestIdReusedError,
    SessionEndedError,
)
from gateway.v1.person_pb2 import SignedIn
from gateway.v1.person_service_pb2 import BreakGlassRequest, ChangePersonRequest
from gateway.v1.watchlist_service_pb2 import DecideProposalRequest
from tests.support.command_line import Cli
from tests.support.federation import Federation, alert, eventually, new_id, with_logs
from tests.support.files_put_back import keep_files, put_files_back
from tests.support.passkeys import SoftAuthenticator
from tests.support.persons import PASSWORD, SETTINGS, SYSTEMS, Officer, audited, desk, enrolled, new_name, proposal

DECIDE = "/gateway.v1.WatchlistService/DecideProposal"
CERTIFICATES = "/gateway.v1.NodeService/ListCertificates"
BREAK_GLASS = "/gateway.v1.PersonService/BreakGlass"
LIMITS = """
[limits."person/slow"]
calls_per_s = 0.2
burst = 3
"""


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    settings = SETTINGS + LIMITS
    for made in with_logs(tmp_path_factory.mktemp("approvals"), settings=settings, systems=SYSTEMS):
        made.start("cn")
        yield made


async def proposed(officer: Officer) -> str:
    response = await officer.client().watchlist.propose("minerals", entries=[proposal()])
    return response.proposal_id


def decision(proposal_id: str, *, approve: bool = True, remarks: str = "") -> DecideProposalRequest:
    return DecideProposalRequest(request_id=new_id(), proposal_id=proposal_id, approve=approve, remarks=remarks)


async def decide(officer: Officer, request: DecideProposalRequest, approval: str = "") -> None:
    await officer.client(approval).watchlist.decide(
        request.proposal_id, approve=request.approve, remarks=request.remarks, request_id=request.request_id
    )


def test_an_approval_is_bound_to_the_requests_bytes_and_works_once(nodes: Federation) -> None:
    async def run() -> None:
        async with desk(nodes) as (console, operator):
            proposer = await enrolled(console, operator, "officer")
            supervisor = await enrolled(console, operator, "supervisor")
            await supervisor.add_passkey()
            first, second = await proposed(proposer), await proposed(proposer)
            with pytest.raises(ApprovalRequiredError):  # none
                await decide(supervisor, decision(first))
            given = decision(first)
            approval = await supervisor.approval(DECIDE, given)
            with pytest.raises(ApprovalRequiredError, match="another request"):
                await decide(supervisor, decision(second), approval)
            with pytest.raises(ApprovalRequiredError, match="another request"):
                await decide(supervisor, decision(first, approve=False, remarks="No"), approval)
            await decide(supervisor, given, approval)
            with pytest.raises(ApprovalRequiredError, match="used before"):
                await decide(supervisor, given, approval)
            (event,) = await audited(
                nodes, f"principal = person/cn/{supervisor.name} AND method = {DECIDE} AND result = allow"
            )
            assert "approved by passkey" in str(dict(event.details))

    nodes.run(run())


def test_an_approval_of_another_person_method_or_session_is_refused(nodes: Federation) -> None:
    async def run() -> None:
        async with desk(nodes) as (console, operator):
            proposer = await enrolled(console, operator, "officer")
            supervisor = await enrolled(console, operator, "supervisor")
            other = await enrolled(console, operator, "supervisor")
            for person in (supervisor, other):
                await person.add_passkey()
            request = decision(await proposed(proposer))
            with pytest.raises(ApprovalRequiredError, match="another session"):
                await decide(supervisor, request, await other.approval(DECIDE, request))
            wrong_method = await supervisor.approval("/gateway.v1.HistoryService/PlaceHold", request)
            with pytest.raises(ApprovalRequiredError, match="another request"):
                await decide(supervisor, request, wrong_method)
            asked = await supervisor.client().persons.begin_approval(DECIDE, request)
            assert asked is not None
            stranger = SoftAuthenticator(counter=9)
            forged = approval_of(asked.challenge_id, stranger.get(asked.options_json))
            with pytest.raises(ApprovalRequiredError, match="isn't one of this person"):
                await decide(supervisor, request, forged)
            stranger.credential_id = supervisor.authenticator.credential_id
            forged = approval_of(asked.challenge_id, stranger.get(asked.options_json))
            with pytest.raises(ApprovalRequiredError, match="doesn't verify"):
                await decide(supervisor, request, forged)
            for garbage in ("{}", "no json", "[1]", '{"challenge_id": 5, "response": {}}'):
                with pytest.raises(ApprovalRequiredError):
                    await decide(supervisor, request, garbage)

    nodes.run(run())


def test_one_person_through_two_consoles_isnt_two_and_a_system_is_no_second(nodes: Federation) -> None:
    async def run() -> None:
        async with desk(nodes) as (console, operator), nodes.client("cn", "console2") as other:
            both = await enrolled(console, operator, "officer", "supervisor")
            request = decision(await proposed(both))
            again = await other.persons.sign_in(both.name, "correct horse battery staple")
            elsewhere = Officer(other, again)  # type: ignore[arg-type]
            for self_approval in (both, elsewhere):
                with pytest.raises(PermissionDeniedError, match="four eyes"):
                    await decide(self_approval, request)
            async with nodes.client("cn", "supervisor") as system:
                with pytest.raises(PermissionDeniedError, match="a person approves"):
                    await system.watchlist.decide(request.proposal_id, approve=True)
            second = await enrolled(console, operator, "supervisor")
            await decide(second, request)

    nodes.run(run())


def test_the_glass_is_broken_for_a_reason_and_a_time_and_everybody_sees_it(nodes: Federation) -> None:
    async def run() -> None:
        async with desk(nodes) as (console, operator):
            supervisor = await enrolled(console, operator, "supervisor")
            await supervisor.add_passkey()
            with pytest.raises(PermissionDeniedError):
                await supervisor.client().node.certificates()
            reason = "The operator can't be reached, a certificate ends tonight"
            request = BreakGlassRequest(request_id=new_id(), roles=["operator"], reason=reason, minutes=20)
            approval = await supervisor.approval(BREAK_GLASS, request)
            grant = await supervisor.client(approval).persons.break_glass(
                ["operator"], reason, minutes=20, request_id=request.request_id
            )
            await supervisor.client().node.certificates()
            alarms = (await operator.node.status()).alarms
            (told,) = [one.message for one in alarms if one.code == "BREAK_GLASS" and supervisor.name in one.message]
            assert reason in told
            filter = f"principal = person/cn/{supervisor.name} AND method = {CERTIFICATES} AND result = allow"

            async def marked() -> bool:  # calls without effect are written with the next commit
                return any(grant.grant_id in str(event.details) for event in await audited(nodes, filter))

            await eventually(marked, within_s=10)
            assert (await console.persons.renew(supervisor.signed_in.session_token)).break_glass.reason == reason
            await supervisor.client().persons.end_break_glass()
            with pytest.raises(PermissionDeniedError):
                await supervisor.client().node.certificates()
            assert not [one for one in (await operator.node.status()).alarms if supervisor.name in one.message]

    nodes.run(run())


@pytest.mark.parametrize(
    ("roles", "minutes", "problem"),
    [(["operator"], 31, "at most 30"), (["supervisor"], 10, "already"), (["console"], 10, "isn't a role of persons")],
)
def test_a_glass_that_isnt_broken_rightly(nodes: Federation, roles: list[str], minutes: int, problem: str) -> None:
    async def run() -> None:
        async with desk(nodes) as (console, operator):
            supervisor = await enrolled(console, operator, "supervisor")
            with pytest.raises(InvalidRequestError, match=problem):
                await supervisor.client().persons.break_glass(roles, "Nobody can be reached", minutes=minutes)

    nodes.run(run())


def test_nobody_changes_the_own_account_or_sees_others_sessions_without_the_role(nodes: Federation) -> None:
    async def run() -> None:
        async with desk(nodes) as (console, operator):
            admin = await enrolled(console, operator, "operator")
            officer = await enrolled(console, operator, "officer")
            for change in (
                admin.client().persons.change(admin.name, roles=["operator", "supervisor"]),
                admin.client().persons.change(admin.name, disabled=True),
                admin.client().persons.reset(admin.name),
                officer.client().persons.sessions(admin.name),
                officer.client().persons.sessions(everybody=True),
                officer.client().persons.end_session(person=admin.name),
                officer.client().persons.end_session(admin.signed_in.session_id),
                officer.client().persons.add("x", "X", ["operator"]),
            ):
                with pytest.raises(PermissionDeniedError):
                    await change
            await admin.client().persons.change(officer.name, roles=["analyst"])
            assert list((await officer.client().persons.own_account()).roles) == ["analyst"]
            assert [one.person for one in await admin.client().persons.sessions(officer.name)] == [officer.name]
            assert await admin.client().persons.end_session(person=officer.name) == 1

    nodes.run(run())


def test_changing_accounts_asks_an_operator_with_a_passkey(nodes: Federation) -> None:
    async def run() -> None:
        async with desk(nodes) as (console, operator):
            admin = await enrolled(console, operator, "operator")
            officer = await enrolled(console, operator, "officer")
            await admin.add_passkey()
            with pytest.raises(ApprovalRequiredError):
                await admin.client().persons.change(officer.name, roles=["supervisor"])
            request = ChangePersonRequest(name=officer.name, roles=["supervisor"])
            approval = await admin.approval("/gateway.v1.PersonService/ChangePerson", request)
            await admin.client(approval).persons.change(officer.name, roles=["supervisor"])
            with pytest.raises(ApprovalRequiredError):  # another passkey needs the first
                await admin.client().persons.begin_passkey_registration()

    nodes.run(run())


def test_request_ids_and_limits_are_each_persons(nodes: Federation) -> None:
    async def run() -> None:
        async with desk(nodes) as (console, operator):
            first = await enrolled(console, operator, "publisher")
            second = await enrolled(console, operator, "publisher")
            request_id, content = str(uuid.uuid4()), alert()
            one = await first.client().publish(content, ["hk"], request_id=request_id)
            assert (await first.client().publish(content, ["hk"], request_id=request_id)).alert_id == one.alert_id
            assert (await second.client().publish(content, ["hk"], request_id=request_id)).alert_id != one.alert_id
            with pytest.raises(RequestIdReusedError):
                await first.client().publish(alert(), ["hk", "mo"], request_id=request_id)
            slow = await enrolled(console, operator, "officer", name="slow")
            for _ in range(3):
                await slow.client().persons.own_account()
            with pytest.raises(OverloadedError):
                await slow.client().persons.own_account()
            await second.client().persons.own_account()

    nodes.run(run())


def test_a_restored_backup_brings_no_session_link_or_key_back(nodes: Federation, tmp_path: Path) -> None:
    cli, cn = Cli(nodes, "cn"), nodes["cn"]

    async def before() -> tuple[Officer, str, str]:
        async with desk(nodes) as (console, operator):
            supervisor = await enrolled(console, operator, "supervisor")
            await supervisor.client().persons.break_glass(["operator"], "Nobody can be reached", minutes=20)
            ended = await enrolled(console, operator, "officer")
            invited = await operator.persons.add(new_name(), "Ho Mei", ["officer"])
            return supervisor, ended.signed_in.session_token, invited.enrolment_token

    supervisor, other, link = nodes.run(before())
    cli.run("", "backup", tmp_path / "backup")
    cn.stop()
    cli.run("", "restore", tmp_path / "backup", "--accept-loss")
    cn.start()

    async def after() -> None:
        async with desk(nodes) as (console, operator):
            with pytest.raises(SessionEndedError):
                await console.acting_for(supervisor.signed_in.assertion).persons.own_account()
            for token in (supervisor.signed_in.session_token, other):
                with pytest.raises(SessionEndedError):
                    await console.persons.renew(token)
            with pytest.raises(NotFoundError):
                await console.persons.enrol(link, PASSWORD)
            again = await console.persons.sign_in(supervisor.name, PASSWORD)
            assert isinstance(again, SignedIn)
            assert list(again.roles) == ["supervisor"]
            assert [one.person for one in await operator.persons.sessions(everybody=True)] == [supervisor.name]

    nodes.run(after())
    (event,) = cli.json("auditor", "audit", "list", "--filter", "reason = RESTORED")
    assert "sessions of persons ended" in str(event)


def test_files_put_back_by_hand_end_sessions_once(nodes: Federation, tmp_path: Path) -> None:
    cli, cn = Cli(nodes, "cn"), nodes["cn"]

    def restores() -> int:
        return len(cli.json("auditor", "audit", "list", "--filter", "reason = RESTORED"))

    async def publish() -> None:
        async with nodes.client("cn", "publisher") as publisher:
            await publisher.publish(alert(), ["hk"])

    async def signed_in() -> Officer:
        async with desk(nodes) as (console, operator):
            return await enrolled(console, operator, "officer")

    async def is_signed_in(officer: Officer) -> bool:
        async with desk(nodes) as (console, _):
            try:
                await console.persons.renew(officer.signed_in.session_token)
            except SessionEndedError:
                return False
            return True

    before, old = restores(), nodes.run(signed_in())
    cn.stop()
    keep_files(cn, tmp_path / "kept")
    cn.start()
    nodes.run(publish())
    cn.stop()
    put_files_back(cn, tmp_path / "kept")
    cn.start()
    assert (restores(), nodes.run(is_signed_in(old))) == (before + 1, False)
    new = nodes.run(signed_in())
    cn.stop()
    cn.start()  # hk doesn't run, so the feeds stay behind
    assert (restores(), nodes.run(is_signed_in(new))) == (before + 1, True)
    cn.stop()
    put_files_back(cn, tmp_path / "kept")
    cn.start()
    assert (restores(), nodes.run(is_signed_in(new))) == (before + 1, False)
