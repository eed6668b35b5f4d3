"""`gateway notification` against running gateways: a system sets rules, is told, reads, and sees the ways out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.command_line import Cli
from tests.support.federation import Federation, alert, eventually, with_logs


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    for made in with_logs(tmp_path_factory.mktemp("notification"), settings="[notifications]\nenabled = true\n"):
        made.start("cn", "hk")
        yield made


def test_a_system_follows_is_told_reads_and_unfollows(nodes: Federation) -> None:
    gateway = Cli(nodes, "hk")
    assert len(gateway.json("officer", "notification", "follow", "new-alert", "withdrawn", "--priority", "C")) == 1
    assert len(gateway.json("officer", "notification", "follow", "deadline-near", "--partner", "cn")) == 2

    async def run() -> None:
        async with nodes.client("cn", "publisher") as publisher, nodes.client("hk", "officer") as client:
            await publisher.publish(alert(), ["hk"])

            async def told() -> bool:
                return (await client.notifications.page()).unread == 1

            await eventually(told, what="a notification")

    nodes.run(run())
    (one,) = gateway.json("officer", "notification", "list", "--unread")
    assert one["kind"] == "new_alert"
    shown = gateway.run("officer", "notification", "list").stdout
    assert "New alert from CN" in shown
    assert gateway.json("officer", "notification", "read", str(one["position"]))["marked"] == 1
    assert gateway.json("officer", "notification", "list", "--unread") == []
    rules = gateway.json("officer", "notification", "rules")
    assert len(rules["rules"]) == 2
    assert "new alert, withdrawn" in gateway.run("officer", "notification", "rules").stdout
    assert gateway.json("officer", "notification", "unfollow") == []


def test_an_operator_sees_the_ways_out(nodes: Federation) -> None:
    state = Cli(nodes, "hk").json("operator", "notification", "outbox")
    assert state.get("ways", []) == []
