"""A partner's risk profile as an analyst tries and adopts it, and the second person who decides that."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.support.console.case import Case
from tests.support.console.desk import Desks
from tests.support.console.trial import ConsoleTrial


def proposed(trial: ConsoleTrial) -> list[str]:
    """Ids of the changes that wait at hk."""

    async def ask() -> list[str]:
        async with trial["hk"].acting("supervisor") as supervisor:
            return [one.proposal.proposal_id async for one in supervisor.risk_profiles.proposals()]

    return trial.run(ask())


def test_a_profile_is_tried_and_adopted_by_two_persons(desk: Desks, case: Case, trial: ConsoleTrial) -> None:
    before = proposed(trial)
    analyst = desk("hk", "analyst")
    page = analyst.open("/risk-profiles")
    page.get_by_role("link", name=case.profile).click()
    expect(page.get_by_text("net_kg > t.least_kg")).to_be_visible()
    analyst.assert_accessible()
    page.get_by_label("net mass").fill("5")
    with analyst.expecting("status of 422"):
        page.get_by_role("button", name="Try").click()
        expect(page.get_by_role("alert")).to_contain_text("A number from 1000 to 100000.")
    page.get_by_label("net mass").fill("2,000")
    page.get_by_role("button", name="Try").click()
    expect(page.get_by_role("heading", name="Trial on own records")).to_be_visible()
    expect(page.get_by_label("net mass")).to_have_value("2,000")
    page.get_by_role("button", name="Adopt").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check what will be sent")
    expect(page.get_by_role("heading", name="To CN")).to_be_visible()
    expect(page.get_by_text("least_kg 2000 (own values aren't sent)")).to_be_visible()
    analyst.assert_accessible()
    page.get_by_role("button", name="Go back and change").click()
    expect(page.get_by_label("net mass")).to_have_value("2,000")
    assert proposed(trial) == before, "nothing is sent before it was seen"
    page.get_by_role("button", name="Adopt").click()
    page.get_by_role("button", name="Adopt").click()
    expect(page.get_by_text("It is done, or waits for a second person")).to_be_visible()
    assert len(proposed(trial)) == len(before) + 1

    supervisor = desk("hk", "supervisor")
    page = supervisor.open("/risk-profiles")
    page.get_by_role("link", name=f"Adopt risk profile cn/{case.profile}").click()
    expect(page.get_by_text("least_kg 2000")).to_be_visible()
    supervisor.assert_accessible()
    page.get_by_label("Reject").check()
    page.get_by_label("Remarks").fill("It would hit too much")
    page.get_by_role("button", name="Decide").click()
    expect(page.get_by_text("The proposal was rejected.")).to_be_visible()


def test_a_version_that_is_none_is_said_and_nothing_adopted(desk: Desks, case: Case) -> None:
    analyst = desk("hk", "analyst")
    page = analyst.open(f"/risk-profiles/cn/{case.profile}")
    page.locator("input[name=version]").evaluate("field => field.value = 'newest'")
    with analyst.expecting("status of 422"):
        page.get_by_role("button", name="Adopt").click()
        expect(page.get_by_role("alert")).to_contain_text("Enter a whole number.")
