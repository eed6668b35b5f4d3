"""`gateway notification` against running gateways: rules, what was told, the ways out, and a test by each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.command_line import Cli
from tests.support.federation import Federation, alert, eventually, with_logs
from tests.support.receivers import SECRET, WebReceiver, web_receiver

SECRET_PATH = "/hook"


@pytest.fixture(scope="module")
def receiver() -> Iterator[WebReceiver]:
    with web_receiver() as running:
        yield running


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, receiver: WebReceiver) -> Iterator[Federation]:
    folder = tmp_path_factory.mktemp("notification")
    secret = folder / "webhook.secret"
    secret.touch(mode=0o600)
    secret.write_text(f"whsec_{SECRET}", encoding="ascii")
    lines = f"""
[notifications]
enabled = true
[notifications.webhooks.case-system]
url = "{receiver.url}"
secret_file = "{secret}"
"""
    for made in with_logs(folder / "nodes", settings=lines):
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


def test_rules_are_changed_and_removed_one_by_one(nodes: Federation) -> None:
    gateway = Cli(nodes, "cn")
    own = ("officer", "notification")
    gateway.json(*own, "follow", "new-alert")
    gateway.json(*own, "follow", "withdrawn")
    changed = gateway.json(*own, "follow", "closed", "--change", "1")
    assert [rule["kinds"] for rule in changed] == [["closed"], ["withdrawn"]]
    assert [rule["kinds"] for rule in gateway.json(*own, "unfollow", "1")] == [["withdrawn"]]
    refused = gateway.run("officer", "notification", "unfollow", "2", code=2)
    assert "there is no rule 2" in refused.output


def test_the_authoritys_rules_are_set_by_command(nodes: Federation) -> None:
    gateway = Cli(nodes, "cn")
    shared = ("supervisor", "notification")
    gateway.json(*shared, "share", "alarm", "--role", "operator", "--email")
    rules = gateway.json(*shared, "share", "new-alert", "--webhook", "case-system", "--priority", "A")
    assert [rule["audience"] for rule in rules] == [{"role": "operator"}, {"webhook": "case-system"}]
    assert rules[0]["channels"] == ["email"]
    changed = gateway.json(*shared, "share", "break-glass", "--role", "auditor", "--change", "1")
    assert [rule["kinds"] for rule in changed] == [["break_glass"], ["new_alert"]]
    assert "webhook case-system" in gateway.run("officer", "notification", "rules").stdout
    assert [rule["kinds"] for rule in gateway.json(*shared, "unshare", "1")] == [["new_alert"]]
    for words in (("unshare", "7"), ("share", "alarm"), ("share", "alarm", "--role", "officer", "--assignee")):
        gateway.run("supervisor", "notification", *words, code=2)
    gateway.run("officer", "notification", "unshare", "1", code=1)  # for supervisors and operators
    assert gateway.json(*shared, "unshare", "1") == []


def test_a_test_message_reaches_a_webhook_and_its_failure_is_said_without_secrets(
    nodes: Federation, receiver: WebReceiver
) -> None:
    words = ("notification", "test", "--webhook", "case-system")
    delivered = Cli(nodes, "hk").json("operator", *words)
    assert (delivered["answer"], delivered["status"], delivered["target"]) == (
        "taken",
        204,
        f"127.0.0.1:{receiver.port}",
    )
    (posted,) = [one for one in receiver.posted if one.id == delivered["message_id"]]
    assert posted.is_signed
    assert posted.document["type"] == "notification.test"
    too_often = Cli(nodes, "hk").run("operator", *words, code=1)
    assert "a moment ago" in too_often.output
    receiver.status = 503
    try:
        refused = Cli(nodes, "cn").run("operator", *words, code=3)
    finally:
        receiver.status = 204
    assert f"Not delivered: 127.0.0.1:{receiver.port} can't take messages now (HTTP 503)" in refused.stdout
    assert SECRET not in refused.output
    assert SECRET_PATH not in refused.output
    assert SECRET_PATH not in nodes["cn"].log, "the log tells of no address"
    tried = ("--filter", "method = /gateway.v1.NotificationService/TestNotificationDelivery")
    (event,) = Cli(nodes, "cn").eventually("auditor", "audit", "list", *tried, until=bool)
    assert "webhook/case-system" in str(event["details"])


def test_a_test_message_is_the_operators_or_goes_to_the_callers_own_address(nodes: Federation) -> None:
    gateway = Cli(nodes, "cn")
    denied = gateway.run("officer", "notification", "test", "--webhook", "case-system", code=1)
    assert "takes the role operator" in denied.output
    unknown = gateway.run("operator", "notification", "test", "--webhook", "nowhere", code=2)
    assert "case-system" in unknown.output
    assert "no address" in gateway.run("officer", "notification", "test", code=2).output


def test_an_operator_sees_the_ways_out(nodes: Federation, receiver: WebReceiver) -> None:
    gateway = Cli(nodes, "hk")
    (way,) = gateway.json("operator", "notification", "outbox")["ways"]
    assert (way["way"], way["target"]) == ("webhook/case-system", f"127.0.0.1:{receiver.port}")
    assert way["last_taken_at"] is None
    gateway.json("supervisor", "notification", "share", "new-alert", "--webhook", "case-system")

    async def run() -> None:
        async with nodes.client("cn", "publisher") as publisher, nodes.client("hk", "operator") as operator:
            await publisher.publish(alert(), ["hk"])

            async def taken() -> bool:
                (state,) = (await operator.notifications.outbox_state()).ways
                return state.HasField("last_taken_at") and state.failures == 0

            await eventually(taken, what="a request that was taken")

    nodes.run(run())
    assert "Last taken" in gateway.run("operator", "notification", "outbox").stdout
