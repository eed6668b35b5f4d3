"""Connections as an officer follows them: reasons first, a picture with its list, and on from a node."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from demo.case import CONTAINER, HK_CONSIGNEE
from tests.support.console.case import Case
from tests.support.console.desk import Desk, Desks


def ask(officer: Desk, what: str, *, begin: str = "Container", path: str = "/network") -> Page:
    """Fills in the form without sending it."""
    page = officer.open(path)
    page.get_by_label("Purpose").fill("export_control")
    page.get_by_label("Legal basis").fill("CEPA art. 5")
    page.get_by_label("Case", exact=True).fill("HK-2026-17")
    if path == "/network":
        page.get_by_role("radio", name=begin, exact=True).check()
        page.get_by_label("Which one").fill(what)
    return page


def shown(page: Page) -> None:
    page.get_by_role("button", name="Show connections").click()
    expect(page.locator("svg.graph:visible")).to_have_count(1)


def test_nothing_is_shown_without_a_reason(desk: Desks, case: Case) -> None:
    officer = desk("hk", "officer")
    page = officer.open("/network")
    page.get_by_label("Which one").fill(CONTAINER)
    with officer.expecting("status of 422"):
        page.get_by_role("button", name="Show connections").click()
        expect(page.get_by_role("alert")).to_contain_text("Say for which purpose you ask")
    expect(page.get_by_label("Which one")).to_have_value(CONTAINER)
    officer.assert_accessible()


def test_a_container_shows_who_and_what_it_connects_and_why(desk: Desks, case: Case) -> None:
    officer = desk("hk", "officer")
    page = ask(officer, CONTAINER)
    shown(page)
    nodes = page.get_by_role("region", name="Nodes and why they are connected")
    seed = nodes.locator(".node-card").first
    expect(seed).to_contain_text(CONTAINER)
    expect(seed).to_contain_text("Alert of")
    expect(seed).to_contain_text("record")
    expect(nodes).to_contain_text(HK_CONSIGNEE["en"])
    officer.assert_accessible()


def test_a_node_of_the_picture_leads_to_its_place_in_the_list(desk: Desks, case: Case) -> None:
    page = ask(desk("hk", "officer"), CONTAINER)
    shown(page)
    page.locator("svg.graph:visible a").nth(1).focus()
    page.keyboard.press("Enter")
    expect(page.locator(".node-card:target")).to_have_count(1)


def test_on_from_a_node_and_only_some_kinds(desk: Desks, case: Case) -> None:
    officer = desk("hk", "officer")
    page = ask(officer, CONTAINER)
    shown(page)
    page.locator(".node-card", has_text=HK_CONSIGNEE["en"]).get_by_role("button", name="Go on from here").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("示例物流")
    page.get_by_label("Party", exact=True).uncheck()
    page.get_by_label("Declarant", exact=True).uncheck()
    page.get_by_role("button", name="Show so").click()
    expect(page.locator(".node-card")).not_to_have_count(0)
    for card in page.locator(".node-card").all()[1:]:
        expect(card.locator("h3 .fine")).not_to_have_text("Party")


def test_from_a_node_to_its_record_and_alert_in_tabs_of_their_own(desk: Desks, case: Case) -> None:
    """Going back to an answer of a form would ask to send it again."""
    page = ask(desk("hk", "officer"), CONTAINER)
    shown(page)
    seed = page.locator(".node-card").first
    with page.expect_popup() as record:
        seed.get_by_role("link", name="shipment").first.click()
    expect(record.value.get_by_role("heading", name="Declared").first).to_be_visible()
    with page.expect_popup() as alert:
        seed.get_by_role("link", name="Alert of").first.click()
    expect(alert.value).to_have_url(re.compile("/alerts/(cn|hk)/"))
    listed = page.locator(".node-card", has_text=HK_CONSIGNEE["en"])
    with page.expect_popup() as entry:
        listed.get_by_role("link", name="List cn/minerals").first.click()
    expect(entry.value).to_have_url(re.compile("/watchlists/entry/cn/minerals/"))


def test_a_link_of_another_page_says_where_to_begin_and_never_why(desk: Desks, case: Case) -> None:
    alert = f"{case.from_cn.publisher}/{case.from_cn.alert_id}"
    officer = desk("hk", "officer")
    page = officer.open(f"/network?alert={alert}")
    expect(page.get_by_label("Which one")).to_have_value(alert)
    expect(page.get_by_label("Purpose")).to_have_value("")
    shown(ask(officer, alert, path=f"/network?alert={alert}"))


def test_what_isnt_here_is_said_at_the_field(desk: Desks, case: Case) -> None:
    officer = desk("hk", "officer")
    page = ask(officer, "NO-SUCH-RECORD", begin="Own shipment record, by its id")
    with officer.expecting("status of 422"):
        page.get_by_role("button", name="Show connections").click()
        expect(page.get_by_role("alert")).to_contain_text("It isn't here")


def test_it_works_without_script_and_on_a_narrow_screen(desk: Desks, case: Case) -> None:
    page = ask(desk("hk", "officer", javascript=False, width=360), CONTAINER)
    page.get_by_role("button", name="Show connections").click()
    expect(page.locator(".picture-narrow svg.graph")).to_be_visible()
    expect(page.locator(".node-card").first).to_contain_text(CONTAINER)


def test_an_operator_may_not_see_connections(desk: Desks, case: Case) -> None:
    operator = desk("hk", "operator")
    page = ask(operator, CONTAINER)
    with operator.expecting("status of 403"):
        page.get_by_role("button", name="Show connections").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("You may not do this")
