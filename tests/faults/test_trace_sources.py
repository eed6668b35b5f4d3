"""A partner steers a trace to learn what another partner has answered: whole nodes, and what each was asked.

hk traces a container. cn and mo have no agreement with each other. mo has recorded a shipment of its own that names the
container, so that it looks like a part of the consignment.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from google.protobuf.message import Message

from gateway.errors import PermissionDeniedError
from gateway.history.codec.signed_texts import parse_query
from gateway.tracing.rules.links import plain
from gateway.trust.rules.directory import Agreement
from gateway.v1 import alert_pb2, goods_pb2, history_pb2, shipment_pb2
from gateway.v1 import history_service_pb2 as pb
from tests.support import consignments as case
from tests.support.command_line import Cli
from tests.support.federation import Federation, alert, eventually, with_logs
from tests.support.history_calls import recorded

CONTAINER = "GWDU2601174"
UCR, SEAL, USCC = "6CN9144030071526726XG-1", "SEAL-CN-4711", "91440300MA5EXMPLXX"
EXPORTER = case.EXPORTER.names[0].text
SECRETS = (UCR, SEAL, USCC, "CN-EXP-2026-000001")
WHY = ("--purpose", "export_control", "--legal-basis", "Arrangement, article 5", "--case", "SZ-2026-0117")

Changes = Mapping[str, object]


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    yield from with_logs(tmp_path)


def agree(federation: Federation, changes: Mapping[str, Changes] = {}, *, strangers: bool = True) -> None:
    """Another directory, before the nodes start: no agreement between cn and mo, and others changed."""

    def changed(agreement: Agreement) -> Agreement:
        return replace(agreement, **changes.get(agreement.id, {}))  # type: ignore[arg-type]

    directory = federation.directory
    kept = [each for each in directory.agreements if not (strangers and {each.sender, each.recipient} == {"cn", "mo"})]
    federation.put_directory(replace(directory, version=directory.version + 1, agreements=tuple(map(changed, kept))))


def export() -> shipment_pb2.Shipment:
    """cn's record: lead ingots whose cases are too large for lead."""
    return case.record(
        "cn",
        "CN-EXP-2026-000001",
        shipment_pb2.SHIPMENT_PROCEDURE_EXPORT,
        0,
        references=[case.reference(case.UCR, UCR)],
        parties=[case.EXPORTER],
        goods=[case.goods("780110", "Refined lead ingots, unwrought", element="Pb")],
        equipment=[goods_pb2.Equipment(id=CONTAINER, seals=[SEAL])],
        export_territory="CN",
        destination_territory="MO",
        route=[case.way(case.YANTIAN, case.BRIDGE_MO, 2, 8, case.CN_LORRY)],
    ).shipment


def steering() -> shipment_pb2.Shipment:
    """mo's record, made to find out what others know of the container."""
    return case.record(
        "mo",
        "MO-IMP-2026-000001",
        shipment_pb2.SHIPMENT_PROCEDURE_IMPORT,
        20,
        goods=[case.goods("780110", "Lead ingots")],
        equipment=[goods_pb2.Equipment(id=CONTAINER)],
        export_territory="CN",
    ).shipment


def own(**changes: object) -> shipment_pb2.Shipment:
    """hk's record of the transit."""
    return case.record(
        "hk",
        "HK-TRANSIT-2026-1",
        shipment_pb2.SHIPMENT_PROCEDURE_TRANSIT,
        6,
        goods=[case.goods("780110", "Lead ingots", element="Pb")],
        equipment=[goods_pb2.Equipment(id=CONTAINER, seals=["SEAL-HK-0815"])],
        **changes,
    ).shipment


async def trace(federation: Federation, node: str, **criteria: object) -> pb.TraceConsignmentResponse:
    async with federation.client(node, "officer") as officer:
        asked = history_pb2.SearchCriteria(**criteria)  # type: ignore[arg-type]
        return await officer.history.trace(asked, grounds=case.GROUNDS, draft_alert=True)


def questions(federation: Federation, node: str) -> str:
    """Everything that the node was asked by others, without the separators of values."""
    with closing(sqlite3.connect(federation[node].database)) as conn:
        rows = conn.execute("SELECT query FROM history_answers WHERE side = 1").fetchall()
    return " ".join(plain(str(parse_query(query))) for (query,) in rows)


def refusals(response: pb.TraceConsignmentResponse) -> dict[tuple[str, str], list[str]]:
    return {(refusal.source, refusal.recipient): list(refusal.kinds) for refusal in response.trace.onward_refusals}


def text_of(message: Message) -> str:
    """A message's text, without the separators of values."""
    return plain(str(message))


async def alerted(federation: Federation) -> str:
    """An alert of cn that hk has; returns its id."""
    async with federation.client("cn", "publisher") as publisher, federation.client("hk", "officer") as officer:
        alert_id = (await publisher.publish(alert(), ["hk"])).alert_id

        async def arrived() -> bool:
            return bool(await officer.get_alert(alert_pb2.AlertReference(publisher="cn", alert_id=alert_id)))

        await eventually(arrived, what="cn's alert at hk")
    return alert_id


def test_a_partner_is_asked_and_told_nothing_that_another_alone_has_answered(federation: Federation) -> None:
    """hk has inspected the goods on an alert of cn, which mo doesn't know of either."""
    agree(federation)
    federation.start()

    async def run() -> tuple[str, dict[str, str]]:
        alert_id = await alerted(federation)
        inspection = shipment_pb2.ShipmentInspection(
            result=alert_pb2.FINDING_RESULT_CONFIRMED,
            inspected_at=case.at(7),
            alert=alert_pb2.AlertReference(publisher="cn", alert_id=alert_id),
            goods_found=[case.goods("811010", "Antimony ingots", element="Sb")],
            remarks="As the mainland has said",
        )
        await recorded(federation, "cn", export())
        await recorded(federation, "mo", steering())
        await recorded(federation, "hk", own(inspections=[inspection]))
        response = await trace(federation, "hk", containers=[CONTAINER])
        asked = questions(federation, "mo")
        assert plain(CONTAINER) in asked
        assert not [secret for secret in SECRETS if plain(secret) in asked]
        assert plain("SEAL-HK-0815") in asked  # hk's own
        assert plain("SEAL-HK-0815") in questions(federation, "cn")
        assert plain("MO-IMP-2026-000001") not in questions(federation, "cn")
        assert {leg.record.node for leg in response.trace.legs} == {"cn", "hk", "mo"}
        assert refusals(response)["cn", "mo"] == ["declaration", "party", "seal", "ucr"]
        assert "declaration" in refusals(response)["mo", "cn"]

        drafts = {recipient: draft for draft in response.drafts for recipient in draft.recipients}
        assert set(drafts) == {"cn", "mo"}
        assert [source.alert_id for source in drafts["cn"].content.derived_from] == [alert_id]
        assert "MOIMP2026000001" not in text_of(drafts["cn"])
        assert not drafts["mo"].content.derived_from
        text = text_of(drafts["mo"])
        assert not [secret for secret in (*SECRETS, EXPORTER, alert_id, "mainland") if plain(secret) in text]
        published = {}
        async with federation.client("hk", "publisher") as publisher:
            for recipient, draft in drafts.items():
                assert {answer.node for answer in draft.content.derived_from_answers} == {recipient}
                with pytest.raises(PermissionDeniedError, match=f"what {recipient} answered be passed on"):
                    await publisher.publish(draft.content, ["cn", "mo"])
                published[recipient] = (await publisher.publish(draft.content, [recipient])).alert_id

        # mo asks hk for the same: the record names no alert of cn.
        seen_by_mo = (await trace(federation, "mo", containers=[CONTAINER])).trace
        (of_hk,) = (leg.record for leg in seen_by_mo.legs if leg.record.node == "hk")
        assert of_hk.shipment.inspections
        assert plain(alert_id) not in text_of(of_hk)

        return alert_id, published

    alert_id, published = federation.run(run())
    hk = Cli(federation, "hk")
    shown = hk.run("officer", "alert", "show", published["cn"]).output
    assert f"cn/{alert_id}" in shown
    assert "Derived from answers" in shown
    shown = " ".join(hk.run("officer", "history", "trace", "--container", CONTAINER, *WHY).output.split())
    assert "4 links not followed: cn doesn't release them to mo (declaration, party, seal, UCR)" in shown
    assert "LINKS_NOT_FOLLOWED" in hk.run("auditor", "audit", "list").output


def test_what_cn_releases_is_followed_and_nobody_gets_an_alert_that_its_agreement_does_not_give(
    federation: Federation,
) -> None:
    """cn lets hk pass on its answers to mo, but hk sends mo no alerts."""
    no_alerts = {"message_types": frozenset({"HistoryQuery", "HistoryRecord"})}
    released = {"extensions": {"onward_recipients": ["mo"]}}
    agree(federation, {"cn-hk": released, "hk-mo": no_alerts}, strangers=False)
    federation.start()

    async def run() -> None:
        await recorded(federation, "cn", export())
        await recorded(federation, "mo", steering())
        response = await trace(federation, "hk", containers=[CONTAINER])
        asked = questions(federation, "mo")
        assert all(plain(secret) in asked for secret in (UCR, SEAL, "CN-EXP-2026-000001"))
        assert ("cn", "mo") not in refusals(response)
        assert [recipient for draft in response.drafts for recipient in draft.recipients] == ["cn"]
        assert response.draft == response.drafts[0]

    federation.run(run())
