"""Notifications of running gateways: by watch, mail and webhook; each once, whatever dies on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta, timezone
from importlib import resources
from pathlib import Path

import pytest

from gateway.client import GatewayClient
from gateway.contract.messages import to_timestamp
from gateway.errors import InvalidRequestError, MethodUnknownError, PermissionDeniedError
from gateway.node.assembly.node import system_clock_ms
from gateway.v1 import alert_pb2
from gateway.v1.notification_service_pb2 import (
    Notification,
    NotificationAudience,
    NotificationKind,
    NotificationRule,
)
from tests.support.federation import Federation, alert, eventually, with_logs
from tests.support.receivers import SECRET, WebReceiver, web_receiver
from tests.support.shipments import shipment

ANTIMONY = "MOFCOM/GACC No.33 of 2024"
ALERT_KINDS = [
    NotificationKind.Value(f"NOTIFICATION_KIND_{name}")
    for name in ("NEW_ALERT", "QUESTION", "WITHDRAWN", "EXPIRED", "DEADLINE_NEAR", "DEADLINE_PASSED")
]


def settings(receiver: WebReceiver, folder: Path) -> str:
    secret = folder / "webhook.secret"
    secret.touch(mode=0o600)
    secret.write_text(f"whsec_{SECRET}\n", encoding="ascii")
    return f"""
[history]
announcements = "{announcements(folder)}"
[notifications]
enabled = true
[notifications.webhooks.case-system]
url = "{receiver.url}"
secret_file = "{secret}"
"""


def announcements(folder: Path) -> Path:
    """The packaged ones, and a suspension of antimony's control that is over since today."""
    today = datetime.now(timezone(timedelta(hours=8))).date()
    days = (today - timedelta(days=30), today - timedelta(days=30), today - timedelta(days=1))
    packaged = resources.files("gateway.reference").joinpath("announcements.csv").read_text("utf-8")
    line = ",".join(["MOFCOM No.99 of 2026", "", "suspension", ANTIMONY, "", *map(str, days), "", "-", "low", "-", ""])
    written = folder / "announcements.csv"
    written.write_text(f"{packaged.rstrip()}\n{line}\n", encoding="utf-8")
    return written


@pytest.fixture
def receiver() -> Iterator[WebReceiver]:
    with web_receiver() as running:
        yield running


@pytest.fixture
def nodes(tmp_path: Path, receiver: WebReceiver) -> Iterator[Federation]:
    for made in with_logs(tmp_path / "federation", settings=settings(receiver, tmp_path)):
        made.start("cn", "hk")
        yield made


async def rules(client: GatewayClient, *, priorities: list[alert_pb2.Priority.ValueType] = []) -> None:  # noqa: B006
    await client.notifications.set_rules([NotificationRule(kinds=ALERT_KINDS, priorities=priorities)])


async def to_webhook(federation: Federation, node: str) -> None:
    audience = NotificationAudience(webhook="case-system")
    async with federation.client(node, "supervisor") as supervisor:
        await supervisor.notifications.set_shared_rules([NotificationRule(kinds=ALERT_KINDS, audience=audience)])


async def told(client: GatewayClient, *, count: int, within_s: float = 30.0) -> list[Notification]:
    """A caller's notifications, oldest first, as soon as there are as many."""

    async def enough() -> list[Notification]:
        found = [one async for one in client.notifications.all()]
        return found[::-1] if len(found) >= count else []

    return await eventually(enough, within_s=within_s, what=f"{count} notifications")


def kinds(notifications: list[Notification]) -> list[str]:
    return [NotificationKind.Name(one.kind).removeprefix("NOTIFICATION_KIND_") for one in notifications]


def test_an_officer_sees_an_alert_by_watch_and_a_case_system_by_webhook(
    nodes: Federation, receiver: WebReceiver
) -> None:
    async def run() -> None:
        await to_webhook(nodes, "hk")
        async with nodes.client("hk", "officer") as officer, nodes.client("cn", "publisher") as publisher:
            await rules(officer, priorities=[alert_pb2.PRIORITY_A])
            watch = officer.notifications.watch()
            async with aclosing(watch):
                assert (await anext(watch)).unread == 0
                await publisher.publish(alert(priority=alert_pb2.PRIORITY_C), ["hk"])
                published = await publisher.publish(alert(priority=alert_pb2.PRIORITY_A), ["hk"])
                seen = await asyncio.wait_for(anext(watch), 30)
            assert seen.unread == 1
            (one,) = seen.notifications
            assert one.alert.alert_id == published.alert_id
            assert (one.partner, one.priority) == ("cn", alert_pb2.PRIORITY_A)
            marked = await officer.notifications.mark_read([one.position])
            assert (marked.marked, marked.unread) == (1, 0)
            page = await officer.notifications.page(unread=True)
            assert (list(page.notifications), page.unread, page.position) == ([], 0, one.position)
        await eventually(_async(lambda: len(receiver.taken) == 2), what="two requests")
        assert all(posted.is_signed for posted in receiver.taken)
        assert {posted.document["type"] for posted in receiver.taken} == {"notification.new_alert"}
        assert "Antimony" not in receiver.taken[0].body.decode(), "no text of a partner goes out"

    nodes.run(run())


def test_a_webhook_that_is_down_gets_each_message_once_when_it_is_back(
    nodes: Federation, receiver: WebReceiver
) -> None:
    async def run() -> None:
        await to_webhook(nodes, "hk")
        receiver.status, receiver.location = 302, "http://127.0.0.1:1/elsewhere"
        async with nodes.client("cn", "publisher") as publisher, nodes.client("hk", "operator") as operator:
            ids = {(await publisher.publish(alert(), ["hk"])).alert_id for _ in range(3)}

            async def failing() -> bool:
                (state,) = (await operator.notifications.outbox_state()).ways
                return state.waiting == 3 and "redirect" in state.last_error

            await eventually(failing, what="a failure that is told")
            nodes["hk"].kill()
            nodes["hk"].start()
            receiver.status, receiver.location = 204, ""
            await eventually(_async(lambda: len(receiver.taken) >= 3), what="all messages")
            await asyncio.sleep(1)
            told_of = [posted.document["data"]["alert"]["alert_id"] for posted in receiver.taken]
            assert sorted(told_of) == sorted(ids)
            for posted in receiver.posted:
                assert posted.is_signed, "with the time of each attempt"
            assert len({posted.id for posted in receiver.posted}) == 3, "one id for all attempts"
            (state,) = (await operator.notifications.outbox_state()).ways
            assert (state.waiting, state.last_error, state.target) == (0, "", f"127.0.0.1:{receiver.port}")

    nodes.run(run())


def test_notifications_survive_kill_9_and_come_once(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("hk", "officer") as officer, nodes.client("cn", "publisher") as publisher:
            await rules(officer)
            ids = []
            for _ in range(3):
                ids += [(await publisher.publish(alert(), ["hk"])).alert_id for _ in range(5)]
                nodes["hk"].kill()
                nodes["hk"].start()
            found = await told(officer, count=15)
            assert sorted(one.alert.alert_id for one in found) == sorted(ids)

    nodes.run(run())


def test_open_records_that_are_under_control_again_are_told_once_over_restarts(nodes: Federation) -> None:
    async def run() -> None:
        changed = NotificationKind.NOTIFICATION_KIND_CONTROLS_CHANGED
        async with nodes.client("hk", "officer") as officer, nodes.client("hk", "publisher") as systems:
            await officer.notifications.set_rules([NotificationRule(kinds=[changed])])
            declared = to_timestamp(int((datetime.now(UTC) - timedelta(days=2)).timestamp() * 1000))
            exported = shipment("CONTROLLED-AGAIN", declared_at=declared)
            exported.goods[0].codes[0].code = "8110101000"
            assert [batch async for batch in systems.history.record([exported])]
            assert await systems.history.wait_indexed("CONTROLLED-AGAIN", timeout_s=60)
            for _ in range(2):
                nodes["hk"].kill()
                nodes["hk"].start()
                (one,) = await told(officer, count=1)
            assert (one.announcement, one.records) == (ANTIMONY, 1)
            changes = (await officer.history.control_changes(one.control_day)).changes
            (again,) = [change for change in changes if change.announcement == ANTIMONY]
            assert (again.by, again.confidence) == ("MOFCOM No.99 of 2026", "medium")
            assert [record.record_id for record in again.records] == ["CONTROLLED-AGAIN"]

    nodes.run(run())


def test_a_deadline_is_warned_of_at_both_sides_over_a_restart(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("hk", "officer") as officer, nodes.client("cn", "officer") as sender:
            for one in (officer, sender):
                await rules(one)
            async with nodes.client("cn", "publisher") as publisher:
                reply_by = to_timestamp(system_clock_ms() + 8_000)
                await publisher.publish(alert(reply_by=reply_by), ["hk"])
            await told(officer, count=1)
            nodes["hk"].kill()
            nodes["hk"].start()
            assert kinds(await told(officer, count=3)) == ["NEW_ALERT", "DEADLINE_NEAR", "DEADLINE_PASSED"]
            assert kinds(await told(sender, count=2)) == ["DEADLINE_NEAR", "DEADLINE_PASSED"]
            overdue = [row async for row in officer.list_alerts(filter="overdue = true")]
            assert len(overdue) == 1
            assert (await officer_state(nodes)).next_warning_at.seconds > 0, "the validity's end"

    nodes.run(run())


async def officer_state(nodes: Federation):  # type: ignore[no-untyped-def]
    async with nodes.client("hk", "operator") as operator:
        return await operator.notifications.outbox_state()


def test_an_alert_that_expired_while_the_link_was_down_shows_so_by_the_recipients_clock(nodes: Federation) -> None:
    """The link is cut, time passes, the recipient's list and notification say so, marked as its own clock's word."""

    async def run() -> None:
        async with nodes.client("hk", "officer") as officer, nodes.client("cn", "publisher") as publisher:
            await rules(officer)
            valid_until = to_timestamp(system_clock_ms() + 5_000)
            published = await publisher.publish(alert(valid_until=valid_until), ["hk"])
            await told(officer, count=1)
            for pair in (("cn", "hk"), ("hk", "cn")):
                nodes.between(*pair).cut()
            _, expired = await told(officer, count=2)
            assert kinds([expired]) == ["EXPIRED"]
            assert expired.by_clock
            (row,) = [one async for one in officer.list_alerts(filter="expired_by_clock = true")]
            assert row.alert.id == published.alert_id
            assert row.deadlines.expired_by_clock
            assert row.status == alert_pb2.ALERT_STATUS_PUBLISHED, "nobody has signed it here"
            for pair in (("cn", "hk"), ("hk", "cn")):
                nodes.between(*pair).heal()

            async def signed() -> bool:
                rows = [one async for one in officer.list_alerts(filter="status = expired")]
                return [one.alert.id for one in rows] == [published.alert_id]

            await eventually(signed, what="the publisher's word")
            assert kinds(await told(officer, count=2)) == ["NEW_ALERT", "EXPIRED"], "told once"

    nodes.run(run())


def test_rules_are_checked_and_the_authoritys_belong_to_supervisors(nodes: Federation) -> None:
    async def run() -> None:
        new = NotificationKind.NOTIFICATION_KIND_NEW_ALERT
        async with nodes.client("hk", "operator") as operator, nodes.client("hk", "officer") as officer:
            with pytest.raises(InvalidRequestError, match="roles don't read"):
                await operator.notifications.set_rules([NotificationRule(kinds=[new])])
            with pytest.raises(PermissionDeniedError):
                await officer.notifications.set_shared_rules([])
            with pytest.raises(InvalidRequestError, match="leave it out"):
                await officer.notifications.set_rules(
                    [NotificationRule(kinds=[new], audience=NotificationAudience(role="officer"))]
                )
            for audience, problem in (
                (NotificationAudience(webhook="nowhere"), "case-system"),
                (NotificationAudience(role="king"), "no such role"),
                (None, "whom the rule reaches"),
            ):
                with pytest.raises(InvalidRequestError, match=problem):
                    await operator.notifications.set_shared_rules([NotificationRule(kinds=[new], audience=audience)])
            found = await officer.notifications.rules()
            assert (list(found.webhooks), found.email, found.are_own) == (["case-system"], "", False)

    nodes.run(run())


def test_without_the_setting_nothing_is_on(running_federation: Federation) -> None:
    async def run() -> None:
        async with running_federation.client("hk", "officer") as officer:
            with pytest.raises(MethodUnknownError):
                await officer.notifications.page()

    running_federation.run(run())


def _async(check: Callable[[], bool]):  # type: ignore[no-untyped-def]
    async def run() -> bool:
        return check()

    return run
