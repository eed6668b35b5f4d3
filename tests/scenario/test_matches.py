"""Matches between running gateways: found unasked in seconds, whatever is killed; confirmed, dismissed, kept quiet."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from gateway.client import GatewayClient
from gateway.contract.messages import to_timestamp
from gateway.errors import AgreementForbidsError, PermissionDeniedError
from gateway.v1 import alert_pb2, goods_pb2, shipment_pb2
from gateway.v1.match_pb2 import (
    MATCH_STATUS_CONFIRMED,
    MATCH_STATUS_DISMISSED,
    MATCH_STATUS_OPEN,
    ChangedVerdict,
    Match,
    ScreeningReport,
)
from gateway.v1.watchlist_pb2 import (
    HIT_OUTCOME_FALSE,
    MATCH_CLASS_UNSPECIFIED,
    WATCHLIST_KIND_CONTAINER,
    WATCHLIST_KIND_VEHICLE,
    WATCHLIST_KIND_VESSEL,
)
from gateway.v1.watchlist_service_pb2 import ProposedEntry, ProposedWithdrawal
from tests.support.command_line import Cli
from tests.support.federation import Federation, alert, eventually, with_logs
from tests.support.history_calls import worker_processes
from tests.support.nodes import listed_content
from tests.support.shipments import shipment

SETTINGS = """
[lists.minerals]
four_eyes = false
[lists."cn/quick"]
report = "identical"
report_purpose = "export_control"
[lists.quick]
four_eyes = false
"""


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    for made in with_logs(tmp_path_factory.mktemp("matches"), settings=SETTINGS):
        made.start("cn", "hk")
        made.run(list_(made, "company", "示例稀土有限公司"))
        yield made


async def list_(federation: Federation, entry: str, name: str, *, in_list: str = "minerals", **content: Any) -> None:
    async with federation.client("cn", "publisher") as risk:
        await risk.watchlist.propose(
            in_list, entries=[ProposedEntry(id=entry, content=listed_content(name, **content))]
        )


def naming(*names: str) -> alert_pb2.AlertContent:
    content = alert()
    content.subject.ClearField("equipment")
    for name in names:
        content.subject.parties.add(role=5).names.add(text=name)
    return content


async def matched(client: GatewayClient, text: str, *, count: int = 1, within_s: float = 30) -> list[Match]:
    async def found() -> list[Match] | None:
        matches = [each async for each in client.screening.matches(filter=text)]
        return matches if len(matches) == count else None

    return await eventually(found, within_s=within_s, what=f"{count} matches with {text}")


def test_an_alerts_party_in_another_script_is_found_unasked(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("cn", "publisher") as risk, nodes.client("hk", "officer") as hk:
            seen: list[Match] = []

            async def watch() -> None:
                async with aclosing(hk.screening.watch_matches()) as watched:
                    async for each in watched:
                        seen.extend(each.matches)
                        if seen:
                            return

            watching = asyncio.create_task(watch())
            published = await risk.publish(naming("Shili Xitu Co., Ltd."), ["hk"])
            await asyncio.wait_for(watching, 30)
            (match,) = seen
            assert (match.source.publisher, match.source.id) == ("cn", published.alert_id)
            assert (match.hit.entry.publisher, match.hit.entry.id) == ("cn", "company")
            assert match.hit.explanation.listed == "示例稀土有限公司"
            assert match.status == MATCH_STATUS_OPEN

    nodes.run(run())


def test_a_recorded_shipments_consignee_is_found_unasked(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("hk", "publisher") as clearance, nodes.client("hk", "officer") as hk:
            recorded = shipment("HK-IMP-1")
            recorded.parties[1].names[0].text = "Shili Xitu Co., Ltd."
            async for _ in clearance.history.record([recorded]):
                pass
            (match,) = await matched(hk, 'source = shipment AND source_id = "HK-IMP-1" AND id = company')
            assert (match.source.publisher, match.source.field) == ("hk", "parties[1]")

    nodes.run(run())


def test_a_recorded_shipments_vehicle_vessel_and_container_are_found_unasked(nodes: Federation) -> None:
    """Each in another place: a leg of the route, an event, and an event that is added later."""
    vessel = goods_pb2.TransportMeans(mode=goods_pb2.TRANSPORT_MODE_SEA, name="Placeholder Star")
    unloaded = shipment_pb2.ShipmentEvent(
        kind=shipment_pb2.SHIPMENT_EVENT_KIND_UNLOADED, occurred_at=to_timestamp(1), equipment_id="TEMU 123456-5"
    )
    left = shipment_pb2.ShipmentEvent(
        kind=shipment_pb2.SHIPMENT_EVENT_KIND_GATE_OUT, occurred_at=to_timestamp(2), means="粤Z·B987港"
    )

    async def run() -> None:
        await list_(nodes, "lorry", "粤ZB987港", kind=WATCHLIST_KIND_VEHICLE)
        await list_(nodes, "ship", "PLACEHOLDER STAR", kind=WATCHLIST_KIND_VESSEL)
        await list_(nodes, "box", "TEMU1234565", kind=WATCHLIST_KIND_CONTAINER)
        async with nodes.client("hk", "publisher") as clearance, nodes.client("hk", "officer") as hk:

            async def recorded(item: shipment_pb2.Shipment | shipment_pb2.ShipmentAddition) -> None:
                async for _ in clearance.history.record([item]):
                    pass

            way = [goods_pb2.RouteLeg(means=vessel)]
            await recorded(shipment("HK-IMP-2", route=way, events=[unloaded]))
            (of_vessel,) = await matched(hk, 'source_id = "HK-IMP-2" AND id = ship')
            (of_container,) = await matched(hk, 'source_id = "HK-IMP-2" AND id = box')
            await recorded(shipment_pb2.ShipmentAddition(record_id="HK-IMP-2", events=[left]))
            (of_vehicle,) = await matched(hk, 'source_id = "HK-IMP-2" AND id = lorry')
            found = [(one.source.field, one.hit.explanation.given) for one in (of_vessel, of_container, of_vehicle)]
            assert found == [
                ("route[0].means", "Placeholder Star"),
                ("events[0]", "iso6346:TEMU 123456-5"),
                ("events[1]", "plate:粤Z·B987港"),
            ]

    nodes.run(run())


def test_an_entry_that_comes_later_finds_the_alert_also_after_a_kill(nodes: Federation) -> None:
    async def publish() -> str:
        async with nodes.client("cn", "publisher") as risk, nodes.client("hk", "officer") as hk:
            published = await risk.publish(naming("Placeholder Wolfram Limited"), ["hk"])
            marker = await risk.publish(naming("示例稀土有限公司"), ["hk"])
            await matched(hk, f"source_id = {marker.alert_id}")
            return published.alert_id

    alert_id = nodes.run(publish())
    nodes["hk"].kill()
    nodes.run(list_(nodes, "later", "Placeholder Wolfram Limited"))
    nodes.start("hk")

    async def found() -> None:
        async with nodes.client("hk", "officer") as hk:
            (match,) = await matched(hk, "id = later")
            assert (match.source.id, match.backward) == (alert_id, True)

    nodes.run(found())


def test_kills_lose_nothing_and_show_nothing_twice(nodes: Federation) -> None:
    """Node and screening process are killed by turns while alerts and entries come."""
    names = [f"Placeholder {metal} Limited" for metal in ("Gallium", "Germanium", "Antimony", "Dysprosium", "Terbium")]

    async def publish(name: str) -> None:
        async with nodes.client("cn", "publisher") as risk:
            await risk.publish(naming(name), ["hk"])

    for turn, name in enumerate(names):
        nodes.run(publish(name))
        nodes.run(list_(nodes, f"k{turn}", name))
        if turn % 2:
            nodes["hk"].kill()
            nodes.start("hk")
        else:
            for process in worker_processes(nodes, "hk", "screening"):
                process.kill()

    async def all_found() -> None:
        async with nodes.client("hk", "officer") as hk:
            for turn, name in enumerate(names):
                (match,) = await matched(hk, f"id = k{turn}")
                assert match.hit.explanation.given == name
            everything = [each.match_id async for each in hk.screening.matches()]
            assert len(everything) == len(set(everything))

    nodes.run(all_found())


def test_a_confirmed_match_reaches_the_owner_and_a_dismissed_one_doesnt(nodes: Federation) -> None:
    async def run() -> None:
        async with (
            nodes.client("cn", "publisher") as risk,
            nodes.client("cn", "officer") as cn,
            nodes.client("hk", "officer") as hk,
            nodes.client("hk", "analyst") as analyst,
            nodes.client("hk", "auditor") as auditor,
        ):
            ids = [
                (await risk.publish(naming("示例稀土有限公司", f"Neighbour {turn}"), ["hk"])).alert_id
                for turn in (1, 2)
            ]
            (first,) = await matched(hk, f"source_id = {ids[0]}")
            (second,) = await matched(hk, f"source_id = {ids[1]}")
            with pytest.raises(PermissionDeniedError):
                await analyst.screening.dismiss(second.match_id, "not mine to say")
            dismissed = await hk.screening.dismiss(second.match_id, "Another company of that name")
            assert dismissed.match.status == MATCH_STATUS_DISMISSED
            confirmed = await hk.screening.confirm(first.match_id, purpose="export_control", case_reference="HK-17")
            assert confirmed.match.status == MATCH_STATUS_CONFIRMED

            async def arrived() -> bool:
                reported = [one.hit async for one in cn.screening.hits(filter='list = "minerals"')]
                return [(hit.hit_id, hit.case_reference) for hit in reported] == [(confirmed.match.hit_id, "HK-17")]

            await eventually(arrived, what="the hit at cn")
            await cn.screening.answer("hk", confirmed.match.hit_id, HIT_OUTCOME_FALSE)
            decided = 'method = "/gateway.v1.WatchlistService/DecideMatch" AND result = allow'
            events = [event async for event in auditor.evidence.audit_events(filter=decided)]
            audited = [(event.reason, event.details["subject_ids"], event.case_reference) for event in events]
            assert ("DISMISSED", second.match_id, "") in audited
            assert ("CONFIRMED", first.match_id, "HK-17") in audited

    nodes.run(run())


def test_an_identical_match_is_reported_by_itself_where_the_settings_say_so(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("cn", "publisher") as risk, nodes.client("cn", "officer") as cn:
            await list_(nodes, "fast", "示例鎢業有限公司", in_list="quick")
            await risk.publish(naming("示例钨业有限公司"), ["hk"])

            async def arrived() -> list[str]:
                hits = [one async for one in cn.screening.hits(filter='list = "quick"')]
                return [one.hit.subject.names[0].text for one in hits if one.reporter == "hk"]

            assert await eventually(arrived, what="the hit at cn") == ["示例钨业有限公司"]

    nodes.run(run())


def test_the_commands_show_decide_and_follow(nodes: Federation) -> None:
    async def publish() -> str:
        async with nodes.client("cn", "publisher") as risk, nodes.client("hk", "officer") as hk:
            published = await risk.publish(naming("Shili Xitu Co., Ltd."), ["hk"])
            (match,) = await matched(hk, f"source_id = {published.alert_id} AND id = company")
            return match.match_id

    match_id = nodes.run(publish())
    hk = Cli(nodes, "hk")
    shown = hk.run("officer", "watchlist", "matches", "--why", "--filter", "id = company AND status = open").stdout
    assert "示例稀土有限公司" in shown
    assert " ~ " in shown
    listed = hk.json("officer", "watchlist", "matches", "--filter", "id = company AND status = open")
    assert match_id in [one["match_id"] for one in listed]
    hk.run("officer", "watchlist", "dismiss", match_id, "--reason", "Another one")
    refused = hk.run("officer", "watchlist", "dismiss", match_id, "--reason", "Another one", code=2)
    assert "dismissed" in refused.output
    told = hk.json("officer", "watchlist", "confirm", match_id, "--purpose", "export_control", "--case", "HK-18")
    assert told["match"]["status"] == "confirmed"
    followed = hk.run("officer", "watchlist", "matches", "--watch", "--once", "--json").stdout
    assert match_id in followed
    hk.run("officer", "watchlist", "matches", "--filter", "colour = red", code=2)
    text = hk.run("officer", "watchlist", "statistics").stdout
    assert "Open matches" in text


def test_what_only_a_partners_alert_held_is_reported_with_its_consent_alone(nodes: Federation) -> None:
    """mo's alert to hk names what cn lists; hk's settings report identical matches; mo prohibits onward transfer."""
    nodes.start("mo")
    company = "示例镓业有限公司"

    async def publish() -> tuple[str, str]:
        await list_(nodes, "gallium", company, in_list="quick")
        async with nodes.client("mo", "publisher") as mo, nodes.client("hk", "officer") as hk:
            published = await mo.publish(naming(company), ["hk"])
            (match,) = await matched(hk, f"source_id = {published.alert_id} AND id = gallium")
            assert (match.status, match.hit_id) == (MATCH_STATUS_OPEN, "")
            refusal = f"mo doesn't allow alert {published.alert_id} to be passed on to cn"
            assert match.reason.startswith(f"not reported: {refusal}")
            return published.alert_id, match.match_id

    alert_id, match_id = nodes.run(publish())
    cn, hk, mo = (Cli(nodes, name) for name in ("cn", "hk", "mo"))
    assert f"{match_id}: not reported: mo doesn't allow" in hk.run("officer", "watchlist", "matches").output
    confirm = ("watchlist", "confirm", match_id, "--purpose", "export_control", "--case", "HK-20")
    refused = hk.run("officer", *confirm, code=1).output
    assert "mo doesn't allow" in refused
    assert "--pass-on-to" in refused
    hk.run("officer", *confirm, "--without-party", code=1)
    report = ("watchlist", "report", "cn/quick/gallium", company, "--purpose", "export_control")
    hk.run("officer", *report, "--derived-from", f"mo/{alert_id}", code=1)

    ask = ("alert", "ask", f"mo/{alert_id}", "May cn know?", "--deadline", "5d", "--pass-on-to", "cn")
    question = hk.json("officer", *ask)["question_id"]
    show = ("alert", "show", f"mo/{alert_id}")
    mo.eventually("officer", *show, until=lambda shown: question in json.dumps(shown))
    assert "pass on to cn?" in mo.run("officer", *show).stdout
    mo.run("officer", "alert", "answer", f"mo/{alert_id}", question, "For this case", "--consent", "granted")
    hk.eventually("officer", *show, until=lambda shown: '"consent": "granted"' in json.dumps(shown))
    assert "consent granted" in hk.run("officer", *show).stdout

    reported = ("watchlist", "matches", "--filter", "id = gallium AND status = confirmed")
    (match,) = hk.eventually("officer", *reported, until=bool)
    assert (match["match_id"], match["decided_by"]) == (match_id, "gateway")
    hits = ("watchlist", "hits", "--filter", 'list = "quick" AND id = "gallium"')
    (listed,) = cn.eventually("officer", *hits, until=bool)
    assert (listed["reporter"], listed["hit"]["subject"]["names"][0]["text"]) == ("hk", company)


def test_hits_are_reported_only_where_the_owners_agreement_has_it_so(nodes: Federation) -> None:
    version = nodes.directory

    def put(number: int, *, reported: bool) -> None:
        changed = [replace(one, hit_reports=reported) if one.id == "cn-hk" else one for one in version.agreements]
        nodes.put_directory(replace(version, version=number, agreements=tuple(changed)))

    async def run() -> None:
        async with (
            nodes.client("cn", "publisher") as risk,
            nodes.client("cn", "officer") as cn,
            nodes.client("hk", "officer") as hk,
            nodes.client("cn", "operator") as cn_operator,
            nodes.client("hk", "operator") as hk_operator,
        ):

            async def in_force(number: int) -> None:
                async def both() -> bool:
                    versions = [(await operator.node.directory()).version for operator in (cn_operator, hk_operator)]
                    return versions == [number, number]

                await eventually(both, what="the new directory at both")

            put(version.version + 1, reported=False)
            await in_force(version.version + 1)
            before = {one.hit.hit_id async for one in cn.screening.hits()}
            published = await risk.publish(naming("示例稀土有限公司", "示例钨业有限公司"), ["hk"])
            of_alert = f"source_id = {published.alert_id} AND class = identical"
            (quiet,) = await matched(hk, f"{of_alert} AND list = minerals")
            with pytest.raises(AgreementForbidsError, match="reported by hk for the purpose"):
                await hk.screening.confirm(quiet.match_id, purpose="export_control")
            (kept,) = await matched(hk, f"{of_alert} AND list = quick")
            assert kept.reason.startswith("not reported: no agreement has hits on list entries of cn")
            put(version.version + 2, reported=True)
            await in_force(version.version + 2)
            confirmed = await hk.screening.confirm(quiet.match_id, purpose="export_control")

            async def arrived() -> bool:
                return confirmed.match.hit_id in {one.hit.hit_id async for one in cn.screening.hits()} - before

            await eventually(arrived, what="the report at its owner")

    nodes.run(run())


def test_what_the_agreement_forbids_stays_with_the_finder(nodes: Federation) -> None:
    version = nodes.directory
    without = tuple(one for one in version.agreements if one.id != "hk-cn")
    assert len(without) < len(version.agreements)
    nodes.put_directory(replace(version, version=version.version + 1, agreements=without))

    async def run() -> None:
        async with (
            nodes.client("cn", "publisher") as risk,
            nodes.client("hk", "officer") as hk,
            nodes.client("hk", "operator") as operator,
        ):

            async def in_force() -> bool:
                return (await operator.node.directory()).version > version.version

            await eventually(in_force, what="the new directory at hk")
            before = {one.hit.hit_id async for one in hk.screening.hits()}
            published = await risk.publish(naming("示例稀土有限公司", "示例钨业有限公司"), ["hk"])
            of_alert = f"source_id = {published.alert_id} AND class = identical"
            (quiet,) = await matched(hk, f"{of_alert} AND list = minerals")
            with pytest.raises(AgreementForbidsError):
                await hk.screening.confirm(quiet.match_id, purpose="export_control")
            (kept,) = await matched(hk, f"{of_alert} AND list = quick")
            assert (kept.status, kept.hit_id, quiet.status) == (MATCH_STATUS_OPEN, "", MATCH_STATUS_OPEN)
            assert kept.reason.startswith("not reported: no agreement lets hk send")
            assert {one.hit.hit_id async for one in hk.screening.hits()} == before

    nodes.run(run())


def test_a_changed_list_names_whose_verdict_it_has_changed(nodes: Federation) -> None:
    """Each change has its report; one that a killed node hasn't ended is ended after the next start."""

    async def reported(client: GatewayClient, alert_id: str, *, ceased: bool) -> tuple[ScreeningReport, ChangedVerdict]:
        async def look() -> tuple[ScreeningReport, ChangedVerdict] | None:
            async for counted in client.screening.reports("cn/minerals"):
                report = await client.screening.changed_verdicts(counted.number)
                for verdict in report.verdicts:
                    is_it = verdict.source.id == alert_id and verdict.entry.id == "verdicts"
                    if is_it and bool(verdict.class_after) != ceased:
                        return report, verdict
            return None

        return await eventually(look, within_s=90, what="a report about the alert")

    async def entry(*, ends: bool) -> None:
        async with nodes.client("cn", "publisher") as risk:
            if ends:
                await risk.watchlist.propose(
                    "minerals", withdrawals=[ProposedWithdrawal(id="verdicts", revision=1, reason="cleared")]
                )
        if not ends:
            await list_(nodes, "verdicts", "Verdict Example Lanterns Limited")

    async def begin() -> str:
        async with nodes.client("cn", "publisher") as risk, nodes.client("hk", "officer") as hk:
            published = await risk.publish(naming("Verdict Example Lanterns Limited", "示例稀土有限公司"), ["hk"])
            await matched(hk, f'source_id = "{published.alert_id}" AND id = company')  # it was screened before
            await entry(ends=False)
            await matched(hk, f'source_id = "{published.alert_id}" AND id = verdicts')
            return published.alert_id

    async def became(alert_id: str) -> None:
        async with nodes.client("hk", "officer") as hk:
            report, verdict = await reported(hk, alert_id, ceased=False)
            assert report.became >= 1  # with others that came within seconds
            assert verdict.class_before == MATCH_CLASS_UNSPECIFIED
            await entry(ends=True)
            later, verdict = await reported(hk, alert_id, ceased=True)
            assert later.number > report.number
            assert later.ceased >= 1
            assert verdict.class_before != MATCH_CLASS_UNSPECIFIED

    alert_id = nodes.run(begin())
    nodes["hk"].kill()
    nodes.start("hk")
    nodes.run(became(alert_id))
