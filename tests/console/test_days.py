"""The tasks of a day, by role and label, with their clicks counted: supervisor, auditor, operator, analyst."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from playwright.sync_api import expect

from demo.case import CONTAINER
from gateway.contract.messages import to_timestamp
from gateway.v1 import alert_pb2
from tests.console.test_history import ask
from tests.console.test_inbox import container, publish, row
from tests.console.test_worklist import Clicks
from tests.support.console.case import Case
from tests.support.console.desk import Desks
from tests.support.console.trial import ConsoleTrial
from tests.support.waiting import eventually


def test_a_supervisor_gives_what_is_overdue_and_nobodys_to_somebody_in_five_clicks(
    desk: Desks, trial: ConsoleTrial
) -> None:
    late = datetime.now(UTC) + timedelta(seconds=1)
    reply_by = to_timestamp(int(late.timestamp() * 1000))
    publish(trial, container=(number := container()), reply_by=reply_by, priority=alert_pb2.PRIORITY_C)
    eventually(lambda: datetime.now(UTC) > late, within_s=5)
    desk("hk", "officer")  # whoever it is given to works here
    supervisor, click = desk("hk", "supervisor"), Clicks()
    page = supervisor.open("/inbox")
    click(page.get_by_role("link", name="Who has how much"))
    click(page.get_by_role("row", name=re.compile("Nobody")).get_by_role("link").nth(2))
    click(row(page, number).get_by_role("checkbox"))
    page.get_by_label("Assign the chosen ones to").select_option(label="Chan Tai Man 陳大文")
    click(page.get_by_role("button", name="Assign", exact=True))
    expect(page.get_by_text("Assigned.")).to_be_visible()
    assert click.number <= 4


def test_an_auditor_finds_who_did_what_in_a_case_and_takes_it_along_in_five_clicks(desk: Desks, case: Case) -> None:
    asked = ask(desk("hk", "officer"), Container=CONTAINER)
    asked.get_by_role("button", name="Search", exact=True).click()
    expect(asked.get_by_text("That is all")).to_be_visible()
    auditor, click = desk("hk", "auditor"), Clicks()
    page = auditor.open("/")
    click(page.get_by_role("navigation", name="Main").get_by_role("link", name="Operations"))
    click(page.get_by_role("link", name="Audit log"))
    page.locator("#case_reference").fill("HK-2026-17")
    click(page.get_by_role("button", name="Search", exact=True))
    expect(page.get_by_role("main")).to_contain_text("HK-2026-17")
    with page.expect_download() as download:
        click(page.get_by_role("button", name=re.compile("CSV")))
    assert download.value.suggested_filename.endswith(".zip")
    assert click.number <= 5


def test_an_operator_tests_a_partner_in_three_clicks(desk: Desks, case: Case) -> None:
    operator, click = desk("hk", "operator"), Clicks()
    page = operator.open("/")
    click(page.get_by_role("navigation", name="Main").get_by_role("link", name="Operations"))
    click(page.get_by_role("button", name=re.compile("^Test the connection to MO")))
    expect(page.get_by_role("heading", level=1)).to_contain_text("MO")
    assert click.number <= 3


def test_an_analyst_follows_a_container_over_three_authorities_in_three_clicks(desk: Desks, case: Case) -> None:
    analyst, click = desk("hk", "analyst"), Clicks()
    page = analyst.open("/")
    click(page.locator("nav a[href='/history']"))
    page.get_by_label("Legal basis").fill("CEPA art. 5")
    page.get_by_label("Case", exact=True).fill("HK-2026-17")
    page.get_by_label("Container").fill(CONTAINER)
    click(page.get_by_role("button", name="Trace one consignment"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("contradiction")
    assert click.number <= 3


def test_an_officer_reads_acknowledges_and_goes_on_by_keyboard_alone(desk: Desks, trial: ConsoleTrial) -> None:
    first, second = container(), container()
    for number in (second, first):
        publish(trial, container=number)
    officer = desk("hk", "officer")
    page = officer.open("/inbox?scope=all&order=newest")
    page.keyboard.press("j")
    expect(row(page, first).get_by_role("link").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("False declaration")
    button = page.get_by_role("button", name="Acknowledge")
    for _ in range(40):
        if button.evaluate("one => one === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").filter(has_text="Acknowledged; leaves in")).to_be_visible()
    following = page.get_by_role("link", name=re.compile("Next alert"))
    for _ in range(40):
        if following.evaluate("one => one === document.activeElement"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_contain_text(second)
