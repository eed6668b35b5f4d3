"""What the demo's case says: valid by the contract, right by the physics, and noticed for one wrong digit alone."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path

import pytest

import demo
from demo import case
from gateway.alerts.codec import quality_notices
from gateway.client import AlertContent, AlertReference, new_alert
from gateway.contract.identification.identifiers import check_identifier
from gateway.contract.validation import violations
from gateway.formats.alerts.alert_lines import AlertLine
from gateway.formats.declarations.declarations import DECLARATION_MAPPINGS, read_declarations
from gateway.formats.tables.layout import Problem
from gateway.risk.controlled_goods_file import load_controlled_goods
from gateway.risk.declaration_alerts import AlertTerms, declaration_alerts, declaration_rules
from gateway.v1.alert_pb2 import ONWARD_TRANSFER_LISTED
from gateway.v1.alert_service_pb2 import ReportFindingRequest

NOW = datetime(2026, 1, 15, 8, tzinfo=UTC)
REFERENCE = AlertReference(publisher="cn", alert_id="019bbf30-0000-7000-8000-000000000000")


def contents() -> list[AlertContent]:
    routine = islice(case.routine_alerts(NOW, "R"), 2)
    return [case.alert_from_cn(NOW), case.alert_from_hk(NOW, REFERENCE), *routine]


@pytest.mark.parametrize("content", contents(), ids=lambda content: content.case_reference)
def test_alerts_follow_the_contract(content: AlertContent) -> None:
    assert violations(new_alert(content, ["hk"])) == []


def test_findings_follow_the_contract() -> None:
    for finding in (case.finding_by_mo(REFERENCE, NOW), case.finding_by_hk(REFERENCE, NOW)):
        request = ReportFindingRequest(request_id=REFERENCE.alert_id, finding=finding)
        assert violations(request) == []


def test_one_identifier_has_a_wrong_check_character_and_all_others_hold() -> None:
    notices = [notice.field for content in contents() for notice in quality_notices(content)]
    assert notices == ["subject.parties[2].identifiers[0].value"]
    assert check_identifier("iso6346", case.CONTAINER) is None


def test_hk_may_pass_on_to_mo_and_to_nobody_else() -> None:
    handling = case.alert_from_cn(NOW).handling
    assert handling.onward_transfer == ONWARD_TRANSFER_LISTED
    assert list(handling.onward_recipients) == ["mo"]


def test_rule_r02_is_met_by_its_own_numbers() -> None:
    inputs = case.alert_from_cn(NOW).rule_hits[0].inputs
    density = float(inputs["net_kg"]) / (float(inputs["outer_volume_m3"]) * 1000)
    assert float(inputs["density_g_cm3"]) == pytest.approx(density, abs=1e-3)
    assert density / case.LEAD_G_CM3 < case.R02_IMPOSSIBLY_LIGHT
    least, most = case.R02_FILL
    assert least < density / case.ANTIMONY_G_CM3 < most


def test_the_sample_has_controlled_goods_and_lines_that_cannot_be_read() -> None:
    terms = AlertTerms(legal_basis=case.LEGAL_BASIS, valid_until=NOW)
    with (Path(demo.__file__).parent / "declarations.csv").open("rb") as file:
        rows = read_declarations(file, DECLARATION_MAPPINGS.builtin("import_declarations"))
        found = list(declaration_alerts(rows, declaration_rules(), terms))
    assert [each.line for each in found if isinstance(each, AlertLine)] == [3, 5, 7, 9, 14, 16, 19, 20, 23, 25]
    assert [each.line for each in found if isinstance(each, Problem)] == [8, 13, 18, 22]


def test_the_sample_is_about_days_on_which_the_controls_hold() -> None:
    goods = load_controlled_goods()
    assert goods.match("811010", date(2026, 1, 5))
    assert not goods.match("811010", date(2021, 1, 5))
