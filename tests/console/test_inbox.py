"""The inbox in a browser: live, by keys, by views, shared with colleagues, and found in any script."""

from __future__ import annotations

import re
import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.sync_api import Locator, Page, expect

from gateway.client import AlertReference
from gateway.contract.messages import to_timestamp
from gateway.v1 import alert_pb2, party_pb2
from gateway.v1 import casework_service_pb2 as casework
from tests.support.console.desk import Desk, Desks
from tests.support.console.trial import ConsoleTrial
from tests.support.federation import alert, eventually
from tests.support.stopwatch import Stopwatch


def publish(
    trial: ConsoleTrial,
    sender: str = "cn",
    recipient: str = "hk",
    *,
    container: str = "",
    name: str = "",
    **content: Any,
) -> AlertReference:
    """An alert of a test's own, which has arrived in the recipient's inbox."""
    made = alert(**content)
    if container:
        del made.subject.equipment[:]
        made.subject.equipment.add(id=container)
    if name:
        made.subject.parties.append(party_pb2.Party(names=[party_pb2.Name(text=name)]))

    async def run() -> AlertReference:
        async with (
            trial.federation.client(sender, "publisher") as own,
            trial.federation.client(recipient, "officer") as other,
        ):
            published = (await own.publish(made, [recipient])).alert_id

            async def arrived() -> bool:
                everything = casework.InboxFilter(scope=casework.INBOX_SCOPE_ALL)
                page = await other.casework.inbox_page(everything, order=casework.INBOX_ORDER_NEWEST)
                return any(row.summary.alert.id == published for row in page.rows)

            await eventually(arrived, what="the alert in the inbox")
            return AlertReference(publisher=sender, alert_id=published)

    return trial.run(run())


def container() -> str:
    """A number that no other test uses."""
    return f"TSTU{uuid.uuid4().int % 10**7:07}"


def row(page: Page, text: str) -> Locator:
    return page.locator(".inbox-row", has_text=text)


def opened_live(window: Desk, path: str) -> Page:
    """The page with its stream."""
    with window.page.expect_response("**/live/inbox"):
        return window.open(path)


def test_an_alert_sent_at_one_console_shows_at_another_within_a_second(desk: Desks, trial: ConsoleTrial) -> None:
    waiting = publish(trial, container=(seen := container()))
    officer = desk("hk", "officer")
    page = opened_live(officer, "/inbox?scope=all&order=newest&assignee=nobody")
    expect(row(page, seen)).to_be_visible()
    link = row(page, seen).get_by_role("link").first
    link.focus()
    number = container()

    async def send() -> None:
        content = alert()
        content.subject.equipment.add(id=number)
        async with trial.federation.client("cn", "publisher") as cn:
            await cn.publish(content, ["hk"])

    with Stopwatch() as watch:
        trial.run(send())
        expect(page.get_by_role("link", name="1 new alert – show")).to_be_visible()
    assert watch.quiet_s < 1.0, f"{watch.elapsed_s:.2f} s, on a busy machine"
    expect(link).to_be_focused()
    expect(row(page, number)).to_have_count(0)
    page.keyboard.press("n")
    expect(row(page, number)).to_be_visible()
    assert waiting.alert_id
    officer.assert_accessible()


def test_a_han_name_is_found_by_its_hong_kong_romanisation(desk: Desks, trial: ConsoleTrial) -> None:
    publish(trial, name="黎詠琪", container=(number := container()))
    officer = desk("hk", "officer")
    page = officer.open("/inbox")
    box = page.get_by_label("Search all alerts")
    for _ in range(40):
        box.fill("Lai Wing Kei")
        box.press("Enter")
        if row(page, number).count():
            break
        page.wait_for_timeout(250)  # the index follows
        box = page.get_by_label("Search all alerts")
    expect(row(page, number)).to_contain_text("黎詠琪")
    expect(row(page, number).locator("mark")).to_have_text("黎詠琪")
    officer.assert_accessible()
    page.get_by_label("Search all alerts").fill(number[:8])
    page.get_by_role("button", name="Search").click()
    expect(row(page, number)).to_be_visible()
    page.get_by_label("Search all alerts").fill("no such thing 999")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("No alert has")).to_be_visible()


def test_keys_go_through_the_list_take_an_alert_and_help(desk: Desks, trial: ConsoleTrial) -> None:
    first, second = publish(trial, container=container()), publish(trial, container=(newest := container()))
    officer = desk("hk", "officer")
    page = officer.open("/inbox?scope=all&order=newest&assignee=nobody")
    page.keyboard.press("j")
    expect(row(page, newest).get_by_role("link").first).to_be_focused()
    page.keyboard.press("j")
    expect(row(page, newest).get_by_role("link").first).not_to_be_focused()
    page.keyboard.press("k")
    expect(row(page, newest).get_by_role("link").first).to_be_focused()
    page.keyboard.press("?")
    help_ = page.get_by_role("dialog", name="Keyboard")
    expect(help_).to_be_visible()
    officer.assert_accessible()
    page.keyboard.press("Escape")
    expect(help_).to_be_hidden()
    page.keyboard.press("/")
    expect(page.get_by_label("Search all alerts")).to_be_focused()
    page.keyboard.type("jjk?")
    expect(page.get_by_label("Search all alerts")).to_have_value("jjk?")
    page.get_by_label("Search all alerts").fill("")
    row(page, newest).get_by_role("link").first.focus()
    page.keyboard.press("a")
    expect(page.get_by_text("Assigned.")).to_be_visible()
    page.goto(page.url.split("/inbox")[0] + "/inbox?assignee=me&scope=all")
    expect(row(page, newest)).to_contain_text("Chan Tai Man")
    row(page, newest).get_by_role("link").first.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"/alerts/cn/{second.alert_id}\?list="))
    assert first.alert_id != second.alert_id


def test_a_full_form_leads_back_to_the_same_place_in_the_list(desk: Desks, trial: ConsoleTrial) -> None:
    numbers = [container() for _ in range(3)]
    alerts = [publish(trial, container=number) for number in numbers]
    officer = desk("hk", "officer", javascript=False)
    page = officer.open("/inbox?scope=all&order=newest&assignee=nobody")
    row(page, numbers[1]).get_by_role("link").first.click()
    page.get_by_role("link", name="Ask", exact=True).click()
    expect(page.get_by_role("link", name="Cancel")).to_have_attribute("href", re.compile(r"\?list=.*newest"))
    page.locator("textarea").first.fill("Which quay?")
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Send the question").click()
    expect(page.get_by_text("Your question is on its way.")).to_be_visible()
    expect(page).to_have_url(re.compile(rf"/alerts/cn/{alerts[1].alert_id}\?list=.*done=ask"))
    expect(page.get_by_role("link", name=re.compile("Next alert"))).to_be_visible()
    page.get_by_role("navigation", name="Path").get_by_role("link", name="Inbox").click()
    expect(page).to_have_url(re.compile(r"/inbox\?.*order=newest.*#row-"))
    expect(page.locator(":target")).to_contain_text(numbers[1])


def test_alerts_are_assigned_together_and_a_colleague_sees_it_at_once(desk: Desks, trial: ConsoleTrial) -> None:
    numbers = [container(), container()]
    for number in numbers:
        publish(trial, container=number)
    officer, colleague = desk("hk", "officer"), desk("hk", "colleague")
    theirs = opened_live(colleague, "/inbox?scope=all&order=newest")
    for number in numbers:
        expect(row(theirs, number)).to_contain_text("Nobody")
    page = officer.open("/inbox?scope=all&order=newest")
    for number in numbers:
        row(page, number).get_by_role("checkbox").check()
    page.get_by_label("Assign the chosen ones to").select_option(label="Wong Siu Ming 黃小明")
    page.get_by_role("button", name="Assign", exact=True).click()
    expect(page.get_by_role("status").first).to_have_text("2 of 2 done.")
    officer.assert_accessible()
    page.get_by_role("link", name="Back to the list").click()
    for number in numbers:
        expect(row(theirs, number)).to_contain_text("Wong Siu Ming")
    expect(colleague.open("/inbox?assignee=me&scope=all").locator(".inbox-row")).not_to_have_count(0)


def test_a_note_is_read_by_a_colleague_and_by_no_partner(desk: Desks, trial: ConsoleTrial) -> None:
    about = publish(trial, container=(number := container()))
    path = f"/alerts/{about.publisher}/{about.alert_id}"
    officer, colleague, partner = desk("hk", "officer"), desk("hk", "colleague"), desk("cn", "officer")
    page = officer.open(path)
    page.get_by_label("Note for colleagues").fill("Seal <b>re-glued</b>?\nAsk the driver.")
    page.get_by_role("button", name="Add the note").click()
    expect(page.locator(".notes")).to_contain_text("Seal <b>re-glued</b>?")
    page.get_by_role("button", name="Watch it", exact=True).click()
    expect(page.get_by_role("button", name="Don't watch it any more")).to_be_visible()
    officer.assert_accessible()
    theirs = colleague.open("/inbox?scope=all&order=newest")
    row(theirs, number).get_by_role("link", name="1 note").click()
    expect(theirs.locator(".notes")).to_contain_text("Chan Tai Man")
    expect(theirs.get_by_role("button", name="Erase")).to_have_count(0)
    theirs.get_by_role("button", name="Take it").click()
    expect(theirs.locator(".case")).to_contain_text("Wong Siu Ming")
    abroad = partner.open(path)
    expect(abroad.locator("main")).not_to_contain_text("re-glued")
    page = officer.open(path)
    page.get_by_role("button", name="Erase").click()
    expect(page.locator(".notes")).to_contain_text("This note was erased.")
    expect(page.locator("main")).not_to_contain_text("re-glued")


def test_what_is_overdue_is_to_be_acted_on_now_and_says_so(desk: Desks, trial: ConsoleTrial) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=3)
    number = container()
    publish(trial, container=number, reply_by=to_timestamp(int(soon.timestamp() * 1000)), priority=alert_pb2.PRIORITY_C)
    time.sleep(max(0.0, (soon - datetime.now(UTC)).total_seconds() + 0.1))
    officer = desk("hk", "officer")
    page = officer.open("/inbox?due=overdue")
    expect(row(page, number)).to_contain_text("Overdue")
    expect(row(page, number)).to_contain_text("Reply")
    page.goto(page.url.split("/inbox")[0] + "/inbox?priority=3")
    expect(page.locator("h2.inbox-section").first).to_contain_text("Act now")
    expect(page.locator("ol.inbox").first.locator(".inbox-row", has_text=number)).to_contain_text("Overdue")


def test_the_worklist_has_sections_and_rows_that_say_what_is_asked(desk: Desks, trial: ConsoleTrial) -> None:
    urgent, slow = container(), container()
    publish(trial, container=urgent, priority=alert_pb2.PRIORITY_A, requested_action=alert_pb2.REQUESTED_ACTION_SEIZE)
    publish(trial, container=slow, priority=alert_pb2.PRIORITY_C, case_reference="SZ-2026-1050")
    officer = desk("hk", "officer")
    page = officer.open("/inbox")
    headings = [text.rstrip(" 0123456789") for text in page.locator("h2.inbox-section").all_inner_texts()]
    assert headings[0] == "Act now"
    assert headings == [name for name in ("Act now", "Due later", "Without a deadline") if name in headings]
    first = page.locator("ol.inbox").first
    expect(first.locator(".inbox-row", has_text=urgent)).to_contain_text("Seize")
    expect(first.locator(".inbox-row", has_text=slow)).to_have_count(0)
    officer.assert_accessible()
    page.emulate_media(media="print")
    expect(first.locator(".inbox-row", has_text=urgent)).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)
    page = officer.open("/inbox?scope=all&order=newest")  # others' alerts fill the first page
    expect(row(page, slow)).to_contain_text("SZ-2026-1050")


def test_a_view_is_saved_shared_and_deleted_without_script_too(desk: Desks, trial: ConsoleTrial) -> None:
    publish(trial, container=container(), priority=alert_pb2.PRIORITY_C)
    officer = desk("hk", "officer", javascript=False)
    page = officer.open("/inbox")
    page.get_by_text("Filters", exact=True).click()
    page.get_by_role("group", name="Priority").get_by_role("checkbox").nth(2).check()
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_role("link", name="Priority C")).to_be_visible()
    page.get_by_text("Save this view").click()
    name = f"Night {uuid.uuid4().hex[:6]}"
    page.get_by_label("Name").fill(name)
    page.get_by_label("For").select_option(label="All officers")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    expect(page.locator(".inbox-row .priority").first).to_contain_text("C")
    colleague = desk("hk", "colleague")
    theirs = colleague.open("/inbox")
    theirs.get_by_role("link", name=name).click()
    expect(theirs.get_by_role("heading", level=1)).to_have_text(name)
    expect(theirs.get_by_role("button", name="Delete this view")).to_have_count(0)
    colleague.assert_accessible()
    page.get_by_role("button", name="Delete this view").click()
    expect(page.get_by_text("The view is deleted.")).to_be_visible()
    expect(page.get_by_role("link", name=name)).to_have_count(0)


def test_an_auditor_reads_and_changes_nothing_and_an_operator_has_no_inbox(desk: Desks, trial: ConsoleTrial) -> None:
    publish(trial, container=(number := container()))
    page = desk("hk", "auditor").open("/inbox?scope=all&order=newest")
    expect(row(page, number)).to_be_visible()
    expect(page.get_by_role("button", name="Take")).to_have_count(0)
    expect(page.get_by_role("button", name="Assign", exact=True)).to_have_count(0)
    operator = desk("hk", "operator")
    with operator.expecting("status of 403"):
        page = operator.open("/inbox")
    expect(page.get_by_role("link", name="Inbox")).to_have_count(0)


def test_a_telephone_and_a_wall_show_it_without_scrolling_aside(desk: Desks, trial: ConsoleTrial) -> None:
    publish(trial, container=container(), name="澳門貿易發展有限公司")
    for width in (360, 2560):
        window = desk("hk", "officer", width=width, language="zh-Hant")
        page = window.open("/inbox?scope=all&order=newest")
        expect(page.locator(".inbox-row").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        window.assert_accessible()
