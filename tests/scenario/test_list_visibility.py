"""Who may see a list: what `visible_to` hides isn't seen by a system without the role, in whichever way it looks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.client import GatewayClient
from gateway.errors import ConfigurationError, NotFoundError, PermissionDeniedError
from gateway.evidence.service.audit_redaction import HIDDEN
from gateway.node.settings import load_settings
from gateway.v1.alert_pb2 import AlertReference
from gateway.v1.party_pb2 import Name
from gateway.v1.screening_pb2 import ScreenedSubject, ScreeningSubject
from gateway.v1.watchlist_pb2 import HIT_OUTCOME_FALSE, WatchlistReference
from gateway.v1.watchlist_service_pb2 import ImportRow, ProposedEntry, ProposedWithdrawal
from gateway.watchlists.commands.expiry import UNNAMED
from tests.support.command_line import Cli
from tests.support.federation import Federation, alert, eventually, with_logs
from tests.support.nodes import listed_content

COMPANY = "示例稀土有限公司"
SETTINGS = """
[lists.minerals]
four_eyes = false
[lists.sealed]
four_eyes = false
visible_to = ["publisher", "supervisor"]
[lists."cn/sealed"]
visible_to = ["publisher", "supervisor"]
[lists.drafts]
visible_to = ["publisher"]
"""
SEALED = WatchlistReference(publisher="cn", list="sealed", id="company")


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    for made in with_logs(tmp_path_factory.mktemp("visibility"), settings=SETTINGS):
        made.start("cn", "hk")
        made.run(_list(made))
        yield made


async def _list(federation: Federation) -> None:
    """The same company on an open list and on a sealed one, an ended entry on that, and two proposals."""
    entries = [ProposedEntry(id="company", content=listed_content(COMPANY))]
    ends_soon = listed_content(COMPANY, valid_until=datetime.now(UTC) + timedelta(days=3))
    sealed = [ProposedEntry(id="company", content=ends_soon), ProposedEntry(id="gone", content=entries[0].content)]
    async with federation.client("cn", "publisher") as risk, federation.client("hk", "supervisor") as hk:
        await risk.watchlist.propose("sealed", entries=sealed)
        await risk.watchlist.propose(
            "sealed", withdrawals=[ProposedWithdrawal(id="gone", revision=1, reason="A mistake")]
        )
        await risk.watchlist.propose("minerals", entries=entries)
        await risk.watchlist.propose("drafts", entries=entries)
        await risk.watchlist.propose("other", entries=entries)

        async def ready() -> bool:
            return (await screened(hk)).found == 2

        await eventually(ready, what="both lists at hk")


async def screened(client: GatewayClient, *, max_hits: int = 0) -> ScreenedSubject:
    (found,) = await client.screening.screen([ScreeningSubject(names=[Name(text=COMPANY)])], max_hits=max_hits)
    return found


@pytest.mark.parametrize("node", ["cn", "hk"], ids=["own", "a partner's"])
def test_a_hidden_list_is_read_in_no_way(nodes: Federation, node: str) -> None:
    async def seen(client: GatewayClient) -> dict[str, set[str]]:
        changes = [
            change
            for full in (True, False)
            async for each in client.watchlist.watch(full_state=full, until_current=True)
            for change in each.changes
        ]
        return {
            "listed": {each.entry.list async for each in client.watchlist.entries()},
            "by name": {each.entry.list async for each in client.watchlist.entries(filter='list = "sealed"')},
            "changes": {one.change.entered.list or one.change.ended.list for one in changes},
        }

    async def run() -> None:
        async with nodes.client(node, "officer") as officer, nodes.client(node, "supervisor") as supervisor:
            assert await seen(officer) == {"listed": {"minerals"}, "by name": set(), "changes": {"minerals"}}
            all_of_it = {"minerals", "sealed"}
            assert await seen(supervisor) == {"listed": all_of_it, "by name": {"sealed"}, "changes": all_of_it}
            assert (await supervisor.watchlist.get(SEALED)).entry.id == "company"
            with pytest.raises(NotFoundError) as hidden:
                await officer.watchlist.get(SEALED)
            missing = WatchlistReference(publisher="cn", list="sealed", id="nothing")
            with pytest.raises(NotFoundError) as absent:
                await officer.watchlist.get(missing)
            assert hidden.value.message.replace("company", "nothing") == absent.value.message

    nodes.run(run())


def test_a_hidden_list_is_neither_screened_against_nor_counted(nodes: Federation) -> None:
    async def run() -> None:
        subject = ScreeningSubject(names=[Name(text=COMPANY)])
        async with (
            nodes.client("cn", "publisher") as risk,
            nodes.client("hk", "officer") as officer,
            nodes.client("hk", "supervisor") as supervisor,
        ):
            for client, lists in ((officer, ["minerals"]), (supervisor, ["minerals", "sealed"])):
                found = await screened(client)
                assert (sorted(hit.entry.list for hit in found.hits), found.found) == (lists, len(lists))
                assert (await screened(client, max_hits=1)).found == len(lists)
                (streamed,) = [one async for one in client.screening.screen_many([subject])]
                assert (sorted(hit.entry.list for hit in streamed.hits), streamed.found) == (lists, len(lists))
            content = alert()
            content.subject.parties.add(role=5).names.add(text=COMPANY)
            published = await risk.publish(content, ["hk"])
            wanted = AlertReference(publisher="cn", alert_id=published.alert_id)

            async def shown(client: GatewayClient) -> list[str]:
                got = await client.get_alert(wanted)
                assert got.screened
                return sorted(one.hit.entry.list for one in got.hits)

            async def arrived() -> bool:
                return bool(await shown(supervisor))

            await eventually(arrived, what="the alert at hk")
            assert await shown(supervisor) == ["minerals", "sealed"]
            assert await shown(officer) == ["minerals"]

    nodes.run(run())


def test_hits_on_a_hidden_list_are_hidden_with_it(nodes: Federation) -> None:
    async def hits(client: GatewayClient) -> set[str]:
        return {one.hit.entry.list async for one in client.screening.hits()}

    async def run() -> None:
        async with (
            nodes.client("hk", "officer") as officer,
            nodes.client("hk", "supervisor") as supervisor,
            nodes.client("cn", "officer") as owner,
            nodes.client("cn", "supervisor") as its_supervisor,
        ):
            found = {hit.entry.list: hit for hit in (await screened(supervisor)).hits}
            with pytest.raises(NotFoundError):
                await officer.screening.report(found["sealed"], purpose="export_control")
            reported = await supervisor.screening.report(found["sealed"], purpose="export_control")

            async def arrived() -> bool:
                return await hits(its_supervisor) == {"sealed"}

            await eventually(arrived, what="the hit at cn")
            for client in (officer, owner):
                assert await hits(client) == set()
                assert {one.list for one in await client.screening.statistics()} == {"minerals"}
            assert {one.list for one in await supervisor.screening.statistics()} == {"minerals", "sealed"}
            with pytest.raises(NotFoundError, match="there is no hit"):
                await owner.screening.answer("hk", reported.hit_id, HIT_OUTCOME_FALSE)
            await its_supervisor.screening.answer("hk", reported.hit_id, HIT_OUTCOME_FALSE)

    nodes.run(run())


def test_audit_events_name_a_hidden_list_to_its_roles_alone(nodes: Federation) -> None:
    """The report of a hit names the entry: its roles read that, an auditor reads that there was a report."""

    async def subjects(client: GatewayClient) -> set[str]:
        where = "method = /gateway.v1.WatchlistService/ReportHit"
        told = {event.details["subject_ids"] async for event in client.evidence.audit_events(filter=where)}
        return told - {""}  # a refused call names nothing

    async def run() -> None:
        async with nodes.client("hk", "supervisor") as supervisor, nodes.client("hk", "auditor") as auditor:
            found = {hit.entry.list: hit for hit in (await screened(supervisor)).hits}
            for name in ("sealed", "minerals"):
                await supervisor.screening.report(found[name], purpose="export_control")
            assert await subjects(supervisor) == {"cn/minerals/company", "cn/sealed/company"}
            assert await subjects(auditor) == {"cn/minerals/company", HIDDEN}
            events = [event async for event in auditor.evidence.audit_events()]
            assert not any("sealed" in str(event) for event in events)

    nodes.run(run())


def test_matches_on_a_hidden_list_are_hidden_with_it(nodes: Federation) -> None:
    async def run() -> None:
        async with (
            nodes.client("cn", "publisher") as risk,
            nodes.client("hk", "officer") as officer,
            nodes.client("hk", "supervisor") as supervisor,
        ):
            content = alert()
            content.subject.parties.add(role=5).names.add(text=COMPANY)
            condition = f'source_id = "{(await risk.publish(content, ["hk"])).alert_id}"'

            async def found(client: GatewayClient) -> dict[str, str]:
                return {one.hit.entry.list: one.match_id async for one in client.screening.matches(filter=condition)}

            async def all_found() -> bool:
                return set(await found(supervisor)) == {"minerals", "sealed"}

            await eventually(all_found, what="both matches at hk")
            assert set(await found(officer)) == {"minerals"}
            watched = [each async for each in officer.screening.watch_matches(until_current=True)]
            assert {one.hit.entry.list for each in watched for one in each.matches} == {"minerals"}
            sealed = (await found(supervisor))["sealed"]
            with pytest.raises(NotFoundError):
                await officer.screening.dismiss(sealed, "Somebody else")
            await supervisor.screening.dismiss(sealed, "Somebody else")

    nodes.run(run())


def test_a_hidden_list_is_not_changed_or_decided_on(nodes: Federation) -> None:
    async def run() -> None:
        rows = [ImportRow(id="company", content=listed_content(COMPANY), line=1)]
        async with (
            nodes.client("cn", "publisher") as risk,
            nodes.client("cn", "officer") as officer,
            nodes.client("cn", "supervisor") as supervisor,
        ):
            proposals = {one.list: one.proposal_id async for one in risk.watchlist.proposals()}
            assert set(proposals) == {"drafts", "other"}
            for client in (officer, supervisor):
                assert {one.list async for one in client.watchlist.proposals()} == {"other"}
            with pytest.raises(NotFoundError, match="there is no proposal"):
                await supervisor.watchlist.decide(proposals["drafts"], approve=True)
            with pytest.raises(PermissionDeniedError, match="sealed isn't open"):
                await officer.watchlist.propose("sealed", entries=[ProposedEntry(id="x", content=rows[0].content)])
            with pytest.raises(PermissionDeniedError, match="drafts isn't open"):
                await supervisor.watchlist.import_entries("drafts", rows)

    nodes.run(run())


def test_what_a_partner_lacks_of_a_hidden_list_is_not_told(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("cn", "officer") as officer, nodes.client("cn", "supervisor") as supervisor:
            assert (await officer.watchlist.compare("hk")).active == 1
            assert (await supervisor.watchlist.compare("hk")).active == 2

    nodes.run(run())


def test_the_alarm_of_a_hidden_list_names_it_to_its_roles_alone(nodes: Federation) -> None:
    async def expiring(client: GatewayClient) -> str:
        return " ".join(alarm.message for alarm in (await client.node.status()).alarms if alarm.code == "LIST_EXPIRES")

    async def run() -> None:
        async with nodes.client("cn", "operator") as operator, nodes.client("cn", "supervisor") as supervisor:

            async def raised() -> bool:
                return bool(await expiring(supervisor))

            await eventually(raised, what="the alarm")
            assert "entries of sealed whose validity ends within 14 days: 1" in await expiring(supervisor)
            assert await expiring(operator) == UNNAMED

    nodes.run(run())
    assert UNNAMED in nodes["cn"].log
    assert "sealed" not in nodes["cn"].log


def test_the_command_line_shows_and_writes_nothing_of_it(nodes: Federation) -> None:
    hk = Cli(nodes, "hk")
    assert "sealed" not in hk.run("officer", "watchlist", "list").stdout
    command = ("watchlist", "export", "--list", "sealed", "--publisher", "cn", "--format", "jsonl")
    assert "there is no entry in list sealed" in hk.run("officer", *command, code=2).stderr
    assert COMPANY in hk.run("supervisor", *command).stdout


@pytest.mark.parametrize(
    ("wrong", "field"), [('["chief"]', "lists.sealed.visible_to.0"), ("[]", "lists.sealed.visible_to")]
)
def test_a_role_that_isnt_one_is_named_with_its_field(
    nodes: Federation, tmp_path: Path, wrong: str, field: str
) -> None:
    text = nodes["cn"].config.read_text(encoding="utf-8")
    file = tmp_path / "gateway.toml"
    file.write_text(text.replace('["publisher", "supervisor"]', wrong, 1), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=re.escape(field) + ":"):
        load_settings(file)
