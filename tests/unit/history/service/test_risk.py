"""Rules on recorded shipments: judged as they stand, once, and again when something is added."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from gateway.contract.filters import encode_page_token
from gateway.contract.messages import to_timestamp
from gateway.errors import InvalidRequestError, StoreUnavailableError
from gateway.history.service import risk as history_risk
from gateway.history.service.risk import KeepRisksCommand, RiskQueries, RiskScreening, SiblingSearch
from gateway.history.tables import shipment_search
from gateway.history.tables.schema import risk_hits
from gateway.licences.service.presented import PresentedLicences
from gateway.risk.rule_engine import RuleEngine
from gateway.risk.rule_file import RuleSetting
from gateway.tracing.service.draft_alerts import TraceExaminer
from gateway.trust.rules.directory import FieldClass
from gateway.v1 import goods_pb2, history_service_pb2, party_pb2, shipment_pb2, trace_pb2
from tests.support.databases import MakeDatabase
from tests.support.nodes import DAY_MS, PaperNode, paper_nodes
from tests.support.recording import KEPT_MS, index, purge_command, record
from tests.support.risk_records import trace
from tests.support.shipments import DECLARED, shipment

Pb = history_service_pb2
ALL = frozenset(FieldClass)
CONSIGNEE = party_pb2.PARTY_ROLE_CONSIGNEE


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


def screening(node: PaperNode, **limits: float) -> RiskScreening:
    """With a node's own limits for split consignments."""
    rules = RuleEngine.load(settings={"R19": RuleSetting(thresholds=limits)})
    return RiskScreening(node.database, rules=rules)


def judge(node: PaperNode, **limits: float) -> None:
    judging = screening(node, **limits)
    while (judged := judging.next()) is not None:
        assert node.writer.run(KeepRisksCommand(judged))


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


@pytest.mark.both_databases
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


@pytest.mark.both_databases
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


def test_nothing_is_kept_of_what_was_erased_since_it_was_judged(node: PaperNode) -> None:
    gone, stays = antimony("GONE"), antimony("STAYS")
    gone.retention_class = "short"
    record(node, gone, stays)
    index(node)
    judged = screening(node).next()
    assert judged is not None
    assert {position for position, _ in judged.hits} == {1, 2}

    node.clock.forward(KEPT_MS["short"] + DAY_MS)
    assert node.writer.run(purge_command(node)).erased == 1
    assert node.writer.run(KeepRisksCommand(judged))

    with node.database.read() as conn:
        kept = conn.execute(select(risk_hits)).all()
    assert {row.position for row in kept} == {2}
    assert not any(b"GONE" in row.message for row in kept)
    assert {one.record_id for one in hits(node)} == {"STAYS"}
    assert screening(node).next() is None


def part(record_id: str, days: float = 0, kg: float = 90.0, **changes: Any) -> shipment_pb2.Shipment:
    """One of several exports of zinc by one exporter, some days after the first."""
    made = shipment(record_id, **changes)
    made.declared_at.FromDatetime(datetime.fromtimestamp(DECLARED.timestamp() + days * 86_400, UTC))
    made.goods[0].net_mass_kg = kg
    return made


def split(node: PaperNode) -> dict[str, str]:
    """Records in which split consignments were found, with the records that are named."""
    return {one.record_id: one.discrepancy.inputs["records"] for one in hits(node, "rule = R19")}


def test_the_fifth_of_five_exports_just_under_a_limit_is_found_and_names_them_all(node: PaperNode) -> None:
    for number in range(5):
        record(node, part(f"P{number}", days=number * 7), part(f"Q{number}", days=number * 7, kg=500.0))
        index(node)
        judge(node, limit_kg=100)

    assert split(node) == {"P4": "P0, P1, P2, P3, P4"}
    (found,) = hits(node, "rule = R19")
    assert found.discrepancy.severity == trace_pb2.SEVERITY_MEDIUM
    assert found.discrepancy.measured == 5
    assert not found.discrepancy.legs


@pytest.mark.parametrize(("last", "found"), [(29.9, True), (30.1, False)])
def test_exports_of_one_series_lie_within_thirty_days(node: PaperNode, last: float, found: bool) -> None:
    record(node, *(part(f"P{number}", days) for number, days in enumerate((0, 1, 2, 3, last))))
    index(node)
    judge(node, limit_kg=100)
    assert bool(split(node)) is found


@pytest.mark.both_databases
def test_of_exports_recorded_at_once_and_in_any_order_each_names_the_series(node: PaperNode) -> None:
    record(node, *(part(f"P{number}", days=number) for number in (3, 0, 4, 1, 2)))
    index(node)
    judge(node, limit_kg=100)
    assert split(node) == {f"P{number}": "P0, P1, P2, P3, P4" for number in range(5)}


def test_other_exporters_goods_and_procedures_are_no_series_even_of_one_party(node: PaperNode) -> None:
    record(node, part("P0"), part("P1", 1), part("P2", 2), part("P3", 3))
    other = part("OTHER", 4)
    other.parties[0].identifiers[0].value = "91350100M000100Y43"
    role = part("ROLE", 4)
    role.parties[0].role = party_pb2.PARTY_ROLE_CONSIGNEE
    goods = part("GOODS", 4)
    goods.goods[0].codes[0].code = "8001100000"
    record(node, other, role, goods, part("IMPORT", 4, procedure=shipment_pb2.SHIPMENT_PROCEDURE_IMPORT))
    index(node)
    judge(node, limit_kg=100)
    assert split(node) == {}

    record(node, part("P4", 4))
    index(node)
    judge(node, limit_kg=100)
    assert split(node) == {"P4": "P0, P1, P2, P3, P4"}


@pytest.mark.both_databases
def test_exporters_that_take_turns_are_found_by_their_consignee(node: PaperNode) -> None:
    def turn(number: int, consignee: str) -> shipment_pb2.Shipment:
        made = antimony(f"{consignee[0]}{number}")
        made.declared_at.FromDatetime(datetime.fromtimestamp(DECLARED.timestamp() + number * 3 * 86_400, UTC))
        del made.parties[:]
        for role, name in ((party_pb2.PARTY_ROLE_EXPORTER, f"Exporter {number % 3}"), (CONSIGNEE, consignee)):
            made.parties.add(role=role, names=[party_pb2.Name(text=name)])
        return made

    for number in range(5):
        record(node, turn(number, "Harbour Metals"), turn(number, f"{number} Kowloon Alloys"))
        index(node)
        judge(node)

    (found,) = hits(node, "rule = R19-TURNS")
    assert (found.record_id, found.discrepancy.measured) == ("H4", 5)
    assert found.discrepancy.inputs["records"] == "H0, H1, H2, H3, H4"
    assert found.discrepancy.inputs["exporters"] == "Exporter 0, Exporter 1, Exporter 2"


def test_a_series_is_of_records_as_they_stand(node: PaperNode) -> None:
    record(node, *(part(f"P{number}", number) for number in range(4)))
    record(node, part("P0", kg=500.0))
    record(node, part("P4", 4))
    index(node)
    judge(node, limit_kg=100)
    assert split(node) == {}


def test_an_exporter_without_an_identifier_is_found_by_its_name(node: PaperNode) -> None:
    parts = [part(f"P{number}", number) for number in range(5)]
    for one in parts:
        one.parties[0].ClearField("identifiers")
    record(node, *parts)
    index(node)
    judge(node, limit_kg=100)
    assert "P4" in split(node)


@pytest.mark.both_databases
def test_what_is_usual_comes_from_the_year_before(node: PaperNode) -> None:
    record(node, *(part(f"BEFORE{number}", -31 - 30 * number, kg=500.0) for number in range(4)))
    record(node, *(part(f"P{number}", number) for number in range(5)))
    index(node)
    judge(node, limit_kg=100)
    (found,) = hits(node, "rule = R19 AND record = P4")
    assert found.discrepancy.inputs["usual"] == "632 kg"  # 2,000 kg in the 95 days before the 30 that end with P4
    assert found.discrepancy.severity == trace_pb2.SEVERITY_LOW


def test_goods_under_control_in_alike_parts_are_found_without_a_limit(node: PaperNode) -> None:
    record(node, *(antimony(f"SB{number}") for number in range(5)))
    index(node)
    judge(node)
    assert len(hits(node, "rule = R19-ALIKE")) == 5
    assert hits(node, "rule = R19") == []


def test_ordinary_records_cost_no_search(node: PaperNode, monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[Any] = []
    search = shipment_search.search

    def spied(conn: Connection, key_sets: Any, *args: Any, **kwargs: Any) -> Iterator[int]:
        searched.append(key_sets)
        return search(conn, key_sets, *args, **kwargs)

    monkeypatch.setattr(shipment_search, "search", spied)
    record(node, *(part(f"P{number}", number, kg=500.0) for number in range(20)))
    index(node)
    judge(node, limit_kg=100)
    assert searched == []

    record(node, part("Q0"))
    index(node)
    judge(node, limit_kg=100)
    assert len(searched) == 2  # around it, and before


def test_so_many_records_are_looked_at_and_no_more(node: PaperNode, monkeypatch: pytest.MonkeyPatch) -> None:
    record(node, *(part(f"BEFORE{number}", -40 - number) for number in range(6)))
    record(node, *(part(f"P{number}", number) for number in range(6)))
    index(node)
    rules = RuleEngine.load(settings={"R19": RuleSetting(thresholds={"limit_kg": 100})})
    siblings = SiblingSearch(node.database, rules=rules)
    assert len(siblings.of(part("P5", 5))) == 12
    monkeypatch.setattr(history_risk, "MAX_AROUND", 3)
    monkeypatch.setattr(history_risk, "MAX_BEFORE", 2)
    assert {one.record_id for one in siblings.of(part("P5", 5))} == {"P5", "P4", "P3", "BEFORE5", "BEFORE4"}


def test_an_export_that_stands_alone_has_nothing_usual_looked_for(node: PaperNode) -> None:
    record(node, part("BEFORE", -40), part("P0"))
    index(node)
    rules = RuleEngine.load(settings={"R19": RuleSetting(thresholds={"limit_kg": 100})})
    assert SiblingSearch(node.database, rules=rules).of(part("P0")) == []


@pytest.mark.both_databases
def test_siblings_of_a_traces_own_export_are_found_beside_it(node: PaperNode) -> None:
    record(node, *(part(f"P{number}", number) for number in range(5)))
    index(node)
    rules = RuleEngine.load(settings={"R19": RuleSetting(thresholds={"limit_kg": 100})})
    siblings = SiblingSearch(node.database, rules=rules)
    traced = trace(("hk", part("P1", 1)), (node.name, part("P2", 2)))

    found = siblings.of_trace(traced, node.name)

    assert {index: sorted(one.record_id for one in some) for index, some in found.items()} == {
        1: ["P0", "P1", "P2", "P3", "P4"]
    }
    examined = rules.examine(traced, datetime(2026, 2, 1, tzinfo=UTC), siblings=found)
    assert [list(hit.legs) for hit in examined if hit.rule_id == "R19"] == [[1]]


@pytest.mark.parametrize(("classes", "named"), [(ALL, True), (ALL - {FieldClass.COMMERCIAL}, False)])
def test_what_a_partner_may_not_learn_of_siblings_counts_for_nothing(
    node: PaperNode, classes: frozenset[FieldClass], named: bool
) -> None:
    """A series by a limit in dollars says what the goods of other consignments cost."""
    others = [part(f"P{number}", number, kg=10.0) for number in range(6)]
    for other in others:
        other.goods[0].value_usd = 900
    record(node, *others)
    index(node)
    rules = RuleEngine.load(settings={"R19": RuleSetting(thresholds={"limit_kg": 100, "limit_usd": 1_000})})
    examiner = TraceExaminer(
        node=node.name,
        rules=rules,
        siblings=SiblingSearch(node.database, rules=rules),
        licences=PresentedLicences(node.database),
    )
    traced = trace((node.name, part("P2", 2)))
    examiner.examine(traced, datetime(2026, 2, 1, tzinfo=UTC), classes=classes)
    assert ("R19" in {hit.rule_id for hit in traced.discrepancies}) is named


def test_where_siblings_cant_be_looked_for_the_record_isnt_taken_for_judged(
    node: PaperNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise StoreUnavailableError("the database can't be used", retry_after_s=1.0)

    record(node, part("P0"))
    index(node)
    judging = screening(node, limit_kg=100)
    with monkeypatch.context() as patched:
        patched.setattr(SiblingSearch, "_records", gone)
        with pytest.raises(StoreUnavailableError):
            judging.next()
    assert judging.next() is not None
