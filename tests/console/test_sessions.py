"""Sign-in by keyboard and without scripts, a session that ended, and a partner that is down."""

from __future__ import annotations

import time
from collections.abc import Mapping
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.support.console.behind_forms import PREVIEW, write_alert
from tests.support.console.desk import Desks
from tests.support.console.trial import CONSOLE, ConsoleTrial, Office
from tests.support.federation import READY_S
from tests.support.stopwatch import Stopwatch


def test_sign_in_needs_no_mouse(desk: Desks, trial: ConsoleTrial) -> None:
    trial.session("hk", "analyst")
    window = desk("hk")
    page = window.open("/sign-in?next=/account")
    expect(page.get_by_label("Name at sign-in")).to_be_focused()
    page.keyboard.type("analyst")
    page.keyboard.press("Tab")
    page.keyboard.type(trial["hk"].passwords["analyst"])
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{window.office.origin}/account")
    page.reload()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()


@pytest.mark.parametrize("javascript", [True, False], ids=["with script", "without"])
def test_a_wrong_password_is_said_at_the_form(desk: Desks, trial: ConsoleTrial, javascript: bool) -> None:
    window = desk("hk", javascript=javascript)
    page = window.open("/sign-in")
    with window.expecting("status of 401"):
        page.get_by_label("Name at sign-in").fill("nobody-here")
        page.get_by_label("Password").fill("not the password")
        page.get_by_role("button", name="Sign in", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("Name or password isn't right")
    if javascript:
        window.assert_accessible()


def test_a_session_that_ended_leads_to_sign_in_and_back(desk: Desks, trial: ConsoleTrial) -> None:
    """Ended by somebody else at the node, while the console still knows it."""
    office = trial["hk"]
    name = trial.run(office.newcomer("auditor"))
    window = desk("hk", name)
    page = window.open("/account")
    expect(page.get_by_role("heading", level=1)).to_be_visible()

    async def end() -> None:
        async with trial.federation.client("hk", "operator") as operator:
            await operator.persons.end_session(person=name)

    trial.run(end())
    page.reload()
    expect(page).to_have_url(f"{office.origin}/sign-in?next=%2Faccount")
    page.get_by_label("Name at sign-in").fill(name)
    page.get_by_label("Password").fill(office.passwords[name])
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(f"{office.origin}/account")


def test_what_was_written_is_kept_when_the_session_ends(desk: Desks, trial: ConsoleTrial) -> None:
    """And is sent by nobody but the person who has signed in again, from the page that gives it back."""
    office = trial["hk"]
    name = trial.run(office.newcomer("officer", "publisher"))
    window = desk("hk", name)
    page = window.open("/alerts/new")
    page.locator("#narrative-en").fill("Seen at three in the morning\nby the night shift.")

    async def end() -> None:
        async with trial.federation.client("hk", "operator") as operator:
            await operator.persons.end_session(person=name)

    trial.run(end())
    with window.expecting("status of 401", "status of 403", "status of 422"):
        page.locator("button[name=do][value=preview]").last.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("What you wrote is still here")
        expect(page.locator(".said")).to_have_text("Seen at three in the morning\nby the night shift.")
        window.assert_accessible()
        with page.expect_popup() as opened:
            page.get_by_role("link", name="Sign in in a new tab").click()
        tab = opened.value
        tab.get_by_label("Name at sign-in").fill(name)
        tab.get_by_label("Password").fill(office.passwords[name])
        tab.get_by_role("button", name="Sign in", exact=True).click()
        expect(tab.get_by_role("link", name="Inbox").first).to_be_visible()
        tab.close()
        page.get_by_role("button", name="Go on with what I wrote").click()
        expect(page.get_by_role("main")).to_contain_text("You are signed in as")
        page.get_by_role("button", name="Go on with what I wrote").click()
        expect(page.locator("#narrative-en")).to_have_value("Seen at three in the morning\nby the night shift.")


@pytest.mark.parametrize("known", [True, False], ids=["the console knows the session", "it doesn't"])
def test_what_was_written_is_kept_while_the_gateway_is_down(desk: Desks, trial: ConsoleTrial, known: bool) -> None:
    """And goes on from the same page when the gateway is back, for the person alone who is signed in."""
    office, text = trial["mo"], "Written while the gateway was restarted,\nat three in the morning."
    name = trial.run(office.newcomer("officer", "publisher"))
    window = desk("mo", name)
    page = window.open("/alerts/new")
    page.locator("#narrative-en").fill(text)
    with window.expecting("status (of )?(403|422|503|504)", "failed: GET", "ERR_", "htmx:sse:error"):
        office.node.stop()
        try:
            if not known:
                office.stop()
                office.start(wait=False)
                wait_until_it_answers(office)
            page.locator(PREVIEW).last.click()
            expect(page.get_by_role("heading", level=1)).to_have_text("The gateway doesn't answer")
            expect(page.get_by_role("main")).to_contain_text("What you wrote is kept on this page")
            expect(page.locator("input[name=narrative-en]")).to_have_value(text)
            window.assert_accessible()
            page.get_by_role("button", name="Send it again").click()
            expect(page.get_by_role("main")).to_contain_text("What you wrote is kept on this page")
        finally:
            office.node.start()
            office.wait_ready()
        page.get_by_role("button", name="Send it again").click()
        go_on, field = page.get_by_role("button", name="Go on with what I wrote"), page.locator("#narrative-en")
        expect(go_on.or_(field).first).to_be_visible()
        if not known:  # the form was bound to no session meanwhile
            expect(page.get_by_role("main")).to_contain_text("You are signed in as")
        if go_on.count():
            go_on.click()
        expect(field).to_have_value(text)


def wait_until_it_answers(office: Office) -> None:
    """Returns when a console serves, though it can't ask its gateway."""
    deadline = time.monotonic() + READY_S
    while office.get("/healthz") == 0:
        assert time.monotonic() < deadline, office.log
        time.sleep(0.03)


def test_three_consoles_at_once(desk: Desks, trial: ConsoleTrial) -> None:
    """What cn's console sends appears at the open inboxes of hk and mo; while mo is down cn's page says so."""
    inboxes = {node: desk(node, "officer").open("/inbox") for node in ("hk", "mo")}
    page = send_to_both(desk, "THREE-1")
    watched(page, inboxes)
    network = trial.federation.between("cn", "mo")
    network.cut()
    try:
        for inbox in inboxes.values():
            inbox.goto(inbox.url)
        page = send_to_both(desk, "THREE-2")
        watched(page, {"hk": inboxes["hk"]})
        expect(page.get_by_text("Waiting here").first).to_be_visible()
        expect(page.get_by_text("Shown to officers there").first).to_be_visible()
        expect(inboxes["mo"].locator("#show-new")).to_have_count(0)
    finally:
        network.heal()
    expect(inboxes["mo"].locator("#show-new")).to_be_visible()
    expect(page.get_by_text("Waiting here")).to_have_count(0)  # the page hears of mo's answer, and isn't loaded again
    expect(page.locator(".progress .waiting")).to_have_count(2)  # nobody has acted on it


def send_to_both(desk: Desks, case_reference: str) -> Page:
    """The page that asks before an alert of cn is sent to hk and mo."""
    page = desk("cn", "officer").open("/alerts/new")
    write_alert(page, case_reference)
    return page


def watched(page: Page, inboxes: Mapping[str, Page]) -> None:
    """Sends the alert, tells how soon open inboxes say so, and finds it in each."""
    with Stopwatch() as watch:
        page.get_by_role("button", name="Send the alert").click()
        for inbox in inboxes.values():
            expect(inbox.locator("#show-new")).to_be_visible()
    print(f"at the inboxes of {' and '.join(inboxes)} {watch.elapsed_s:.2f} s after the click", end=", ")
    print(f"{watch.quiet_s:.2f} s on a machine that is free")
    assert watch.quiet_s < 20
    page.wait_for_url("**/alerts/cn/*")
    path = urlsplit(page.url).path
    for inbox in inboxes.values():
        inbox.locator("#show-new").click()
        expect(inbox.locator(f".inbox-row a[href^='{path}']")).to_be_visible()


def test_a_console_without_a_person_shows_nothing_of_an_alert(desk: Desks, trial: ConsoleTrial) -> None:
    case = trial.play_case()
    window = desk("hk")
    page = window.open(f"/alerts/cn/{case.from_cn.alert_id}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    expect(page.get_by_text("SZ-2026-0117")).to_have_count(0)
    assert CONSOLE not in page.title()
