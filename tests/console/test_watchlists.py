"""Watchlists as persons work with them: entries in any script, proof, four eyes, imports, matches."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

from google.protobuf.json_format import MessageToDict
from playwright.sync_api import expect

from gateway.v1.watchlist_pb2 import WatchlistEntry, WatchlistReference
from gateway.v1.watchlist_service_pb2 import ProposedEntry
from tests.support.console.case import Case
from tests.support.console.chromium import PATIENCE_MS
from tests.support.console.desk import Desk, Desks
from tests.support.console.enrolling import enrol
from tests.support.console.trial import ConsoleTrial
from tests.support.federation import alert, eventually
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


def test_a_supervisor_approves_with_a_passkey_what_an_officer_wrote(
    desk: Desks, case: Case, trial: ConsoleTrial
) -> None:
    """An entry by the form; the second person is somebody whose authenticator knows them."""
    officer = desk("cn", "officer")
    page = officer.open("/watchlists/new?list=minerals")
    write_entry(officer, "示例稀土有限公司")
    expect(page.get_by_role("heading", level=1)).to_have_text("Check what will change")
    expect(page.locator("ins", has_text="示例稀土有限公司 (Hans)")).to_be_visible()
    expect(page.get_by_text("HK: every field above")).to_be_visible()
    page.get_by_role("button", name="Propose the entry").click()
    expect(page.get_by_text("The change was proposed")).to_be_visible()

    window, authenticator, _ = enrol(desk, trial, "supervisor", node="cn")
    page = window.open("/watchlists/proposals")
    page.locator(".entries a", has_text="By the form").click()
    page.get_by_label("Approve").check()
    page.get_by_role("button", name="Decide").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Approve with your passkey")
    authenticator.verify(False)
    page.get_by_role("button", name="Use the passkey and send").click()
    expect(page.get_by_role("alert").filter(visible=True)).to_contain_text("The passkey wasn't used")
    authenticator.verify(True)
    page.get_by_role("button", name="Use the passkey and send").click()
    expect(page.get_by_text("The proposal was approved")).to_be_visible()
    find_entry(window, "示例稀土有限公司")


def find_entry(window: Desk, name: str) -> None:
    """Looks until screening has the entry: the page says so as long as it hasn't."""
    for _ in range(PATIENCE_MS // 500):
        page = window.open(f"/watchlists/of/cn/minerals?name={name}")
        if page.get_by_role("link", name=name).is_visible():
            return
        page.wait_for_timeout(500)
    raise AssertionError(f"{name} isn't found")


def write_entry(officer: Desk, name: str) -> None:
    """Fills in the form of an entry, with a number whose check digit is wrong and one that is right."""
    page = officer.page
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Script").select_option("Simplified Han")
    number = page.get_by_label("Number")
    number.fill("91440300MA5EXAMPL1")
    number.press("Tab")
    expect(page.locator("#identifiers-0-value-remark")).to_contain_text("It can be sent as it is")
    page.get_by_label("Scheme").select_option("iso6346")
    number.fill("CSQU3054383")
    number.press("Tab")
    expect(page.locator("#identifiers-0-value-remark")).to_contain_text("are right")
    page.get_by_label("HK", exact=True).first.check()
    page.get_by_label("Note for the approver").fill("By the form")
    with officer.expecting("status of 422"):
        page.get_by_role("button", name="Check before it is proposed").last.click()
        expect(page.get_by_role("alert")).to_contain_text("There is a problem")
    page.get_by_label("Reason").fill("Exported without a licence (placeholder)")
    page.get_by_label("Legal basis").fill("Export Control Law, article 20")
    page.get_by_role("button", name="Check before it is proposed").last.click()


def test_an_entry_is_amended_and_its_revisions_say_what_changed(desk: Desks, case: Case, trial: ConsoleTrial) -> None:
    officer = desk("cn", "officer", javascript=False)
    page = officer.open("/watchlists/entry/cn/minerals/W-04")
    page.get_by_role("link", name="Amend").click()
    page.get_by_role("button", name="Another name").click()
    page.get_by_label("Name", exact=True).nth(1).fill("Example International Trading")
    page.get_by_label("Born").fill("May 1963")
    with officer.expecting("status of 422"):
        page.get_by_role("button", name="Check before it is proposed").last.click()
        expect(page.get_by_role("alert")).to_contain_text("1963-05")
    page.get_by_label("Born").fill("")
    page.get_by_role("button", name="Check before it is proposed").last.click()
    expect(page.locator("ins")).to_have_text(["Example International Trading"])
    page.get_by_role("button", name="Propose the amendment").click()
    expect(page.get_by_text("The change was proposed")).to_be_visible()

    async def approve() -> None:
        async with trial["cn"].acting("supervisor") as supervisor:
            waiting = [one async for one in supervisor.watchlist.proposals()]
            (proposal,) = (one for one in waiting if one.sample.changes[0].entered.id == "W-04" and not one.note)
            await supervisor.watchlist.decide(proposal.proposal_id, approve=True)
            reference = WatchlistReference(publisher="cn", list="minerals", id="W-04")

            async def in_force() -> bool:
                return (await supervisor.watchlist.get(reference)).entry.revision > 1

            await eventually(in_force, what="the amendment")

    trial.run(approve())
    page = officer.open("/watchlists/entry/cn/minerals/W-04")
    revisions = page.get_by_role("region", name="Revisions")
    expect(revisions.locator(".revision").first).to_contain_text("in force")
    expect(revisions.locator("ins").first).to_have_text("Example International Trading")
    expect(revisions.locator(".revision").last).to_contain_text("Revision 1")


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
    page.locator(".entries:not(.groups) a").first.click()
    expect(page.get_by_role("heading", name="Why it may be the listed one")).to_be_visible()
    officer.assert_accessible()
    page.get_by_label("Somebody or something else").check()
    with officer.expecting("status of 422"):
        page.get_by_role("button", name="Decide").click()
        expect(page.get_by_role("alert")).to_contain_text("Say how you know")
    page.get_by_label("Reason").fill("Another company of the same name, by its register")
    page.get_by_role("button", name="Decide").click()
    expect(page.get_by_text("The match was dismissed")).to_be_visible()


def test_a_match_is_confirmed_with_a_passkey_and_its_hit_answered_at_the_owner(
    desk: Desks, case: Case, trial: ConsoleTrial
) -> None:
    window, _, _ = enrol(desk, trial, "officer")
    page = window.open("/watchlists/matches")
    page.locator(".entries:not(.groups) a").last.click()
    name = page.get_by_role("heading", level=1).inner_text().rpartition(":")[2]  # of an identifier without its scheme
    page.get_by_label("The listed one").check()
    page.get_by_label("Purpose").select_option("export_control")
    page.get_by_label("Case").fill("HK-2026-0099")
    page.get_by_role("button", name="Decide").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Approve with your passkey")
    page.get_by_role("button", name="Use the passkey and send").click()
    expect(page.get_by_text("The match was confirmed and the hit reported")).to_be_visible()

    async def reported() -> str:
        async with trial.federation.client("cn", "officer") as client:

            async def known() -> str:
                hits = [hit async for hit in client.screening.hits(filter="reporter = hk AND outcome = none")]
                return next((hit.hit.hit_id for hit in hits if hit.hit.case_reference == "HK-2026-0099"), "")

            return await eventually(known, what="the hit at cn")

    hit_id = trial.run(reported())
    owner = desk("cn", "officer")
    page = owner.open("/watchlists")
    page.get_by_role("link", name="to answer").click()
    expect(page.locator(f".entries a[href$='{hit_id}']")).to_be_visible()
    page = owner.open("/notifications")
    told = page.locator(f"a[href='/watchlists/hits/hk/{hit_id}']")
    expect(told).to_contain_text("HK reports a hit")
    page = owner.open(f"/watchlists/hits/hk/{hit_id}")  # a notification that comes meanwhile would move the row
    expect(page.get_by_role("main")).to_contain_text(name)
    page.get_by_label("Remarks").fill("Another company, by its register")
    with owner.expecting("status of 422"):
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("alert")).to_contain_text("Choose what it turned out to be")
    page.get_by_label("Somebody or something else").check()
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="To HK")).to_be_visible()
    expect(page.locator(".envelope")).to_contain_text("Another company, by its register")
    page.get_by_role("button", name="Send the answer").click()
    expect(page.get_by_text("The answer was recorded")).to_be_visible()

    def answered() -> bool:
        return window.open(f"/watchlists/hits/hk/{hit_id}").get_by_text("Another company, by its register").count() > 0

    wait_until(answered)
    expect(window.page.locator(".summary-row").filter(has_text="Answered by")).to_contain_text("officer")
    expect(window.page.get_by_text("Somebody or something else").first).to_be_visible()
    told = window.open("/notifications").locator(f"a[href='/watchlists/hits/hk/{hit_id}']")
    expect(told).to_contain_text("CN has answered a hit")
    told.click()
    expect(window.page.get_by_role("main")).to_contain_text("Another company, by its register")


def wait_until(condition: Callable[[], bool]) -> None:
    """Opens a page again until it shows what has to travel."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline


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


def test_whose_verdict_a_list_has_changed_is_shown(desk: Desks, case: Case, trial: ConsoleTrial) -> None:
    """At hk, about an alert that was screened before cn's list had the name."""
    name, content = "Verdict Console Lanterns Limited", alert()
    for party in (name, "示例国际贸易有限公司"):
        content.subject.parties.add(role=5).names.add(text=party)

    async def change() -> int:
        async with trial.federation.client("cn", "publisher") as risk, trial.federation.client("hk", "officer") as hk:
            published = await risk.publish(content, ["hk"])

            async def screened() -> bool:
                found = hk.screening.matches(filter=f'source_id = "{published.alert_id}"')
                return bool([match async for match in found])

            await eventually(screened, what="a match of the alert's other party")
            async with trial["cn"].acting("officer") as officer, trial["cn"].acting("supervisor") as supervisor:
                entry = ProposedEntry(id="VERDICT-1", content=listed_content(name))
                proposal = await officer.watchlist.propose("minerals", entries=[entry], note="Verdicts")
                await supervisor.watchlist.decide(proposal.proposal_id, approve=True)

            async def reported() -> int:
                async for counted in hk.screening.reports("cn/minerals"):
                    report = await hk.screening.changed_verdicts(counted.number)
                    if any(one.source.id == published.alert_id for one in report.verdicts):
                        return report.number
                return 0

            return await eventually(reported, what="the report", within_s=120)

    number = trial.run(change())
    analyst = desk("hk", "analyst")
    page = analyst.open("/watchlists/changes")
    analyst.assert_accessible()
    page.locator(f"a[href='/watchlists/changes/{number}']").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Changed verdicts after a change of CN minerals")
    verdict = page.get_by_role("listitem").filter(has_text="VERDICT-1")
    expect(verdict).to_contain_text("Alert of CN, ")
    expect(verdict).to_contain_text("No hit")
    analyst.assert_accessible()
