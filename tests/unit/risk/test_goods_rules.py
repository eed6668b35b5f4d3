"""Rules about goods items, each at its threshold from both sides."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.risk.rule_engine import RuleEngine
from gateway.risk.rule_file import RuleSetting
from gateway.v1 import party_pb2, shipment_pb2, trace_pb2
from tests.support.risk_records import (
    ANTIMONY,
    IMPORT,
    LICENCE,
    REEXPORT,
    at,
    item,
    party,
    refer,
    shipment,
)

HIGH, MEDIUM, LOW, NOTICE = (
    trace_pb2.SEVERITY_HIGH,
    trace_pb2.SEVERITY_MEDIUM,
    trace_pb2.SEVERITY_LOW,
    trace_pb2.SEVERITY_NOTICE,
)


@pytest.fixture(scope="module")
def rules() -> RuleEngine:
    return RuleEngine.load(failed=lambda rule, why: pytest.fail(f"{rule} couldn't judge: {why}"))


@pytest.fixture(scope="module")
def every_rule() -> RuleEngine:
    """With R03, which isn't enabled."""
    return RuleEngine.load(settings={"R03": RuleSetting(enabled=True)})


def hits(rules: RuleEngine, record: shipment_pb2.Shipment) -> dict[str, trace_pb2.Discrepancy]:
    return {hit.rule_id: hit for hit in rules.screen(record)}


def antimony(**fields: object) -> shipment_pb2.ShipmentGoods:
    return item(
        ANTIMONY, **{"description": "antimony ingots 99.85 %", "element": "Sb", "purity_percent": 99.85, **fields}
    )


def test_an_innocent_record_gives_nothing(rules: RuleEngine) -> None:
    plain = item(net_mass_kg=1000.0, volume_m3=0.7, value_usd=2800.0)
    assert rules.screen(shipment(plain)) == []


@pytest.mark.parametrize(("day", "fires"), [("2024-09-14T15:59", False), ("2024-09-14T16:00", True)])
def test_r01_counts_from_the_local_day_on_which_the_control_begins(rules: RuleEngine, day: str, fires: bool) -> None:
    # 2024-09-15 begins at 16:00 UTC of the day before.
    assert ("R01" in hits(rules, shipment(antimony(), day=day))) is fires


def test_r01_says_what_was_controlled_and_why(rules: RuleEngine) -> None:
    hit = hits(rules, shipment(antimony()))["R01"]
    assert hit.severity == HIGH
    assert hit.inputs["announcement"] == "MOFCOM/GACC No.33 of 2024"
    assert hit.goods_sequence == 1
    assert not hit.HasField("measured")
    assert "8110101000" in hit.explanation
    assert "national code" in hit.explanation


@pytest.mark.parametrize(
    ("valid_from", "valid_until", "code", "fires"),
    [
        ("2025-06-01", "2025-07-01", "", False),
        ("2025-06-01T00:01", "2025-07-01", "", True),
        ("2025-01-01", "2025-06-01", "", True),
        ("2025-01-01", "2025-06-01T00:01", "", False),
        ("", "", "811010", False),
        ("", "", "284690", True),
    ],
)
def test_r01_takes_a_licence_that_was_valid_for_the_goods(
    rules: RuleEngine, valid_from: str, valid_until: str, code: str, fires: bool
) -> None:
    record = shipment(antimony())
    licence = record.licences.add(number="L1")
    if valid_from:
        licence.valid_from.CopyFrom(at(valid_from))
        licence.valid_until.CopyFrom(at(valid_until))
    if code:
        licence.codes.add(code=code, scheme="hs")
    assert ("R01" in hits(rules, record)) is fires


def test_r01_takes_a_licence_that_is_only_named(rules: RuleEngine) -> None:
    record = shipment(antimony())
    refer(record, LICENCE, "L1")
    assert "R01" not in hits(rules, record)


@pytest.mark.parametrize(
    ("fields", "code", "element", "severity"),
    [
        ({}, "811010", "Sb", MEDIUM),
        ({}, "811292", "", LOW),
        ({}, "811292", "Ga", MEDIUM),
        ({"procedure": IMPORT}, ANTIMONY, "Sb", NOTICE),
        ({"procedure": REEXPORT}, ANTIMONY, "Sb", NOTICE),
    ],
)
def test_r01_is_as_severe_as_the_code_is_sure(
    rules: RuleEngine, fields: dict[str, int], code: str, element: str, severity: int
) -> None:
    record = shipment(item(code, element=element, description="metal of high purity"), **fields)
    assert hits(rules, record)["R01"].severity == severity


def test_r01_names_only_what_the_finest_code_meets(rules: RuleEngine) -> None:
    germanium = item("8112921010", element="", description="germanium")
    germanium.codes.add(code="811292", scheme="hs")
    hit = hits(rules, shipment(germanium))["R01"]
    assert "gallium" not in hit.inputs["lines"]
    assert hit.inputs["lines"] == "8112921010 germanium metal"


def test_r01_takes_a_control_as_back_after_its_suspension_and_says_what_it_does_not_know(rules: RuleEngine) -> None:
    record = shipment(item("2805301990", element="Ho", description="holmium metal"), day="2026-11-11")
    hit = hits(rules, record)["R01"]
    assert (hit.severity, hit.inputs["confidence"]) == (MEDIUM, "medium")
    assert hit.inputs["status"] == "suspension ended, not verified"
    assert "its suspension by MOFCOM/GACC No.70 of 2025 ended on 2026-11-10" in hit.inputs["notes"]
    assert "an extension is not known to this data" in hit.explanation
    assert "R01" not in hits(rules, shipment(record.goods[0], day="2026-11-10T15:59"))


@pytest.mark.parametrize(
    ("code", "day", "listed", "severity"),
    [
        ("8507600090", "2026-11-10", False, None),
        ("8507600090", "2026-11-20", True, MEDIUM),
        (ANTIMONY, "2026-11-20", True, HIGH),
    ],
)
def test_other_rules_count_a_control_again_after_its_suspension(
    rules: RuleEngine, code: str, day: str, severity: int | None, *, listed: bool
) -> None:
    record = shipment(item(code, net_mass_kg=1000.0), day=day)
    record.route.add().to.territory = "VN"
    record.parties.append(party(party_pb2.PARTY_ROLE_EXPORTER, uscc="91350100M000100Y43"))
    record.parties.append(party(party_pb2.PARTY_ROLE_CONSIGNEE, "Hengtong Logistics Limited"))
    assert bool(rules.controlled_items(record)) is listed
    facts = {case.kind: case.facts for case in rules.cases(record)}
    assert facts["route"]["controlled_goods"] is listed
    assert bool(rules.sibling_queries(record)) is listed
    forwarder = hits(rules, record).get("R15")
    assert (forwarder.severity if forwarder else None) == (severity if listed else None)


def test_r01_is_medium_for_a_code_that_other_goods_have_too(rules: RuleEngine) -> None:
    magnets = item("8505111000", description="magnets")
    hit = hits(rules, shipment(magnets))["R01"]
    assert (hit.severity, hit.inputs["basket"][:3]) == (MEDIUM, "yes")
    assert "the announcement names no code" in hit.inputs["notes"]


def test_r01_meets_a_line_without_a_code_by_its_element(rules: RuleEngine) -> None:
    alloy = item("8105209000", element="Sm", description="samarium-cobalt alloy")
    hit = hits(rules, shipment(alloy))["R01"]
    assert (hit.severity, hit.inputs["basis"]) == (LOW, "the element alone")
    assert "no code alloys with samarium" in hit.inputs["lines"]
    assert "R01" not in hits(rules, shipment(item("8105209000", element="Co", description="cobalt")))


@pytest.mark.parametrize(
    ("day", "destination", "severity", "said"),
    [
        ("2024-12-02", "US", None, ""),
        ("2024-12-03", "US", HIGH, "licences are refused in principle (in force)"),
        ("2025-11-08", "US", HIGH, "licences are refused in principle (in force)"),
        ("2025-11-09", "US", None, "suspended until 2026-11-27 by MOFCOM No.72 of 2025"),
        ("2026-11-28", "US", MEDIUM, "ended on 2026-11-27; it holds again, an extension is not known to this data"),
        ("2024-12-03", "VN", None, ""),
    ],
)
def test_r01_refused_speaks_of_destinations_even_with_a_licence(
    rules: RuleEngine, day: str, destination: str, severity: int | None, said: str
) -> None:
    record = shipment(antimony(), day=day, destination_territory=destination)
    without = hits(rules, record)
    assert said in without["R01"].inputs.get("restrictions", "")
    refer(record, LICENCE, "L1")
    found = hits(rules, record)
    assert "R01" not in found
    assert (found["R01-REFUSED"].severity if "R01-REFUSED" in found else None) == severity
    if severity:
        assert said in found["R01-REFUSED"].explanation


DYSPROSIUM = "2846901500"


@pytest.mark.parametrize(
    ("origin", "day", "severity", "said"),
    [
        ("CN", "2025-10-08", None, ()),
        ("CN", "2025-10-09", HIGH, ("leaves HK, where MOFCOM No.61 of 2025, items of Chinese origin asks",)),
        ("CN", "2025-11-07", None, ()),
        ("CN", "2026-11-10", None, ()),
        ("CN", "2026-11-11", MEDIUM, ("an extension is not known to this data", "Technology that goes along")),
        ("", "2026-11-11", LOW, ("doesn't say where the goods were made", "what share of their value is Chinese")),
        ("VN", "2025-10-09", None, ()),  # foreign goods with Chinese content: from 1 December 2025, suspended before
        ("VN", "2026-11-11", NOTICE, ("MOFCOM No.61 of 2025, foreign-made items asks", "what share of their value")),
    ],
)
def test_r01_abroad_says_what_third_places_need_and_what_the_record_lacks(
    rules: RuleEngine, origin: str, day: str, severity: int | None, said: tuple[str, ...]
) -> None:
    oxide = item(DYSPROSIUM, element="Dy", description="dysprosium oxide 99.9 %", origin_territory=origin)
    record = shipment(oxide, day=day, procedure=REEXPORT, export_territory="HK", destination_territory="JP")
    found = hits(rules, record).get("R01-ABROAD")
    assert (found.severity if found else None) == severity
    for each in said:
        assert found is not None
        assert each in found.explanation
    for change in ({"procedure": IMPORT}, {"export_territory": "CN"}):
        other = shipment_pb2.Shipment()
        other.CopyFrom(record)
        other.procedure = change.get("procedure", other.procedure)  # type: ignore[assignment]
        other.export_territory = str(change.get("export_territory", other.export_territory))
        assert "R01-ABROAD" not in hits(rules, other)
    refer(record, LICENCE, "L1")
    assert "R01-ABROAD" not in hits(rules, record)


def test_r01_abroad_is_about_rare_earths_alone(rules: RuleEngine) -> None:
    record = shipment(antimony(origin_territory="CN"), day="2025-10-10", procedure=REEXPORT, export_territory="HK")
    assert "R01-ABROAD" not in hits(rules, record)


def test_r01_doesnt_count_another_element_of_the_same_subheading(rules: RuleEngine) -> None:
    assert "R01" not in hits(rules, shipment(item("811292", element="Nb", description="niobium powder")))
    assert rules.controlled_items(shipment(item("811292", element="Nb"))) == []


def test_r01_is_about_goods_that_leave_the_territory_of_the_list(rules: RuleEngine) -> None:
    assert "R01" not in hits(rules, shipment(antimony(), export_territory="VN"))
    assert "R01" in hits(rules, shipment(antimony(origin_territory="CN"), export_territory="HK", procedure=REEXPORT))


@pytest.mark.parametrize(
    ("density", "severity"),
    [
        (0.539, MEDIUM),  # below 0.2 of aluminium's 2.7
        (0.541, None),
        (1.61, None),  # 0.6 of 2.7 is 1.62
        (1.63, NOTICE),
        (2.69, NOTICE),
        (2.71, HIGH),  # more than aluminium without any air
    ],
)
def test_r02_density(rules: RuleEngine, density: float, severity: int | None) -> None:
    hit = hits(rules, shipment(item(net_mass_kg=1000.0 * density, volume_m3=1.0))).get("R02")
    assert (hit.severity if hit else None) == severity
    if hit:
        assert hit.measured == pytest.approx(density)


def test_r02_names_what_it_would_fit(rules: RuleEngine) -> None:
    hit = hits(rules, shipment(item(net_mass_kg=5000.0, volume_m3=1.0)))["R02"]
    assert "antimony ingot" in hit.inputs["suspects"]
    assert hit.thresholds["impossible"] == "1"
    assert "oxide" not in hit.inputs["suspects"]  # declared as ingots
    lead = item("780110", description="lead ingots", net_mass_kg=2104.0, volume_m3=1.0)
    assert "antimony ingot" in hits(rules, shipment(lead))["R02"].inputs["suspects"]


def with_densities(tmp_path: Path, declared: float, suspect: float, **thresholds: float) -> RuleEngine:
    """The rules with a table of two substances: aluminium and one under control, of these densities."""
    columns = "substance,formula,elements,role,hs,covers,names,density_g_cm3,density_confidence"
    table = tmp_path / "physical_data.csv"
    table.write_text(
        f"{columns},price_low_usd_kg,price_high_usd_kg,price_confidence\n"
        f"aluminium,Al,Al,cover,760110,whole,aluminium,{declared},high,,,\n"
        f"antimony ingot,Sb,Sb,controlled,811010,whole,antimony,{suspect},high,,,\n",
        encoding="utf-8",
    )
    return RuleEngine.load(
        physical_data=table,
        settings={"R02": RuleSetting(thresholds=thresholds)},
        failed=lambda rule, why: pytest.fail(f"{rule} couldn't judge: {why}"),
    )


@pytest.mark.parametrize(("declared", "fires"), [(5.99, True), (6.01, False)])
def test_r02_packed_densely_counts_for_light_goods_alone(tmp_path: Path, declared: float, fires: bool) -> None:
    rules = with_densities(tmp_path, declared, suspect=7.0)
    packed = shipment(item(net_mass_kg=700.0 * declared, volume_m3=1.0))  # 0.7 of what they weigh
    assert ("R02" in hits(rules, packed)) is fires


@pytest.mark.parametrize(("suspect", "fires"), [(6.65, True), (6.68, False)])
def test_r02_what_it_would_fit_has_to_fill_a_third(tmp_path: Path, suspect: float, fires: bool) -> None:
    rules = with_densities(tmp_path, 2.7, suspect)
    packed = shipment(item(net_mass_kg=2000.0, volume_m3=1.0))  # 0.3 of 6.667
    assert ("R02" in hits(rules, packed)) is fires


@pytest.mark.parametrize(("kg", "suspects"), [(6670.0, "antimony ingot"), (6690.0, "none")])
def test_r02_nothing_fits_that_is_lighter_than_the_package(tmp_path: Path, kg: float, suspects: str) -> None:
    hit = hits(with_densities(tmp_path, 2.7, 6.68), shipment(item(net_mass_kg=kg, volume_m3=1.0)))["R02"]
    assert (hit.severity, hit.inputs["suspects"]) == (HIGH, suspects)


@pytest.mark.parametrize(("kg", "fires"), [(2990.0, True), (3010.0, False)])
def test_r02_nor_where_a_node_takes_more_than_the_goods_weigh_for_possible(
    tmp_path: Path, kg: float, fires: bool
) -> None:
    rules = with_densities(tmp_path, 2.7, suspect=3.0, impossible=2.0)
    assert ("R02" in hits(rules, shipment(item(net_mass_kg=kg, volume_m3=1.0)))) is fires


def test_r02_before_anything_was_controlled_only_the_impossible_counts(rules: RuleEngine) -> None:
    assert "R02" not in hits(rules, shipment(item(net_mass_kg=2000.0, volume_m3=1.0), day="2021-06-01"))
    assert "R02" in hits(rules, shipment(item(net_mass_kg=2800.0, volume_m3=1.0), day="2021-06-01"))


def test_r02_leaves_forms_that_hold_much_air(rules: RuleEngine) -> None:
    assert "R02" not in hits(rules, shipment(item(net_mass_kg=100.0, volume_m3=1.0, form="wafer")))
    assert "R02" in hits(rules, shipment(item(net_mass_kg=100.0, volume_m3=1.0, form="ingot")))


@pytest.mark.parametrize("missing", ["net_mass_kg", "packages", "one volume", "zero volume", "codes"])
def test_r02_without_an_input_doesnt_fire(rules: RuleEngine, missing: str) -> None:
    goods = item(net_mass_kg=9000.0, volume_m3=1.0)
    assert "R02" in hits(rules, shipment(goods))
    if missing == "one volume":
        goods.packages.add(type="PX", count=1)
    elif missing == "zero volume":
        goods.packages[0].volume_m3 = 0
    else:
        goods.ClearField(missing)
    assert "R02" not in hits(rules, shipment(goods))


@pytest.mark.parametrize(
    ("usd_per_kg", "severity"),
    # aluminium's band is 2 to 4: its spread is log10(2), fences lie at 2/2^1.5 = 0.7071, 4·2^1.5 = 11.31, 0.25 and 32
    [(0.249, MEDIUM), (0.251, LOW), (0.70, LOW), (0.71, None), (11.3, None), (11.4, LOW), (31.9, LOW), (32.1, MEDIUM)],
)
def test_r03_unit_value_beyond_the_fences(every_rule: RuleEngine, usd_per_kg: float, severity: int | None) -> None:
    hit = hits(every_rule, shipment(item(net_mass_kg=100.0, value_usd=100 * usd_per_kg))).get("R03")
    assert (hit.severity if hit else None) == severity


def test_r03_goods_for_nothing_are_below_every_fence(every_rule: RuleEngine) -> None:
    assert hits(every_rule, shipment(item(value_usd=0.0)))["R03"].severity == MEDIUM


def test_r03_isnt_applied_unless_a_node_wants_it(rules: RuleEngine) -> None:
    assert "R03" not in hits(rules, shipment(item(value_usd=0.0)))


@pytest.mark.parametrize(("usd_per_kg", "fires"), [(4.9, True), (5.1, False), (900.0, False)])
def test_r03_controlled_goods_for_a_fraction_of_their_price(
    rules: RuleEngine, usd_per_kg: float, *, fires: bool
) -> None:
    """Antimony's band begins at 20."""
    antimony = item(ANTIMONY, element="Sb", net_mass_kg=100.0, value_usd=100 * usd_per_kg)
    assert ("R03-CONTROLLED" in hits(rules, shipment(antimony))) is fires


def test_r03_takes_a_customs_value_in_dollars_and_no_other(every_rule: RuleEngine) -> None:
    goods = item(net_mass_kg=100.0)
    goods.customs_value.currency_code = "USD"
    goods.customs_value.units = 9000
    assert "R03" in hits(every_rule, shipment(goods))
    goods.customs_value.currency_code = "HKD"
    assert "R03" not in hits(every_rule, shipment(goods))


@pytest.mark.parametrize(
    # five times the middle of 2 to 4, which is 2.828: 14.14; tungsten begins at 40, dysprosium... samarium at 5
    ("usd_per_kg", "fires"),
    [(14.1, False), (14.2, True)],
)
def test_r04_value_of_another_substance(rules: RuleEngine, usd_per_kg: float, fires: bool) -> None:
    hit = hits(rules, shipment(item(net_mass_kg=100.0, value_usd=100 * usd_per_kg))).get("R04")
    assert (hit is not None) is fires


def test_r04_only_within_the_price_of_something_controlled(rules: RuleEngine) -> None:
    assert "R04" in hits(rules, shipment(item(net_mass_kg=100.0, value_usd=100 * 6000)))  # scandium ends at 6000
    assert "R04" not in hits(rules, shipment(item(net_mass_kg=100.0, value_usd=100 * 6001)))


@pytest.mark.parametrize(
    ("name", "severity"),
    [
        ("Shun Fat Logistics Limited", HIGH),
        ("深圳顺发国际货运代理有限公司", HIGH),
        ("Agente Transitário Lda", HIGH),
        ("Ocean Shipping Company", LOW),
        ("Shun Fat Metals Limited", None),
    ],
)
def test_r15_forwarder_as_consignee_of_controlled_goods(rules: RuleEngine, name: str, severity: int | None) -> None:
    record = shipment(antimony(), parties=[party(party_pb2.PARTY_ROLE_CONSIGNEE, name)])
    hit = hits(rules, record).get("R15")
    assert (hit.severity if hit else None) == severity


def test_r15_doesnt_count_for_other_goods_other_roles_and_unsure_codes(rules: RuleEngine) -> None:
    consignee = party(party_pb2.PARTY_ROLE_CONSIGNEE, "Shun Fat Logistics Limited")
    assert "R15" not in hits(rules, shipment(item(), parties=[consignee]))
    agent = party(party_pb2.PARTY_ROLE_AGENT, "Shun Fat Logistics Limited")
    assert "R15" not in hits(rules, shipment(antimony(), parties=[agent]))
    residual = shipment(item("811292", description="niobium or something"), parties=[consignee])
    assert hits(rules, residual)["R15"].severity == MEDIUM


@pytest.mark.parametrize(
    ("description", "fires"),
    [
        ("Metal ingots, 40 pallets", True),
        ("金属制品", True),
        ("Mercadorias", True),
        ("Spare parts", True),
        ("Spare parts for pumps", False),
        ("Aluminium ingots", False),
        ("", False),
    ],
)
def test_r18_vague_description(rules: RuleEngine, description: str, fires: bool) -> None:
    assert ("R18" in hits(rules, shipment(item("950300", description=description)))) is fires


def test_r18_residual_subheading_without_element_or_purity(rules: RuleEngine) -> None:
    bare = item("811292", description="unwrought, high purity")
    assert hits(rules, shipment(bare))["R18"].severity == NOTICE
    assert "R18" not in hits(rules, shipment(bare, export_territory="VN"))
    assert "R18" not in hits(rules, shipment(item("811292", description="")))
    assert "R18" not in hits(rules, shipment(item("811292", description="unwrought germanium")))
    assert "R18" not in hits(rules, shipment(item("811292", description="unwrought", element="Ge")))
    assert "R18" not in hits(rules, shipment(item("811292", description="unwrought", purity_percent=99.0)))
    assert hits(rules, shipment(item("811292", description="metal")))["R18"].severity == LOW


def test_r18_cover_that_weighs_or_costs_too_much(rules: RuleEngine) -> None:
    assert "R18" not in hits(rules, shipment(item(net_mass_kg=2699.0, volume_m3=1.0)))
    assert hits(rules, shipment(item(net_mass_kg=2701.0, volume_m3=1.0)))["R18"].severity == MEDIUM
    assert "R18" not in hits(rules, shipment(item(net_mass_kg=100.0, value_usd=1410.0)))
    assert hits(rules, shipment(item(net_mass_kg=100.0, value_usd=1420.0)))["R18"].severity == MEDIUM


def test_several_hits_come_the_most_severe_first(every_rule: RuleEngine) -> None:
    record = shipment(antimony(), item(net_mass_kg=100.0, value_usd=3.0, sequence=2))
    found = every_rule.screen(record)
    assert [hit.severity for hit in found] == sorted((hit.severity for hit in found), reverse=True)
    assert len(found) > 1
    assert all(not hit.legs for hit in found)
