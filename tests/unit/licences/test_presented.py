"""Rules look at the licences that a record presents, where this node knows them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.history.service.risk import SiblingSearch
from gateway.licences.service.presented import PresentedLicences
from gateway.risk.rule_engine import RuleEngine
from gateway.tracing.service.draft_alerts import TraceExaminer
from gateway.v1 import history_pb2, shipment_pb2, trace_pb2
from tests.support.databases import MakeDatabase
from tests.support.licences import PaperLicences, licence_content
from tests.support.nodes import paper_nodes
from tests.support.risk_records import ANTIMONY, LICENCE, item, refer, shipment

NUMBER = "L-9"


@pytest.fixture(scope="module")
def rules() -> RuleEngine:
    return RuleEngine.load(failed=lambda rule, why: pytest.fail(f"{rule} couldn't judge: {why}"))


@pytest.fixture
def cn(tmp_path: Path, make_database: MakeDatabase) -> Iterator[PaperLicences]:
    with paper_nodes(tmp_path, make_database, ("cn",)) as (node,):
        desk = PaperLicences(node)
        goods = licence_content().goods[0]
        goods.ClearField("codes")
        goods.codes.add(code="811010", scheme="hs")
        desk.publish(NUMBER, parties=[], goods=[goods], valid_from="2025-01-01", valid_until="2025-12-31")
        node.settle()
        yield desk


def record(net_mass_kg: float = 1000.0, number: str = NUMBER, **fields: Any) -> shipment_pb2.Shipment:
    made = shipment(item(ANTIMONY, net_mass_kg=net_mass_kg, description="antimony ingots", element="Sb"), **fields)
    refer(made, LICENCE, number)
    return made


def hits(rules: RuleEngine, desk: PaperLicences, made: shipment_pb2.Shipment) -> dict[str, trace_pb2.Discrepancy]:
    licences = PresentedLicences(desk.node.database).of(made)
    return {hit.rule_id: hit for hit in rules.screen(made, (), licences)}


def test_a_licence_that_covers_the_goods_is_no_hit(rules: RuleEngine, cn: PaperLicences) -> None:
    assert hits(rules, cn, record()).keys().isdisjoint({"R01", "R01-LICENCE"})


def test_a_licence_that_is_not_known_here_is_no_hit(rules: RuleEngine, cn: PaperLicences) -> None:
    made = record(9000.0)
    refer(made, LICENCE, "UNKNOWN")
    assert hits(rules, cn, made).keys().isdisjoint({"R01", "R01-LICENCE"})


def test_less_is_left_than_the_goods_have(rules: RuleEngine, cn: PaperLicences) -> None:
    hit = hits(rules, cn, record(1100.0))["R01-LICENCE"]
    assert hit.severity == trace_pb2.SEVERITY_MEDIUM
    assert f"licence cn/{NUMBER} covers a part of it: beyond quantity" in hit.explanation


def test_other_declarations_have_used_it_up(rules: RuleEngine, cn: PaperLicences) -> None:
    used = {"number": NUMBER, "day": "2025-06-01", "destination": "HK"}
    cn.use("R1", "1000", **used)
    cn.node.settle()
    assert "R01-LICENCE" not in hits(rules, cn, record()), "its own use isn't another's"
    cn.use("OTHER", "1000", **used)
    cn.node.settle()
    assert hits(rules, cn, record())["R01-LICENCE"].severity == trace_pb2.SEVERITY_MEDIUM
    cn.use("OTHER", "1050", **used)
    cn.node.settle()
    assert hits(rules, cn, record())["R01-LICENCE"].severity == trace_pb2.SEVERITY_HIGH


def test_another_destination_isnt_covered(rules: RuleEngine, cn: PaperLicences) -> None:
    hit = hits(rules, cn, record(destination_territory="US"))["R01-LICENCE"]
    assert (hit.severity, "other destination" in hit.explanation) == (trace_pb2.SEVERITY_HIGH, True)


def test_no_licence_is_no_hit_where_it_isnt_known_which_were_presented(rules: RuleEngine, cn: PaperLicences) -> None:
    bare = shipment(item(ANTIMONY, description="antimony ingots", element="Sb"))
    assert "R01" in hits(rules, cn, bare)
    bare.licences_not_known = True
    assert "R01" not in hits(rules, cn, bare)


def test_a_trace_compares_with_known_licences_and_drafts_for_others_do_not(
    rules: RuleEngine, cn: PaperLicences
) -> None:
    database = cn.node.database
    examiner = TraceExaminer(
        node="cn",
        rules=rules,
        siblings=SiblingSearch(database, rules=rules),
        licences=PresentedLicences(database),
    )

    def found(*, with_licences: bool) -> set[str]:
        trace = trace_pb2.Trace()
        trace.legs.add().record.CopyFrom(history_pb2.HistoryRecord(node="cn", shipment=record(9000.0)))
        examiner.examine(trace, datetime(2025, 7, 1, tzinfo=UTC), with_licences=with_licences)
        return {hit.rule_id for hit in trace.discrepancies}

    assert "R01-LICENCE" in found(with_licences=True)
    assert "R01-LICENCE" not in found(with_licences=False)
