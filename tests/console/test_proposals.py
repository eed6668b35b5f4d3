"""Proposals of many entries: seen before they are approved, with what they cost; entries that match too much."""

from __future__ import annotations

import csv
import io
import json
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from google.protobuf.json_format import MessageToDict
from playwright.sync_api import Page, expect

from gateway.v1.watchlist_pb2 import WatchlistContent, WatchlistEntry
from gateway.v1.watchlist_service_pb2 import ImportRow
from tests.support.command_line import Cli
from tests.support.console.case import Case
from tests.support.console.chromium import PATIENCE_MS
from tests.support.console.desk import Desk, Desks
from tests.support.console.enrolling import enrol
from tests.support.console.trial import ConsoleTrial
from tests.support.federation import eventually
from tests.support.nodes import listed_content
from tests.support.shipments import named_shipments

ENTRIES = 5_000
MOST_CLICKS = 6
HEAVY = 350
"""Shipments with the name that matches too much: more than ten for each day of a month."""


class Counted:
    """Clicks of a person."""

    def __init__(self, page: Page) -> None:
        self._page, self.clicks = page, 0

    def click(self, role: str, name: str) -> None:
        self._page.get_by_role(role, name=name).first.click()  # type: ignore[arg-type]
        self.clicks += 1


def opened_with_cost(window: Desk, path: str) -> Page:
    """Opens a page until screening can say what entries cost: its process may just be starting."""
    for _ in range(PATIENCE_MS // 500):
        page = window.open(path)
        if page.get_by_role("heading", name="What it will cost in matches").count():
            return page
        page.wait_for_timeout(500)
    raise AssertionError("the cost isn't said")


def test_many_entries_are_approved_in_few_clicks_having_seen_counts_and_a_sample(
    desk: Desks, case: Case, trial: ConsoleTrial
) -> None:
    name = f"many-{uuid.uuid4().hex[:8]}"
    rows = [
        ImportRow(id=f"M-{at:04}", content=listed_content(f"Manifold Example {at:04} Limited")) for at in range(ENTRIES)
    ]

    async def propose() -> str:
        async with trial["cn"].acting("supervisor") as supervisor:
            return (await supervisor.watchlist.import_entries(name, rows, note="A year's list")).proposal_id

    proposal_id = trial.run(propose())
    window, _authenticator, _ = enrol(desk, trial, "supervisor", node="cn")
    page = opened_with_cost(window, f"/watchlists/proposals/{proposal_id}")
    expect(page.locator(".tally")).to_contain_text(f"{ENTRIES:,} new entries")
    expect(page.locator(".tally")).to_contain_text("0 entries withdrawn")
    titles = [heading.inner_text() for heading in page.locator("section.card h3", has_text="Manifold").all()]
    assert 5 < len(titles) < 20
    assert "0000" in titles[0]
    assert int(titles[-1].split()[2]) > ENTRIES * 0.8, "from all over the proposal"
    window.assert_accessible()

    page.get_by_label("Name, id, number or code").fill("example 0642")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("status").first).to_contain_text("1 change is like this")
    expect(page.get_by_role("heading", name="Manifold Example 0642 Limited")).to_be_visible()
    window.assert_accessible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download all as a table").click()
    table = list(csv.reader(io.StringIO(Path(download.value.path()).read_text("utf-8-sig"))))
    assert table[0][:3] == ["Change", "Entry", "Name"]
    assert len({row[1] for row in table[1:]}) == ENTRIES

    page = window.open("/")
    way = Counted(page)
    way.click("link", "Watchlists")
    way.click("link", "wait")
    way.click("link", f"{name}: A year's list")
    expect(page.locator(".tally")).to_contain_text(f"{ENTRIES:,} new entries")
    page.get_by_label("Approve").check()
    way.clicks += 1
    way.click("button", "Decide")
    way.click("button", "Use the passkey and send")
    expect(page.get_by_text("The proposal was approved")).to_be_visible()
    assert way.clicks <= MOST_CLICKS


def test_who_proposed_a_change_takes_it_back_and_cannot_approve_it(
    desk: Desks, case: Case, trial: ConsoleTrial
) -> None:
    name = f"own-{uuid.uuid4().hex[:6]}"

    async def propose() -> str:
        async with trial["cn"].acting("supervisor") as supervisor:
            row = ImportRow(id="OWN", content=listed_content("Own Example Limited"))
            return (await supervisor.watchlist.import_entries(name, [row])).proposal_id

    path = f"/watchlists/proposals/{trial.run(propose())}"
    page = desk("cn", "deputy").open(path)
    expect(page.get_by_label("Approve")).to_be_visible()
    proposer = desk("cn", "supervisor")
    page = proposer.open(path)
    expect(page.get_by_text("You proposed it: another person, a supervisor, has to approve it.")).to_be_visible()
    expect(page.get_by_label("Approve")).to_have_count(0)
    expect(page.get_by_role("button", name="Decide")).to_have_count(0)
    proposer.assert_accessible()
    page.get_by_label("Why do you take it back?").fill("Proposed twice")
    page.get_by_role("button", name="Take it back").click()
    expect(page.get_by_text("The proposal was rejected.")).to_be_visible()


def test_an_entry_that_matches_too_much_is_named_before_the_import_and_left_out(
    desk: Desks, case: Case, trial: ConsoleTrial, tmp_path: Path
) -> None:
    name = f"heavy-{uuid.uuid4().hex[:6]}"
    party = f"{name.title()} Forwarders Limited"

    async def record() -> None:
        async with trial.federation.client("cn", "publisher") as clearance:
            shipments = named_shipments(name, party, HEAVY, declared=datetime.now(UTC))
            async for batch in clearance.history.record(shipments):
                assert not batch.refused

    trial.run(record())

    def line(entry_id: str, content: WatchlistContent) -> str:
        return json.dumps(MessageToDict(WatchlistEntry(id=entry_id, content=content)))

    narrow = listed_content(f"Unheard Of {name} Limited")
    wide = listed_content(party)
    file = tmp_path / "heavy.jsonl"
    file.write_text("\n".join([line("NARROW", narrow), line("WIDE", wide)]), encoding="utf-8")
    supervisor = desk("cn", "supervisor")

    async def remembered() -> bool:
        async with trial["cn"].acting("supervisor") as acting:
            rows = [ImportRow(id="WIDE", content=wide)]
            return (await acting.watchlist.estimate(list_name=name, rows=rows)).matches == HEAVY

    trial.run(eventually(remembered, within_s=120, what="shipments that screening remembers"))
    page = supervisor.open(f"/watchlists/import?list={name}")
    page.get_by_label("File", exact=True).set_input_files(file)
    page.get_by_role("button", name="Show what would change").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("What would change")
    expect(page.get_by_text(re.compile(r"WIDE: [0-9]+ matches a day"))).to_be_visible()
    supervisor.assert_accessible()
    expect(page.get_by_label("WIDE")).to_be_checked()
    page.get_by_role("button", name="Import the changes").click()
    expect(page.get_by_text("1 entry that matches too much was left out")).to_be_visible()
    supervisor.assert_accessible()

    cli = Cli(trial.federation, "cn")
    command = ("watchlist", "import", file, "--list", f"{name}-cli", "--releasable-to", "hk")
    with ThreadPoolExecutor(1) as other:  # Playwright's event loop has this thread
        told = other.submit(cli.run, "publisher", *command, code=3).result()
        assert re.search(r"WIDE was left out: it would match [0-9]{2,3} times a day", told.stderr)
        again = other.submit(cli.json, "publisher", *command, code=3).result()
        assert (again["new"], list(again["left_out"])) == (1, ["WIDE"])
        whole = other.submit(cli.json, "publisher", *command, "--wide").result()
        assert whole["new"] == 2

        async def approve() -> None:
            async with trial["cn"].acting("deputy") as acting:
                await acting.watchlist.decide(whole["proposal_id"], approve=True)

        trial.run(approve())
        settled = other.submit(cli.json, "publisher", *command).result()
        assert (settled["unchanged"], settled["left_out"]) == (2, {}), "somebody has decided on it"
    page.get_by_role("link", name="Open the proposal").click()
    expect(page.locator(".tally")).to_contain_text("1 new entry")
    expect(page.get_by_text("WIDE")).to_have_count(0)
