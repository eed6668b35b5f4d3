"""Matches that are alike: explained once and dismissed together in few clicks."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from playwright.sync_api import expect

from gateway.v1.match_pb2 import MatchGrouping
from gateway.v1.watchlist_service_pb2 import ProposedEntry
from tests.support.console.case import Case
from tests.support.console.desk import Desks
from tests.support.console.trial import ConsoleTrial
from tests.support.federation import eventually
from tests.support.nodes import listed_content
from tests.support.shipments import named_shipments

MATCHES = 1_400
MOST_CLICKS = 4


def test_the_matches_of_one_entry_are_decided_together_in_few_clicks(
    desk: Desks, case: Case, trial: ConsoleTrial
) -> None:
    """At mo, where no page of the walk is opened."""
    entry_id = f"wide-{uuid.uuid4().hex[:8]}"
    party = f"{entry_id.title()} Forwarders Limited"

    async def make() -> None:
        async with trial.federation.client("mo", "publisher") as clearance:
            shipments = named_shipments(entry_id, party, MATCHES, declared=datetime.now(UTC))
            async for batch in clearance.history.record(shipments):
                assert not batch.refused
        content = listed_content(party)
        async with trial["mo"].acting("officer") as officer, trial["mo"].acting("supervisor") as supervisor:
            proposed = await officer.watchlist.propose(
                "minerals", entries=[ProposedEntry(id=entry_id, content=content)]
            )
            await supervisor.watchlist.decide(proposed.proposal_id, approve=True)

        async with trial.federation.client("mo", "officer") as officers:

            async def found() -> bool:
                page = await officers.screening.match_groups(MatchGrouping.MATCH_GROUPING_ENTRY)
                return any(group.newest.hit.entry.id == entry_id and group.matches == MATCHES for group in page.groups)

            await eventually(found, within_s=120, what="all matches of the entry")

    trial.run(make())
    officer = desk("mo", "officer")
    page = officer.open("/")
    clicks = 0
    for role, name in (("link", "Watchlists"), ("link", "to decide")):
        page.get_by_role(role, name=name).first.click()  # type: ignore[arg-type]
        clicks += 1
    expect(page.get_by_role("heading", name="Many alike")).to_be_visible()
    officer.assert_accessible()
    page.locator(".groups li", has_text=entry_id).get_by_role("link").click()
    clicks += 1
    expect(page.get_by_text(f"{MATCHES} matches to decide")).to_be_visible()
    expect(page.get_by_role("heading", name="Why they may be the listed one")).to_have_count(1)
    page.get_by_text("Where they were found").click()
    expect(page.get_by_text(f"{MATCHES - 50} more aren't shown here")).to_be_visible()
    officer.assert_accessible()
    dismiss = page.get_by_role("button", name=f"Dismiss {MATCHES} matches")
    with officer.expecting("status of 422"):
        dismiss.click()
        expect(page.get_by_role("alert").first).to_contain_text("Say how you know")
    page.get_by_label("Reason").fill("The code names every alloy")
    dismiss.click()
    clicks += 1
    expect(page.get_by_text(f"{MATCHES} matches were dismissed")).to_be_visible()
    officer.assert_accessible()
    assert clicks <= MOST_CLICKS
    expect(page.locator(".groups li", has_text=entry_id)).to_have_count(0)
    page.get_by_role("link", name="By party").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Matches by party")
    officer.assert_accessible()
