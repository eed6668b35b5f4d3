"""How the worklist looks to a person: counts on its tabs, pages, density and parts of a row, a quick look, loads."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta

from playwright.sync_api import Locator, Page, expect

from gateway.contract.messages import to_timestamp
from gateway.v1 import alert_pb2
from tests.console.test_inbox import container, publish, row
from tests.console.test_worklist import acknowledged, publish_many
from tests.support.console.desk import Desks
from tests.support.console.trial import ConsoleTrial
from tests.support.federation import alert

C = {"priority": alert_pb2.PRIORITY_C, "requested_action": alert_pb2.REQUESTED_ACTION_INFORM}


def case_of_many(trial: ConsoleTrial, number: int) -> str:
    """The case reference of so many alerts of a test's own."""
    case = f"MANY-{uuid.uuid4().hex[:8]}"
    publish_many(trial, "cn", "hk", [alert(case_reference=case, **C) for _ in range(number)])
    return case


def tab(page: Page, name: str) -> Locator:
    return page.get_by_role("navigation", name="Views").get_by_role("link", name=re.compile(rf"^{name}\b"))


def count(page: Page, name: str) -> int:
    return int(tab(page, name).locator(".count").inner_text().replace(",", "").rstrip("+"))


def test_tabs_say_how_many_and_follow_what_happens(desk: Desks, trial: ConsoleTrial) -> None:
    publish(trial, container=(number := container()), **C)
    officer = desk("hk", "officer")
    page = officer.open("/inbox?scope=all&order=newest")
    mine, nobodys = count(page, "Mine"), count(page, "Nobody's")
    assert count(page, "All") >= count(page, "Open alerts") >= count(page, "To do") >= nobodys > 0
    colleague = desk("hk", "officer", javascript=False).open("/inbox?scope=all&order=newest")
    row(colleague, number).get_by_role("button", name="Take").click()
    expect(tab(page, "Mine").locator(".count")).to_have_text(str(mine + 1))
    expect(tab(page, "Nobody's").locator(".count")).to_have_text(str(nobodys - 1))
    officer.assert_accessible()


def test_a_list_has_pages_that_lead_on_and_back(desk: Desks, trial: ConsoleTrial) -> None:
    case = case_of_many(trial, 65)
    page = desk("hk", "officer", javascript=False).open(f"/inbox?q={case}&scope=wanted")
    pages = page.get_by_role("navigation", name="Pages")
    expect(page.locator("h2.inbox-section")).to_contain_text("65")  # of the whole list
    expect(pages).to_contain_text("1 to 30 of 65")
    pages.get_by_role("link", name="Next page").click()
    pages.get_by_role("link", name="Next page").click()
    expect(pages).to_contain_text("61 to 65 of 65")
    expect(page.locator(".inbox-row")).to_have_count(5)
    expect(pages.get_by_role("link", name="Next page")).to_have_count(0)
    pages.get_by_role("link", name="Previous page").click()
    expect(pages).to_contain_text("31 to 60 of 65")
    pages.get_by_role("link", name="Previous page").click()
    expect(pages).to_contain_text("1 to 30 of 65")
    expect(pages.get_by_role("link", name="Previous page")).to_have_count(0)


def test_an_urgent_alert_stands_above_a_backlog_of_others_that_nobody_has_read(
    desk: Desks, trial: ConsoleTrial
) -> None:
    case = case_of_many(trial, 40)
    soon = to_timestamp(int((datetime.now(UTC) + timedelta(minutes=20)).timestamp() * 1000))
    publish(trial, case_reference=case, container=(due := container()), reply_by=soon, **C)
    publish(trial, case_reference=case, container=(urgent := container()), priority=alert_pb2.PRIORITY_A)
    page = desk("hk", "officer").open(f"/inbox?q={case}&scope=wanted")
    first = page.locator("ol.inbox").first.locator(".inbox-row")
    expect(page.locator("h2.inbox-section").first).to_have_text(re.compile(r"Act now\s+2"))
    expect(first.nth(0)).to_contain_text(urgent)
    expect(first.nth(1)).to_contain_text(due)


def test_a_person_chooses_density_and_parts_of_rows(desk: Desks, trial: ConsoleTrial) -> None:
    case = case_of_many(trial, 20)
    officer = desk("hk", "officer", javascript=False)
    page = officer.open(f"/inbox?q={case}")
    expect(page.locator(".inbox-row").first).to_contain_text(case)
    page.get_by_text("Rows", exact=True).click()
    page.get_by_label("Compact, more alerts at once").check()
    page.get_by_label("Case number").uncheck()
    page.get_by_label("Suspicion").check()
    page.get_by_role("button", name="Show it so").click()
    expect(page).to_have_url(re.compile(case))
    expect(page.locator(".about-things").first).not_to_contain_text(case)
    expect(page.locator(".about-things").first).to_contain_text("false declaration")
    officer.open("/inbox?scope=all")
    expect(page.locator("#inbox.compact")).to_have_count(1)  # it stays
    window = desk("hk", "officer").open("/inbox?scope=all")
    expect(window.locator("#inbox.compact")).to_have_count(0)  # of that browser alone


def test_twelve_compact_rows_fit_on_a_screen_of_900_px(desk: Desks, trial: ConsoleTrial) -> None:
    case_of_many(trial, 14)
    page = desk("hk", "officer").open("/inbox?scope=all&order=newest")
    page.get_by_text("Rows", exact=True).click()
    page.get_by_label("Compact, more alerts at once").check()
    page.get_by_role("button", name="Show it so").click()
    expect(page.locator("#inbox.compact")).to_have_count(1)
    bottoms = page.locator(".inbox-row").evaluate_all("rows => rows.map(row => row.getBoundingClientRect().bottom)")
    assert sum(bottom <= 900 for bottom in bottoms) >= 12


def test_space_gives_a_quick_look_over_the_list(desk: Desks, trial: ConsoleTrial) -> None:
    key = publish(trial, container=(number := container()), requested_action=alert_pb2.REQUESTED_ACTION_DETAIN)
    officer = desk("hk", "officer")
    page = officer.open("/inbox?scope=all&order=newest")
    glance = page.get_by_role("complementary", name="Quick look")
    expect(glance).to_be_hidden()
    row(page, number).get_by_role("link").first.focus()
    page.keyboard.press("Space")
    expect(glance).to_be_visible()
    expect(glance).to_contain_text("CN asks: DETAIN.")
    expect(glance).to_contain_text(number)
    officer.assert_accessible()
    page.keyboard.press("Escape")
    expect(glance).to_be_hidden()
    expect(page).to_have_url(re.compile("/inbox"))
    assert acknowledged(trial, "hk", key) == 0


def test_a_wide_screen_shows_the_alert_beside_the_list(desk: Desks, trial: ConsoleTrial) -> None:
    numbers = [container(), container()]
    for number in numbers:
        publish(trial, container=number, requested_action=alert_pb2.REQUESTED_ACTION_SEIZE)
    officer = desk("hk", "officer", width=2560, height=1300)
    page = officer.open("/inbox?scope=all&order=newest")
    glance = page.get_by_role("complementary", name="Quick look")
    expect(glance).to_be_visible()
    row(page, numbers[0]).hover()
    expect(glance).to_contain_text(numbers[0])
    row(page, numbers[1]).get_by_role("link").first.focus()
    expect(glance).to_contain_text(numbers[1])
    page.keyboard.press("j")
    expect(glance).to_contain_text(numbers[0])
    expect(glance).to_contain_text("CN asks: SEIZE.")
    officer.assert_accessible()
    box, lists = glance.bounding_box(), page.locator("#inbox").bounding_box()
    assert box is not None
    assert lists is not None
    assert box["x"] >= lists["x"] + lists["width"], "beside it"
    glance.get_by_role("button", name="Acknowledge").click()
    expect(row(page, numbers[0])).to_contain_text("Acknowledged; leaves in")
    glance = page.get_by_role("complementary", name="Quick look")
    row(page, numbers[0]).get_by_role("button", name="Undo").click()


def test_a_supervisor_sees_who_has_how_much_and_what_of_it_is_overdue(desk: Desks, trial: ConsoleTrial) -> None:
    late = to_timestamp(int((datetime.now(UTC) + timedelta(seconds=1)).timestamp() * 1000))
    publish(trial, container=(number := container()), reply_by=late, **C)
    page = desk("hk", "colleague").open("/inbox?scope=all&order=newest")
    expect(page.get_by_role("link", name="Who has how much")).to_have_count(0)
    row(page, number).get_by_role("button", name="Take").click()
    supervisor = desk("hk", "supervisor")
    page = supervisor.open("/inbox")
    page.get_by_role("link", name="Who has how much").click()
    expect(page.get_by_role("row", name=re.compile("Nobody"))).to_be_visible()
    theirs = page.get_by_role("row", name=re.compile("Wong Siu Ming"))
    expect(theirs).to_be_visible()
    supervisor.assert_accessible()
    overdue = theirs.get_by_role("link").nth(2)
    assert int(overdue.inner_text()) >= 1
    overdue.click()
    expect(row(page, number)).to_contain_text("Overdue")
    expect(page.locator(".inbox-row").first).to_contain_text("Wong Siu Ming")
