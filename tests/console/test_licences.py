"""Licences as officers read them, and a change that a second person decides."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.support.console.case import Case
from tests.support.console.desk import Desks
from tests.support.console.trial import ConsoleTrial
from tests.support.licences import licence_content


def test_a_licence_shows_what_is_left_as_a_picture(desk: Desks, case: Case) -> None:
    officer = desk("hk", "officer")
    page = officer.open("/licences?breached=yes")
    page.get_by_role("link", name=case.licence).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(case.licence)
    expect(page.locator("svg.chart:visible")).to_have_count(1)
    expect(page.locator("svg.chart:visible title").first).to_have_text("Balance")
    breaches = page.get_by_role("table", name="Not as the licence says")
    expect(breaches.get_by_role("row", name="Beyond quantity")).to_contain_text("150 kg")
    expect(breaches.get_by_role("row", name="Re-exported")).to_contain_text("D-9/1")
    officer.assert_accessible()


def test_a_change_that_is_rejected_needs_a_reason(desk: Desks, case: Case, trial: ConsoleTrial) -> None:
    async def propose() -> str:
        async with trial.federation.client("cn", "publisher") as engine:
            proposed = await engine.licences.publish("CN-2026-0002", licence_content(), note="Second of the year")
        return proposed.proposal_id

    proposal_id = trial.run(propose())
    expect(
        desk("cn", "officer").open(f"/licences/proposals/{proposal_id}").get_by_text("It waits for a supervisor")
    ).to_be_visible()
    supervisor = desk("cn", "supervisor")
    page = supervisor.open("/licences")
    page.get_by_role("link", name="proposals wait").click()
    page.get_by_role("link", name="Publish licence CN-2026-0002").click()
    assert page.url.endswith(proposal_id)
    expect(page.get_by_text("Placeholder Smelter Co., Ltd.")).to_be_visible()
    supervisor.assert_accessible()
    page.get_by_label("Reject").check()
    with supervisor.expecting("status of 422"):
        page.get_by_role("button", name="Decide").click()
        expect(page.get_by_role("alert")).to_contain_text("Say why it is rejected")
    page.get_by_label("Remarks").fill("The consignee isn't known")
    page.get_by_role("button", name="Decide").click()
    expect(page.get_by_text("The proposal was rejected.")).to_be_visible()
