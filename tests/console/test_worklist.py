"""The inbox as a worklist: acknowledged in one click, undone in another; many alerts at once; from one to the next."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from playwright.sync_api import Locator, Page, expect

from gateway.client import AlertReference, GatewayClient
from gateway.v1 import alert_pb2
from gateway.v1 import casework_service_pb2 as casework
from tests.console.test_inbox import container, publish, row
from tests.support.console.desk import Desks
from tests.support.console.trial import ConsoleTrial
from tests.support.federation import alert, eventually

LEFT_MS = 60_000
"""For what leaves after ten seconds, on a busy machine."""


class Clicks:
    """Counts a person's clicks."""

    def __init__(self) -> None:
        self.number = 0

    def __call__(self, what: Locator) -> None:
        what.click()
        self.number += 1


def acknowledged(trial: ConsoleTrial, node: str, key: AlertReference) -> int:
    """How many acknowledgements of an alert a node knows."""

    async def run() -> int:
        async with trial.federation.client(node, "analyst") as client:
            history = (await client.get_alert(key)).history
            return sum(change.event.HasField("acknowledged") for change in history)

    return trial.run(run())


def path_of(key: AlertReference) -> str:
    return f"/alerts/{key.publisher}/{key.alert_id}"


def publish_many(trial: ConsoleTrial, sender: str, recipient: str, contents: Sequence[Any]) -> list[AlertReference]:
    """Alerts of a test's own, which have arrived in the recipient's inbox."""

    async def run() -> list[AlertReference]:
        async with (
            trial.federation.client(sender, "publisher") as own,
            trial.federation.client(recipient, "officer") as other,
        ):
            sent = [(await own.publish(content, [recipient])).alert_id for content in contents]

            async def arrived() -> bool:
                rows = [one async for one in other.casework.inbox(casework.InboxFilter(scope=casework.INBOX_SCOPE_ALL))]
                return {one.summary.alert.id for one in rows} >= set(sent)

            await eventually(arrived, what="the alerts in the inbox", within_s=60)
            return [AlertReference(publisher=sender, alert_id=one) for one in sent]

    return trial.run(run())


def test_an_alert_is_acknowledged_in_one_click_and_undone_in_another(desk: Desks, trial: ConsoleTrial) -> None:
    key = publish(trial, container=container(), requested_action=alert_pb2.REQUESTED_ACTION_SEIZE)
    officer, click = desk("hk", "officer"), Clicks()
    page = officer.open(path_of(key))
    click(page.get_by_role("button", name="Acknowledge"))
    band = page.get_by_role("status").filter(has_text="Acknowledged; leaves in")
    click(page.get_by_role("button", name="Undo"))
    expect(page.get_by_text("Undone: no acknowledgement leaves.")).to_be_visible()
    expect(band).to_have_count(0)
    assert click.number == 2
    click(page.get_by_role("button", name="Acknowledge"))
    expect(band).to_be_visible()
    officer.assert_accessible()
    expect(page.locator(".event").filter(has_text="Acknowledged")).to_have_count(1, timeout=LEFT_MS)
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)
    assert acknowledged(trial, "hk", key) == 1, "what was undone never left"


def test_in_the_list_it_is_one_click_too_without_scripts(desk: Desks, trial: ConsoleTrial) -> None:
    key = publish(trial, container=(number := container()))
    officer, click = desk("hk", "officer", javascript=False, width=360), Clicks()
    newest = "/inbox?scope=all&order=newest"
    page = officer.open(newest)
    click(row(page, number).get_by_role("button", name="Acknowledge"))
    expect(row(page, number)).to_contain_text("Acknowledged; leaves in")
    click(row(page, number).get_by_role("button", name="Undo"))
    expect(row(page, number)).not_to_contain_text("leaves in")
    assert click.number == 2
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert acknowledged(trial, "hk", key) == 0
    analyst = desk("hk", "analyst").open(newest)
    expect(row(analyst, number)).to_be_visible()
    expect(row(analyst, number).get_by_role("button", name="Acknowledge")).to_have_count(0)


def test_who_lost_the_role_meanwhile_is_told_and_a_supervisor_dismisses_it(desk: Desks, trial: ConsoleTrial) -> None:
    key = publish(trial, container=container())
    name = trial.run(trial["hk"].newcomer("officer", "publisher"))
    officer = desk("hk", name)

    async def acknowledge_and_demote() -> None:
        async with trial["hk"].acting(name) as acting, trial["hk"].client("operator") as operator:
            await operator.persons.get(name)
            (outcome,) = await acting.casework.acknowledge([(key, 1)])
            assert outcome.HasField("scheduled")
            await operator.persons.change(name, roles=["publisher"])

    trial.run(acknowledge_and_demote())

    async def unsent() -> bool:
        async with trial.federation.client("hk", "supervisor") as client:
            return (await client.casework.case(key)).acknowledgement.HasField("refusal")

    trial.run(_within(unsent))
    assert acknowledged(trial, "hk", key) == 0
    page = officer.open("/inbox")
    said = page.get_by_role("region", name="1 acknowledgement wasn't sent")
    expect(said).to_contain_text("Your acknowledgement wasn't sent")
    officer.assert_accessible()
    expect(page.get_by_role("button", name="Dismiss")).to_have_count(0)
    theirs = desk("hk", "supervisor").open(path_of(key))
    theirs.get_by_role("button", name="Dismiss").click()
    expect(theirs.get_by_role("button", name="Dismiss")).to_have_count(0)
    page = officer.open("/inbox")
    expect(page.get_by_role("region", name="1 acknowledgement wasn't sent")).to_have_count(0)


async def _within(check: Callable[[], Any]) -> None:
    await eventually(check, within_s=60)


def test_fifty_alerts_are_acknowledged_in_four_clicks(desk: Desks, trial: ConsoleTrial) -> None:
    case = f"FIFTY-{container()}"
    inform = {"priority": alert_pb2.PRIORITY_C, "requested_action": alert_pb2.REQUESTED_ACTION_INFORM}
    keys = publish_many(trial, "cn", "hk", [alert(case_reference=case, **inform) for _ in range(50)])
    officer, click = desk("hk", "officer", javascript=False), Clicks()
    page = officer.open(f"/inbox?q={case}")
    expect(page.locator(".inbox-row")).to_have_count(30, timeout=LEFT_MS)
    click(page.get_by_role("navigation", name="Priority").get_by_role("link", name="C 50"))
    click(page.get_by_role("link", name="Choose all"))
    click(page.get_by_role("group", name="With the chosen ones").get_by_role("button", name="Acknowledge"))
    expect(page.get_by_role("status").first).to_have_text("50 of 50 done.")
    assert page.get_by_text("Acknowledged; leaves in 10 s.").count() == 50
    click(page.get_by_role("link", name="Back to the list"))
    assert click.number == 4

    async def all_left() -> bool:
        async with trial.federation.client("hk", "officer") as client:
            return {await _status(client, key) for key in keys} == {alert_pb2.ALERT_STATUS_ACKNOWLEDGED}

    trial.run(_within(all_left))


async def _status(client: GatewayClient, key: AlertReference) -> int:
    return (await client.get_alert(key)).deliveries[0].status


def test_all_of_a_result_is_undone_at_once_and_each_says_why_not(desk: Desks, trial: ConsoleTrial) -> None:
    case = f"MIXED-{container()}"
    good, taken = publish_many(trial, "cn", "hk", [alert(case_reference=case) for _ in range(2)])
    officer = desk("hk", "officer")
    page = officer.open(f"/inbox?q={case}")
    expect(page.locator(".inbox-row")).to_have_count(2, timeout=LEFT_MS)
    for box in page.get_by_role("checkbox", name=re.compile("^Choose")).all():
        box.check()

    async def take() -> None:
        async with trial.federation.client("hk", "officer") as client:
            await client.acknowledge(taken, revision=1)

    trial.run(take())
    page.get_by_role("group", name="With the chosen ones").get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_role("status").first).to_have_text("1 of 2 done.")
    page.get_by_role("button", name="Undo all").click()
    expect(page.get_by_text("Undone: no acknowledgement leaves.")).to_be_visible()
    assert acknowledged(trial, "hk", good) == 0


def test_own_alerts_are_closed_together_with_one_outcome(desk: Desks, trial: ConsoleTrial) -> None:
    case = f"CLOSE-{container()}"
    keys = publish_many(trial, "hk", "cn", [alert(case_reference=case) for _ in range(3)])
    (partners,) = publish_many(trial, "cn", "hk", [alert(case_reference=case)])
    officer = desk("hk", "officer")
    page = officer.open(f"/inbox?q={case}")
    expect(page.locator(".inbox-row")).to_have_count(4, timeout=LEFT_MS)
    page.get_by_role("link", name="Choose all").click()
    page.get_by_role("button", name="Close with one outcome").click()
    expect(page.get_by_text("1 chosen alert stays as it is")).to_be_visible()
    with officer.expecting("status of 422", "422"):
        page.get_by_role("button", name="Continue").click()
        expect(page.get_by_role("alert")).to_contain_text("Choose one.")
    page.get_by_role("radio", name="Unfounded").check()
    page.get_by_label("Remarks").fill("Weighed again: as declared.")
    officer.assert_accessible()
    page.get_by_role("button", name="Continue").click()
    expect(page.locator(".summary")).to_contain_text("Weighed again")
    officer.assert_accessible()
    page.get_by_role("button", name="Close 3 alerts").click()
    expect(page.get_by_role("status").first).to_have_text("3 of 4 done.")
    expect(page.get_by_role("listitem").filter(has_text="Not done")).to_contain_text("partner's alert")
    officer.assert_accessible()

    async def states() -> list[int]:
        async with trial.federation.client("hk", "officer") as client:
            return await asyncio.gather(*(_status(client, key) for key in (*keys, partners)))

    assert trial.run(states()) == [alert_pb2.ALERT_STATUS_CLOSED] * 3 + [alert_pb2.ALERT_STATUS_PUBLISHED]


def test_from_one_alert_to_the_next_in_the_order_of_the_list(desk: Desks, trial: ConsoleTrial) -> None:
    case = f"ROW-{container()}"
    keys = publish_many(trial, "cn", "hk", [alert(case_reference=case) for _ in range(3)])
    officer = desk("hk", "officer")
    page = officer.open(f"/inbox?q={case}&scope=wanted&order=newest")
    expect(page.locator(".inbox-row")).to_have_count(3, timeout=LEFT_MS)
    page.locator(".inbox-row a[data-row]").first.click()
    newest, middle, oldest = reversed(keys)
    beside = page.get_by_role("navigation", name="In the list")
    expect(page).to_have_url(re.compile(newest.alert_id))
    expect(beside.get_by_role("link", name="Previous alert")).to_have_count(0)
    beside.get_by_role("link", name="Next alert").click()
    expect(page).to_have_url(re.compile(middle.alert_id))
    officer.assert_accessible()

    async def take() -> None:
        async with trial.federation.client("hk", "officer") as client:
            await client.acknowledge(middle, revision=1)
            await eventually(lambda: _gone(client, middle), what="the alert out of the list")

    trial.run(take())
    page.reload()
    expect(beside.get_by_role("link", name="Previous alert")).to_have_attribute("href", re.compile(newest.alert_id))
    beside.get_by_role("link", name="Next alert").click()
    expect(page).to_have_url(re.compile(oldest.alert_id))
    page.get_by_role("link", name="Inbox").last.click()
    expect(page.locator(".inbox-row")).to_have_count(2)


async def _gone(client: GatewayClient, key: AlertReference) -> bool:
    rows = [one async for one in client.casework.inbox()]
    return all(one.summary.alert.id != key.alert_id for one in rows)


def test_a_list_says_what_was_found_and_what_stayed_unanswered(desk: Desks, trial: ConsoleTrial) -> None:
    key = publish(trial, container=(number := container()))

    async def find_and_end() -> None:
        async with (
            trial.federation.client("cn", "publisher") as cn,
            trial.federation.client("hk", "officer") as hk,
        ):
            soon = datetime.now(UTC) + timedelta(hours=1)
            await hk.ask(key, "Which seal?", deadline=soon)
            finding = alert_pb2.AlertFinding(
                alert=key, revision=1, result=alert_pb2.FINDING_RESULT_CONFIRMED, mass_confirmed=True
            )
            finding.inspected_at.GetCurrentTime()
            finding.measures.add(kind=alert_pb2.MEASURE_KIND_SEIZED, element="Sb", net_mass_kg=100)
            await hk.report_finding(finding)

            async def inspected() -> bool:
                return any(change.event.HasField("finding") for change in (await cn.get_alert(key)).history)

            await eventually(inspected, what="the finding at cn")

    trial.run(find_and_end())
    newest = "/inbox?scope=all&order=newest"
    for node in ("hk", "cn"):
        window = desk(node, "officer")
        page = window.open(newest)
        expect(row(page, number)).to_contain_text("Inspected: 100 kg antimony seized")
        expect(row(page, number)).not_to_contain_text("Published")
        page.goto(page.url.partition("/inbox")[0] + path_of(key))
        expect(page.locator(".alert-signs")).to_contain_text("Inspected: 100 kg antimony seized")

    async def close() -> None:
        async with trial.federation.client("cn", "publisher") as cn:
            await cn.close_alert(key.alert_id, revision=1, outcome=alert_pb2.CLOSE_OUTCOME_CONFIRMED)

            async def listed() -> bool:
                page = await cn.casework.inbox_page(casework.InboxFilter(scope=casework.INBOX_SCOPE_ALL))
                return any(one.summary.alert.id == key.alert_id and one.unanswered for one in page.rows)

            await eventually(listed, what="the question in the list")

    trial.run(close())
    page = desk("cn", "officer").open(newest)
    expect(row(page, number)).to_contain_text("1 question stayed unanswered")
    page.goto(page.url.partition("/inbox")[0] + path_of(key))
    expect(page.locator(".event").filter(has_text="Which seal?")).to_contain_text("Unanswered")


def test_a_question_is_due_while_there_is_time_for_the_reply(desk: Desks, trial: ConsoleTrial) -> None:
    due = datetime.now(UTC) + timedelta(hours=6)
    content = alert()
    content.reply_by.FromDatetime(due)
    (key,) = publish_many(trial, "cn", "hk", [content])
    page: Page = desk("hk", "officer").open(f"{path_of(key)}/ask")
    suggested = page.get_by_label("Answer needed by").input_value()
    later = desk("hk", "officer").open(f"{path_of(publish(trial, container=container()))}/ask")
    assert suggested < later.get_by_label("Answer needed by").input_value()
