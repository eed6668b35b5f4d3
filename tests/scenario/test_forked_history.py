"""A node signed two histories of one feed: both are told, and the feed goes on in a new epoch with a new key."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateway.client import GatewayClient, new_alert
from gateway.errors import FeedForkedError, FeedUncomparedError, NotFoundError
from gateway.trust.pki.keys import create_signing_key
from gateway.trust.service.directory_drafts import next_version
from gateway.trust.service.trial_federation import FEDERATION, key_record
from gateway.v1.alert_pb2 import AlertReference
from tests.support.command_line import Cli
from tests.support.federation import Federation, alert, eventually, origin, with_logs
from tests.support.stored import published_ids

CN_HK = origin("cn", "hk")


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Federation]:
    for made in with_logs(tmp_path):
        made.start("cn", "hk")
        yield made


async def publish(nodes: Federation, count: int) -> list[str]:
    async with nodes.client("cn", "publisher") as risk:
        requests = [new_alert(alert(), ["hk"]) for _ in range(count)]
        return [outcome.result().alert_id async for outcome in risk.publish_many(requests)]


async def alarms(client: GatewayClient) -> dict[str, str]:
    return {alarm.code: alarm.message for alarm in (await client.node.status()).alarms}


async def forked(nodes: Federation) -> int:
    """Publishes what arrives, and something else from an old copy of the whole folder; returns the common size."""
    cn = nodes["cn"]
    await publish(nodes, 5)
    await nodes.converged(("cn", "hk"), ("hk", "cn"))
    cn.stop()
    common = cn.feed(CN_HK).size
    shutil.copytree(cn.data, cn.data.with_name("old copy"))
    cn.start()
    await publish(nodes, 5)
    await nodes.converged(("cn", "hk"), ("hk", "cn"))
    cn.stop()
    shutil.rmtree(cn.data)
    cn.data.with_name("old copy").rename(cn.data)
    for ends in (("cn", "hk"), ("hk", "cn")):
        nodes.between(*ends).cut()
    cn.start()
    await publish(nodes, 8)  # nothing in the folder tells that it is old, and nobody can be asked
    for ends in (("cn", "hk"), ("hk", "cn")):
        nodes.between(*ends).heal()
    return common


def begin_new_epoch(nodes: Federation) -> None:
    """A new log key of cn and a new epoch, in one new version of the directory that the authorities sign."""
    cn, now = nodes["cn"], datetime.now(UTC)
    cn.stop()
    cn.folder.log_key.unlink()
    new = create_signing_key(cn.folder.log_key, name=f"{FEDERATION}/cn/log")
    later = next_version(nodes.directory, issued_at=now, new_epochs=[("hk", "cn")])
    node = later.nodes["cn"]
    node = replace(node, log_keys=(*node.log_keys, key_record(new, now)))
    later = replace(later, nodes={**later.nodes, "cn": node})
    nodes.put_directory(later)
    cn.start()


def test_a_fork_is_told_and_ends_in_a_new_epoch(nodes: Federation, tmp_path: Path) -> None:
    old = tmp_path / "old.evidence"

    async def tell() -> None:
        common = await forked(nodes)
        async with (
            nodes.client("cn", "operator") as operator,
            nodes.client("cn", "publisher") as risk,
            nodes.client("hk", "operator") as partner,
        ):

            async def told() -> bool:
                with suppress(NotFoundError):  # hk may have seen it first: its operator lets cn compare
                    await partner.node.resolve_quarantine(CN_HK, reason="The publisher compares")
                return f"they are the same up to {common}" in (await alarms(operator)).get("FEED_FORKED", "")

            await eventually(told, what="the alarm")
            assert "FEED_BEHIND" not in await alarms(operator)
            with pytest.raises(FeedForkedError):
                await risk.publish(alert(), ["hk"])
            with pytest.raises(FeedForkedError):
                await operator.node.recover_feed(CN_HK)

    async def go_on() -> None:
        later = f"{CN_HK}.2"
        async with (
            nodes.client("cn", "operator") as operator,
            nodes.client("cn", "publisher") as risk,
            nodes.client("hk", "officer") as officer,
        ):

            async def published() -> str:
                return (await risk.publish(alert(), ["hk"])).alert_id

            alert_id = await eventually(published, what="publishing in the new epoch")

            async def acknowledged() -> bool:
                await officer.acknowledge(AlertReference(publisher="cn", alert_id=alert_id), revision=1)
                return True

            await eventually(acknowledged, what="the acknowledgement in the new epoch")

            async def equal() -> bool:
                for line in (later, f"{origin('hk', 'cn')}.2"):
                    here, there = (nodes[name].feed(line) for name in ("cn", "hk"))
                    assert here.size == there.size > 0
                    assert (here.root, here.checkpoint) == (there.root, there.checkpoint)
                return True

            await eventually(equal, what="equal feeds of the new epoch")
            assert published_ids(nodes["hk"].feed(later)) == [alert_id]
            assert "FEED_FORKED" not in await alarms(operator)

    nodes.run(tell())
    (first, *_) = published_ids(nodes["cn"].feed(CN_HK))
    lost = published_ids(nodes["hk"].feed(CN_HK))[-1]
    Cli(nodes, "cn").run("officer", "evidence", "export", f"cn/{first}", "--out", old)
    begin_new_epoch(nodes)
    nodes.run(go_on())
    cli = Cli(nodes, "hk")
    cli.run("officer", "evidence", "export", f"cn/{lost}", "--out", tmp_path / "lost.evidence")
    for bundle in (old, tmp_path / "lost.evidence"):
        cli.run("", "evidence", "verify", bundle, "--directory", nodes.folder.directory)
    for name in ("cn", "hk"):
        Cli(nodes, name).run("", "verify")


def test_a_lost_folder_forks_nothing_while_the_partner_is_away(nodes: Federation) -> None:
    cn = nodes["cn"]

    async def lose() -> None:
        await publish(nodes, 10)
        await nodes.converged(("cn", "hk"), ("hk", "cn"))
        cn.stop()
        shutil.rmtree(cn.data)
        Cli(nodes, "cn").run("", "prepare", "--data-lost")
        for ends in (("cn", "hk"), ("hk", "cn")):
            nodes.between(*ends).cut()
        cn.start()
        async with nodes.client("cn", "operator") as operator, nodes.client("cn", "publisher") as risk:
            for _ in range(5):
                with pytest.raises(FeedUncomparedError):
                    await risk.publish(alert(), ["hk"])
            declared = await operator.node.declare_new_feeds("mo", reason="Nothing was ever sent to mo; see case 5")
            assert f"{FEDERATION}/cn/mo/alerts" in declared
            await risk.publish(alert(), ["mo"])
            for ends in (("cn", "hk"), ("hk", "cn")):
                nodes.between(*ends).heal()
            await eventually(lambda: operator.node.recover_feed(CN_HK), what="the recovery")

            async def works_again() -> bool:
                await risk.publish(alert(), ["hk"])
                return True

            await eventually(works_again, what="publishing after the recovery")
        await nodes.converged(("cn", "hk"), ("hk", "cn"))

    nodes.run(lose())
    events = Cli(nodes, "cn").json(
        "auditor", "audit", "list", "--filter", "method = /gateway.v1.NodeService/DeclareNewFeeds"
    )
    assert events
    assert "case 5" in str(events)
