"""The outbox of running gateways: a case system learns of each change once, through NATS JetStream or a webhook."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.client import AlertReference
from gateway.contract.messages import to_timestamp
from gateway.node.assembly.node import system_clock_ms
from tests.support.federation import Federation, alert, eventually, with_logs
from tests.support.programs import NATS_SERVER
from tests.support.receivers import SECRET, NatsProcess, nats_process, web_receiver


def settings(nats: NatsProcess) -> str:
    return f"""
metrics_bind = "0"
[notifications]
enabled = true
[notifications.outbox]
nats = "{nats.url}"
"""


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsProcess]:
    NATS_SERVER.require()
    with nats_process(tmp_path / "nats") as running:
        yield running


@pytest.fixture
def nodes(tmp_path: Path, nats: NatsProcess) -> Iterator[Federation]:
    for made in with_logs(tmp_path / "federation", settings_of=lambda name: settings(nats) if name == "hk" else ""):
        made.start("cn", "hk")
        made.run(begun(made))
        yield made


async def begun(nodes: Federation) -> None:
    """Returns when the outbox has begun: it takes what comes afterwards."""

    def has_begun() -> bool:
        with closing(sqlite3.connect(nodes["hk"].database)) as database:
            return bool(database.execute("SELECT count(*) FROM outbox_progress").fetchone() == (1,))

    await eventually(holds(has_begun), what="the outbox")


def ids(messages: list[Any]) -> list[str]:
    return [message.headers["Nats-Msg-Id"] for message in messages]


def holds(check: Callable[[], bool]) -> Callable[[], Awaitable[bool]]:
    async def run() -> bool:
        return check()

    return run


async def arrived(nats: NatsProcess, count: int) -> list[Any]:
    async def enough() -> list[Any]:
        found = await nats.messages()
        return found if len(found) >= count else []

    return await eventually(enough, within_s=60, every_s=0.3, what=f"{count} messages")


def test_each_step_of_both_sides_is_published_once_in_order(nodes: Federation, nats: NatsProcess) -> None:
    async def run() -> None:
        async with nodes.client("cn", "publisher") as publisher, nodes.client("hk", "officer") as officer:
            published = await publisher.publish(alert(reply_by=to_timestamp(system_clock_ms() + 4_000)), ["hk"])
            reference = AlertReference(publisher="cn", alert_id=published.alert_id)
            await arrived(nats, 1)
            await officer.acknowledge(reference, revision=1)
            await arrived(nats, 4)
            await publisher.withdraw(published.alert_id, revision=1, reason="void")
            messages = await arrived(nats, 5)
        subjects = [message.subject for message in messages]
        assert subjects == [
            "gateway.hk.alert.published",
            "gateway.hk.alert.acknowledged",
            "gateway.hk.deadline.near",
            "gateway.hk.deadline.passed",
            "gateway.hk.alert.withdrawn",
        ]
        documents = [json.loads(message.data) for message in messages]
        assert {document["alert"]["alert_id"] for document in documents} == {published.alert_id}
        assert [document.get("speaker") for document in documents] == ["cn", "hk", None, None, "cn"]
        assert "Antimony" not in str(documents), "references alone"
        assert len(set(ids(messages))) == 5

    nodes.run(run())


def test_kill_9_at_any_moment_loses_nothing_and_doubles_nothing(nodes: Federation, nats: NatsProcess) -> None:
    """Between publication and the cursor's move too: an id that comes again is dropped by the stream."""

    async def run() -> None:
        sent: list[str] = []
        async with nodes.client("cn", "publisher") as publisher:
            await publisher.publish(alert(), ["hk"])
            await arrived(nats, 1)
            for pause_s in (0.0, 0.03, 0.08, 0.15, 0.3):
                for _ in range(20):
                    sent.append((await publisher.publish(alert(), ["hk"])).alert_id)
                await asyncio.sleep(pause_s)
                nodes["hk"].kill()
                nodes["hk"].start()
        messages = await arrived(nats, 101)
        await asyncio.sleep(1.0)
        messages = await nats.messages()
        assert max(Counter(ids(messages)).values()) == 1
        alert_ids = [json.loads(message.data)["alert"]["alert_id"] for message in messages[1:]]
        assert sorted(alert_ids) == sorted(sent)

    nodes.run(run())


def test_a_cursor_that_did_not_move_publishes_again_under_the_same_ids(nodes: Federation, nats: NatsProcess) -> None:
    """The crash between steps 2 and 3, made certain: the database forgets that the changes were taken."""

    async def run() -> None:
        async with nodes.client("cn", "publisher") as publisher:
            for _ in range(3):
                await publisher.publish(alert(), ["hk"])
            before = await arrived(nats, 3)
            nodes["hk"].kill()
            _forget_progress(nodes["hk"].database)
            nodes["hk"].start()
            await publisher.publish(alert(), ["hk"])
            after = await arrived(nats, 4)
        assert ids(after)[:3] == ids(before)
        assert len(after) == 4

    nodes.run(run())


def test_a_dead_server_slows_nothing_raises_an_alarm_and_gets_all_later(nodes: Federation, nats: NatsProcess) -> None:
    async def run() -> None:
        async with nodes.client("cn", "publisher") as publisher, nodes.client("hk", "operator") as operator:
            await publisher.publish(alert(), ["hk"])
            await arrived(nats, 1)
            nats.stop()
            sent = [(await publisher.publish(alert(), ["hk"])).alert_id for _ in range(20)]
            async with nodes.client("hk", "officer") as officer:

                async def there() -> bool:
                    return len([row async for row in officer.list_alerts()]) == 21

                await eventually(there, within_s=20, what="alerts at hk as ever")

            async def alarmed() -> bool:
                return "OUTBOX_WAITS" in {alarm.code for alarm in (await operator.node.status()).alarms}

            await eventually(alarmed, within_s=60, what="the alarm")
            (state,) = (await operator.notifications.outbox_state()).ways
            assert (state.way, state.target) == ("outbox", f"127.0.0.1:{nats.port}")
            assert state.waiting >= 20
            assert state.last_error
            nats.start()
            messages = await arrived(nats, 21)
            assert sorted(json.loads(one.data)["alert"]["alert_id"] for one in messages[1:]) == sorted(sent)

            async def passed() -> bool:
                return not (await operator.node.status()).alarms

            await eventually(passed, within_s=30, what="no alarm")

    nodes.run(run())


def test_a_webhook_is_an_outbox_too(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.touch(mode=0o600)
    secret.write_text(f"whsec_{SECRET}", encoding="ascii")
    with web_receiver() as receiver:
        lines = f"""
[notifications]
enabled = true
[notifications.webhooks.cases]
url = "{receiver.url}"
secret_file = "{secret}"
[notifications.outbox]
webhook = "cases"
"""
        for made in with_logs(tmp_path / "federation", settings_of=lambda name: lines if name == "hk" else ""):
            made.start("cn", "hk")

            async def run(nodes: Federation = made) -> None:
                receiver.status = 500
                async with nodes.client("cn", "publisher") as publisher:
                    sent = [(await publisher.publish(alert(), ["hk"])).alert_id for _ in range(3)]
                await eventually(holds(lambda: bool(receiver.posted)), what="an attempt")
                receiver.status = 204
                await eventually(holds(lambda: len(receiver.taken) >= 3), what="all changes")
                taken = {posted.id: posted.document["alert"]["alert_id"] for posted in receiver.taken}
                assert sorted(taken.values()) == sorted(sent)
                assert all(posted.is_signed for posted in receiver.posted)
                assert re.fullmatch(r".+/cn/hk/alerts/\d+", next(iter(taken)))

            made.run(run())


def _forget_progress(database: Path) -> None:
    import sqlite3

    with sqlite3.connect(database) as conn:
        conn.execute("UPDATE outbox_progress SET alert_position = 0")
    conn.close()
