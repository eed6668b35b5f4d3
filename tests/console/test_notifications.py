"""Notifications in the console: the bell counts live, the list by kind, rules, and test messages."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, Page, expect

from gateway.v1 import alert_pb2
from gateway.v1.alert_service_pb2 import PublishAlertResponse
from tests.support.console.desk import Desk, Desks
from tests.support.console.trial import ConsoleTrial
from tests.support.federation import alert
from tests.support.waiting import eventually


def publish(
    trial: ConsoleTrial, node: str, *, to: str, priority: alert_pb2.Priority.ValueType = alert_pb2.PRIORITY_B
) -> PublishAlertResponse:
    async def run() -> PublishAlertResponse:
        async with trial.federation.client(node, "publisher") as engine:
            return await engine.publish(alert(priority=priority), [to])

    return trial.run(run())


def withdraw(trial: ConsoleTrial, node: str, sent: PublishAlertResponse) -> None:
    async def run() -> None:
        async with trial.federation.client(node, "publisher") as engine:
            await engine.withdraw(sent.alert_id, revision=1, reason="void")

    trial.run(run())


def row_of(page: Page, sent: PublishAlertResponse) -> Locator:
    """The notification that leads to cn's alert."""
    return page.locator(".notification", has=page.locator(f'a[href="/alerts/cn/{sent.alert_id}"]'))


def reader(desk: Desks, person: str, **options: Any) -> Desk:
    """Somebody of mo whom the gateway tells by the default rules from now on: opening the rules sees to that."""
    made = desk("mo", person, **options)
    expect(made.open("/notifications/rules").locator("section.card").first).to_be_visible()
    return made


def test_the_bell_counts_what_comes_and_what_is_read(desk: Desks, trial: ConsoleTrial) -> None:
    officer = reader(desk, "officer")
    page = officer.open("/notifications")
    bell = page.get_by_role("link", name="unread notification")
    sent = publish(trial, "cn", to="mo")
    expect(bell).to_be_visible()
    row = row_of(page, sent)
    expect(row.get_by_role("link")).to_have_text("New alert from CN")
    expect(row).to_contain_text("new alert")
    officer.assert_accessible()
    row.get_by_role("button", name="Mark as read").click()
    expect(row_of(page, sent)).not_to_contain_text("Mark as read")
    row.get_by_role("link").click()
    expect(page).to_have_url(f"{officer.office.origin}/alerts/cn/{sent.alert_id}")


def test_a_colleagues_window_shows_an_alert_within_a_moment_in_its_language(desk: Desks, trial: ConsoleTrial) -> None:
    page = reader(desk, "colleague", language="pt", width=360).page
    before = page.locator(".bell-count")
    expect(before).to_have_count(1, timeout=10_000) if before.count() else None
    publish(trial, "hk", to="mo", priority=alert_pb2.PRIORITY_A)
    expect(page.locator(".bell-count")).to_be_visible()


def test_a_rule_of_ones_own_takes_the_place_of_those_by_default(desk: Desks, trial: ConsoleTrial) -> None:
    analyst = desk("mo", "analyst")
    page = analyst.open("/notifications/rules")
    expect(page.get_by_text("These hold by default")).to_be_visible()
    page.get_by_role("link", name="Add a rule").click()
    with analyst.expecting("status of 422"):
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("alert")).to_contain_text("Choose what is told")
    analyst.assert_accessible()
    page.get_by_label("new alert").check()
    page.get_by_label("Priority A", exact=True).check()
    page.get_by_role("group", name="Only of these partners").get_by_label("CN").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("region", name="Rule 1")).to_contain_text("priority A; partner CN")
    other = publish(trial, "cn", to="mo", priority=alert_pb2.PRIORITY_C)
    wanted = publish(trial, "cn", to="mo", priority=alert_pb2.PRIORITY_A)
    page.goto(f"{analyst.office.origin}/notifications")
    expect(row_of(page, wanted)).to_be_visible()
    expect(row_of(page, other)).to_have_count(0)
    page.goto(f"{analyst.office.origin}/notifications/rules")
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("You are told of nothing")).to_be_visible()
    page.get_by_role("button", name="Back to the rules by default").click()
    expect(page.get_by_text("These hold by default")).to_be_visible()


def test_a_supervisor_sets_rules_of_the_authority_and_an_officer_may_not(desk: Desks) -> None:
    page = desk("mo", "supervisor").open("/notifications/rules/shared/new")
    page.get_by_label("alarm").check()
    page.get_by_label("Everybody with a role").check()
    page.get_by_role("combobox", name="Role").select_option("auditor")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("region", name="Rule 1").last).to_contain_text("auditors")
    other = desk("mo", "officer").open("/notifications/rules")
    expect(other.get_by_role("link", name="Add a rule of the authority")).to_have_count(0)
    expect(other.get_by_text("auditors")).to_be_visible()


def test_kinds_are_chosen_with_their_counts_without_scripts(desk: Desks, trial: ConsoleTrial) -> None:
    name = trial.run(trial["mo"].newcomer("officer"))
    officer = reader(desk, name, javascript=False)
    page = officer.open("/notifications")
    expect(page.get_by_label("Kind")).to_have_count(0)
    sent = [publish(trial, "cn", to="mo") for _ in range(2)]
    withdraw(trial, "hk", publish(trial, "hk", to="mo"))

    def options() -> list[str]:
        page.goto(f"{trial['mo'].origin}/notifications")
        return page.get_by_label("Kind").locator("option").all_text_contents()

    eventually(lambda: options() == ["All kinds (4)", "New alert (3)", "Withdrawn (1)"], within_s=20)
    page.get_by_label("Kind").select_option("New alert (3)")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page).to_have_url(f"{trial['mo'].origin}/notifications?kind=new_alert")
    expect(page.locator(".notification")).to_have_count(3)
    expect(page.get_by_role("button", name="Mark all as read")).to_have_count(0)
    row_of(page, sent[0]).get_by_role("button", name="Mark as read").click()
    expect(page).to_have_url(f"{trial['mo'].origin}/notifications?kind=new_alert")
    page.get_by_role("link", name="Unread 2").click()
    expect(page.locator(".notification")).to_have_count(2)
    expect(page.get_by_label("Kind")).to_have_value("new_alert")
    expect(page.get_by_label("Kind").locator("option").first).to_have_text("All kinds (3)")


def test_an_operator_sees_the_webhooks_and_tests_one(desk: Desks, trial: ConsoleTrial) -> None:
    operator = desk("mo", "operator")
    page = operator.open("/notifications/rules")
    webhook = page.get_by_role("region", name="webhook case-system")
    expect(webhook).to_contain_text(f"127.0.0.1:{trial.receiver.port}")
    expect(webhook).to_contain_text("nothing since the gateway started")
    webhook.get_by_role("button", name="Send a test message").click()
    expect(page.get_by_role("main")).to_contain_text(
        f"Delivered: 127.0.0.1:{trial.receiver.port} took the test message (HTTP 204)"
    )
    operator.assert_accessible()
    assert "notification.test" in [one.document["type"] for one in trial.receiver.posted]
    supervisor = desk("mo", "supervisor").open("/notifications/rules")
    expect(supervisor.get_by_role("region", name="webhook case-system")).to_be_visible()
    expect(supervisor.get_by_role("button", name="Send a test message")).to_have_count(0)
    officer = desk("mo", "officer").open("/notifications/rules")
    expect(officer.get_by_role("region", name="webhook case-system")).to_have_count(0)
