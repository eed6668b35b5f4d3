"""Figures and publication sheets over real gateways: who may, what counts, and that it is off without the setting."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from gateway.client import AlertReference, GatewayClient
from gateway.contract.messages import to_timestamp
from gateway.errors import (
    IllegalTransitionError,
    InvalidRequestError,
    MethodUnknownError,
    NotFoundError,
    PermissionDeniedError,
)
from gateway.v1 import alert_pb2, party_pb2
from tests.support.federation import Federation, alert, eventually, with_logs

ON = "[figures]\nenabled = true\n"
NAME = "Mingde Metals Trading Limited"


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    for made in with_logs(
        tmp_path_factory.mktemp("figures"), settings_of=lambda node: ON if node in ("cn", "hk") else ""
    ):
        made.start()
        yield made


@pytest.fixture(scope="module")
def closed(nodes: Federation) -> str:
    """A closed alert of cn to hk with a seizure, and its id."""

    async def case() -> str:
        content = alert(narratives=[alert_pb2.Narrative(language="en", text=f"Seen with {NAME.upper()} before.")])
        content.subject.parties.append(
            party_pb2.Party(role=party_pb2.PARTY_ROLE_EXPORTER, names=[party_pb2.Name(text=NAME)])
        )
        async with nodes.client("cn", "supervisor") as cn, nodes.client("hk", "officer") as hk:
            alert_id = (await cn.publish(content, ["hk"])).alert_id
            reference = AlertReference(publisher="cn", alert_id=alert_id)

            async def arrived() -> bool:
                return alert_id in [summary.alert.id async for summary in hk.list_alerts()]

            await eventually(arrived, what="the alert at hk")
            await hk.acknowledge(reference, revision=1)
            finding = alert_pb2.AlertFinding(
                alert=reference,
                revision=1,
                result=alert_pb2.FINDING_RESULT_CONFIRMED,
                inspected_at=to_timestamp(int(datetime.now(UTC).timestamp() * 1000)),
                remarks=f"The papers of {NAME} name lead.",
                measures=[alert_pb2.MeasureTaken(kind=alert_pb2.MEASURE_KIND_SEIZED, element="Sb", net_mass_kg=1250.5)],
            )
            await hk.report_finding(finding)

            async def told() -> bool:
                history = (await cn.get_alert(reference)).history
                return any(step.event.WhichOneof("event") == "finding" for step in history)

            await eventually(told, what="the finding at cn")
            await cn.close_alert(alert_id, revision=1, outcome=alert_pb2.CLOSE_OUTCOME_CONFIRMED)
        return alert_id

    return str(nodes.run(case()))


def test_a_case_counts_at_both_sides_some_seconds_later(nodes: Federation, closed: str) -> None:
    async def run() -> None:
        for node in ("cn", "hk"):
            async with nodes.client(node, "analyst") as client:

                async def counted(client: GatewayClient = client) -> bool:
                    read = await client.figures.get()
                    return bool(read.time_to_close.sample.value and not read.uncounted)

                await eventually(counted, what=f"figures at {node}")
                read = await client.figures.get()
                assert read.published.value == 1
                assert [(row.kind, row.net_mass_kg) for row in read.measures] == [("seized", 1250.5)]
                assert read.time_to_acknowledge.sample.value == 1
                assert not (await client.figures.get(partner="mo")).published.value

    nodes.run(run())


@pytest.mark.parametrize("system", ["officer", "publisher", "operator"])
def test_others_may_not_see_figures(nodes: Federation, system: str) -> None:
    async def run() -> None:
        async with nodes.client("cn", system) as client:
            with pytest.raises(PermissionDeniedError):
                await client.figures.get()

    nodes.run(run())


def test_without_the_setting_there_is_no_such_service(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("mo", "supervisor") as client:
            with pytest.raises(MethodUnknownError):
                await client.figures.get()

    nodes.run(run())


def test_a_sheet_has_no_name_and_what_is_investigative_only_by_decision(nodes: Federation, closed: str) -> None:
    async def run() -> None:
        async with nodes.client("cn", "analyst") as analyst, nodes.client("cn", "supervisor") as supervisor:
            plain = await analyst.figures.publication_sheet(closed)
            assert plain.sheet.publisher == "cn"
            assert list(plain.sheet.recipients) == ["hk"]
            assert plain.sheet.closing.outcome == alert_pb2.CLOSE_OUTCOME_CONFIRMED
            assert plain.sheet.published_on == plain.sheet.closed_on or plain.sheet.closed_on
            assert not plain.sheet.content.narratives
            assert not plain.sheet.content.HasField("subject")
            assert not plain.sheet.findings[0].finding.measures
            with pytest.raises(PermissionDeniedError):
                await analyst.figures.publication_sheet(
                    closed, disclose=["content.narratives"], reason="The press asks"
                )
            with pytest.raises(InvalidRequestError):
                await supervisor.figures.publication_sheet(closed, disclose=["content.narratives"])
            decided = await supervisor.figures.publication_sheet(
                closed, disclose=plain.decidable, reason="The court has judged"
            )
            sheet = decided.sheet
            assert NAME.casefold() not in str(sheet).casefold()
            assert {"content.narratives.text", "findings.remarks"} <= set(sheet.blacked_out)
            assert sheet.findings[0].finding.measures[0].net_mass_kg == 1250.5
            with pytest.raises(InvalidRequestError):
                await supervisor.figures.publication_sheet(closed, disclose=["content.subject"], reason="All of it")
        async with nodes.client("cn", "auditor") as auditor:

            async def told() -> bool:
                return "The court has judged" in str([event async for event in auditor.evidence.audit_events()])

            await eventually(told, what="the decision in the audit log")

    nodes.run(run())


def test_an_open_alert_has_no_sheet(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("cn", "supervisor") as client:
            open_alert = (await client.publish(alert(), ["hk", "mo"])).alert_id
            with pytest.raises(IllegalTransitionError):
                await client.figures.publication_sheet(open_alert)

    nodes.run(run())


def test_figures_of_both_sides_follow_a_correction_and_a_withdrawal(nodes: Federation) -> None:
    """Also after the alert was closed; the evidence of the alert has all of it."""

    async def run() -> None:
        async with nodes.client("cn", "supervisor") as cn, nodes.client("hk", "officer") as hk:
            alert_id = (await cn.publish(alert(), ["hk"])).alert_id
            reference = AlertReference(publisher="cn", alert_id=alert_id)
            await eventually(lambda: _has(hk, reference, "published"), what="the alert at hk")
            finding = alert_pb2.AlertFinding(
                alert=reference,
                revision=1,
                result=alert_pb2.FINDING_RESULT_CONFIRMED,
                inspected_at=to_timestamp(int(datetime.now(UTC).timestamp() * 1000)),
                measures=[alert_pb2.MeasureTaken(kind=alert_pb2.MEASURE_KIND_SEIZED, element="Tb", net_mass_kg=4000)],
            )
            reported = (await hk.report_finding(finding)).entries[0]
            await eventually(lambda: _has(cn, reference, "finding"), what="the finding at cn")
            await eventually(lambda: _seized(nodes, "Tb", 4000), what="the seizure in the figures")
            await cn.close_alert(alert_id, revision=1, outcome=alert_pb2.CLOSE_OUTCOME_CONFIRMED)
            finding.measures[0].net_mass_kg = 400
            place = alert_pb2.FindingReference(origin=reported.origin, index=reported.index)
            corrected = (await hk.correct_finding(place, finding, reason="A zero too many")).entries[0]
            await eventually(lambda: _seized(nodes, "Tb", 400), what="the correction in the figures")
            with pytest.raises(IllegalTransitionError, match="was corrected since"):
                await hk.withdraw_finding(reference, place, reason="The first is meant")
            place = alert_pb2.FindingReference(origin=corrected.origin, index=corrected.index)
            await hk.withdraw_finding(reference, place, reason="Another container was opened")
            await eventually(lambda: _seized(nodes, "Tb", None), what="the withdrawal in the figures")
            sheet = (await cn.figures.publication_sheet(alert_id)).sheet
            assert not sheet.findings
            steps = [change.event.WhichOneof("event") for change in (await cn.get_alert(reference)).history]
            assert steps[-2:] == ["finding_corrected", "finding_withdrawn"]
        async with nodes.client("cn", "auditor") as auditor:
            names = str([file.name for file in await auditor.evidence.export(reference)])
            assert "finding_corrected" in names
            assert "finding_withdrawn" in names

    nodes.run(run())


async def _has(client: GatewayClient, reference: AlertReference, event: str) -> bool:
    try:
        history = (await client.get_alert(reference)).history
    except NotFoundError:
        return False
    return any(step.event.WhichOneof("event") == event for step in history)


async def _seized(nodes: Federation, element: str, kg: float | None) -> bool:
    """Whether both sides' figures have exactly this seizure."""
    for node in ("cn", "hk"):
        async with nodes.client(node, "analyst") as client:
            rows = [row.net_mass_kg for row in (await client.figures.get()).measures if row.element == element]
        if rows != ([] if kg is None else [kg]):
            return False
    return True
