"""Back and reload after a form: the page is shown again, and nothing is sent a second time."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.console.test_history import CONTAINER, ask
from tests.console.test_inbox import container, publish, row
from tests.console.test_worklist import acknowledged, path_of
from tests.support.console.case import Case
from tests.support.console.desk import Desks
from tests.support.console.trial import ConsoleTrial
from tests.support.federation import eventually

SHOWN = re.compile(r"/shown/[A-Za-z0-9_-]{24}$")


def leave_and_come_back(page: Page, heading: str | re.Pattern[str]) -> None:
    """By a link and Back, then by reload: the page says the same."""
    expect(page).to_have_url(SHOWN)
    for way in (lambda: (page.goto(page.url.split("/shown/")[0] + "/drafts"), page.go_back()), page.reload):
        way()
        expect(page).to_have_url(SHOWN)
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)


def test_a_preview_is_come_back_to_and_sends_once(desk: Desks, trial: ConsoleTrial) -> None:
    key = publish(trial, container=container())
    officer = desk("hk", "officer")
    page = officer.open(path_of(key) + "/acknowledge")
    page.get_by_label("Your case").fill("HK-BACK-1")
    page.get_by_role("button", name="Continue").click()
    leave_and_come_back(page, "Check what will be sent")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_role("status").first).to_contain_text("you have read it")
    page.go_back()
    expect(page).to_have_url(SHOWN)
    page.get_by_role("button", name="Acknowledge").click()  # the same request again
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert acknowledged(trial, "hk", key) == 1
    officer.assert_accessible()


def test_a_form_with_a_problem_and_a_result_are_come_back_to_without_scripts(desk: Desks, trial: ConsoleTrial) -> None:
    numbers = [container(), container()]
    for number in numbers:
        publish(trial, container=number)
    officer = desk("hk", "officer", javascript=False)
    page = officer.open("/inbox?scope=all&order=newest")
    for number in numbers:
        row(page, number).get_by_role("checkbox").check()
    page.get_by_role("button", name="Assign", exact=True).click()
    leave_and_come_back(page, "Assign")
    expect(page.get_by_role("status").first).to_have_text("2 of 2 done.")
    page = officer.open("/history")
    page.get_by_label("Legal basis").fill("CEPA art. 5")
    page.get_by_label("Case").first.fill("HK-BACK-2")
    with officer.expecting("status of 422"):
        page.get_by_role("button", name="Search", exact=True).click()
        leave_and_come_back(page, "Shipments")
    expect(page.get_by_label("Legal basis")).to_have_value("CEPA art. 5")


def test_answers_of_partners_are_asked_for_once(desk: Desks, trial: ConsoleTrial, case: Case) -> None:
    """The audit log is written in the order of calls: what a page asked again would stand before the last question."""
    officer = desk("hk", "officer")

    def search(reference: str) -> Page:
        page = ask(officer, Container=CONTAINER)
        page.get_by_label("Case").first.fill(reference)
        page.get_by_role("button", name="Search", exact=True).click()
        expect(page.get_by_text("That is all")).to_be_visible()
        return page

    async def cases() -> list[str]:
        searches = 'method = "/gateway.v1.HistoryService/SearchShipments"'
        async with trial.federation.client("hk", "auditor") as auditor:
            events = auditor.evidence.audit_events(filter=searches)
            found = [event.case_reference async for event in events if event.case_reference.startswith("HK-ONCE-")]
        assert "HK-ONCE-3" in found, found
        return found

    page = search("HK-ONCE-1")
    leave_and_come_back(page, "Answers from history")
    expect(page.get_by_text("That is all")).to_be_visible()
    for reference in ("HK-ONCE-2", "HK-ONCE-3"):
        search(reference)
    found = trial.run(eventually(cases, what="the last question in the audit log"))
    assert found.count("HK-ONCE-1") == found.count("HK-ONCE-2")


def test_a_page_is_of_its_session_alone_and_says_when_it_is_gone(desk: Desks, trial: ConsoleTrial) -> None:
    key = publish(trial, container=container())
    page = desk("hk", "officer").open(path_of(key) + "/acknowledge")
    page.get_by_role("button", name="Continue").click()
    expect(page).to_have_url(SHOWN)
    path = "/shown/" + page.url.rpartition("/")[2]
    other = desk("hk", "colleague")
    with other.expecting("status of 404"):
        theirs = other.open(path)
        expect(theirs.locator("main")).to_contain_text("This page isn't kept any more.")
