"""Declarations become alerts: the real file's numbers, which field goes where, and nothing published twice."""

from __future__ import annotations

import io
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.contract.validation import violations
from gateway.formats.alerts.alert_lines import AlertLine, RequestIds
from gateway.formats.declarations.declarations import DECLARATION_MAPPINGS, DeclarationRow, read_declarations
from gateway.formats.tables.layout import Problem
from gateway.risk.declaration_alerts import AlertTerms, ScreenedRows, declaration_alerts, declaration_rules
from gateway.v1 import alert_pb2, goods_pb2, party_pb2
from gateway.v1.alert_pb2 import AlertContent
from gateway.v1.alert_service_pb2 import PublishAlertRequest
from tests.support.public_files import DECLARATIONS

RULES = declaration_rules()
AS_OF = date(2026, 1, 15)
TERMS = AlertTerms(legal_basis="Arrangement 2024, article 7", valid_until=datetime(2026, 4, 15, tzinfo=UTC))


def alerts_of(*rows: DeclarationRow | Problem, as_of: date | None = AS_OF) -> list[AlertLine | Problem]:
    return list(declaration_alerts(rows, RULES, TERMS, as_of=as_of))


def row(**changes: Any) -> DeclarationRow:
    values: dict[str, Any] = {
        "line": 2,
        "declaration_number": "D-1",
        "date": date(2026, 1, 10),
        "hs_code": "811010",
        "country_of_origin": "CN",
    }
    return DeclarationRow(**(values | changes))


def content_of(as_of: date | None = AS_OF, **changes: Any) -> AlertContent:
    (line,) = alerts_of(row(**changes), as_of=as_of)
    assert isinstance(line, AlertLine)
    return line.content


def real(as_of: date | None, screened: ScreenedRows | None = None) -> Iterator[AlertLine | Problem]:
    with DECLARATIONS.path.open("rb") as stream:
        rows = read_declarations(stream, DECLARATION_MAPPINGS.builtin())
        yield from declaration_alerts(rows, RULES, TERMS, as_of=as_of, screened=screened)


def test_none_of_the_real_declarations_was_controlled_on_its_own_day() -> None:
    assert list(real(None)) == []


def test_some_listed_real_declarations_are_about_goods_of_the_mainland_and_all_are_valid_alerts() -> None:
    screened = ScreenedRows()
    lines = [line for line in real(AS_OF, screened) if isinstance(line, AlertLine)]
    count = DECLARATIONS.of_mainland
    assert len(lines) == count
    assert screened == ScreenedRows(elsewhere=DECLARATIONS.listed - count)
    assert all("CN" in (line.content.goods[0].origin_territory, departure(line.content)) for line in lines)
    ids = RequestIds(["hk"])
    requests = [
        PublishAlertRequest(request_id=ids.next(line.source), recipients=["hk"], content=line.content) for line in lines
    ]
    assert [violations(request) for request in requests] == [[]] * count
    assert len({request.request_id for request in requests}) == count
    assert [line.line for line in lines] == sorted(line.line for line in lines)
    baskets = [line.content.rule_hits[0].inputs["basket"] for line in lines]
    assert all(basket.startswith("yes") for basket in baskets)  # six digits alone, all of wider subheadings


def departure(content: AlertContent) -> str:
    return str(getattr(content.route[0], "from").territory) if content.route else ""


@pytest.mark.parametrize(
    ("places", "screened"),
    [
        ({"country_of_origin": "CN"}, None),
        ({"country_of_origin": "VN", "country_of_departure": "CN"}, None),
        ({"country_of_origin": "VN"}, ScreenedRows(elsewhere=1)),
        ({"country_of_departure": "HK", "country_of_origin": "ZZ"}, ScreenedRows(elsewhere=1)),
        ({"country_of_origin": ""}, ScreenedRows(places_unknown=1)),
        ({"country_of_origin": "ZZ", "country_of_departure": "ZZ"}, ScreenedRows(places_unknown=1)),
    ],
)
def test_only_goods_that_come_from_the_territory_of_the_list_become_alerts(
    places: dict[str, str], screened: ScreenedRows | None
) -> None:
    counted = ScreenedRows()
    lines = list(declaration_alerts([row(**places)], RULES, TERMS, as_of=AS_OF, screened=counted))
    assert len(lines) == (1 if screened is None else 0)
    assert counted == (screened or ScreenedRows())


@pytest.mark.parametrize(
    ("licence", "alerts", "screened"),
    [
        (None, 0, ScreenedRows(licences_unknown=1)),
        ("", 1, ScreenedRows()),
        ("CN-2026-0001", 0, ScreenedRows()),
    ],
)
def test_an_export_without_a_licence_is_found_where_the_file_tells_of_licences(
    licence: str | None, alerts: int, screened: ScreenedRows
) -> None:
    counted = ScreenedRows()
    export = row(licence=licence, tariff_territory="CN", country_of_departure="CN", country_of_destination="HK")
    assert len(list(declaration_alerts([export], RULES, TERMS, as_of=AS_OF, screened=counted))) == alerts
    assert counted == screened


def test_rule_hit_says_what_the_rule_saw() -> None:
    (hit,) = content_of().rule_hits
    assert (hit.rule_id, hit.rule_version) == ("R01", "4")
    assert hit.inputs["list.version"] == "2026-06-29 MOFCOM watch list of 2026-06-29"
    assert hit.inputs["declaration.hs_code"] == "811010"
    assert hit.inputs["declaration.date"] == "2026-01-10"
    assert hit.inputs["assessed_on"] == "2026-01-15"
    assert hit.inputs["declaration.country_of_origin"] == "CN"
    assert (hit.inputs["licences"], hit.inputs["basis"]) == ("none", "six digits alone")
    assert (hit.inputs["basket"], hit.inputs["status"]) == ("no", "in force")
    assert hit.explanation.endswith("Assessed for 2026-01-15; declared on 2026-01-10.")


def test_a_basket_code_is_marked_in_the_alert() -> None:
    (hit,) = content_of(hs_code="382499").rule_hits
    assert hit.inputs["basket"] == "yes: goods that are not under control have this code too"
    assert "Goods that are not under control have this code too" in hit.explanation
    assert hit.inputs["notes"].count("the words of this code were not seen") == 1


def test_a_control_that_is_back_after_its_suspension_is_told() -> None:
    row_of_batteries = row(date=date(2026, 11, 26), hs_code="850760")
    (line,) = alerts_of(row_of_batteries, as_of=None)
    assert isinstance(line, AlertLine)
    (hit,) = line.content.rule_hits
    assert (hit.inputs["status"], hit.inputs["confidence"]) == ("suspension ended, not verified", "low")
    assert "its suspension by MOFCOM/GACC No.70 of 2025 ended on 2026-11-10" in hit.inputs["notes"]
    assert "The control holds again after a suspension" in hit.explanation
    assert alerts_of(row_of_batteries, as_of=date(2026, 11, 10)) == []


def test_a_refused_destination_is_a_hit_of_its_own() -> None:
    content = content_of(country_of_destination="US", date=date(2025, 1, 2), as_of=None)
    assert [hit.rule_id for hit in content.rule_hits] == ["R01-REFUSED", "R01"]
    assert list(content.typologies) == ["licence_misuse", "false_declaration"]
    refused = content.rule_hits[0]
    assert "MOFCOM No.46 of 2024, paragraph 2, US: licences are refused in principle (in force)" in refused.explanation
    suspended = content_of(country_of_destination="US")
    assert [hit.rule_id for hit in suspended.rule_hits] == ["R01"]
    assert "suspended until 2026-11-27 by MOFCOM No.72 of 2025" in suspended.rule_hits[0].inputs["restrictions"]


def test_goods_carry_codes_substance_element_and_masses_without_binary_noise() -> None:
    (goods,) = content_of(
        hs_code="8110101000",
        tariff_territory="CN",
        goods_description="Lead ingots",
        net_mass_kg=Decimal("73.72000000000001"),
        gross_mass_kg=Decimal("80"),
        value=Decimal("1248.705"),
        currency="USD",
        country_of_origin="CN",
    ).goods
    assert [(code.code, code.scheme, code.territory) for code in goods.declared_codes] == [
        ("811010", "hs", ""),
        ("8110101000", "tariff", "CN"),
    ]
    assert goods.element == "Sb"
    assert "antimony" in goods.substance
    assert goods.description == "Lead ingots"
    assert (goods.net_mass_kg, goods.gross_mass_kg) == (73.72, 80.0)
    assert (goods.customs_value.units, goods.customs_value.nanos) == (1248, 700_000_000)
    assert goods.origin_territory == "CN"


def test_a_subheading_with_goods_of_several_elements_names_none() -> None:
    (goods,) = content_of(hs_code="285390").goods
    assert goods.element == ""
    assert len(goods.suspected_codes) > 1


def test_parties_references_equipment_and_route_stand_where_officers_look() -> None:
    content = content_of(
        declarant_id="FAG093P",
        importer_id="B9ZQSAM",
        exporter_id="E1",
        seller_id="S1",
        courier_id="C1",
        transport_document="BL-7",
        container_number="CSQU3054383",
        mode_of_transport="40",
        country_of_departure="JP",
        country_of_destination="KR",
    )
    assert [(p.role, p.identifiers[0].scheme, p.identifiers[0].value) for p in content.subject.parties] == [
        (party_pb2.PARTY_ROLE_DECLARANT, "trader_id", "FAG093P"),
        (party_pb2.PARTY_ROLE_IMPORTER, "trader_id", "B9ZQSAM"),
        (party_pb2.PARTY_ROLE_EXPORTER, "trader_id", "E1"),
        (party_pb2.PARTY_ROLE_SELLER, "trader_id", "S1"),
        (party_pb2.PARTY_ROLE_CARRIER, "trader_id", "C1"),
    ]
    assert [(r.kind, r.value) for r in content.subject.references] == [
        (goods_pb2.SHIPMENT_REFERENCE_KIND_DECLARATION, "D-1"),
        (goods_pb2.SHIPMENT_REFERENCE_KIND_TRANSPORT_DOCUMENT, "BL-7"),
    ]
    assert content.subject.equipment[0].id == "CSQU3054383"
    (leg,) = content.route
    assert (getattr(leg, "from").territory, leg.to.territory) == ("JP", "KR")
    assert leg.means.mode == goods_pb2.TRANSPORT_MODE_AIR


@pytest.mark.parametrize(
    ("coded", "mode"),
    [
        ("1", goods_pb2.TRANSPORT_MODE_SEA),
        ("10", goods_pb2.TRANSPORT_MODE_SEA),
        ("road", goods_pb2.TRANSPORT_MODE_ROAD),
        ("100", goods_pb2.TRANSPORT_MODE_UNSPECIFIED),
        ("9", goods_pb2.TRANSPORT_MODE_UNSPECIFIED),
        ("", goods_pb2.TRANSPORT_MODE_UNSPECIFIED),
    ],
)
def test_modes_of_recommendation_19(coded: str, mode: int) -> None:
    assert content_of(mode_of_transport=coded, country_of_departure="CN").route[0].means.mode == mode


def test_unknown_places_and_money_without_currency_are_left_out() -> None:
    content = content_of(country_of_origin="ZZ", country_of_departure="CN", value=Decimal(5))
    assert content.goods[0].origin_territory == ""
    assert not content.goods[0].HasField("customs_value")
    assert not content_of(country_of_departure="ZZ").route


def test_terms_are_the_senders() -> None:
    terms = AlertTerms(
        legal_basis="L",
        valid_until=TERMS.valid_until,
        case_reference="CASE-1",
        priority=alert_pb2.PRIORITY_A,
        requested_action=alert_pb2.REQUESTED_ACTION_DETAIN,
    )
    (line,) = declaration_alerts([row()], RULES, terms)
    assert isinstance(line, AlertLine)
    assert (line.content.legal_basis, line.content.case_reference) == ("L", "CASE-1")
    assert line.content.priority == alert_pb2.PRIORITY_A
    assert line.content.requested_action == alert_pb2.REQUESTED_ACTION_DETAIN
    assert content_of().case_reference == "declaration D-1"


def test_problems_pass_through_and_goods_without_control_make_no_alert() -> None:
    problem = Problem(5, "hs_code", "column 'Code' isn't one")
    assert alerts_of(problem, row(hs_code="010121")) == [problem]


def test_the_day_decides() -> None:
    before_the_control = row(date=date(2024, 9, 14))
    assert alerts_of(before_the_control, as_of=None) == []
    assert len(alerts_of(before_the_control, as_of=date(2024, 9, 15))) == 1


MAPPING = DECLARATION_MAPPINGS.parse(
    '[columns]\ndeclaration_number = "No"\ndate = "Day"\nhs_code = "Code"\n[constants]\ncountry_of_origin = "CN"\n',
    source="test",
)


def request_ids(text: str, to: tuple[str, ...] = ("hk",), as_of: date = AS_OF) -> list[str]:
    ids = RequestIds(to)
    rows = read_declarations(io.BytesIO(text.encode()), MAPPING)
    return [
        ids.next(line.source)
        for line in declaration_alerts(rows, RULES, TERMS, as_of=as_of)
        if isinstance(line, AlertLine)
    ]


FILE = "No,Day,Code\nA,2026-01-02,811010\nB,broken,811010\nC,2026-01-03,811010\n"


def test_a_repeated_file_asks_for_the_same_alerts() -> None:
    ids = request_ids(FILE)
    assert request_ids(FILE) == ids
    assert len(set(ids)) == 2
    assert {uuid.UUID(one).version for one in ids} == {8}
    assert {uuid.UUID(one).variant for one in ids} == {uuid.RFC_4122}


def test_a_corrected_file_asks_for_the_corrected_line_alone_in_addition() -> None:
    corrected = request_ids(FILE.replace("broken", "2026-01-02"))
    assert set(request_ids(FILE)) < set(corrected)
    assert len(corrected) == 3


def test_other_recipients_and_other_days_ask_for_other_alerts() -> None:
    ids = set(request_ids(FILE))
    assert not ids & set(request_ids(FILE, to=("mo",)))
    assert not ids & set(request_ids(FILE, as_of=date(2026, 1, 16)))
    assert request_ids(FILE, to=("hk", "mo")) == request_ids(FILE, to=("mo", "hk"))


def test_equal_lines_are_separate_alerts() -> None:
    twice = FILE + "A,2026-01-02,811010\n"
    assert len(set(request_ids(twice))) == 3
