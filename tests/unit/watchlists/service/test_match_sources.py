"""Recorded shipments as a source of parties that are screened unasked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.contract.messages import to_timestamp
from gateway.v1 import shipment_pb2
from gateway.watchlists.rules.matches import SourceKey, SourceKind
from gateway.watchlists.service.match_sources import SHIPMENTS, SourceItem
from tests.support.databases import MakeDatabase
from tests.support.nodes import DAY_MS, PaperNode, paper_nodes
from tests.support.recording import KEPT_MS, index, purge_command, record
from tests.support.shipments import shipment


@pytest.fixture
def node(tmp_path: Path, make_database: MakeDatabase) -> Iterator[PaperNode]:
    with paper_nodes(tmp_path, make_database, ("cn", "hk")) as made:
        yield made[0]


def after(node: PaperNode, position: int) -> tuple[list[SourceItem], int]:
    with node.database.read() as conn:
        return SHIPMENTS.after(conn, position, 10)


def test_records_come_once_each_as_they_are_now_when_they_are_findable(node: PaperNode) -> None:
    record(node, shipment("A"), shipment("B"))
    assert after(node, 0) == ([], 0)

    index(node)
    record(node, shipment("A", equipment=[]))
    index(node)
    items, reached = after(node, 0)

    assert [(item.key, item.revision) for item in items] == [
        (SourceKey(SourceKind.SHIPMENT, "cn", "B"), 1),
        (SourceKey(SourceKind.SHIPMENT, "cn", "A"), 2),
    ]
    assert reached == 3
    assert set(items[0].subjects) == {"parties[0]", "parties[1]", "equipment[0]", "means[0]"}
    assert items[0].subjects["means[0]"].vehicles == ["粤Z·A123港", "AB 1234"]
    assert "equipment[0]" not in items[1].subjects
    assert after(node, 3) == ([], 3)


def test_the_newest_come_first(node: PaperNode) -> None:
    record(node, *(shipment(f"R-{at}") for at in range(5)))
    index(node)

    assert [item.key.id for item in SHIPMENTS.newest(node.database)] == ["R-4", "R-3", "R-2", "R-1", "R-0"]


def test_what_was_erased_names_nobody_and_additions_alone_neither(node: PaperNode) -> None:
    event = shipment_pb2.ShipmentEvent(kind=shipment_pb2.SHIPMENT_EVENT_KIND_RELEASE, occurred_at=to_timestamp(1))
    record(node, shipment("A", retention_class="short"), shipment_pb2.ShipmentAddition(record_id="B", events=[event]))
    index(node)
    node.clock.forward(KEPT_MS["short"] + DAY_MS)
    node.writer.run(purge_command(node))

    assert after(node, 0) == ([], 2)


def added(record_id: str, **event: Any) -> shipment_pb2.ShipmentAddition:
    kind = shipment_pb2.SHIPMENT_EVENT_KIND_GATE_OUT
    made = shipment_pb2.ShipmentEvent(kind=kind, occurred_at=to_timestamp(1), **event)
    return shipment_pb2.ShipmentAddition(record_id=record_id, events=[made])


def test_what_is_added_later_comes_with_its_record(node: PaperNode) -> None:
    record(node, shipment("A"), shipment("B"))
    record(node, added("A", equipment_id="MSCU6639870"), added("A", means="XY 99"))
    index(node)

    later, reached = after(node, 2)
    everything, _ = after(node, 0)

    assert [(item.key.id, item.revision) for item in later] == [("A", 1)]
    assert [item.key.id for item in everything] == ["B", "A"]
    assert reached == 4
    assert later[0].subjects["events[0]"].containers == ["MSCU6639870"]
    assert later[0].subjects["events[1]"].vehicles == ["XY 99"]
    assert {"parties[0]", "equipment[0]"} < set(later[0].subjects)
    assert [(item.key.id, sorted(item.subjects)[:2]) for item in SHIPMENTS.newest(node.database)] == [
        ("B", ["equipment[0]", "means[0]"]),
        ("A", ["equipment[0]", "events[0]"]),
    ]


def test_what_is_added_and_names_nothing_new_isnt_screened_again(node: PaperNode) -> None:
    record(node, shipment("A"), added("A", equipment_id="MSCU6639870"))
    record(node, added("A", equipment_id="CSQU3054383", means="AB 1234"), added("A", equipment_id="MSCU 663987-0"))
    record(node, added("A"), added("A", means="XY 99"))
    index(node)

    assert [_first_alone(node, position) for position in range(6)] == [1, 1, 0, 0, 0, 1]


def _first_alone(node: PaperNode, position: int) -> int:
    """Records that one item of the log alone lets screen."""
    with node.database.read() as conn:
        return len(SHIPMENTS.after(conn, position, 1)[0])


def test_what_was_added_before_its_shipment_comes_with_that(node: PaperNode) -> None:
    record(node, added("A", means="XY 99"), shipment("A"))
    index(node)

    assert _first_alone(node, 0) == 0
    ((item,), _) = after(node, 1)
    assert item.subjects["events[0]"].vessels == ["XY 99"]
