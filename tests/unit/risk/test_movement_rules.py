"""Rules about the way, openings, totals and earlier findings, each at its threshold from both sides."""

from __future__ import annotations

import pytest

from gateway.formats.places import place_by_name
from gateway.formats.positions import Position, kilometres_between
from gateway.risk.facts.findings import Outcomes
from gateway.risk.facts.movements import opening_cases
from gateway.risk.rule_engine import RuleEngine
from gateway.v1 import goods_pb2, shipment_pb2, trace_pb2
from tests.support.risk_records import CONTAINER, at, item, shipment


def unable(rule: str, why: str) -> None:
    pytest.fail(f"{rule} couldn't judge: {why}")


@pytest.fixture(scope="module")
def rules() -> RuleEngine:
    return RuleEngine.load(failed=unable)


def hits(rules: RuleEngine, record: shipment_pb2.Shipment, **known: object) -> dict[str, trace_pb2.Discrepancy]:
    return {hit.rule_id: hit for hit in rules.screen(record, **known)}  # type: ignore[arg-type]


def place(name: str, territory: str = "") -> goods_pb2.Place:
    return place_by_name(name) or goods_pb2.Place(name=name, territory=territory)


def driven(minutes: int, mode: int = goods_pb2.TRANSPORT_MODE_ROAD) -> shipment_pb2.Shipment:
    """From Hong Kong's side of the bridge to Macao's, 39 km in a straight line."""
    record = shipment()
    leg = record.route.add(to=place("HZMB Macao Port"), departure=at("2025-06-01T08:00"))
    getattr(leg, "from").CopyFrom(place("HZMB Hong Kong Port"))
    leg.arrival.seconds = leg.departure.seconds + 60 * minutes
    leg.means.mode = mode  # type: ignore[assignment]
    return record


def test_the_distance_is_that_of_a_great_circle() -> None:
    assert kilometres_between(Position(0, 0), Position(0, 90)) == pytest.approx(10_007.5, abs=0.1)
    assert kilometres_between(Position(22.31, 113.95), Position(22.21, 113.58)) == pytest.approx(39.7, abs=0.1)


@pytest.mark.parametrize(
    ("minutes", "mode", "fires"),
    [
        (12, goods_pb2.TRANSPORT_MODE_ROAD, True),
        (13, goods_pb2.TRANSPORT_MODE_ROAD, False),
        (12, goods_pb2.TRANSPORT_MODE_UNSPECIFIED, True),
        (29, goods_pb2.TRANSPORT_MODE_SEA, True),
        (31, goods_pb2.TRANSPORT_MODE_SEA, False),
        (5, goods_pb2.TRANSPORT_MODE_AIR, False),
    ],
)
def test_r21_speed(rules: RuleEngine, minutes: int, mode: int, *, fires: bool) -> None:
    assert ("R21" in hits(rules, driven(minutes, mode))) is fires


def test_r21_whole_territories_have_no_position(rules: RuleEngine) -> None:
    record = driven(1)
    getattr(record.route[0], "from").CopyFrom(goods_pb2.Place(unlocode="HKHKG", territory="HK"))
    record.route[0].to.CopyFrom(goods_pb2.Place(unlocode="MOMFM", territory="MO"))
    assert "R21" not in hits(rules, record)


def test_r21_containers_are_told_apart(rules: RuleEngine) -> None:
    """Two lorries of one consignment pass two places at once."""
    record = shipment()
    for container, where, time in (
        (CONTAINER, "HZMB Hong Kong Port", "2025-06-01T08:00"),
        ("TGHU7654321", "HZMB Macao Port", "2025-06-01T08:01"),
    ):
        record.equipment.add(id=container)
        record.events.add(
            kind=shipment_pb2.SHIPMENT_EVENT_KIND_GATE_IN,
            occurred_at=at(time),
            place=place(where),
            equipment_id=container,
        )
    assert "R21" not in hits(rules, record)
    record.events[1].equipment_id = CONTAINER
    assert CONTAINER in hits(rules, record)["R21"].inputs["container"]


def opened(where: str, time: str = "2025-06-01T09:00", *, inspected: str = "") -> shipment_pb2.Shipment:
    """Left at 8 and arrived at 10; the lock came off in between."""
    record = shipment()
    record.equipment.add(id=CONTAINER, e_lock="EL1")
    leg = record.route.add(to=place("Heung Yuen Wai"), departure=at("2025-06-01T08:00"), arrival=at("2025-06-01T10:00"))
    getattr(leg, "from").CopyFrom(place("Yantian"))
    removed = shipment_pb2.SHIPMENT_EVENT_KIND_E_LOCK_REMOVED
    record.events.add(kind=removed, occurred_at=at(time), place=place(where, "CN"), equipment_id=CONTAINER, seal="EL1")
    if inspected:
        record.events.add(kind=shipment_pb2.SHIPMENT_EVENT_KIND_INSPECTION, occurred_at=at(inspected))
    return record


@pytest.mark.parametrize(
    ("record", "fires"),
    [
        (opened("G25 km 30"), True),
        (opened(""), True),
        (opened("Wenjindu"), False),  # another control point
        (opened("Heung Yuen Wai"), False),
        (opened("G25 km 30", "2025-06-01T09:56"), False),  # it arrives within five minutes
        (opened("Warehouse 7", "2025-06-01T10:30"), False),  # after arrival
        (opened("Warehouse 7", "2025-06-01T07:30"), False),  # before departure
        (opened("G25 km 30", inspected="2025-06-01T10:30"), False),
        (opened("G25 km 30", inspected="2025-06-01T11:30"), True),
    ],
)
def test_r09_opened(rules: RuleEngine, record: shipment_pb2.Shipment, *, fires: bool) -> None:
    assert ("R09-OPENED" in hits(rules, record)) is fires


def test_r09_opened_looks_each_opening_up() -> None:
    """A trace may have as many; compared with each other they'd take an hour."""
    records = [opened("G25 km 30") for _ in range(200)]
    for record in records:
        for _ in range(199):
            record.events.add().CopyFrom(record.events[0])
    cases = list(opening_cases(list(enumerate(records))))
    assert len(cases) == 40_000
    assert {case.facts["minutes_left"] for case in cases} == {60}


@pytest.mark.parametrize(
    ("total", "freight", "severity"),
    [
        (200_000, 0, None),
        (161_000, 0, None),
        (159_000, 0, trace_pb2.SEVERITY_LOW),
        (159_000, 2_000, None),
        (101_000, 0, trace_pb2.SEVERITY_LOW),
        (99_000, 0, trace_pb2.SEVERITY_MEDIUM),
        (51_000, 0, trace_pb2.SEVERITY_MEDIUM),
    ],
)
def test_r22_value(rules: RuleEngine, total: int, freight: int, severity: int | None) -> None:
    record = shipment(item(value_usd=90_000.0), item(value_usd=110_000.0, sequence=2))
    record.total_value.CopyFrom(goods_pb2.Money(currency_code="USD", units=total))
    record.freight.CopyFrom(goods_pb2.Money(currency_code="USD", units=freight))
    hit = hits(rules, record).get("R22")
    assert (hit.severity if hit else None) == severity


@pytest.mark.parametrize(("gross", "fires"), [(1_000.0, False), (980.0, True), (990.0, False)])
def test_r22_net_of_the_items_above_the_gross_mass(rules: RuleEngine, gross: float, *, fires: bool) -> None:
    assert ("R22" in hits(rules, shipment(item(net_mass_kg=1_000.0), gross_mass_kg=gross))) is fires


@pytest.mark.parametrize(
    ("inspected", "confirmed", "fires"), [(10, 5, True), (11, 5, False), (8, 4, False), (0, 0, False)]
)
def test_r23_earlier_findings(rules: RuleEngine, inspected: int, confirmed: int, *, fires: bool) -> None:
    found = hits(rules, shipment(), earlier=lambda hs6, record: Outcomes(inspected, confirmed))
    assert ("R23" in found) is fires
