"""Persons at the console: enrolment, passkeys, own account, people, break-glass, the identity provider."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.support.console.desk import Desks
from tests.support.console.enrolling import PASSWORD, enrol, link_for, new_name
from tests.support.console.trial import CONSOLE, ConsoleTrial


def test_a_new_person_enrols_registers_a_passkey_and_signs_in_with_both(desk: Desks, trial: ConsoleTrial) -> None:
    window, _, name = enrol(desk, trial, "officer")
    page = window.page
    expect(page.get_by_text("blue key")).to_be_visible()
    expect(page.get_by_text("approvals rest on this sign-in alone")).to_have_count(0)
    window.assert_accessible()
    page.get_by_role("button", name="Sign out").click()
    window.open("/sign-in?next=/account")
    page.get_by_label("Name at sign-in").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Use your passkey")
    window.assert_accessible()
    page.get_by_role("button", name="Use the passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Officer {name[-4:]}")
    page.get_by_role("button", name="Sign out").click()
    window.open("/sign-in?next=/account")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.get_by_role("button", name="Use the passkey").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Officer {name[-4:]}")


def test_pages_say_that_a_person_has_no_passkey(desk: Desks, trial: ConsoleTrial) -> None:
    window = desk("hk", "officer")
    page = window.open("/inbox")
    page.get_by_role("link", name="No passkey: approvals rest on this sign-in alone").click()
    expect(page.get_by_role("link", name="Register a passkey")).to_be_visible()
    window.assert_accessible()


def test_a_link_that_was_used_says_so(desk: Desks, trial: ConsoleTrial) -> None:
    window = desk("hk")
    with window.expecting("status of 404"):
        window.open("/enrol/" + "x" * 43)
        expect(window.page.get_by_role("heading", level=1)).to_have_text("This link has ended")
    window.assert_accessible()


def test_two_passwords_that_differ_are_said_at_their_field(desk: Desks, trial: ConsoleTrial) -> None:
    window = desk("hk")
    page = window.open(link_for(trial, "hk", new_name(), "officer"))
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The same again").fill("something else")
    with window.expecting("status of 422"):
        page.get_by_role("button", name="Set the password").click()
        expect(page.get_by_role("alert")).to_contain_text("The two aren't the same")
    page.get_by_label("Password", exact=True).fill("short")
    page.get_by_label("The same again").fill("short")
    with window.expecting("status of 422"):
        page.get_by_role("button", name="Set the password").click()
        expect(page.get_by_role("alert")).to_contain_text("at least 12")
    window.assert_accessible()


def test_an_authenticator_that_doesnt_know_its_person_signs_nobody_in(desk: Desks, trial: ConsoleTrial) -> None:
    window, authenticator, _ = enrol(desk, trial, "officer")
    page = window.page
    page.get_by_role("button", name="Sign out").click()
    authenticator.verify(False)
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.get_by_role("button", name="Use the passkey").click()
    expect(page.get_by_role("alert").filter(visible=True)).to_contain_text("The passkey wasn't used")


def test_an_operator_adds_a_person_whose_roles_change(desk: Desks, trial: ConsoleTrial) -> None:
    window, _, _ = enrol(desk, trial, "operator")
    page, name = window.page, new_name()
    window.open("/people/new")
    page.get_by_label("Name at sign-in").fill(name)
    page.get_by_label("Name as colleagues see it").fill("黃小明 <b>Wong</b>")
    page.get_by_role("checkbox", name=re.compile("Officer")).check()
    window.assert_accessible()
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Approve with your passkey")
    window.assert_accessible()
    page.get_by_role("button", name="Use the passkey and send").click()
    link = page.get_by_label("Link").input_value()
    assert re.fullmatch(r"http://localhost:\d+/enrol/[\w-]{43}", link)
    page.get_by_role("link", name="To the account").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("黃小明 <b>Wong</b>")
    page.get_by_role("checkbox", name=re.compile("Analyst")).check()
    page.get_by_role("button", name="Change", exact=True).click()
    page.get_by_role("button", name="Use the passkey and send").click()
    expect(page.get_by_text("Officer, Analyst")).to_be_visible()
    window.assert_accessible()
    page.get_by_role("button", name="Disable").click()
    page.get_by_role("button", name="Use the passkey and send").click()
    expect(page.get_by_text("Disabled")).to_be_visible()
    window.open("/people")
    expect(page.get_by_role("link", name="黃小明 <b>Wong</b>").first).to_be_visible()
    window.assert_accessible()


def test_people_are_for_those_who_look_after_them(desk: Desks) -> None:
    officer = desk("hk", "officer")
    with officer.expecting("status of 403"):
        officer.open("/people")
        expect(officer.page.get_by_role("heading", level=1)).to_have_text("You may not do this")


def test_a_supervisor_breaks_the_glass_and_another_one_is_told(desk: Desks, trial: ConsoleTrial) -> None:
    window, _, name = enrol(desk, trial, "supervisor")
    page = window.page
    page.get_by_role("link", name="Break the glass").click()
    page.get_by_role("checkbox", name=re.compile("Analyst")).check()
    page.get_by_label("Why").fill("Nobody else can be reached in case HK-2026-17")
    window.assert_accessible()
    page.get_by_role("button", name="Break the glass").click()
    page.get_by_role("button", name="Use the passkey and send").click()
    expect(page.get_by_role("region", name="Break-glass")).to_contain_text("You act beyond your roles")
    window.assert_accessible()

    async def told() -> list[str]:
        async with trial["hk"].acting("supervisor") as other:
            return [alarm.message for alarm in (await other.node.status()).alarms if alarm.code == "BREAK_GLASS"]

    messages = trial.run(told())
    assert any(name in message and "case HK-2026-17" in message for message in messages)
    page.get_by_role("region", name="Break-glass").get_by_role("button", name="End it").click()
    expect(page.get_by_role("status").first).to_contain_text("within your own roles again")
    assert not any(name in message for message in trial.run(told()))


def test_a_person_changes_the_password_and_ends_another_session(desk: Desks, trial: ConsoleTrial) -> None:
    name = new_name()
    window = desk("hk")
    page = window.open(link_for(trial, "hk", name, "officer"))
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The same again").fill(PASSWORD)
    page.get_by_role("button", name="Set the password").click()

    async def elsewhere() -> str:
        async with trial.federation.client("hk", CONSOLE) as console:
            signed_in = await console.persons.sign_in(name, PASSWORD, device="Another browser")
            return str(signed_in.session_token)  # type: ignore[union-attr]

    trial.run(elsewhere())
    window.open("/account")
    row = page.get_by_role("row").filter(has_text="Another browser")
    row.get_by_role("button", name="End it").click()
    expect(page.get_by_role("status").first).to_contain_text("The session has ended")
    expect(page.get_by_text("Another browser")).to_have_count(0)
    page.get_by_role("link", name="Change your password").click()
    page.get_by_label("Your present password").fill("wrong")
    page.get_by_label("The new password").fill("eight red apples")
    page.get_by_label("The same again").fill("eight red apples")
    with window.expecting("status of 422"):
        page.get_by_role("button", name="Change it").click()
        expect(page.get_by_role("alert")).to_contain_text("This isn't your password")
    page.get_by_label("Your present password").fill(PASSWORD)
    page.get_by_label("The new password").fill("eight red apples")
    page.get_by_label("The same again").fill("eight red apples")
    page.get_by_role("button", name="Change it").click()
    expect(page.get_by_role("status").first).to_contain_text("Your password was changed")
    page.get_by_label("Time zone").select_option("Asia/Macau")
    page.get_by_role("button", name="Keep it").click()
    expect(page.get_by_text("Times in Asia/Macau")).to_be_visible()
