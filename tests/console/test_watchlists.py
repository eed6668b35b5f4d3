"""Watchlists as persons work with them: entries in any script, proof, four eyes, imports, matches."""

from __future__ import annotations

import json
from pathlib import Path

from google.protobuf.json_format import MessageToDict
from playwright.sync_api import expect

from gateway.v1.watchlist_pb2 import WatchlistEntry
from gateway.v1.watchlist_service_pb2 import ProposedEntry
from tests.support.console.case import Case
from tests.support.console.desk import Desks
from tests.support.console.trial import ConsoleTrial
from tests.support.nodes import listed_content

LIST = "/watchlists/of/cn/minerals"


def test_lists_and_an_entry_with_the_proof_of_where_it_is_active(desk: Desks, case: Case) -> None:
    officer = desk("cn", "officer")
    page = officer.open("/watchlists")
    page.get_by_role("link", name="minerals").click()
    page.get_by_role("link", name="示例有色金属贸易").first.click()
    expect(page.get_by_role("heading", name="Where it is active")).to_be_visible()
    expect(page.get_by_text("receipt signed").first).to_be_visible()
    officer.assert_accessible()
    page.get_by_role("button", name="Compare HK's copy now").click()
    expect(page.get_by_text("The copy is identical")).to_be_visible()
    officer.assert_accessible()


def test_a_name_is_found_in_another_script(desk: Desks, case: Case) -> None:
    officer = desk("hk", "officer")
    page = officer.open(LIST)
    page.get_by_label("Name in any script").fill("Shili Youse Jinshu Maoyi (Shenzhen)")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_role("link", name="示例有色金属贸易")).to_be_visible()
    officer.assert_accessible()


def test_a_proposal_shows_what_it_changes_and_a_second_person_decides(
    desk: Desks, case: Case, trial: ConsoleTrial
) -> None:
    changed = listed_content("Exemplo Metais, Limitada", reason="Seen again in March (placeholder)")

    async def propose() -> str:
        async with trial["cn"].acting("officer") as officer:
            entry = ProposedEntry(id="W-05", revision=1, content=changed)
            return (
                await officer.watchlist.propose("minerals", entries=[entry], note="From the console's test")
            ).proposal_id

    proposal_id = trial.run(propose())
    supervisor = desk("cn", "supervisor")
    page = supervisor.open(f"/watchlists/proposals/{proposal_id}")
    expect(page.locator("ins", has_text="Seen again in March")).to_be_visible()
    expect(page.locator("del").first).to_be_visible()
    supervisor.assert_accessible()
    page.get_by_label("Reject").check()
    with supervisor.expecting("status of 422"):
        page.get_by_role("button", name="Decide").click()
        expect(page.get_by_role("alert")).to_contain_text("Say why it is rejected")
    page.get_by_label("Remarks").fill("Not shown")
    page.get_by_role("button", name="Decide").click()
    expect(page.get_by_text("The proposal was rejected.")).to_be_visible()


def test_an_officer_sees_a_proposal_and_may_not_decide(desk: Desks, case: Case) -> None:
    page = desk("cn", "officer").open(f"/watchlists/proposals/{case.proposal_id}")
    expect(page.get_by_role("heading", name="Proposal for minerals")).to_be_visible()
    expect(page.get_by_role("button", name="Decide")).to_have_count(0)


def test_an_import_is_looked_at_before_it_is_one_proposal(desk: Desks, case: Case, tmp_path: Path) -> None:
    rows = [
        WatchlistEntry(
            id="W-04", content=listed_content("示例国际贸易有限公司", reason="Changed by a file (placeholder)")
        ),
        WatchlistEntry(id="W-90", content=listed_content("Placeholder Tungsten Limited")),
    ]
    lines = [json.dumps(MessageToDict(row), ensure_ascii=False) for row in rows]
    file = tmp_path / "minerals.jsonl"
    file.write_text("\n".join([*lines, '{"id": "W-91"}', "no JSON"]), encoding="utf-8")
    supervisor = desk("cn", "supervisor")
    page = supervisor.open("/watchlists/import?list=minerals")
    supervisor.assert_accessible()
    page.get_by_label("File", exact=True).set_input_files(file)
    page.get_by_role("button", name="Show what would change").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("What would change")
    tally = page.locator(".tally")
    expect(tally).to_contain_text("1 new")
    expect(tally).to_contain_text("1 changed")
    expect(tally).to_contain_text("2 lines rejected")
    expect(page.locator("ins", has_text="Changed by a file")).to_be_visible()
    supervisor.assert_accessible()
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Proposed")
    supervisor.assert_accessible()


def test_a_match_is_explained_and_dismissed(desk: Desks, case: Case) -> None:
    officer = desk("hk", "officer")
    page = officer.open("/watchlists/matches")
    officer.assert_accessible()
    page.locator(".entries a").first.click()
    expect(page.get_by_role("heading", name="Why it may be the listed one")).to_be_visible()
    officer.assert_accessible()
    page.get_by_label("Somebody or something else").check()
    with officer.expecting("status of 422"):
        page.get_by_role("button", name="Decide").click()
        expect(page.get_by_role("alert")).to_contain_text("Say how you know")
    page.get_by_label("Reason").fill("Another company of the same name, by its register")
    page.get_by_role("button", name="Decide").click()
    expect(page.get_by_text("The match was dismissed")).to_be_visible()


def test_withdrawing_shows_who_is_told_first(desk: Desks, case: Case) -> None:
    supervisor = desk("cn", "supervisor")
    page = supervisor.open("/watchlists/entry/cn/minerals/W-03")
    page.get_by_role("link", name="Withdraw").click()
    page.get_by_label("Why it ends").fill("No longer needed (placeholder)")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Check what will be sent")
    expect(page.get_by_text("HK")).to_be_visible()
    supervisor.assert_accessible()
    page.get_by_role("button", name="Withdraw").click()
    expect(page.get_by_text("The withdrawal was proposed")).to_be_visible()
