"""Shipment history as an officer searches it: reasons first, each partner's answer, a record, the trace."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from demo.case import CONTAINER
from demo.consignment import records_of_the_case
from tests.support.console.accessibility import assert_accessible
from tests.support.console.case import Case
from tests.support.console.desk import LANGUAGES, Desk, Desks
from tests.support.console.payloads import MARK, PAYLOADS, hostile
from tests.support.console.trial import ConsoleTrial
from tests.support.shipments import shipment

GROUNDS = {"legal_basis": "CEPA art. 5", "case_reference": "HK-2026-17"}


def ask(officer: Desk, *, reason: bool = True, **fields: str) -> Page:
    """Fills in the form without sending it."""
    page = officer.open("/history")
    if reason:
        page.get_by_label("Purpose").select_option("export_control")
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
        expect(page.get_by_role("alert")).to_contain_text("Name the law or agreement on which you ask.")
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
    with operator.expecting("status of 403"):
        page = operator.open("/history")
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


def test_an_answer_is_proven_complete_or_as_told(desk: Desks, case: Case) -> None:
    officer, limits = desk("hk", "officer"), "no proof says that everything that happened was recorded"
    page = ask(officer, Container=CONTAINER)
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator("#answer-cn")).to_contain_text("proven complete up to")
    expect(page.get_by_text(limits).first).to_be_visible()
    officer.assert_accessible()
    page = ask(officer, Container=CONTAINER)
    page.get_by_role("button", name="Trace one consignment").click()
    expect(page.locator(".node-answers")).to_contain_text("proven complete up to")
    expect(page.get_by_text(limits)).to_be_visible()
    officer.assert_accessible()
    page = ask(officer, **{"Party's name": "Shili Youse Jinshu Maoyi (Shenzhen)"})
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator("#answer-cn")).to_contain_text("as told")
    expect(page.get_by_text(limits)).to_have_count(0)


def test_only_whether_there_are_any(desk: Desks, case: Case) -> None:
    page = ask(desk("hk", "officer"), Container=CONTAINER)
    page.get_by_label("Only whether there are any").check()
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_text("There are records").first).to_be_visible()
    expect(page.get_by_role("button", name="Open")).to_have_count(0)


def test_a_name_is_found_in_another_script(desk: Desks, case: Case) -> None:
    page = ask(desk("hk", "officer"), **{"Party's name": "Shili Youse Jinshu Maoyi (Shenzhen)"})
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator("table.found")).to_contain_text("531620260000260117")


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
    page.wait_for_function("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_trace_on_a_phone_has_nothing_beyond_its_edge(desk: Desks, case: Case) -> None:
    page = ask(desk("hk", "officer", width=360), Container=CONTAINER)
    page.get_by_role("button", name="Trace one consignment").click()
    expect(page.locator(".picture-narrow svg.trace").first).to_be_visible()
    page.wait_for_function("document.documentElement.scrollWidth <= 360")  # once the pictures are laid out


NOTE_ANSWERS = """window.answersShown = [];
new MutationObserver(() => answersShown.push(
  [...document.querySelectorAll("[id^=answer-]")].map(each => [each.id, each.textContent])
)).observe(document, {childList: true, characterData: true, subtree: true})"""
"""Notes whenever a page changes which answers it shows."""


def test_records_of_a_partner_that_was_down_come_with_the_next_page(
    desk: Desks, case: Case, trial: ConsoleTrial
) -> None:
    network = trial.federation.between("hk", "mo")
    page = ask(desk("hk", "officer"), Container=CONTAINER)
    shown = page.locator("table.found tbody tr td:nth-child(2)")
    network.cut()
    try:
        page.get_by_role("button", name="Search", exact=True).click()
        expect(page.locator("#answer-mo")).to_contain_text("unreachable")
        assert shown.all_inner_texts() == ["HK", "HK", "CN"]  # newest declared first
    finally:
        network.heal()
    for _ in range(20):
        page.get_by_role("button", name="More records").click()
        expect(page.locator("#answer-mo")).to_be_visible()
        assert page.locator("#answer-cn").count() == 0
        if page.locator("#answer-mo").filter(has_text="complete").count():
            break
    assert set(shown.all_inner_texts()) == {"MO"}
    expect(page.get_by_text("That is all")).to_be_visible()


def test_answers_appear_one_by_one(desk: Desks, case: Case, trial: ConsoleTrial) -> None:
    officer = desk("hk", "officer")
    network = trial.federation.between("hk", "mo")
    page = ask(officer, Container=CONTAINER)
    page.get_by_label("Only whether there are any").check()  # a page of records waits for all
    page.add_init_script(NOTE_ANSWERS)
    network.delay(3)  # not before: seconds later hk takes mo for unreachable, and says so at once
    try:
        page.get_by_role("button", name="Search", exact=True).click(no_wait_after=True)
        expect(page.locator("#answer-mo")).to_be_visible(timeout=40_000)
        expect(page.get_by_text("That is all")).to_be_visible()
        shown = [dict(answers) for answers in page.evaluate("answersShown")]
        assert any("complete" in answers.get("answer-cn", "") and "answer-mo" not in answers for answers in shown), (
            f"cn's answer isn't held back until mo's time is over: {shown}"
        )
    finally:
        network.delay(0)


@pytest.mark.parametrize("language", list(LANGUAGES))
def test_pages_that_a_form_leads_to_are_accessible_and_fit_in_every_language(
    desk: Desks, case: Case, language: str
) -> None:
    officer = desk("hk", "officer", language=language, width=360)
    for step, shown in (("/history/search", ".end"), ("/history/trace", "svg.trace")):
        page = officer.open("/history")
        for name, value in GROUNDS.items():
            page.locator(f"#{name}").fill(value)
        page.locator("#containers").fill(CONTAINER)
        chosen = "button[formaction='/history/trace']" if step.endswith("trace") else "button:not([formaction])"
        page.locator(f".question ~ .actions {chosen}").click()
        expect(page.locator(shown).last).to_be_attached()
        assert page.locator("html").get_attribute("lang") == language
        officer.assert_accessible()
        page.wait_for_function("document.documentElement.scrollWidth <= 360")


def test_markup_in_a_partners_record_stays_text(desk: Desks, case: Case, trial: ConsoleTrial) -> None:
    number = "XSSU2600001"

    async def record() -> None:
        shipments = []
        for place, payload in enumerate(PAYLOADS.values()):
            base = next(iter(records_of_the_case(datetime.now(UTC))["cn"]))
            shipment, filled = hostile(base, payload)
            assert len(filled) > 10
            shipment.record_id = f"HOSTILE-{place}"
            shipment.equipment[0].id = number
            shipments.append(shipment)
        async with trial.federation.client("cn", "publisher") as system:
            async for batch in system.history.record(shipments):
                assert not batch.refused, batch.refused
            assert await system.history.wait_indexed(shipments[-1].record_id, timeout_s=60)

    trial.run(record())
    officer = desk("hk", "officer")
    page = ask(officer, Container=number)
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.get_by_text("That is all")).to_be_visible()
    assert page.locator(f"[{MARK}]").count() == 0
    for button in page.get_by_role("button", name="Open").all():
        with officer.context.expect_page() as opened:
            button.click()
        opened.value.wait_for_load_state()
        assert opened.value.locator(f"[{MARK}]").count() == 0
        opened.value.close()
    with officer.context.expect_page() as traced:
        page.get_by_role("button", name="Trace").first.click()
    traced.value.wait_for_load_state()
    assert traced.value.locator(f"[{MARK}]").count() == 0


def test_an_own_record_names_control_codes_that_may_apply(desk: Desks, trial: ConsoleTrial) -> None:
    recorded = shipment("HK-SUGGESTED")
    del recorded.goods[1:]
    recorded.goods[0].description, recorded.goods[0].element, recorded.goods[0].substance = (
        "Dysprosium oxide powder",
        "",
        "",
    )

    async def record() -> None:
        async with trial.federation.client("hk", "publisher") as publisher:
            async for batch in publisher.history.record([recorded]):
                assert not batch.refused

    trial.run(record())
    officer = desk("hk", "officer")
    page = officer.open("/history/records/HK-SUGGESTED")
    suggested = page.get_by_role("region", name="Control codes that may apply")
    expect(suggested.get_by_role("heading", name="Dysprosium oxide powder")).to_be_visible()
    expect(suggested.locator("li").first).to_contain_text("1C905.b")
    officer.assert_accessible()
