"""Rules about records on their way and about whole consignments, each at its threshold from both sides."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gateway.risk.rule_engine import RuleEngine
from gateway.risk.rule_file import RuleSetting
from gateway.v1 import goods_pb2, history_pb2, party_pb2, shipment_pb2, trace_pb2
from tests.support.risk_records import (
    ANTIMONY,
    CONTAINER,
    DECLARATION,
    DOCUMENT,
    EXPORT,
    IMPORT,
    LICENCE,
    PREVIOUS,
    REEXPORT,
    UCR,
    at,
    item,
    party,
    refer,
    shipment,
    trace,
)

HIGH, MEDIUM, LOW, NOTICE = (
    trace_pb2.SEVERITY_HIGH,
    trace_pb2.SEVERITY_MEDIUM,
    trace_pb2.SEVERITY_LOW,
    trace_pb2.SEVERITY_NOTICE,
)
NOW = datetime(2025, 6, 20, tzinfo=UTC)
CONSIGNMENT = "5CN123456789"


def unable(rule: str, why: str) -> None:
    pytest.fail(f"{rule} couldn't judge: {why}")


@pytest.fixture(scope="module")
def rules() -> RuleEngine:
    return RuleEngine.load(failed=unable)


def exported(*goods: shipment_pb2.ShipmentGoods, **fields: object) -> shipment_pb2.Shipment:
    record = shipment(*goods, record_id="CN1", **fields)
    refer(record, UCR, CONSIGNMENT)
    return record


def imported(*goods: shipment_pb2.ShipmentGoods, **fields: object) -> shipment_pb2.Shipment:
    record = shipment(*goods, **{"record_id": "HK1", "procedure": IMPORT, "day": "2025-06-02", **fields})
    refer(record, UCR, CONSIGNMENT)
    return record


def examine(
    rules: RuleEngine, *records: tuple[str, shipment_pb2.Shipment], **kwargs: object
) -> dict[str, trace_pb2.Discrepancy]:
    return {hit.rule_id: hit for hit in rules.examine(trace(*records, **kwargs), NOW)}


def severity_of(hits: dict[str, trace_pb2.Discrepancy], rule: str) -> int | None:
    return hits[rule].severity if rule in hits else None


def test_an_innocent_licensed_consignment_gives_nothing(rules: RuleEngine) -> None:
    antimony = item(ANTIMONY, description="antimony ingots", element="Sb", purity_percent=99.9, value_usd=30000.0)
    out = exported(antimony, gross_mass_kg=1050.0)
    out.licences.add(number="L1").valid_until.CopyFrom(at("2025-06-02"))  # ended when it was imported
    hong_kong = item("811010", description="antimony ingots", element="Sb", value_usd=31500.0)
    assert examine(rules, ("cn", out), ("hk", imported(hong_kong, gross_mass_kg=1050.0))) == {}


def test_the_same_consignment_without_a_licence_is_found_at_both_records(rules: RuleEngine) -> None:
    antimony = item(ANTIMONY, element="Sb", description="antimony ingots")
    found = rules.examine(trace(("cn", exported(antimony)), ("hk", imported(antimony))), NOW)
    assert [(hit.rule_id, hit.severity, list(hit.legs)) for hit in found] == [("R01", HIGH, [0]), ("R01", NOTICE, [1])]


@pytest.mark.parametrize(
    ("import_kg", "severity"),
    [
        (991.0, None),
        (989.0, NOTICE),
        (951.0, NOTICE),
        (949.0, HIGH),
        (1009.0, None),
        (1012.0, NOTICE),
        (1019.9, NOTICE),
        (1020.1, MEDIUM),  # grew by more than 2 %
        (1052.0, MEDIUM),
        (1054.0, HIGH),
    ],
)
def test_r05_mirror_weight(rules: RuleEngine, import_kg: float, severity: int | None) -> None:
    hits = examine(rules, ("cn", exported(gross_mass_kg=1000.0)), ("hk", imported(gross_mass_kg=import_kg)))
    assert severity_of(hits, "R05") == severity
    if severity:
        assert list(hits["R05"].legs) == [0, 1]
        assert CONSIGNMENT in hits["R05"].explanation


def test_r05_compares_net_with_net_where_gross_is_missing(rules: RuleEngine) -> None:
    hits = examine(rules, ("cn", exported(item(net_mass_kg=1000.0))), ("hk", imported(item(net_mass_kg=900.0))))
    assert hits["R05"].inputs["basis"] == "net"


@pytest.mark.parametrize(("gross", "fires"), [(995.0, False), (985.0, True), (1500.0, False)])
def test_r05_net_of_one_side_cant_be_above_the_gross_of_the_other(rules: RuleEngine, gross: float, fires: bool) -> None:
    without_net = item()
    without_net.ClearField("net_mass_kg")
    hits = examine(
        rules, ("cn", exported(item(net_mass_kg=1000.0))), ("hk", imported(without_net, gross_mass_kg=gross))
    )
    assert ("R05" in hits) is fires


def test_r05_adds_up_part_consignments(rules: RuleEngine) -> None:
    out = exported(gross_mass_kg=1000.0)
    first, second = imported(gross_mass_kg=600.0), imported(gross_mass_kg=400.0)
    second.record_id = "HK2"
    assert "R05" not in examine(rules, ("cn", out), ("hk", first), ("hk", second))
    second.gross_mass_kg = 300.0
    assert list(examine(rules, ("cn", out), ("hk", first), ("hk", second))["R05"].legs) == [0, 1, 2]


@pytest.mark.parametrize("joined", ["ucr", "document and container", "document alone", "previous document", "nothing"])
def test_what_makes_a_mirror_pair(rules: RuleEngine, joined: str) -> None:
    out = shipment(record_id="CN1", gross_mass_kg=1000.0)
    into = shipment(record_id="HK1", procedure=IMPORT, day="2025-06-02", gross_mass_kg=500.0)
    if joined == "ucr":
        refer(out, UCR, "5CN-1")
        refer(into, UCR, "5cn-1")
    elif joined == "previous document":
        refer(out, DECLARATION, "530120250000000001")
        refer(into, PREVIOUS, "530120250000000001")
    elif joined != "nothing":
        for record in (out, into):
            refer(record, DOCUMENT, "BL123")
        if joined == "document and container":
            out.equipment.add(id=CONTAINER)
            into.equipment.add(id="MSKU 000000-6")
    assert ("R05" in examine(rules, ("cn", out), ("hk", into))) is (joined not in ("document alone", "nothing"))


def test_an_import_mirrors_the_export_of_where_it_came_from(rules: RuleEngine) -> None:
    out, into = exported(gross_mass_kg=1000.0), imported(gross_mass_kg=1000.0)
    again = exported(gross_mass_kg=500.0, export_territory="HK", destination_territory="MO", procedure=REEXPORT)
    again.declared_at.CopyFrom(at("2025-06-10"))
    again.office.territory = "HK"
    macao = imported(gross_mass_kg=500.0, export_territory="HK", destination_territory="MO", day="2025-06-11")
    hits = examine(rules, ("cn", out), ("hk", into), ("hk", again), ("mo", macao))
    assert "R05" not in hits
    macao.gross_mass_kg = 450.0
    assert list(examine(rules, ("cn", out), ("hk", into), ("hk", again), ("mo", macao))["R05"].legs) == [2, 3]


@pytest.mark.parametrize(
    ("cif", "severity"),
    [
        (79.0, HIGH),
        (81.0, NOTICE),
        (94.0, NOTICE),
        (96.0, None),
        (119.0, None),
        (121.0, NOTICE),
        (149.0, NOTICE),
        (151.0, HIGH),
    ],
)
def test_r06_mirror_value(rules: RuleEngine, cif: float, severity: int | None) -> None:
    hits = examine(
        rules,
        ("cn", exported(item("950300", description="toy cars", value_usd=100.0))),
        ("hk", imported(item("950300", description="toy cars", value_usd=cif))),
    )
    assert severity_of(hits, "R06") == severity


def test_r06_stated_freight_explains_a_part(rules: RuleEngine) -> None:
    out = exported(item("950300", description="toy cars", value_usd=100.0))
    into = imported(item("950300", description="toy cars", value_usd=140.0))
    assert "R06" in examine(rules, ("cn", out), ("hk", into))
    into.freight.currency_code = "USD"
    into.freight.units = 30
    assert "R06" not in examine(rules, ("cn", out), ("hk", into))


def test_r06_compares_one_currency_only(rules: RuleEngine) -> None:
    out, into = exported(), imported()
    out.total_value.currency_code, out.total_value.units = "CNY", 100
    into.total_value.currency_code, into.total_value.units = "HKD", 900
    assert "R06" not in examine(rules, ("cn", out), ("hk", into))
    into.total_value.currency_code = "CNY"
    assert examine(rules, ("cn", out), ("hk", into))["R06"].inputs["currency"] == "CNY"


@pytest.mark.parametrize(
    ("code", "severity"),
    [("950300", None), ("950390", LOW), ("950490", MEDIUM), ("420231", HIGH), ("811010", HIGH)],
)
def test_r07_mirror_code(rules: RuleEngine, code: str, severity: int | None) -> None:
    toys = item("950300", description="toy cars")
    hits = examine(rules, ("cn", exported(toys)), ("hk", imported(item(code, description="toy cars"))))
    assert severity_of(hits, "R07") == severity


def test_r07_a_controlled_subheading_on_one_side_is_severe_even_where_only_the_last_digits_differ(
    rules: RuleEngine,
) -> None:
    hits = examine(rules, ("cn", exported(item("810199"))), ("hk", imported(item("810196"))))
    assert severity_of(hits, "R07") == HIGH


def test_r07_a_part_of_the_goods_isnt_a_contradiction(rules: RuleEngine) -> None:
    toys, bags = item("950300", description="toy cars"), item("420231", description="leather bags", sequence=2)
    assert "R07" not in examine(rules, ("cn", exported(toys, bags)), ("hk", imported(bags)))


@pytest.mark.parametrize(
    ("mode", "days", "fires"),
    [
        (goods_pb2.TRANSPORT_MODE_ROAD, 2.9, False),
        (goods_pb2.TRANSPORT_MODE_ROAD, 3.1, True),
        (goods_pb2.TRANSPORT_MODE_AIR, 4.9, False),
        (goods_pb2.TRANSPORT_MODE_AIR, 5.1, True),
        (goods_pb2.TRANSPORT_MODE_SEA, 9.9, False),
        (goods_pb2.TRANSPORT_MODE_SEA, 10.1, True),
        (goods_pb2.TRANSPORT_MODE_UNSPECIFIED, 9.9, False),
        (goods_pb2.TRANSPORT_MODE_UNSPECIFIED, 10.1, True),
    ],
)
def test_r08_nothing_came_where_it_was_going(rules: RuleEngine, mode: int, days: float, fires: bool) -> None:
    out = exported(item("950300", description="toy cars"))
    out.declared_at.FromSeconds(int(NOW.timestamp() - days * 86_400))
    out.means.add(mode=mode)
    assert ("R08" in examine(rules, ("cn", out))) is fires


def test_r08_needs_a_whole_answer_of_the_destination(rules: RuleEngine) -> None:
    out = exported(item("950300", description="toy cars"))
    assert "R08" in examine(rules, ("cn", out))
    assert "R08" not in examine(rules, ("cn", out), answered=("cn", "mo"))
    asked = trace(("cn", out), answered=("cn",))
    asked.answers.add(node="hk", status=history_pb2.ANSWER_STATUS_PARTIAL)
    assert rules.examine(asked, NOW) == []
    cut = trace(("cn", out))
    cut.truncated = True
    assert rules.examine(cut, NOW) == []
    out.destination_territory = "VN"
    assert "R08" not in examine(rules, ("cn", out))


@pytest.mark.parametrize(
    ("source", "recipient", "fires"), [("cn", "hk", False), ("cn", "mo", True), ("mo", "hk", True), ("hk", "cn", True)]
)
def test_a_node_that_was_not_asked_for_every_link_lacks_nothing(
    rules: RuleEngine, source: str, recipient: str, fires: bool
) -> None:
    """cn's export to hk: only that hk wasn't asked for cn's links counts."""
    asked = trace(("cn", exported(item("950300", description="toy cars"))))
    asked.onward_refusals.add(source=source, recipient=recipient, links=1, kinds=["ucr"])
    assert ("R08" in {found.rule_id for found in rules.examine(asked, NOW)}) is fires


@pytest.mark.parametrize(("hit", "fires"), [(False, True), (True, False)])
def test_r08_a_node_that_may_only_say_that_there_is_something_hasnt_said_that_nothing_is(
    rules: RuleEngine, hit: bool, fires: bool
) -> None:
    asked = trace(("cn", exported(item("950300", description="toy cars"))), answered=("cn", "mo"))
    asked.answers.add(node="hk", status=history_pb2.ANSWER_STATUS_COMPLETE, hit=hit)
    assert ("R08" in {found.rule_id for found in rules.examine(asked, NOW)}) is fires


@pytest.mark.parametrize("nodes", [("kowloon", "lantau"), ("lantau", "kowloon")])
def test_r08_needs_a_whole_answer_of_all_nodes_there(rules: RuleEngine, nodes: tuple[str, str]) -> None:
    there = dict.fromkeys(nodes, "HK")
    asked = trace(("cn", exported(item("950300", description="toy cars"))), answered=("cn", *nodes))
    assert "R08" in {found.rule_id for found in rules.examine(asked, NOW, territories=there)}
    next(answer for answer in asked.answers if answer.node == "kowloon").status = history_pb2.ANSWER_STATUS_DENIED
    assert "R08" not in {found.rule_id for found in rules.examine(asked, NOW, territories=there)}


@pytest.mark.parametrize("procedure", list(shipment_pb2.ShipmentProcedure.values())[1:])
def test_r08_a_declaration_at_the_destination_settles_it(rules: RuleEngine, procedure: int) -> None:
    there = imported(item("950300", description="toy cars"))
    there.procedure = procedure
    there.office.territory = "HK"
    hits = examine(rules, ("cn", exported(item("950300", description="toy cars"))), ("hk", there))
    settled = procedure not in (EXPORT, shipment_pb2.SHIPMENT_PROCEDURE_MANIFEST)
    assert ("R08" not in hits) is settled


def test_nodes_may_be_called_other_than_their_territories(rules: RuleEngine) -> None:
    found = rules.examine(
        trace(("shenzhen", exported(item("950300"))), answered=("kowloon",)), NOW, territories={"kowloon": "HK"}
    )
    assert "R08" in {hit.rule_id for hit in found}


def weighed(before: float, after: float, **fields: object) -> shipment_pb2.Shipment:
    record = exported(gross_mass_kg=before)
    record.masses.add(
        mass_kg=after, source=shipment_pb2.MASS_SOURCE_WEIGHBRIDGE, measured_at=at("2025-06-01T10:00"), **fields
    )
    return record


@pytest.mark.parametrize(
    ("before", "after", "fires"),
    [
        (1000.0, 1199.0, False),  # 200 kg
        (1000.0, 1201.0, True),
        (1000.0, 799.0, True),
        (20000.0, 20405.0, False),  # 2 % of the greater
        (20000.0, 20412.0, True),
    ],
)
def test_r09_mass_between_two_sights(rules: RuleEngine, before: float, after: float, fires: bool) -> None:
    record = weighed(before, after)
    assert ("R09" in {hit.rule_id for hit in rules.screen(record)}) is fires
    assert ("R09" in examine(rules, ("cn", record))) is fires


def test_r09_compares_like_with_like(rules: RuleEngine) -> None:
    assert "R09" not in examine(rules, ("cn", weighed(1000.0, 3300.0, includes_tare=True)))
    assert "R09" not in examine(rules, ("cn", weighed(1000.0, 500.0, equipment_id=CONTAINER)))


def test_r09_goes_from_record_to_record(rules: RuleEngine) -> None:
    out, into = weighed(1000.0, 1000.0), imported(gross_mass_kg=1000.0)
    into.masses.add(mass_kg=1500.0, source=shipment_pb2.MASS_SOURCE_INSPECTION, measured_at=at("2025-06-03"))
    hit = examine(rules, ("cn", out), ("hk", into))["R09"]
    assert (list(hit.legs), hit.inputs["after_source"]) == ([1], "inspection")
    into.ClearField("gross_mass_kg")
    assert list(examine(rules, ("cn", out), ("hk", into))["R09"].legs) == [0, 1]


def test_values_of_a_newer_contract_are_not_known(rules: RuleEngine) -> None:
    out = exported(item("950300", description="toy cars"), gross_mass_kg=1000.0)
    out.means.add(mode=99)
    out.masses.add(mass_kg=1500.0, source=99, measured_at=at("2025-06-01T10:00"))
    out.equipment.append(sealed("CN1"))
    out.events.add(kind=99, occurred_at=at("2025-06-01T12:00"), equipment_id=CONTAINER, seal="CN9")
    hits = examine(rules, ("cn", out))
    assert {"R08", "R09", "R09-SEAL"} <= hits.keys()
    assert (hits["R08"].inputs["mode"], hits["R09"].inputs["after_source"]) == ("unknown means", "")


def sealed(seal: str, e_lock: str = "") -> goods_pb2.Equipment:
    return goods_pb2.Equipment(id=CONTAINER, seals=[seal], e_lock=e_lock)


def test_r09_seal_that_changed_without_an_event(rules: RuleEngine) -> None:
    out, into = exported(equipment=[sealed("CN-1")]), imported(equipment=[sealed("cn 1")])
    assert "R09-SEAL" not in examine(rules, ("cn", out), ("hk", into))
    into.equipment[0].seals[0] = "HK9"
    hit = examine(rules, ("cn", out), ("hk", into))["R09-SEAL"]
    assert (list(hit.legs), hit.inputs["before"], hit.inputs["after"]) == ([0, 1], "CN1", "HK9")
    out.events.add(
        kind=shipment_pb2.SHIPMENT_EVENT_KIND_INSPECTION, occurred_at=at("2025-06-01T12:00"), equipment_id=CONTAINER
    )
    assert "R09-SEAL" not in examine(rules, ("cn", out), ("hk", into))


@pytest.mark.parametrize(("moment", "fires"), [("2025-05-31T23:00", True), ("2025-06-02T01:00", True)])
def test_r09_seal_only_events_in_between_explain_it(rules: RuleEngine, moment: str, fires: bool) -> None:
    out, into = exported(equipment=[sealed("CN1")]), imported(equipment=[sealed("HK9")])
    into.events.add(
        kind=shipment_pb2.SHIPMENT_EVENT_KIND_SEAL_REMOVED, occurred_at=at(moment), equipment_id=CONTAINER, seal="CN1"
    )
    assert ("R09-SEAL" in examine(rules, ("cn", out), ("hk", into))) is fires


def test_r09_seal_a_lock_is_no_seal(rules: RuleEngine) -> None:
    record = exported(equipment=[sealed("CN1", "EL-7")])
    record.events.add(
        kind=shipment_pb2.SHIPMENT_EVENT_KIND_E_LOCK_CHECKED,
        occurred_at=at("2025-06-01T12:00"),
        equipment_id=CONTAINER,
        seal="EL7",
    )
    assert "R09-SEAL" not in {hit.rule_id for hit in rules.screen(record)}
    record.events[0].seal = "EL8"
    assert "R09-SEAL" in {hit.rule_id for hit in rules.screen(record)}


def test_r11_destination_that_changed(rules: RuleEngine) -> None:
    toys = item("950300", description="toy cars")
    assert "R11" not in examine(rules, ("cn", exported(toys)), ("hk", imported(toys)))
    hits = examine(rules, ("cn", exported(toys)), ("hk", imported(toys, destination_territory="VN")))
    assert (hits["R11"].severity, hits["R11"].inputs["later"]) == (MEDIUM, "VN")
    antimony = item(ANTIMONY, element="Sb")
    hits = examine(rules, ("cn", exported(antimony)), ("hk", imported(antimony, destination_territory="VN")))
    assert hits["R11"].severity == HIGH


def test_r11_entrepot_trade_is_no_change_of_destination(rules: RuleEngine) -> None:
    """What arrived where it was declared for may go on; what didn't arrive may not."""
    toys = item("950300", description="toy cars")
    on = imported(toys, procedure=REEXPORT, export_territory="HK", destination_territory="VN", day="2025-08-20")
    assert "R11" not in examine(rules, ("cn", exported(toys)), ("hk", imported(toys)), ("hk", on))
    assert "R11" in examine(rules, ("cn", exported(toys)), ("hk", on))
    watching = RuleEngine.load(settings={"R11": RuleSetting(lists={"watched": ["VN"]})}, failed=unable)
    assert "R11" in examine(watching, ("cn", exported(toys)), ("hk", imported(toys)), ("hk", on))


def test_r11_a_territory_that_the_node_watches(rules: RuleEngine) -> None:
    watching = RuleEngine.load(settings={"R11": RuleSetting(lists={"watched": ["VN"]})}, failed=unable)
    toys = item("950300", description="toy cars")
    records = ("cn", exported(toys)), ("hk", imported(toys, destination_territory="VN"))
    assert examine(watching, *records)["R11"].severity == HIGH
    assert examine(watching, *records)["R11"].thresholds["watched"] == "VN"


def test_r11_route_that_ends_elsewhere(rules: RuleEngine) -> None:
    record = exported(item("950300", description="toy cars"))
    record.route.add().to.territory = "HK"
    assert "R11-ROUTE" not in {hit.rule_id for hit in rules.screen(record)}
    record.route.add().to.territory = "VN"
    assert {hit.rule_id: hit.severity for hit in rules.screen(record)}["R11-ROUTE"] == NOTICE


@pytest.mark.parametrize(
    ("code", "ends_in", "severity"), [("950300", "VN", NOTICE), (ANTIMONY, "VN", LOW), (ANTIMONY, "TH", MEDIUM)]
)
def test_r11_route_is_as_severe_as_its_goods_and_its_end(code: str, ends_in: str, severity: int) -> None:
    watching = RuleEngine.load(settings={"R11-ROUTE": RuleSetting(lists={"watched": ["TH"]})}, failed=unable)
    record = exported(item(code, description="antimony ingots", element="Sb"))
    record.route.add().to.territory = ends_in
    assert {hit.rule_id: hit.severity for hit in watching.screen(record)}["R11-ROUTE"] == severity


def hub(
    days: float = 3, kg_out: float = 1000.0, code: str = "950300", first_for: str = "HK"
) -> list[tuple[str, shipment_pb2.Shipment]]:
    toys = item("950300", description="toy cars")
    out, into = exported(toys, destination_territory=first_for), imported(toys)
    again = imported(
        item(code, description="toy cars", net_mass_kg=kg_out), procedure=REEXPORT, destination_territory="MO"
    )
    again.export_territory = "HK"
    again.record_id = "HK2"
    again.declared_at.FromSeconds(int(into.declared_at.seconds + days * 86_400))
    return [("cn", out), ("hk", into), ("hk", again)]


@pytest.mark.parametrize(("days", "severity"), [(6.9, HIGH), (7.1, LOW), (29.9, LOW), (30.1, None)])
def test_r12_days_between_import_and_reexport(rules: RuleEngine, days: float, severity: int | None) -> None:
    assert severity_of(examine(rules, *hub(days)), "R12") == severity


@pytest.mark.parametrize(("kg", "fires"), [(951.0, True), (949.0, False), (1052.0, True), (1053.0, False)])
def test_r12_weight_within_five_percent(rules: RuleEngine, kg: float, fires: bool) -> None:
    assert ("R12" in examine(rules, *hub(kg_out=kg))) is fires


def test_r12_other_goods_and_a_foreseen_destination_dont_count(rules: RuleEngine) -> None:
    assert "R12" not in examine(rules, *hub(code="420231"))
    assert "R12" not in examine(rules, *hub(first_for="MO"))


def test_r12_a_licensed_reexport_doesnt_count(rules: RuleEngine) -> None:
    records = hub()
    records[2][1].licences.add(number="HK-1")
    assert "R12" not in examine(rules, *records)


def test_r12_controlled_goods_count_under_another_controlled_code(rules: RuleEngine) -> None:
    records = hub(code="284690")
    assert "R12" not in examine(rules, *records)
    records[1][1].goods[0].codes[0].code = "811010"
    assert examine(rules, *records)["R12"].inputs["controlled"] == "yes"


def returned(day: str) -> list[tuple[str, shipment_pb2.Shipment]]:
    toys = item("950300", description="toy cars")
    back = imported(toys, procedure=REEXPORT, export_territory="HK", destination_territory="CN", day=day)
    return [("cn", exported(toys)), ("hk", imported(toys)), ("hk", back)]


@pytest.mark.parametrize(("day", "fires"), [("2025-11-28", True), ("2025-11-29", False)])
def test_r13_goods_that_come_back_within_180_days(rules: RuleEngine, day: str, fires: bool) -> None:
    hits = examine(rules, *returned(day))
    assert ("R13" in hits) is fires
    if fires:
        assert hits["R13"].inputs["path"] == "CN, HK, CN"


@pytest.mark.parametrize(("import_day", "fires"), [("2025-05-31T04:00", False), ("2025-05-30T00:00", True)])
def test_r13_an_import_declared_in_advance_is_no_return(rules: RuleEngine, import_day: str, fires: bool) -> None:
    toys = item("950300", description="toy cars")
    assert ("R13" in examine(rules, ("cn", exported(toys)), ("hk", imported(toys, day=import_day)))) is fires


def path(*territories: str) -> list[tuple[str, shipment_pb2.Shipment]]:
    """An export and what was recorded of it in transit, one territory after the other."""
    toys = item("950300", description="toy cars")
    records = [("cn", exported(toys))]
    for day, territory in enumerate(territories, 2):
        transit = imported(toys, procedure=shipment_pb2.SHIPMENT_PROCEDURE_TRANSIT, day=f"2025-06-{day:02}")
        transit.office.territory = territory
        records.append((territory.lower(), transit))
    return records


@pytest.mark.parametrize(
    ("territories", "fires"),
    [
        (("HK", "MO"), False),  # two borders; one is usual from CN to MO
        (("HK", "VN", "MO"), True),
        (("HK", "MO", "VN", "TH"), False),  # four; two are usual to elsewhere
        (("HK", "MO", "VN", "TH", "MY"), True),
    ],
)
def test_r13_more_than_twice_the_usual_borders(rules: RuleEngine, territories: tuple[str, ...], fires: bool) -> None:
    assert ("R13" in examine(rules, *path(*territories))) is fires


@pytest.mark.parametrize(
    ("territories", "severity"),
    [(("HK", "VN", "CN"), MEDIUM), (("HK", "VN", "HK"), LOW), (("HK", "CN", "HK", "VN"), LOW)],
)
def test_r13_is_severe_where_goods_end_where_they_began(
    rules: RuleEngine, territories: tuple[str, ...], severity: int
) -> None:
    assert severity_of(examine(rules, *path(*territories)), "R13") == severity


def test_r20_check_digits(rules: RuleEngine) -> None:
    record = exported(item("950300", description="toy cars"), equipment=[goods_pb2.Equipment(id=CONTAINER)])
    record.parties.append(party(party_pb2.PARTY_ROLE_DRIVER, hkid="A123456(3)"))
    assert rules.screen(record) == []
    record.equipment[0].id = "MSKU0000007"
    record.parties[0].identifiers[0].value = "A123456(4)"
    found = [hit for hit in rules.screen(record) if hit.rule_id == "R20"]
    assert {hit.inputs["path"]: hit.inputs.get("value") for hit in found} == {
        "equipment[0].id": "MSKU0000007",
        "parties[0].identifiers[0]": None,  # a person's isn't repeated
    }
    assert {hit.severity for hit in found} == {NOTICE}


def test_r20_a_form_that_is_other_than_usual_isnt_a_check_digit(rules: RuleEngine) -> None:
    record = exported(item("950300", description="toy cars"), equipment=[goods_pb2.Equipment(id="TRAILER 7")])
    record.parties.append(party(party_pb2.PARTY_ROLE_DRIVER, hkid="7"))
    assert rules.screen(record) == []


def test_r20_air_waybills(rules: RuleEngine) -> None:
    record = exported(item("950300", description="toy cars"))
    refer(record, DOCUMENT, "160-12345670")
    assert rules.screen(record) == []  # by sea it would be no air waybill
    record.means.add(mode=goods_pb2.TRANSPORT_MODE_AIR)
    assert "R20" in {hit.rule_id for hit in rules.screen(record)}
    record.references[1].value = "160-12345675"
    assert rules.screen(record) == []


@pytest.mark.parametrize(
    ("rule", "withheld"),
    [
        ("R01", "licences"),
        ("R01", "licences[0].valid_until"),
        ("R05", "gross_mass_kg"),
        ("R07", "goods[0].codes"),
        ("R09", "masses[0].mass_kg"),
        ("R09-SEAL", "equipment[0].seals"),
        ("R09-SEAL", "events"),
        ("R11", "destination_territory"),
        ("R15", "parties[0].names"),
        ("R15", "parties[0].names[0].text"),
    ],
)
def test_a_rule_whose_input_is_withheld_doesnt_judge(rules: RuleEngine, rule: str, withheld: str) -> None:
    antimony = item(ANTIMONY, element="Sb")
    out = weighed(1000.0, 1500.0)
    out.goods[0].CopyFrom(antimony)
    out.equipment.append(sealed("CN1"))
    out.parties.append(party(party_pb2.PARTY_ROLE_CONSIGNEE, "Shun Fat Logistics"))
    into = imported(gross_mass_kg=500.0, destination_territory="MO", equipment=[sealed("HK9")])
    judged = trace(("cn", out), ("hk", into))
    assert rule in {hit.rule_id for hit in rules.examine(judged, NOW)}
    judged.legs[0].record.withheld.add(path=withheld)
    assert rule not in {hit.rule_id for hit in rules.examine(judged, NOW)}


def test_a_licences_number_alone_may_be_withheld(rules: RuleEngine) -> None:
    out = exported(item(ANTIMONY, element="Sb"))
    refer(out, LICENCE, "x")
    out.references[1].value = ""
    judged = trace(("cn", out))
    judged.legs[0].record.withheld.add(path="references[1].value")
    assert "R01" not in {hit.rule_id for hit in rules.examine(judged, NOW)}


def test_records_that_say_next_to_nothing_are_examined_without_a_word(rules: RuleEngine) -> None:
    bare = shipment_pb2.Shipment(record_id="A", procedure=EXPORT)
    empty = shipment_pb2.Shipment()
    empty.goods.add()
    empty.masses.add()
    empty.events.add()
    empty.parties.add()
    empty.route.add()
    empty.equipment.add()
    assert rules.screen(bare) == []
    assert rules.screen(empty) == []
    assert rules.examine(trace(("cn", bare), ("hk", empty), ("mo", bare)), NOW) == []
    assert rules.examine(trace_pb2.Trace(), NOW) == []
