"""What of a material left and what came, by company, route and month."""

from __future__ import annotations

from datetime import UTC, datetime

from gateway.tracing.rules.balance import BalanceLine, BalanceResult, mass_balance
from gateway.tracing.rules.records import net_mass_kg
from gateway.v1 import history_pb2, party_pb2, shipment_pb2
from tests.support.risk_records import EXPORT, IMPORT, REEXPORT, UCR, at, item, party, refer

NOW = datetime(2025, 8, 1, tzinfo=UTC)
TRANSIT = shipment_pb2.SHIPMENT_PROCEDURE_TRANSIT


def record(
    node: str,
    procedure: int,
    day: str,
    kg: float | None,
    way: str = "CN>HK",
    *,
    ucr: str = "",
    company: str = "Alpha Metals",
) -> history_pb2.HistoryRecord:
    start, _, end = way.partition(">")
    shipment = shipment_pb2.Shipment(
        record_id=f"{node}-{procedure}-{day}-{ucr}",
        procedure=procedure,  # type: ignore[arg-type]
        declared_at=at(day),
        utc_offset_minutes=480,
        export_territory=start,
        destination_territory=end,
        goods=[item("811010")],
    )
    if kg is None:
        shipment.goods[0].ClearField("net_mass_kg")
    else:
        shipment.goods[0].net_mass_kg = kg
    if ucr:
        refer(shipment, UCR, ucr)
    if company:
        shipment.parties.append(party(party_pb2.PARTY_ROLE_EXPORTER, company))
    return history_pb2.HistoryRecord(node=node, revision=1, shipment=shipment)


def balanced(*records: history_pb2.HistoryRecord) -> list[BalanceLine]:
    return mass_balance(records, net_mass_kg, territories=["CN", "HK", "MO"], now=NOW)


def results(*records: history_pb2.HistoryRecord) -> list[tuple[str, str, str, float, float, BalanceResult]]:
    return [
        (line.company, f"{line.start}>{line.end}", line.month, line.left_kg, line.came_kg, line.result)
        for line in balanced(*records)
    ]


def test_linked_records_balance_also_without_the_company_on_one_side() -> None:
    out = record("cn", EXPORT, "2025-06-29", 20_000, ucr="5CN-0001")
    into = record("hk", IMPORT, "2025-07-02", 19_900, ucr="5CN-0001", company="")
    assert results(out, into) == [("Alpha Metals", "CN>HK", "2025-06", 20_000, 19_900, BalanceResult.BALANCED)]


def test_what_is_missing_stands_first() -> None:
    good = [
        record("cn", EXPORT, "2025-06-01", 500, ucr="5CN-0001"),
        record("hk", IMPORT, "2025-06-02", 500, ucr="5CN-0001"),
    ]
    short = (
        record("cn", EXPORT, "2025-07-01", 20_000, ucr="5CN-0002"),
        record("hk", IMPORT, "2025-07-02", 14_500, ucr="5CN-0002"),
    )
    assert results(*good, *short) == [
        ("Alpha Metals", "CN>HK", "2025-07", 20_000, 14_500, BalanceResult.DIFFERENT),
        ("Alpha Metals", "CN>HK", "2025-06", 500, 500, BalanceResult.BALANCED),
    ]


def test_records_without_links_balance_as_sums_of_the_month() -> None:
    out = [record("cn", EXPORT, f"2025-06-{day:02}", 5_000) for day in (2, 9, 16)]
    into = [record("hk", IMPORT, f"2025-06-{day:02}", 5_000) for day in (3, 10, 17)]
    assert results(*out, *into) == [("Alpha Metals", "CN>HK", "2025-06", 15_000, 15_000, BalanceResult.BALANCED)]


def test_a_transit_counts_where_nothing_was_imported_and_once() -> None:
    ucr = "5CN-0001"
    out = record("cn", EXPORT, "2025-06-01", 20_000, "CN>MO", ucr=ucr)
    over = record("hk", TRANSIT, "2025-06-02", 20_000, "CN>MO", ucr=ucr)
    into = record("mo", IMPORT, "2025-06-03", 20_000, "CN>MO", ucr=ucr)
    assert results(out, over, into) == [("Alpha Metals", "CN>MO", "2025-06", 20_000, 20_000, BalanceResult.BALANCED)]
    (line,) = balanced(out, over)
    assert (line.result, line.elsewhere, line.adds_up) == (BalanceResult.WENT_ELSEWHERE, {"HK"}, False)


def test_each_hop_is_a_line() -> None:
    ucr = "5CN-0001"
    assert results(
        record("cn", EXPORT, "2025-06-01", 20_000, ucr=ucr),
        record("hk", IMPORT, "2025-06-02", 20_000, ucr=ucr),
        record("hk", REEXPORT, "2025-06-10", 8_000, "HK>MO", ucr=ucr),
        record("mo", IMPORT, "2025-06-11", 8_000, "HK>MO", ucr=ucr),
    ) == [
        ("Alpha Metals", "CN>HK", "2025-06", 20_000, 20_000, BalanceResult.BALANCED),
        ("Alpha Metals", "HK>MO", "2025-06", 8_000, 8_000, BalanceResult.BALANCED),
    ]


def test_what_nobody_saw_leave_or_come_is_said() -> None:
    assert results(record("cn", EXPORT, "2025-06-01", 100), record("mo", IMPORT, "2025-06-01", 70, "HK>MO")) == [
        ("Alpha Metals", "CN>HK", "2025-06", 100, 0, BalanceResult.NOTHING_CAME),
        ("Alpha Metals", "HK>MO", "2025-06", 0, 70, BalanceResult.NOTHING_LEFT),
    ]


def test_what_left_just_now_or_for_elsewhere_isnt_missing() -> None:
    assert [line.result for line in balanced(record("cn", EXPORT, "2025-07-20", 100))] == [BalanceResult.UNDER_WAY]
    assert [line.result for line in balanced(record("cn", EXPORT, "2025-06-01", 100, "CN>VN"))] == [
        BalanceResult.LEFT_ALL
    ]


def test_an_import_on_the_way_to_elsewhere_is_shown_and_a_transit_isnt() -> None:
    ucr = "5CN-0001"
    out = record("cn", EXPORT, "2025-06-01", 1_000, "CN>VN", ucr=ucr)
    for procedure, result in ((IMPORT, BalanceResult.WENT_ELSEWHERE), (TRANSIT, BalanceResult.LEFT_ALL)):
        (line,) = balanced(out, record("mo", procedure, "2025-06-02", 1_000, "CN>VN", ucr=ucr))
        assert line.result == result


def test_an_unknown_mass_is_no_difference() -> None:
    out, into = (
        record("cn", EXPORT, "2025-06-01", 20_000, ucr="5CN-0001"),
        record("hk", IMPORT, "2025-06-02", None, ucr="5CN-0001"),
    )
    (line,) = balanced(out, into)
    assert (line.result, line.unknown) == (BalanceResult.UNKNOWN_MASS, 1)


def test_records_without_the_material_dont_count() -> None:
    assert mass_balance([record("cn", EXPORT, "2025-06-01", 5)], lambda _: 0, territories=["HK"], now=NOW) == []
