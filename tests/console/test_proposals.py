"""Proposals of many entries: seen before they are approved, with what they cost; entries that match too much."""

from __future__ import annotations

import csv
import io
import json
import uuid
from pathlib import Path

from google.protobuf.json_format import MessageToDict
from playwright.sync_api import Page, expect

from gateway.v1.goods_pb2 import CommodityCode, GoodsItem
from gateway.v1.watchlist_pb2 import WATCHLIST_KIND_COMMODITY, WatchlistContent, WatchlistEntry
from gateway.v1.watchlist_service_pb2 import ImportRow
from tests.support.console.case import Case
from tests.support.console.chromium import PATIENCE_MS
from tests.support.console.desk import Desk, Desks
from tests.support.console.enrolling import enrol
from tests.support.console.trial import ConsoleTrial
from tests.support.federation import alert
from tests.support.nodes import listed_content

ENTRIES = 700
MOST_CLICKS = 6
HEAVY = 12
"""Goods of one alert under the code that matches too much."""


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
    expect(page.locator(".tally")).to_contain_text(f"{ENTRIES} new entries")
    expect(page.locator(".tally")).to_contain_text("0 entries withdrawn")
    titles = [heading.inner_text() for heading in page.locator("section.card h2", has_text="Manifold").all()]
    assert 5 < len(titles) < 20
    assert "0000" in titles[0]
    assert any(f"Manifold Example 0{at}" in titles[-1] for at in (5, 6)), "from all over the proposal"
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
    expect(page.locator(".tally")).to_contain_text(f"{ENTRIES} new entries")
    page.get_by_label("Approve").check()
    way.clicks += 1
    way.click("button", "Decide")
    way.click("button", "Use the passkey and send")
    expect(page.get_by_text("The proposal was approved")).to_be_visible()
    assert way.clicks <= MOST_CLICKS


def test_an_entry_that_matches_too_much_is_named_before_the_import_and_left_out(
    desk: Desks, case: Case, trial: ConsoleTrial, tmp_path: Path
) -> None:
    name, code = f"heavy-{uuid.uuid4().hex[:8]}", CommodityCode(scheme="HS", code="284390")
    goods = [GoodsItem(description=f"Colloids {at}", declared_codes=[code]) for at in range(HEAVY)]

    async def publish() -> None:
        async with trial.federation.client("cn", "publisher") as risk:
            await risk.publish(alert(case_reference=name, goods=goods), ["mo"])

    trial.run(publish())

    def line(entry_id: str, content: WatchlistContent) -> str:
        return json.dumps(MessageToDict(WatchlistEntry(id=entry_id, content=content)))

    narrow = listed_content(f"Unheard Of {name} Limited")
    wide = listed_content("Colloids", kind=WATCHLIST_KIND_COMMODITY, commodities=[code])
    file = tmp_path / "heavy.jsonl"
    file.write_text("\n".join([line("NARROW", narrow), line("WIDE", wide)]), encoding="utf-8")
    supervisor = desk("cn", "supervisor")
    for _ in range(PATIENCE_MS // 500):  # until the alert is remembered
        page = supervisor.open(f"/watchlists/import?list={name}")
        page.get_by_label("File", exact=True).set_input_files(file)
        page.get_by_role("button", name="Show what would change").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("What would change")
        if page.get_by_text("Entries that match too much").count():
            break
        page.wait_for_timeout(500)
    expect(page.get_by_text(f"WIDE: {HEAVY} matches a day")).to_be_visible()
    supervisor.assert_accessible()
    page.get_by_label("WIDE").check()
    page.get_by_role("button", name="Import the changes").click()
    expect(page.get_by_text("1 entry that matches too much was left out")).to_be_visible()
    supervisor.assert_accessible()
    page.get_by_role("link", name="Open the proposal").click()
    expect(page.locator(".tally")).to_contain_text("1 new entry")
    expect(page.get_by_text("WIDE")).to_have_count(0)
