"""Findings that this node reported on alerts stand in its own records of what was inspected."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.services.bootstrap import FEDERATION
from gateway.services.history_findings import FindingSearch, KeepFindingsInRecordsWork
from gateway.services.history_record import records_feed
from gateway.v1 import alert_pb2, goods_pb2
from gateway.wire.alerts import to_timestamp
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, exchange, paper_nodes
from tests.support.recording import index, record, search
from tests.support.shipments import shipment


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database, ("cn", "hk")) as made:
        yield made


def keep(node: PaperNode) -> None:
    looking = FindingSearch(node.database, node=node.name)
    while (reported := looking.next()) is not None:
        assert node.committer.run(KeepFindingsInRecordsWork(records_feed(FEDERATION, node.name), reported))
    index(node)


def test_a_finding_stands_in_the_record_that_the_alert_names_and_once(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    record(hk, shipment("HK-1"), shipment("HK-2", references=[], equipment=[goods_pb2.Equipment(id="MSCU6639870")]))
    index(hk)
    subject = alert_pb2.Subject(equipment=[goods_pb2.Equipment(id="CSQU3054383")])
    alert_id = cn.publish("hk", subject=subject)
    exchange(cn, hk)
    finding = alert_pb2.AlertFinding(
        result=alert_pb2.FINDING_RESULT_CONFIRMED,
        inspected_at=to_timestamp(hk.clock.now),
        methods=["x_ray"],
        goods_found=[goods_pb2.GoodsItem(element="Sb", net_mass_kg=19_400)],
        remarks="antimony ingots",
    )
    hk.step("cn", alert_id, acknowledged=alert_pb2.AlertAcknowledged(revision=1))
    hk.step("cn", alert_id, finding=finding)
    hk.settle()
    keep(hk)
    keep(hk)

    (found,) = search(hk, record_ids=["HK-1"])
    (other,) = search(hk, record_ids=["HK-2"])
    (inspection,) = found.shipment.inspections
    assert not other.shipment.inspections
    assert (inspection.result, inspection.alert.alert_id) == (alert_pb2.FINDING_RESULT_CONFIRMED, alert_id)
    assert [(one.element, one.net_mass_kg) for one in inspection.goods_found] == [("Sb", 19_400)]

    exchange(cn, hk)
    record(cn, shipment("CN-1"))
    index(cn)
    keep(cn)
    (untouched,) = search(cn, record_ids=["CN-1"])
    assert not untouched.shipment.inspections  # hk's word stays hk's: cn gets it by asking
