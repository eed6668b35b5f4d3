"""A node loses its disk: backup beside traffic, restore, recovery from both partners, lists that are equal again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from gateway.client import GatewayClient, new_alert
from gateway.v1.watchlist_pb2 import WatchlistContent
from gateway.v1.watchlist_service_pb2 import ProposedEntry, ProposedWithdrawal
from tests.support.command_line import Cli
from tests.support.federation import Federation, alert, eventually, with_logs
from tests.support.nodes import listed_content

SETTINGS = """
[lists.vans]
four_eyes = false
"""
BOTH = ["hk", "mo"]
AT_FIRST = {"kept": "Kept", "amended": "Old", "withdrawn": "Withdrawn", "narrowed": "Narrowed", "conflict": "Old"}
LOST = {"kept": "Kept", "amended": "New", "narrowed": "Narrowed", "conflict": "Lost", "new": "New", "for hk": "For hk"}
FOR_HK_ALONE = ("narrowed", "for hk")
TO_CN = (("cn", "hk"), ("cn", "mo"), ("hk", "cn"), ("mo", "cn"))
"""Feeds of cn and to it."""


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Federation]:
    for made in with_logs(tmp_path, settings=SETTINGS):
        made.start()
        yield made


def content(name: str, to: list[str]) -> WatchlistContent:
    return listed_content(name, releasable_to=to)


async def publish(client: GatewayClient, count: int) -> list[str]:
    requests = [new_alert(alert(), BOTH) for _ in range(count)]
    return [outcome.result().alert_id async for outcome in client.publish_many(requests)]


async def decide(client: GatewayClient, *entries: ProposedEntry, end: Mapping[str, int] | None = None) -> None:
    ends = [ProposedWithdrawal(id=name, revision=at, reason="Delisted") for name, at in (end or {}).items()]
    await client.watchlist.propose("vans", entries=entries, withdrawals=ends)


def entry(name: str, text: str, to: list[str], revision: int = 0) -> ProposedEntry:
    return ProposedEntry(id=name, revision=revision, content=content(text, to))


async def listed(client: GatewayClient) -> dict[str, str]:
    """Names by id of cn's entries."""
    found = [one async for one in client.watchlist.entries()]
    return {one.entry.id: one.entry.content.names[0].text for one in found if one.publisher == "cn"}


async def shown(nodes: Federation, node: str, wanted: Mapping[str, str]) -> None:
    """Waits until a node shows cn's list so."""
    async with nodes.client(node, "officer") as officer:

        async def same() -> bool:
            found = await listed(officer)
            assert found == wanted, found
            return True

        await eventually(same, what=f"the list at {node}")


def for_mo(entries: Mapping[str, str]) -> dict[str, str]:
    return {name: text for name, text in entries.items() if name not in FOR_HK_ALONE}


async def before_the_backup(nodes: Federation) -> None:
    async with nodes.client("cn", "publisher") as risk:
        await decide(risk, *[entry(name, text, BOTH) for name, text in AT_FIRST.items()])
        await publish(risk, 20)
        for partner in BOTH:
            await shown(nodes, partner, AT_FIRST)


async def after_the_backup(nodes: Federation) -> None:
    """What is lost with the disk, and known to partners."""
    async with nodes.client("cn", "publisher") as risk:
        amended = [("amended", "New", BOTH), ("narrowed", "Narrowed", ["hk"]), ("conflict", "Lost", BOTH)]
        new = [entry("new", "New", BOTH), entry("for hk", "For hk", ["hk"])]
        await decide(risk, *[entry(*one, 1) for one in amended], *new, end={"withdrawn": 1})
        await publish(risk, 20)
    await shown(nodes, "hk", LOST)
    await shown(nodes, "mo", for_mo(LOST))
    await nodes.converged(*TO_CN)


async def decided_after_the_restore(nodes: Federation) -> None:
    async with nodes.client("cn", "publisher") as risk:
        await decide(risk, entry("conflict", "Later", BOTH, 1))
    await shown(nodes, "cn", {**AT_FIRST, "conflict": "Later"})


async def equal_again(nodes: Federation) -> None:
    wanted = {**LOST, "conflict": "Later"}
    await shown(nodes, "cn", wanted)
    await shown(nodes, "hk", wanted)
    await shown(nodes, "mo", for_mo(wanted))
    await nodes.converged(*TO_CN)


def test_a_disk_lost_in_traffic(nodes: Federation, tmp_path: Path) -> None:
    cn, cli, folder = nodes["cn"], Cli(nodes, "cn"), tmp_path / "backup"
    nodes.run(before_the_backup(nodes))
    made = cli.json("", "backup", folder)
    nodes.run(after_the_backup(nodes))
    assert "in use by another process" in cli.run("", "restore", folder, "--accept-loss", code=2).output
    cn.kill()
    shutil.rmtree(cn.data)
    assert "--accept-loss" in cli.run("", "restore", folder, code=2).output
    cli.run("", "restore", folder, "--accept-loss")
    for ends in TO_CN:
        nodes.between(*ends).cut()
    cn.start()
    nodes.run(decided_after_the_restore(nodes))
    for ends in TO_CN:
        nodes.between(*ends).heal()

    recovered = cli.json("operator", "recover")
    back = {feed["feed"].partition("/")[2]: feed["recovered"] for feed in recovered["feeds"] if feed["recovered"]}
    assert back == {"cn/hk/alerts": 20, "cn/hk/watchlist": 1, "cn/mo/alerts": 20, "cn/mo/watchlist": 1}
    nodes.run(equal_again(nodes))
    for partner in BOTH:
        found = cli.eventually("publisher", "watchlist", "diff", "--with", partner, until=lambda one: one["identical"])
        assert found["different_count"] == 0
    cli.run("", "verify")
    ((event,), (restore,)) = (
        cli.json("auditor", "audit", "list", "--filter", "reason = RESTORED"),
        cli.json("operator", "status")["restores"],
    )
    assert event["time"] == restore["restored_at"]
    kept = {loss["kind"]: loss["kept"] for loss in restore["losses"]}
    assert kept["audit events"] == made["audit_events"]
