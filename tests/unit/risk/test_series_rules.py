"""Rules about series of exports, each at its threshold from both sides, in all ways in which a series is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest

from gateway.risk.facts.series import MAX_EXPORTS, MAX_SUBHEADINGS, USUAL_LEAST_DAYS
from gateway.risk.rule_engine import RuleEngine
from gateway.risk.rule_file import RuleSetting
from gateway.v1 import party_pb2, shipment_pb2, trace_pb2
from tests.support.risk_records import ANTIMONY, IMPORT, REEXPORT, at, item, party, shipment, trace

NOW = datetime(2025, 6, 20, tzinfo=UTC)
LAST = at("2025-06-01").seconds
USCC = "91350100M000100Y43"
TOYS = "950300"

Record = shipment_pb2.Shipment


def unable(rule: str, why: str) -> None:
    pytest.fail(f"{rule} couldn't judge: {why}")


@pytest.fixture(scope="module")
def rules() -> RuleEngine:
    return RuleEngine.load(failed=unable)


def with_limit(**thresholds: float) -> RuleEngine:
    return RuleEngine.load(settings={"R19": RuleSetting(thresholds=thresholds)}, failed=unable)


def export(days_ago: float = 0, kg: float = 90.0, *, code: str = TOYS, usd: float | None = None) -> Record:
    """An export of toys by one exporter, some days before the first of June."""
    goods = item(code, description="toy cars", net_mass_kg=kg)
    if usd is not None:
        goods.value_usd = usd
    made = shipment(goods, record_id=f"CN-{days_ago:g}", parties=[party(party_pb2.PARTY_ROLE_EXPORTER, uscc=USCC)])
    made.declared_at.FromSeconds(round(LAST - days_ago * 86_400))
    return made


def series(days: float = 20, kg: Sequence[float] = (90.0,) * 5, *, code: str = TOYS) -> list[Record]:
    """Exports of these masses within so many days, the newest first."""
    return [export(days * number / (len(kg) - 1), each, code=code) for number, each in enumerate(kg)]


def screened(rules: RuleEngine, records: Sequence[Record]) -> list[trace_pb2.Discrepancy]:
    return rules.screen(records[0], records)


def beside_a_leg(rules: RuleEngine, records: Sequence[Record]) -> list[trace_pb2.Discrepancy]:
    return rules.examine(trace(("cn", records[0])), NOW, siblings={0: records})


def in_a_trace(rules: RuleEngine, records: Sequence[Record]) -> list[trace_pb2.Discrepancy]:
    return rules.examine(trace(*(("cn", record) for record in records)), NOW)


Way = Callable[[RuleEngine, Sequence[Record]], list[trace_pb2.Discrepancy]]


@pytest.fixture(params=[screened, beside_a_leg, in_a_trace])
def way(request: pytest.FixtureRequest) -> Way:
    chosen: Way = request.param
    return chosen


def hit(found: Sequence[trace_pb2.Discrepancy], rule: str) -> trace_pb2.Discrepancy | None:
    return next((one for one in found if one.rule_id == rule), None)


def severity(found: Sequence[trace_pb2.Discrepancy], rule: str) -> int | None:
    one = hit(found, rule)
    return one.severity if one else None


def usual(kg_a_month: float, *, months: int = 4, code: str = TOYS) -> list[Record]:
    """What the exporter exported before the 30 days that end with the last export: all at the begin of each month."""
    return [export(30 * number, kg_a_month, code=code) for number in range(2, months + 2)]


# R19: each just under a limit


@pytest.mark.parametrize(
    ("count", "days", "fires"), [(4, 10, False), (5, 10, True), (5, 29.9, True), (5, 30.1, False), (6, 37, True)]
)
def test_r19_five_just_under_a_limit_in_thirty_days(way: Way, count: int, days: float, fires: bool) -> None:
    found = way(with_limit(limit_kg=100), series(days, [90.0] * count))
    assert (hit(found, "R19") is not None) is fires


@pytest.mark.parametrize(("kg", "fires"), [(79.9, False), (80.1, True), (99.9, True), (100.0, False), (100.1, False)])
def test_r19_what_is_just_under_a_limit_in_kilograms(way: Way, kg: float, fires: bool) -> None:
    found = way(with_limit(limit_kg=100), series(kg=[kg] * 5))
    assert (severity(found, "R19") == trace_pb2.SEVERITY_MEDIUM) is fires


@pytest.mark.parametrize(
    ("usd", "fires"), [(799.0, False), (801.0, True), (999.0, True), (1000.0, False), (1001.0, False)]
)
def test_r19_what_is_just_under_a_limit_in_dollars(way: Way, usd: float, fires: bool) -> None:
    found = way(with_limit(limit_usd=1000), [export(days, usd=usd) for days in range(5)])
    assert (severity(found, "R19") == trace_pb2.SEVERITY_MEDIUM) is fires


def test_r19_without_a_limit_finds_nothing_whatever_the_mass_or_value(rules: RuleEngine) -> None:
    for power in range(-20, 100):  # each is just under any limit that the one before isn't
        amount = 1.25**power
        records = [export(days, amount, usd=amount) for days in range(5)]
        assert hit(rules.screen(records[0], records), "R19") is None


def test_r19_names_the_records_and_leaves_out_what_is_ordinary(way: Way) -> None:
    ordinary = [export(3.5, 500.0), export(4.5, 20.0)]
    found = hit(way(with_limit(limit_kg=100), [*series(kg=[81, 85, 90, 95, 99]), *ordinary]), "R19")
    assert found is not None
    assert found.inputs["records"] == "CN-20, CN-15, CN-10, CN-5, CN-0"
    assert (found.measured, found.inputs["exporter"], found.inputs["hs6"]) == (5, USCC, TOYS)
    assert found.inputs["usual"] == "not known"
    assert "5 times within 30 days" in found.explanation


def test_r19_is_one_hit_of_a_trace_on_all_its_exports() -> None:
    found = in_a_trace(with_limit(limit_kg=100), series(kg=[81, 85, 90, 95, 99]))
    assert [list(one.legs) for one in found if one.rule_id == "R19"] == [[0, 1, 2, 3, 4]]


def test_r19_an_export_that_isnt_just_under_the_limit_isnt_in_the_series() -> None:
    limited = with_limit(limit_kg=100)
    ordinary = export(0.5, 500.0)
    assert hit(limited.screen(ordinary, series()), "R19") is None
    assert limited.sibling_queries(ordinary) == []


@pytest.mark.parametrize(("kg_a_month", "expected"), [(149.0, "medium"), (151.0, "low")])
def test_r19_is_low_where_three_times_of_it_are_usual(kg_a_month: float, expected: str) -> None:
    records = series(kg=[90.0] * 5)  # 450 kg
    found = screened(with_limit(limit_kg=100), [*records, *usual(kg_a_month)])
    assert severity(found, "R19") == trace_pb2.Severity.Value(f"SEVERITY_{expected.upper()}")
    assert hit(found, "R19").inputs["usual"] == f"{kg_a_month:g} kg"  # type: ignore[union-attr]


@pytest.mark.parametrize(("more", "known"), [(-0.1, False), (0.1, True)])
def test_what_is_usual_is_known_after_two_months_of_exports(more: float, known: bool) -> None:
    first = export(30 + USUAL_LEAST_DAYS + more, 10_000.0)
    found = hit(screened(with_limit(limit_kg=100), [*series(), first]), "R19")
    assert found is not None
    assert (found.inputs["usual"] != "not known") is known


# R19-ALIKE: goods that may be under control, in parts of one size


@pytest.mark.parametrize(
    ("count", "days", "fires"), [(4, 10, False), (5, 10, True), (5, 29.9, True), (5, 30.1, False), (6, 37, True)]
)
def test_r19_alike_five_in_thirty_days(rules: RuleEngine, way: Way, count: int, days: float, fires: bool) -> None:
    found = way(rules, series(days, [100.0] * count, code=ANTIMONY))
    assert (severity(found, "R19-ALIKE") == trace_pb2.SEVERITY_LOW) is fires


@pytest.mark.parametrize(("last", "fires"), [(109.9, True), (110.1, False), (91.0, True), (90.8, False)])
def test_r19_alike_within_a_tenth(rules: RuleEngine, way: Way, last: float, fires: bool) -> None:
    found = way(rules, series(kg=[100.0, 100.0, 100.0, 100.0, last], code=ANTIMONY))
    assert (hit(found, "R19-ALIKE") is not None) is fires


def test_r19_alike_only_of_goods_that_may_be_under_control(rules: RuleEngine, way: Way) -> None:
    assert hit(way(rules, series(code=TOYS)), "R19-ALIKE") is None
    assert hit(way(rules, series(code="811010")), "R19-ALIKE") is not None


@pytest.mark.parametrize(("kg_a_month", "fires"), [(149.0, True), (151.0, False)])
def test_r19_alike_only_where_it_is_three_times_what_is_usual(
    rules: RuleEngine, kg_a_month: float, fires: bool
) -> None:
    records = [*series(code=ANTIMONY), *usual(kg_a_month, code=ANTIMONY)]
    assert (hit(screened(rules, records), "R19-ALIKE") is not None) is fires


# What makes a series


def changed(change: Callable[[Record], object]) -> list[Record]:
    records = series()
    for record in records[1:]:
        change(record)
    return records


def other_exporter(record: Record) -> None:
    record.parties[0].identifiers[0].value = "91440300715267260G"


def other_role(record: Record) -> None:
    record.parties[0].role = party_pb2.PARTY_ROLE_CONSIGNEE


def other_goods(record: Record) -> None:
    record.goods[0].codes[0].code = "420231"


def imported(record: Record) -> None:
    record.procedure = IMPORT


def exported_again(record: Record) -> None:
    record.procedure = REEXPORT


def written_otherwise(record: Record) -> None:
    record.parties[0].identifiers[0].value = "9135-0100-M000 100y43"


def consignor(record: Record) -> None:
    record.parties[0].role = party_pb2.PARTY_ROLE_CONSIGNOR


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        (other_exporter, False),
        (other_role, False),
        (other_goods, False),
        (imported, False),
        (exported_again, True),
        (written_otherwise, True),
        (consignor, True),
    ],
)
def test_a_series_is_of_one_exporter_and_one_subheading(
    way: Way, change: Callable[[Record], object], counts: bool
) -> None:
    assert (hit(way(with_limit(limit_kg=100), changed(change)), "R19") is not None) is counts


def test_an_exporter_without_an_identifier_goes_by_its_name(way: Way) -> None:
    def named(*texts: str) -> list[Record]:
        records = series()
        for number, record in enumerate(records):
            record.parties[0].CopyFrom(party(party_pb2.PARTY_ROLE_EXPORTER, texts[number % len(texts)]))
        return records

    limited = with_limit(limit_kg=100)
    assert hit(way(limited, named("Shun Fat Toys", "SHUN  FAT toys")), "R19") is not None
    assert hit(way(limited, named("Shun Fat Toys", "Shun Fat Metals")), "R19") is None


def test_the_exports_of_two_nodes_are_no_series() -> None:
    records = series()
    legs = [("cn" if number % 2 else "hk", record) for number, record in enumerate(records)]
    assert hit(with_limit(limit_kg=100).examine(trace(*legs), NOW), "R19") is None


def test_a_record_counts_once_however_often_it_is_given() -> None:
    four = series(kg=[90.0] * 4)
    assert hit(beside_a_leg(with_limit(limit_kg=100), [*four, *four, *four]), "R19") is None


def test_masses_of_one_subheading_count_together() -> None:
    records = series(kg=[45.0] * 5)
    for record in records:
        record.goods.add().CopyFrom(record.goods[0])
    assert hit(screened(with_limit(limit_kg=100), records), "R19") is not None


def test_a_very_long_series_is_judged_by_those_nearest() -> None:
    records = [export(number / 20, 90.0) for number in range(2 * MAX_EXPORTS)]
    found = hit(screened(with_limit(limit_kg=100), records), "R19")
    assert found is not None
    assert found.measured == MAX_EXPORTS


# What is looked for


def test_siblings_are_looked_for_where_a_rule_would_take_the_record_and_nowhere_else(rules: RuleEngine) -> None:
    limited = with_limit(limit_kg=100)
    assert len(limited.sibling_queries(export(kg=99.9))) == 1
    assert limited.sibling_queries(export(kg=100.0)) == []
    assert rules.sibling_queries(export(kg=99.9)) == []
    assert len(rules.sibling_queries(export(code=ANTIMONY))) == 1
    for change in (imported, other_role):
        record = export(kg=99.9)
        change(record)
        assert limited.sibling_queries(record) == []


def test_siblings_are_looked_for_as_far_as_the_rules_span(rules: RuleEngine) -> None:
    def days(sought_by: RuleEngine) -> float:
        (sought,) = sought_by.sibling_queries(export(code=ANTIMONY))
        since, until = sought.around
        assert sought.before[1] == since
        return (until - 1 - since) / 86_400_000

    wider = RuleEngine.load(settings={"R19-ALIKE": RuleSetting(thresholds={"days": 45})}, failed=unable)
    assert (days(rules), days(wider)) == (60, 90)
    assert hit(screened(wider, series(44, code=ANTIMONY)), "R19-ALIKE") is not None


def test_of_a_record_with_many_subheadings_some_are_looked_for() -> None:
    record = export(kg=90.0)
    record.goods.extend(item(f"9503{number}", net_mass_kg=90.0) for number in range(10, 10 + 2 * MAX_SUBHEADINGS))
    found = with_limit(limit_kg=100).sibling_queries(record)
    assert len({tuple(one.key_sets[1]) for one in found}) == len(found) == MAX_SUBHEADINGS


def test_nothing_is_looked_for_where_no_rule_is_about_series() -> None:
    off = RuleEngine.load(settings={rule: RuleSetting(enabled=False) for rule in ("R19", "R19-ALIKE")}, failed=unable)
    assert off.sibling_queries(export(code=ANTIMONY)) == []
    assert off.screen(export(), series()) == []
