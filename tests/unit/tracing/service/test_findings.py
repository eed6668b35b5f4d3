"""Findings that this node reported on alerts stand in its own records of what was inspected, each once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.contract.findings import reference_of, standing_findings
from gateway.contract.messages import to_timestamp
from gateway.feed.projection.rebuild import rebuild
from gateway.history.commands.record import records_feed
from gateway.history.projection.index import IndexCommand
from gateway.history.service.indexer import HistoryIndexer
from gateway.history.tables import shipments
from gateway.tracing.service import findings as history_findings
from gateway.tracing.service.findings import FindingBatch, FindingSearch, KeepFindingsInRecordsCommand
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import alert_pb2, goods_pb2, shipment_pb2
from tests.support.databases import MakeDatabase
from tests.support.nodes import DAY_MS, PaperNode, exchange, paper_nodes
from tests.support.recording import KEPT_MS, index, purge_command, record, retention, search
from tests.support.shipments import DECLARED, shipment

OTHER_CONTAINER = goods_pb2.Equipment(id="MSCU6639870")
UCR = goods_pb2.ShipmentReference(kind=goods_pb2.SHIPMENT_REFERENCE_KIND_UCR, value="6CN9144030071526726XG-1")


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database, ("cn", "hk")) as made:
        yield made


@pytest.fixture
def desk(nodes: list[PaperNode], monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(history_findings, "REST", 0)
    return Desk(*nodes)


class Desk:
    """hk's officers, who inspect what cn's alerts name, and the search that puts their findings into hk's records."""

    def __init__(self, cn: PaperNode, hk: PaperNode) -> None:
        self.cn, self.hk = cn, hk
        self.restart()

    def restart(self) -> None:
        self.search = FindingSearch(self.hk.database, node="hk")

    def inspect(self, remarks: str = "ingots", **subject: Any) -> str:
        """An alert of cn on the container, and on what else is given, with hk's finding on it; returns its id."""
        alert_id = self.cn.publish("hk", subject=alert_pb2.Subject(**subject))
        exchange(self.cn, self.hk)
        self.hk.step("cn", alert_id, acknowledged=alert_pb2.AlertAcknowledged(revision=1))
        self.report(alert_id, remarks)
        return alert_id

    def report(self, alert_id: str, remarks: str = "ingots", *, revision: int = 1) -> None:
        finding = alert_pb2.AlertFinding(
            result=alert_pb2.FINDING_RESULT_CONFIRMED,
            inspected_at=to_timestamp(self.hk.clock.now),
            methods=["x_ray"],
            goods_found=[goods_pb2.GoodsItem(element="Sb", net_mass_kg=19_400)],
            remarks=remarks,
            revision=revision,
        )
        self.hk.step("cn", alert_id, finding=finding)
        self.hk.settle()

    def change(self, alert_id: str, remarks: str | None) -> None:
        """Corrects the finding on an alert, or withdraws it."""
        (known,) = standing_findings(self.hk.queries.get("cn", alert_id).history)
        place = reference_of(known.place)
        if remarks is None:
            withdrawn = alert_pb2.AlertFindingWithdrawn(finding=place, reason="Another container")
            self.hk.step("cn", alert_id, finding_withdrawn=withdrawn)
        else:
            right = alert_pb2.AlertFinding()
            right.CopyFrom(known.finding)
            right.remarks = remarks
            corrected = alert_pb2.AlertFindingCorrected(replaces=place, finding=right, reason="By the laboratory")
            self.hk.step("cn", alert_id, finding_corrected=corrected)
        self.hk.settle()

    def record(self, *recorded: shipment_pb2.Shipment | shipment_pb2.ShipmentAddition) -> None:
        """Records, indexes, and puts findings into what was recorded."""
        record(self.hk, *recorded)
        index(self.hk)
        self.keep()

    def keep(self) -> None:
        """Everything that there is to put into records, indexed."""
        while (reported := self.search.next()) is not None:
            assert self.commit(reported)
        index(self.hk)

    def commit(self, reported: FindingBatch) -> bool:
        command = KeepFindingsInRecordsCommand(records_feed(FEDERATION, "hk"), reported)
        return self.hk.writer.run(command)  # type: ignore[no-any-return]

    def inspections(self, record_id: str) -> list[shipment_pb2.ShipmentInspection]:
        (found,) = search(self.hk, record_ids=[record_id])
        return list(found.shipment.inspections)

    def said(self, record_id: str) -> list[str]:
        """What the inspections in a record say, each as often as it was recorded."""
        with self.hk.database.read() as conn:
            logged = shipments.log_after(conn, 0, 1_000)
        added = [
            shipment_pb2.ShipmentAddition.FromString(row.content)
            for row in logged
            if row.record_id == record_id and row.kind
        ]
        return sorted(inspection.remarks for one in added for inspection in one.inspections)


def declared(record_id: str, days: float = 0, **changes: Any) -> shipment_pb2.Shipment:
    """A record without references, in the container without seals, declared some days after DECLARED."""
    at = to_timestamp(int((DECLARED + timedelta(days=days)).timestamp() * 1000))
    plain = {"references": [], "equipment": [goods_pb2.Equipment(id="CSQU3054383")], "declared_at": at}
    return shipment(record_id, **{**plain, **changes})


def test_a_finding_stands_in_the_record_that_the_alert_names_and_once(desk: Desk) -> None:
    cn, hk = desk.cn, desk.hk
    desk.record(shipment("HK-1"), shipment("HK-2", references=[], equipment=[OTHER_CONTAINER]))
    alert_id = desk.inspect()
    desk.keep()
    desk.restart()
    desk.keep()

    (inspection,) = desk.inspections("HK-1")
    assert not desk.inspections("HK-2")
    assert (inspection.result, inspection.alert.alert_id) == (alert_pb2.FINDING_RESULT_CONFIRMED, alert_id)
    assert [(one.element, one.net_mass_kg) for one in inspection.goods_found] == [("Sb", 19_400)]

    exchange(cn, hk)
    record(cn, shipment("CN-1"))
    index(cn)
    assert _kept(FindingSearch(cn.database, node="cn")) == ()  # hk's word stays hk's: cn gets it by asking


def _kept(search: FindingSearch) -> tuple[shipment_pb2.ShipmentAddition, ...]:
    reported = search.next()
    return reported.additions if reported is not None else ()


def test_records_of_the_same_container_at_another_time_stay_as_they_are(desk: Desk) -> None:
    desk.record(declared("OLD", -900), declared("LAST", -60), declared("BEFORE", -7), declared("MEANT"))
    desk.inspect()
    desk.keep()
    desk.record(declared("NEXT", 14), declared("LATER", 80))

    names = ["OLD", "LAST", "BEFORE", "MEANT", "NEXT", "LATER"]
    assert [name for name in names if desk.said(name)] == ["MEANT"]


def test_a_record_with_a_document_of_the_alert_goes_before_those_in_its_container(desk: Desk) -> None:
    desk.record(declared("DOCUMENT", -30, references=[UCR], equipment=[]), declared("CONTAINER"))
    desk.inspect(references=[UCR])
    desk.keep()

    assert (desk.said("DOCUMENT"), desk.said("CONTAINER")) == (["ingots"], [])


def test_one_finding_doesnt_draw_the_next_one_after_it(desk: Desk) -> None:
    desk.record(declared("A"))
    at = int(DECLARED.timestamp() * 1000)
    for remarks, days in (("first", 40), ("second", 80)):
        desk.hk.clock.forward(at + days * DAY_MS - desk.hk.clock.now)
        desk.inspect(remarks)
        desk.keep()

    assert desk.said("A") == ["first"]


def test_what_an_alert_is_amended_to_after_the_finding_wasnt_inspected(desk: Desk) -> None:
    alert_id = desk.inspect()
    desk.cn.amend(alert_id, 2, subject=alert_pb2.Subject(equipment=[OTHER_CONTAINER]))
    exchange(desk.cn, desk.hk)
    desk.record(declared("A"), declared("B", equipment=[OTHER_CONTAINER]))
    assert (desk.said("A"), desk.said("B")) == (["ingots"], [])

    desk.restart()
    desk.report(alert_id, "both", revision=2)
    desk.keep()
    assert (desk.said("A"), desk.said("B")) == (["both", "ingots"], ["both"])


@pytest.mark.parametrize("restarted", [True, False])
def test_a_finding_comes_into_what_is_recorded_after_it(desk: Desk, restarted: bool) -> None:
    desk.inspect(references=[UCR])
    desk.keep()
    if restarted:
        desk.restart()
    desk.record(declared("A", references=[UCR], equipment=[]))
    if restarted:
        desk.restart()
    desk.record(declared("A", references=[UCR], equipment=[], package_count=2), declared("B"))

    assert (desk.said("A"), desk.said("B")) == (["ingots"], [])


def test_a_finding_comes_into_a_record_that_wasnt_findable_yet(desk: Desk) -> None:
    record(desk.hk, declared("A"))
    desk.inspect()
    assert _kept(desk.search) == ()
    desk.keep()
    desk.keep()

    assert desk.said("A") == ["ingots"]


def test_a_shipment_that_was_recorded_with_the_finding_has_it_already(desk: Desk) -> None:
    desk.record(declared("A"))
    desk.inspect()
    desk.keep()
    (inspection,) = desk.inspections("A")
    desk.record(declared("B", inspections=[inspection]))

    assert desk.said("B") == []


def test_nothing_is_added_again_before_what_was_added_is_findable(desk: Desk) -> None:
    desk.record(declared("A"))
    desk.inspect()
    record(desk.hk, declared("A", package_count=2))
    _keep_without_making_findable(desk)
    _index_one_item(desk)  # the new revision, and not yet the finding
    _keep_without_making_findable(desk)
    index(desk.hk)
    desk.keep()

    assert desk.said("A") == ["ingots"]


def _keep_without_making_findable(desk: Desk) -> None:
    while (reported := desk.search.next()) is not None:
        assert desk.commit(reported)


def _index_one_item(desk: Desk) -> None:
    prepared = HistoryIndexer(desk.hk.database, batch=1).next()
    assert prepared is not None
    assert desk.hk.writer.run(IndexCommand(prepared, retention))


@pytest.mark.parametrize("restarted", [True, False])
def test_while_the_projections_are_built_again_findings_wait(desk: Desk, restarted: bool) -> None:
    desk.record(declared("A"), declared("B", equipment=[OTHER_CONTAINER]))
    desk.inspect("first")
    desk.keep()
    desk.inspect("second", equipment=[OTHER_CONTAINER])
    with desk.hk.database.write() as conn:
        desk.hk.projector.clear(conn)
    if restarted:
        desk.restart()
    _keep_without_making_findable(desk)
    rebuild(desk.hk.writer, report_progress=lambda _: None)
    _keep_without_making_findable(desk)
    index(desk.hk)
    desk.keep()

    assert (desk.said("A"), desk.said("B")) == (["first", "second"], ["second"])


def test_a_search_that_begins_while_alerts_are_built_again_knows_all_findings(desk: Desk) -> None:
    desk.inspect()
    desk.keep()
    with desk.hk.database.write() as conn:
        desk.hk.projector.clear(conn)
    desk.restart()
    desk.keep()
    rebuild(desk.hk.writer, report_progress=lambda _: None)
    desk.record(declared("A"))

    assert desk.said("A") == ["ingots"]


def test_what_was_found_by_a_search_that_was_overtaken_has_no_effect(desk: Desk) -> None:
    desk.record(declared("A"))
    desk.inspect()
    found = desk.search.next()
    assert found is not None
    assert desk.commit(found)
    index(desk.hk)

    assert not desk.commit(found)
    assert desk.said("A") == ["ingots"]


@pytest.mark.both_databases
@pytest.mark.parametrize("restarted", [True, False])
def test_a_record_follows_the_corrections_of_a_finding(desk: Desk, restarted: bool) -> None:
    desk.record(declared("A"))
    alert_id = desk.inspect("lead")
    desk.inspect("a seal")
    desk.keep()
    if restarted:
        desk.restart()
    desk.change(alert_id, "lead")  # what a record has no room for, as a measure's mass
    desk.keep()
    assert [each.remarks for each in desk.inspections("A")] == ["lead", "a seal"]
    desk.change(alert_id, "antimony")
    desk.keep()
    assert [each.remarks for each in desk.inspections("A")] == ["antimony", "a seal"]
    desk.record(declared("B"))  # known later
    assert [each.remarks for each in desk.inspections("B")] == ["antimony", "a seal"]
    desk.change(alert_id, None)
    desk.keep()
    desk.record(declared("C"))
    for record_id in "ABC":
        assert [each.remarks for each in desk.inspections(record_id)] == ["a seal"]
    assert desk.search.next() is None


@pytest.mark.both_databases
def test_a_record_that_was_erased_meanwhile_gets_no_finding(desk: Desk) -> None:
    desk.record(declared("A", retention_class="short"))
    desk.inspect()
    found = desk.search.next()
    assert found is not None
    assert len(found.additions) == 1
    desk.hk.clock.forward(KEPT_MS["short"] + DAY_MS)
    desk.hk.writer.run(purge_command(desk.hk))

    assert desk.commit(found)
    assert desk.said("A") == []
    desk.keep()
    assert desk.said("A") == []


def test_what_has_no_finding_costs_no_commit_each(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.inspect()
    desk.keep()
    others = [declared(f"R-{at}", equipment=[OTHER_CONTAINER]) for at in range(4)]
    monkeypatch.setattr(history_findings, "LOOK_POSITIONS", 3)
    record(desk.hk, *others[:2])
    index(desk.hk)
    assert desk.search.next() is None

    record(desk.hk, *others[2:])
    index(desk.hk)
    assert _looks(desk) == [((), 4)]
    assert desk.search.next() is None


def _looks(desk: Desk) -> list[tuple[tuple[shipment_pb2.ShipmentAddition, ...], int]]:
    """What each look gives, and how far in records it came."""
    looks = []
    while (reported := desk.search.next()) is not None:
        looks.append((reported.additions, reported.after[1]))
        assert desk.commit(reported)
    return looks


def test_after_a_look_at_new_records_other_work_goes_first(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def monotonic() -> float:
        now[0] += 1.0  # so long does each look take
        return now[0]

    monkeypatch.setattr(history_findings, "REST", 20)
    monkeypatch.setattr(history_findings, "time", SimpleNamespace(monotonic=monotonic))
    desk.inspect()
    desk.keep()
    desk.record(declared("A"))
    assert desk.said("A") == []

    now[0] += 20
    desk.keep()
    assert desk.said("A") == ["ingots"]


STEPS = st.lists(
    st.sampled_from(["record A", "record B", "add A", "add B", "index", "index one", "inspect", "keep", "restart"]),
    max_size=14,
)


@pytest.mark.both_databases
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_in_whatever_order_all_comes_each_record_has_each_finding_once(desk: Desk, steps: list[str]) -> None:
    """Of one document for each example, so that what came before it doesn't matter."""
    reference = goods_pb2.ShipmentReference(kind=UCR.kind, value=f"6CN{uuid.uuid4()}")
    name = reference.value[-8:]
    findings: list[str] = []
    for number, step in enumerate(["record A", *steps, "inspect"]):
        what, _, which = step.partition(" ")
        if what == "record":
            changes = {"references": [reference], "equipment": [], "package_count": number}
            record(desk.hk, declared(f"{which}-{name}", **changes))
        elif what == "add":
            event = shipment_pb2.ShipmentEvent(
                kind=shipment_pb2.SHIPMENT_EVENT_KIND_GATE_OUT, occurred_at=to_timestamp(desk.hk.clock.now)
            )
            record(desk.hk, shipment_pb2.ShipmentAddition(record_id=f"{which}-{name}", events=[event]))
        elif step == "index":
            index(desk.hk)
        elif step == "index one" and HistoryIndexer(desk.hk.database).next() is not None:
            _index_one_item(desk)
        elif what == "inspect":
            findings.append(f"finding {number}")
            desk.inspect(findings[-1], references=[reference])
        elif what == "keep":
            _keep_without_making_findable(desk)
        elif what == "restart":
            desk.restart()
    for _ in range(3):
        index(desk.hk)
        desk.restart()
        desk.keep()

    assert desk.said(f"A-{name}") == sorted(findings)
    assert desk.said(f"B-{name}") == (sorted(findings) if "record B" in steps else [])
