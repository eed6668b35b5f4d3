"""Open own records that a change of export control touches, over recorded shipments."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.contract.messages import to_ms, to_timestamp
from gateway.errors import InvalidRequestError
from gateway.history.service.control_changes import OPEN_DAYS, ControlChanges
from gateway.notifications.service.controls import TOLD_DAYS, changed_controls
from gateway.risk.controlled_goods_file import load_controlled_goods
from gateway.risk.facts.controlled import Controls
from gateway.translation.notification_texts import sentence_of
from gateway.v1 import goods_pb2, shipment_pb2
from gateway.v1 import history_service_pb2 as pb
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, paper_nodes
from tests.support.recording import index, record

AGAIN = datetime(2026, 11, 11, 4, tzinfo=UTC)
"""The day on which the controls of No.57 of 2025 hold again."""


@pytest.fixture
def node(tmp_path: Path, make_database: MakeDatabase) -> Iterator[PaperNode]:
    with paper_nodes(tmp_path, make_database, ("cn", "hk")) as (cn, _):
        cn.clock.now = int((AGAIN + timedelta(days=3)).timestamp() * 1000)
        yield cn


def holmium(record_id: str, days_before: float, **changes: object) -> shipment_pb2.Shipment:
    made = shipment_pb2.Shipment(
        record_id=record_id,
        procedure=shipment_pb2.SHIPMENT_PROCEDURE_EXPORT,
        declared_at=to_timestamp(int((AGAIN - timedelta(days=days_before)).timestamp() * 1000)),
        utc_offset_minutes=480,
        destination_territory="JP",
        goods=[shipment_pb2.ShipmentGoods(sequence=1, codes=[goods_pb2.CommodityCode(code="28053019", scheme="hs")])],
    )
    made.goods[0].codes[0].territory = "CN"
    made.MergeFrom(shipment_pb2.Shipment(**changes))  # type: ignore[arg-type]
    return made


def event(kind: shipment_pb2.ShipmentEventKind.ValueType) -> shipment_pb2.ShipmentEvent:
    return shipment_pb2.ShipmentEvent(kind=kind, occurred_at=to_timestamp(int(AGAIN.timestamp() * 1000) - 1_000))


def changes(node: PaperNode, since: str, until: str = "") -> pb.ListControlChangesResponse:
    queries = ControlChanges(node.database, Controls(load_controlled_goods()), clock=node.clock)
    return queries.list(pb.ListControlChangesRequest(since=since, until=until))


@pytest.mark.both_databases
def test_open_records_are_under_control_again(node: PaperNode) -> None:
    left, released = shipment_pb2.SHIPMENT_EVENT_KIND_GATE_OUT, shipment_pb2.SHIPMENT_EVENT_KIND_RELEASE
    record(
        node,
        holmium("OPEN-1", 20),
        holmium("OPEN-2", 2, events=[event(released)]),
        holmium("GONE", 3, events=[event(left)]),
        holmium("OLD", OPEN_DAYS + 2),
        holmium("IMPORTED", 4, procedure=shipment_pb2.SHIPMENT_PROCEDURE_IMPORT),
    )
    record(node, holmium("LEAD", 5, goods=[]))
    alloy = holmium("ALLOY", 6)
    alloy.goods[0].codes[0].code, alloy.goods[0].element = (
        "81059000",
        "Ho",
    )  # the act names alloys, and no code for them
    record(node, alloy)
    index(node)
    response = changes(node, "2026-11-11")
    (again,) = [each for each in response.changes if each.announcement == "MOFCOM/GACC No.57 of 2025"]
    assert (again.day, again.before, again.confidence) == ("2026-11-11", "suspended", "medium")
    assert [one.record_id for one in again.records] == ["OPEN-2", "LEAD", "ALLOY", "OPEN-1"]
    assert again.records[0].substance == "holmium metal"
    assert response.until == "2026-11-14"
    (expected,) = [each for each in changes(node, "2026-11-28", "2026-11-28").changes if each.measure == "refused"]
    assert (list(expected.destinations), list(expected.records)) == (["US"], [])


@pytest.mark.parametrize(("since", "until"), [("2026-13-01", ""), ("2026-11-12", "2026-11-11"), ("2000-01-01", "")])
def test_days_that_are_none_or_too_far_apart_are_refused(node: PaperNode, since: str, until: str) -> None:
    with pytest.raises(InvalidRequestError):
        changes(node, since, until)


def test_what_touches_open_records_is_told_on_its_day_and_for_some_days(node: PaperNode) -> None:
    record(node, holmium("OPEN", 20))
    index(node)
    controls = ControlChanges(node.database, Controls(load_controlled_goods()), clock=node.clock)
    node.clock.now = int((AGAIN - timedelta(days=1)).timestamp() * 1000)
    assert changed_controls(controls) == []
    for days in range(TOLD_DAYS):
        node.clock.now = int((AGAIN + timedelta(days=days)).timestamp() * 1000)
        (told,) = [each.message for each in changed_controls(controls)]
        assert told.event_id == "controls/2026-11-11/MOFCOM/GACC No.57 of 2025"
        assert (told.control_day, told.records) == ("2026-11-11", 1)
        assert "Since 2026-11-11, MOFCOM/GACC No.57 of 2025: its suspension" in sentence_of(told)
        assert to_ms(told.occurred_at) == int(datetime(2026, 11, 10, 16, tzinfo=UTC).timestamp() * 1000)
    node.clock.now = int((AGAIN + timedelta(days=TOLD_DAYS)).timestamp() * 1000)
    assert changed_controls(controls) == []
