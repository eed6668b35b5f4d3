"""What is written in a form is kept by person until it is sent: over another language or page, without scripts too."""

from __future__ import annotations

import re
import uuid

from playwright.sync_api import Page, expect

from gateway.v1.casework_service_pb2 import FormDraft
from tests.console.test_new_alert import fill
from tests.support.console.case import Case
from tests.support.console.desk import Desks
from tests.support.console.trial import ConsoleTrial
from tests.support.federation import eventually


def new_case() -> str:
    return f"DRAFT-{uuid.uuid4().hex[:8]}"


def drafts_of(trial: ConsoleTrial, node: str, person: str) -> list[FormDraft]:
    async def read() -> list[FormDraft]:
        async with trial[node].acting(person) as acting:
            return list(await acting.casework.drafts())

    return trial.run(read())


def go_on(page: Page, case: str) -> None:
    page.locator("table a", has_text=case).click()
    page.get_by_role("button", name=re.compile("Go on|Continuar")).click()


def test_a_form_goes_on_after_another_language_and_its_draft_goes_when_it_is_sent(
    desk: Desks, case: Case, trial: ConsoleTrial
) -> None:
    name, number = trial.run(trial["cn"].newcomer("supervisor")), new_case()
    window = desk("cn", name)
    page = window.open("/alerts/new")
    fill(page, case=number)
    expect(page.get_by_text("Kept as a draft.")).to_be_visible()
    window.assert_accessible()

    page.get_by_role("button", name="Português").click()
    expect(page.locator("html")).to_have_attribute("lang", "pt")
    page = window.open("/drafts")
    window.assert_accessible()
    page.get_by_role("button", name="English").click()
    page.locator("table a", has_text=number).click()
    expect(page.get_by_text("Antimony declared as lead.")).to_be_visible()
    window.assert_accessible()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_label("Your case")).to_have_value(number)
    expect(page.locator("#narrative-en")).to_have_value("Antimony declared as lead.")
    expect(page.locator("#parties-0-name")).to_have_value("广西华锑有限公司")

    page.get_by_role("button", name="Check before sending").last.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check before sending")
    assert [draft.summary for draft in drafts_of(trial, "cn", name)] == [number], "one draft, and still there"
    page.get_by_role("button", name=re.compile("^Send")).click()
    expect(page).to_have_url(re.compile("done=publish"))
    assert drafts_of(trial, "cn", name) == []


def test_leaving_a_form_of_a_step_keeps_it_for_this_person_alone(desk: Desks, case: Case, trial: ConsoleTrial) -> None:
    name, text = trial.run(trial["hk"].newcomer("officer")), f"Which quay? {new_case()}"
    window = desk("hk", name)
    alert = f"/alerts/{case.unread.publisher}/{case.unread.alert_id}"
    page = window.open(f"{alert}/ask")
    page.locator("textarea").first.fill(text)
    page.get_by_role("link", name="Inbox").first.click()  # at once: the page keeps it as it is left

    async def kept() -> bool:
        async with trial["hk"].acting(name) as acting:
            return bool(await acting.casework.drafts())

    trial.run(eventually(kept, what="the draft"))
    page = window.open("/drafts")
    go_on(page, text)
    expect(page.locator("textarea").first).to_have_value(text)
    assert len(drafts_of(trial, "hk", name)) == 1
    other = trial.run(trial["hk"].newcomer("officer"))
    assert drafts_of(trial, "hk", other) == []
    stranger = desk("hk", other)
    with stranger.expecting("status of 404"):
        stranger.open(f"/drafts/{drafts_of(trial, 'hk', name)[0].draft_id}")
        expect(stranger.page.get_by_role("heading", level=1)).to_have_text("This isn't here")
    page = window.open("/drafts")
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("The draft was deleted")).to_be_visible()
    assert drafts_of(trial, "hk", name) == []


def test_without_scripts_a_form_is_kept_by_a_button_and_when_it_comes_back(
    desk: Desks, case: Case, trial: ConsoleTrial
) -> None:
    name, number = trial.run(trial["cn"].newcomer("supervisor")), new_case()
    window = desk("cn", name, javascript=False)
    page = window.open("/watchlists/new?list=minerals")
    page.get_by_label("Name", exact=True).fill(number)
    page.get_by_role("button", name="Keep as a draft").click()
    expect(page.get_by_text("The draft was kept")).to_be_visible()
    go_on(page, number)
    expect(page.locator("#names-0-text")).to_have_value(number)
    page.locator("#names-0-text").fill(f"{number} Limited")
    page.get_by_role("button", name="Another name").click()
    page.get_by_role("button", name="Português").click()
    expect(page.locator("html")).to_have_attribute("lang", "pt")
    expect(page.get_by_text(f"{number} Limited").first).to_be_visible()
    page.get_by_role("button", name="Continuar").click()
    expect(page.locator("#names-0-text")).to_have_value(f"{number} Limited")
    assert len(drafts_of(trial, "cn", name)) == 1
