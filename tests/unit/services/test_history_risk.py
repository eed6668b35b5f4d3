"""Rules on recorded shipments: judged as they stand, once, and again when something is added."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import InvalidRequestError
from gateway.risk.rules import Rules
from gateway.services.history_risk import KeepRisksWork, RiskQueries, RiskScreening
from gateway.v1 import goods_pb2, history_service_pb2, shipment_pb2, trace_pb2
from gateway.wire.alerts import to_timestamp
from gateway.wire.filters import encode_page_token
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, paper_nodes
from tests.support.recording import index, record, searching
from tests.support.shipments import shipment

Pb = history_service_pb2


@pytest.fixture
def node(tmp_path: Path, make_database: MakeDatabase) -> Iterator[PaperNode]:
    with paper_nodes(tmp_path, make_database, ("cn", "hk")) as made:
        yield made[0]


def antimony(record_id: str) -> shipment_pb2.Shipment:
    """Antimony under a controlled code, and no licence."""
    goods = shipment_pb2.ShipmentGoods(
        sequence=1,
        codes=[goods_pb2.CommodityCode(code="8110101000", scheme="tariff", territory="CN")],
        description="antimony ingots",
        element="Sb",
        net_mass_kg=5_000,
    )
    return shipment(record_id, goods=[goods])


def judge(node: PaperNode) -> None:
    screening = RiskScreening(node.database, search=searching(node), rules=Rules.load())
    while (judged := screening.next()) is not None:
        assert node.committer.run(KeepRisksWork(judged))


def hits(node: PaperNode, filter_: str = "") -> list[trace_pb2.RiskHit]:
    return list(RiskQueries(node.database).list(Pb.ListRiskHitsRequest(filter=filter_)).hits)


def test_a_record_without_licence_is_found_and_its_twin_with_one_is_not(node: PaperNode) -> None:
    licensed = antimony("B")
    licensed.licences.add(
        number="24AA100001",
        territory="CN",
        valid_from=to_timestamp(node.clock.now - 10**10),
        valid_until=to_timestamp(node.clock.now + 10**10),
    )
    record(node, antimony("A"), licensed)
    index(node)
    judge(node)

    found = hits(node, "rule = R01")

    assert [(one.record_id, one.revision) for one in found] == [("A", 1)]
    assert found[0].discrepancy.name == "controlled_code_no_licence"
    assert found[0].procedure == shipment_pb2.SHIPMENT_PROCEDURE_EXPORT


def test_what_is_amended_is_judged_again_and_shown_as_it_stands(node: PaperNode) -> None:
    record(node, antimony("A"))
    index(node)
    judge(node)
    assert hits(node, "record = A AND rule = R01")

    record(node, shipment("A", goods=[]))
    index(node)
    judge(node)

    assert not hits(node, "record = A AND rule = R01")


def test_an_addition_has_the_record_judged_again(node: PaperNode) -> None:
    record(node, shipment("A"))
    index(node)
    judge(node)
    before = len(hits(node, "rule = R09-SEAL"))
    at = int(shipment().declared_at.seconds * 1000)
    events = [
        shipment_pb2.ShipmentEvent(
            kind=shipment_pb2.SHIPMENT_EVENT_KIND_E_LOCK_CHECKED,
            occurred_at=to_timestamp(at + hours * 3_600_000),
            equipment_id="CSQU3054383",
            seal=seal,
        )
        for hours, seal in ((1, "EL-77120"), (5, "EL-99999"))
    ]
    record(node, shipment_pb2.ShipmentAddition(record_id="A", events=events))
    index(node)
    judge(node)

    found = hits(node, "rule = R09-SEAL")
    assert before == 0
    assert [one.record_id for one in found] == ["A"]


def test_pages_give_every_hit_once(node: PaperNode) -> None:
    record(node, *(antimony(f"R-{at}") for at in range(5)))
    index(node)
    judge(node)
    everything = [(one.position, one.discrepancy.rule_id) for one in hits(node)]

    pages, token = [], ""
    while True:
        page = RiskQueries(node.database).list(Pb.ListRiskHitsRequest(page_size=2, page_token=token))
        pages += [(one.position, one.discrepancy.rule_id) for one in page.hits]
        token = page.next_page_token
        if not token:
            break

    assert len(everything) >= 5
    assert pages == everything
    assert [position for position, _ in pages] == sorted((position for position, _ in pages), reverse=True)


@pytest.mark.parametrize("key", [("x", "0"), ("1", "y"), ("1", str(1 << 40))])
def test_a_token_that_no_page_gave_is_refused(node: PaperNode, key: tuple[str, str]) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        RiskQueries(node.database).list(Pb.ListRiskHitsRequest(page_token=encode_page_token(key, "")))
    assert [violation.field for violation in refused.value.violations] == ["page_token"]


def test_an_unknown_severity_is_refused_with_those_there_are(node: PaperNode) -> None:
    with pytest.raises(InvalidRequestError, match="notice, low, medium, high"):
        hits(node, "severity = grave")
