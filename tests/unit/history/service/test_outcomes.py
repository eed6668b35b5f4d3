"""Outcomes of inspections: counted by rule, learned from, and known to the rule about earlier findings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.history.service.risk import KeepRisksCommand, RiskQueries, RiskScreening
from gateway.history.tables import inspection_outcomes
from gateway.risk.facts.findings import Outcomes
from gateway.risk.rule_engine import RuleEngine
from gateway.risk.rule_file import RuleSetting
from gateway.v1 import alert_pb2, goods_pb2, shipment_pb2
from tests.support.databases import MakeDatabase
from tests.support.nodes import DAY_MS, PaperNode, paper_nodes
from tests.support.recording import KEPT_MS, index, purge_command, record
from tests.support.shipments import DECLARED, shipment

pytestmark = pytest.mark.both_databases

RULES = RuleEngine.load(settings={"R23": RuleSetting(thresholds={"least": 2})})
CONFIRMED, AS_DECLARED = alert_pb2.FINDING_RESULT_CONFIRMED, alert_pb2.FINDING_RESULT_AS_DECLARED


@pytest.fixture
def node(tmp_path: Path, make_database: MakeDatabase) -> Iterator[PaperNode]:
    with paper_nodes(tmp_path, make_database, ("cn", "hk")) as made:
        yield made[0]


def inspected(record_id: str, result: int | None = None, *, days: int = 0) -> shipment_pb2.Shipment:
    """Antimony without a licence, which R01 finds, declared some days after the first; inspected a day later."""
    goods = shipment_pb2.ShipmentGoods(sequence=1, element="Sb", net_mass_kg=5_000, description="antimony ingots")
    goods.codes.append(goods_pb2.CommodityCode(code="8110101000", scheme="tariff", territory="CN"))
    made = shipment(record_id, goods=[goods])
    declared = datetime.fromtimestamp(DECLARED.timestamp(), UTC) + timedelta(days=days)
    made.declared_at.FromDatetime(declared)
    if result is not None:
        made.inspections.add(result=result).inspected_at.FromDatetime(declared + timedelta(days=1))  # type: ignore[arg-type]
    return made


def judge(node: PaperNode) -> None:
    index(node)
    screening = RiskScreening(node.database, rules=RULES)
    while (batch := screening.next()) is not None:
        assert node.writer.run(KeepRisksCommand(batch))


def outcomes(node: PaperNode, rule_id: str) -> tuple[int, int, int, float]:
    rules = RULES.describe()
    RiskQueries(node.database).outcomes(rules)
    found = next(rule.outcomes for rule in rules if rule.rule_id == rule_id)
    return found.hits, found.confirmed, found.unfounded, found.lift


def test_hits_are_counted_with_what_inspections_found(node: PaperNode) -> None:
    plain = shipment("PLAIN")
    plain.inspections.add(result=AS_DECLARED).inspected_at.CopyFrom(plain.declared_at)
    record(node, inspected("A", CONFIRMED), inspected("B", AS_DECLARED), inspected("C"), plain)
    judge(node)
    assert outcomes(node, "R01") == (3, 1, 1, pytest.approx((1 / 2) / (1 / 3)))
    assert outcomes(node, "R04") == (0, 0, 0, 0)


def test_a_later_addition_changes_the_outcome(node: PaperNode) -> None:
    record(node, inspected("A"))
    judge(node)
    assert outcomes(node, "R01")[:3] == (1, 0, 0)
    found = inspected("A", CONFIRMED).inspections
    record(node, shipment_pb2.ShipmentAddition(record_id="A", inspections=found))
    judge(node)
    assert outcomes(node, "R01")[:3] == (1, 1, 0)


def test_a_finding_that_was_corrected_or_withdrawn_changes_the_outcome(node: PaperNode) -> None:
    """As `tracing.service.findings` puts it into the record: the old inspection out, the right one in."""
    record(node, inspected("A"), inspected("B", AS_DECLARED))
    wrong, right = inspected("A", CONFIRMED).inspections, inspected("A", AS_DECLARED).inspections
    record(node, shipment_pb2.ShipmentAddition(record_id="A", inspections=wrong))
    judge(node)
    assert outcomes(node, "R01") == (2, 1, 1, pytest.approx(1))
    record(node, shipment_pb2.ShipmentAddition(record_id="A", withdrawn_inspections=wrong))
    record(node, shipment_pb2.ShipmentAddition(record_id="A", inspections=right))
    judge(node)
    assert outcomes(node, "R01")[:3] == (2, 0, 2)
    record(node, shipment_pb2.ShipmentAddition(record_id="A", withdrawn_inspections=right))
    judge(node)
    assert outcomes(node, "R01")[:3] == (2, 0, 1)


def test_a_new_revision_without_the_inspection_takes_its_outcome_back(node: PaperNode) -> None:
    record(node, inspected("A", CONFIRMED))
    judge(node)
    record(node, inspected("A"))
    judge(node)
    assert outcomes(node, "R01")[:3] == (1, 0, 0)
    with node.database.read() as conn:
        assert inspection_outcomes.count(conn, "811010") == Outcomes(0, 0)


def test_earlier_findings_of_the_subheading_give_a_hit(node: PaperNode) -> None:
    record(node, inspected("A", CONFIRMED), inspected("B", CONFIRMED), inspected("C", AS_DECLARED))
    judge(node)
    record(node, inspected("SAME-DAY"), inspected("LATER", days=2))
    judge(node)
    assert outcomes(node, "R23")[0] == 1
    with node.database.read() as conn:
        assert inspection_outcomes.count(conn, "811010") == Outcomes(3, 2)
        assert inspection_outcomes.count(conn, "811010", without="A") == Outcomes(2, 1)


def test_an_erased_record_leaves_no_outcome(node: PaperNode) -> None:
    gone = inspected("GONE", CONFIRMED)
    gone.retention_class = "short"
    record(node, gone)
    judge(node)
    node.clock.forward(KEPT_MS["short"] + DAY_MS)
    assert node.writer.run(purge_command(node)).erased == 1
    with node.database.read() as conn:
        assert inspection_outcomes.count(conn, inspection_outcomes.WHOLE_RECORD) == Outcomes(0, 0)
