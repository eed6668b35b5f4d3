"""Matches of one entry are one notification and few requests between running gateways, whatever is killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.v1.notification_service_pb2 import Notification, NotificationAudience, NotificationKind, NotificationRule
from gateway.v1.watchlist_service_pb2 import ProposedEntry
from tests.support.federation import Federation, alert, eventually, with_logs
from tests.support.nodes import listed_content
from tests.support.receivers import SECRET, Posted, WebReceiver, web_receiver

MATCH = NotificationKind.NOTIFICATION_KIND_MATCH
LISTED = "示例稀土有限公司"
LOTS, ALERTS = 3, 6


@pytest.fixture
def receiver() -> Iterator[WebReceiver]:
    with web_receiver() as running:
        yield running


@pytest.fixture
def nodes(tmp_path: Path, receiver: WebReceiver) -> Iterator[Federation]:
    secret = tmp_path / "webhook.secret"
    secret.touch(mode=0o600)
    secret.write_text(f"whsec_{SECRET}", encoding="ascii")
    lines = f"""
[lists.minerals]
four_eyes = false
[notifications]
enabled = true
[notifications.webhooks.case-system]
url = "{receiver.url}"
secret_file = "{secret}"
"""
    for made in with_logs(tmp_path / "federation", settings=lines):
        made.start("cn", "hk")
        yield made


def test_the_count_of_an_entrys_matches_is_right_after_kill_9(nodes: Federation, receiver: WebReceiver) -> None:
    async def told() -> list[Notification]:
        async with nodes.client("hk", "officer") as officer:
            return [one async for one in officer.notifications.all()]

    async def counted() -> bool:
        async with nodes.client("hk", "officer") as officer:
            matches = [one async for one in officer.screening.matches()]
        return len(matches) == sum(one.matches for one in await told()) == LOTS * ALERTS

    async def posted() -> bool:
        return sum(int(one.document["data"]["matches"]) for one in taken()) == LOTS * ALERTS

    def taken() -> list[Posted]:
        return [one for one in receiver.taken if one.document["type"] == "notification.match"]

    async def run() -> None:
        async with nodes.client("hk", "officer") as officer, nodes.client("hk", "operator") as operator:
            await officer.notifications.set_rules([NotificationRule(kinds=[MATCH])])
            audience = NotificationAudience(webhook="case-system")
            await operator.notifications.set_shared_rules([NotificationRule(kinds=[MATCH], audience=audience)])
        async with nodes.client("cn", "publisher") as publisher:
            entry = ProposedEntry(id="W-04", content=listed_content(LISTED, releasable_to=["hk"]))
            await publisher.watchlist.propose("minerals", entries=[entry])
            for _ in range(LOTS):
                for _each in range(ALERTS):
                    content = alert()
                    content.subject.parties.add(role=5).names.add(text=LISTED)
                    await publisher.publish(content, ["hk"])
                nodes["hk"].kill()
                nodes["hk"].start()
        await eventually(counted, within_s=60, what="a count of all matches")
        (one,) = await told()
        assert (one.entry, one.list) == ("W-04", "cn/minerals")
        await eventually(posted, within_s=60, what="requests that count all matches once")
        assert len({one.id for one in receiver.posted}) == len(taken()) <= LOTS, "not one for each match"

    nodes.run(run())
