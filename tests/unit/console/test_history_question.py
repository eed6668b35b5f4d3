"""A search's form becomes criteria and grounds; without grounds or criteria it is no question."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from gateway.console.form import Form
from gateway.console.pages.history.question import HistoryQuestion, read_question

ZONE = ZoneInfo("Asia/Macau")
GROUNDS = {"purpose": "export_control", "legal_basis": "CEPA art. 5", "case_reference": "HK-1"}


def question(**values: str) -> tuple[HistoryQuestion, Form]:
    form = Form.with_values(values)
    return read_question(form, ZONE), form


def test_values_are_taken_apart() -> None:
    asked, form = question(
        **GROUNDS, containers="gwdu2601174， TEMU1", party_names="示例, Ltd\nB", commodity_codes="8110.10, 8110-20"
    )
    assert form.is_good
    assert list(asked.criteria.containers) == ["GWDU2601174", "TEMU1"]
    assert list(asked.criteria.party_names) == ["示例, Ltd", "B"], "a name may have a comma"
    assert list(asked.criteria.commodity_codes) == ["811010", "811020"]
    assert asked.hidden["containers"] == ["gwdu2601174， TEMU1"]


@pytest.mark.parametrize("missing", list(GROUNDS))
def test_no_question_without_each_ground(missing: str) -> None:
    _asked, form = question(**{**GROUNDS, missing: " "}, containers="X")
    assert form.problem(missing)


def test_no_question_without_criteria() -> None:
    _asked, form = question(**GROUNDS)
    assert form.problem("references")


@pytest.mark.parametrize("name", ["purpose", "legal_basis", "case_reference"])
def test_nothing_is_asked_without_saying_why(name: str) -> None:
    _asked, form = question(**{**GROUNDS, name: ""}, containers="X")
    assert form.problem(name)


def test_a_period_has_whole_days_of_the_reader() -> None:
    asked, form = question(**GROUNDS, containers="X", declared_from="2026-03-01", declared_until="2026-03-01")
    assert form.is_good
    assert asked.criteria.declared_until.seconds - asked.criteria.declared_from.seconds == 86400
    assert asked.criteria.declared_from.ToJsonString() == "2026-02-28T16:00:00Z"
    _asked, form = question(**GROUNDS, containers="X", declared_from="yesterday")
    assert form.problem("declared_from")


def test_one_node_is_asked_again() -> None:
    asked, _form = question(**GROUNDS, containers="X", nodes="mo", again="hk")
    assert asked.nodes == ("hk",)
