"""Shipment history as an officer searches it: reasons first, each partner's answer, a record, the trace."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from demo.case import CONTAINER
from tests.support.console.accessibility import assert_accessible
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
    with officer.context.expect_page() as opened:
        page.get_by_role("button", name="Open").first.click()
    record = opened.value
    expect(record.get_by_role("heading", name="Declared")).to_be_visible()
    assert_accessible(record)
    with officer.context.expect_page() as traced:
        page.get_by_role("button", name="Trace").first.click()
    expect(traced.value.get_by_role("heading", level=1)).to_contain_text("contradiction")


def test_the_trace_is_a_picture_with_its_conclusion_first(desk: Desks, case: Case) -> None:
    officer = desk("hk", "officer")
    page = ask(officer, Container=CONTAINER)
    page.get_by_role("button", name="Trace one consignment").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("contradiction")
    expect(page.locator("svg.trace").first).to_be_visible()
    expect(page.locator("svg.map").first).to_be_visible()
    officer.assert_accessible()


def test_it_works_without_script(desk: Desks, case: Case) -> None:
    officer = desk("hk", "officer", javascript=False)
    page = ask(officer, Container=CONTAINER)
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_text("That is all")).to_be_visible()
    page = ask(officer, Container=CONTAINER)
    page.get_by_role("button", name="Trace one consignment").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("contradiction")


def test_an_operator_may_not_search(desk: Desks, case: Case) -> None:
    operator = desk("hk", "operator")
    page = ask(operator, Container=CONTAINER)
    with operator.expecting("status of 403"):
        page.get_by_role("button", name="Search", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("You may not do this")


def test_a_partner_that_is_down_is_said_and_holds_up_nobody(desk: Desks, case: Case, trial: ConsoleTrial) -> None:
    officer = desk("hk", "officer")
    network = trial.federation.between("hk", "mo")
    network.cut()
    try:
        page = ask(officer, Container=CONTAINER)
        page.get_by_role("button", name="Search", exact=True).click()
        expect(page.locator("#answer-cn")).to_contain_text("complete")
        expect(page.locator("#answer-mo")).to_contain_text("unreachable")
        expect(page.get_by_role("button", name="Ask MO again")).to_be_visible()
        officer.assert_accessible()
    finally:
        network.heal()


def test_only_whether_there_are_any(desk: Desks, case: Case) -> None:
    page = ask(desk("hk", "officer"), Container=CONTAINER)
    page.get_by_label("Only whether there are any").check()
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_text("There are records").first).to_be_visible()
    expect(page.get_by_role("button", name="Open")).to_have_count(0)


def test_a_name_is_found_in_another_script(desk: Desks, case: Case) -> None:
    page = ask(desk("hk", "officer"), **{"Party's name": "Shili Youse Jinshu Maoyi (Shenzhen)"})
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator("#answer-cn").locator("..")).to_contain_text("531620260000260117")


def test_a_trace_fits_a_page_of_a_case_file(desk: Desks, case: Case) -> None:
    officer = desk("hk", "officer")
    page = ask(officer, Container=CONTAINER)
    page.get_by_role("button", name="Trace one consignment").click()
    expect(page.locator("svg.trace").first).to_be_visible()
    pages = len(re.findall(rb"/Type /Page\b", page.pdf(format="A4")))
    assert 2 <= pages <= 12
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 688, "height": 1000})  # A4 between its margins
    for button in page.get_by_role("button").all():
        assert not button.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_trace_on_a_phone_has_nothing_beyond_its_edge(desk: Desks, case: Case) -> None:
    page = ask(desk("hk", "officer", width=360), Container=CONTAINER)
    page.get_by_role("button", name="Trace one consignment").click()
    expect(page.locator(".picture-narrow svg.trace").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= 360")
