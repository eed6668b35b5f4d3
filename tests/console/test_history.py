"""Shipment history as an officer searches it: reasons first, each partner's answer, a record, the trace."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from demo.case import CONTAINER
from tests.support.console.case import Case
from tests.support.console.desk import Desk, Desks
from tests.support.console.trial import ConsoleTrial


def ask(officer: Desk, *, reason: bool = True, **fields: str) -> Page:
    """Fills in the form without sending it."""
    page = officer.open("/history")
    if reason:
        page.get_by_label("Purpose").fill("export_control")
        page.get_by_label("Legal basis").fill("CEPA art. 5")
        page.get_by_label("Case").fill("HK-2026-17")
    for label, value in fields.items():
        page.get_by_label(label).fill(value)
    return page


def test_nothing_is_searched_without_a_reason(desk: Desks, case: Case) -> None:
    officer = desk("hk", "officer")
    page = ask(officer, reason=False, Container=CONTAINER)
    with officer.expecting("status of 422"):
        page.get_by_role("button", name="Search", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("Say for which purpose you ask")
    expect(page.get_by_label("Container")).to_have_value(CONTAINER)
    officer.assert_accessible()


def test_each_authority_answers_and_a_record_opens(desk: Desks, case: Case) -> None:
    officer = desk("hk", "officer")
    page = ask(officer, Container=CONTAINER)
    page.get_by_role("button", name="Search", exact=True).click()
    for node in ("CN", "HK", "MO"):
        expect(page.get_by_role("region", name=node).first).to_be_visible()
    expect(page.get_by_text("That is all")).to_be_visible()
    expect(page.get_by_text("HK-2026-17")).to_be_visible()
    officer.assert_accessible()
    page.get_by_role("button", name="Open").first.click()
    expect(page.get_by_role("heading", name="Declared")).to_be_visible()
    officer.assert_accessible()


def test_the_trace_is_a_picture_with_its_conclusion_first(desk: Desks, case: Case) -> None:
    officer = desk("hk", "officer")
    page = ask(officer, Container=CONTAINER)
    page.get_by_role("button", name="Trace one consignment").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("contradiction")
    expect(page.locator("svg.trace").first).to_be_visible()
    expect(page.locator("svg.map").first).to_be_visible()
    officer.assert_accessible()


def test_it_works_without_script(desk: Desks, case: Case) -> None:
    page = ask(desk("hk", "officer", javascript=False), Container=CONTAINER)
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_text("That is all")).to_be_visible()
    page.get_by_role("button", name="Trace").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("contradiction")


def test_an_operator_may_not_search(desk: Desks, case: Case) -> None:
    operator = desk("hk", "operator")
    page = ask(operator, Container=CONTAINER)
    with operator.expecting("status of 403"):
        page.get_by_role("button", name="Search", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("You may not do this")


def test_a_partner_that_is_down_is_said_and_holds_up_nobody(desk: Desks, case: Case, trial: ConsoleTrial) -> None:
    officer = desk("hk", "officer")
    with trial.node_down("mo"):
        page = ask(officer, Container=CONTAINER)
        page.get_by_role("button", name="Search", exact=True).click()
        expect(page.locator("#answer-cn")).to_be_visible()
        expect(page.locator("#answer-mo")).to_contain_text("unreachable", ignore_case=True)
        expect(page.get_by_role("button", name="Ask MO again")).to_be_visible()
