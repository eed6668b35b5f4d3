"""Maintenance that an operator announces is known at partners, also at one that was down, and is no alarm there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from gateway.client import GatewayClient
from gateway.errors import InvalidRequestError, NotFoundError
from tests.support.command_line import Cli
from tests.support.federation import Federation, eventually, with_logs


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    for made in with_logs(tmp_path_factory.mktemp("maintenance")):
        made.start("cn", "hk")
        yield made


async def announced(operator: GatewayClient, node: str) -> list[str]:
    """Reasons of a node's maintenance that hasn't ended."""
    status = await operator.node.status()
    return [each.window.reason for each in status.maintenance if each.node == node]


async def unknown_to(operator: GatewayClient) -> list[str]:
    status = await operator.node.status()
    return [partner for each in status.maintenance for partner in each.unknown_to]


def test_partners_hear_of_maintenance_and_of_its_end(nodes: Federation) -> None:
    now = datetime.now(UTC)

    async def run() -> None:
        async with nodes.client("cn", "operator") as cn, nodes.client("hk", "operator") as hk:
            with pytest.raises(NotFoundError):
                await cn.node.end_maintenance()
            with pytest.raises(InvalidRequestError) as refused:
                await cn.node.set_maintenance(now + timedelta(days=99), now + timedelta(days=120), reason="Long")
            assert {violation.rule for violation in refused.value.violations} == {"window.length", "window.start"}
            with pytest.raises(InvalidRequestError, match="must be in the future"):
                await cn.node.set_maintenance(now - timedelta(days=2), now - timedelta(days=1), reason="Over")

            made = await cn.node.set_maintenance(now, now + timedelta(hours=4), reason="New disks")
            assert list(made.unknown_to) == ["hk", "mo"]
            assert await eventually(lambda: announced(hk, "cn"), what="hk knows of it") == ["New disks"]

            async def only_mo_lacks_it() -> bool:
                return await unknown_to(cn) == ["mo"]

            assert await eventually(only_mo_lacks_it, what="cn knows that hk knows")

    nodes.run(run())
    assert "New disks" in Cli(nodes, "hk").run("operator", "maintenance", "list").output
    assert "New disks" in Cli(nodes, "hk").run("operator", "status").output

    nodes.start("mo")  # it was down when it was announced

    async def end() -> None:
        async with nodes.client("cn", "operator") as cn, nodes.client("mo", "operator") as mo:
            assert await eventually(lambda: announced(mo, "cn"), what="mo hears of it when it is reached")
            await cn.node.end_maintenance()

            async def over() -> bool:
                return not await announced(mo, "cn")

            assert await eventually(over, what="mo knows that it has ended")

    nodes.run(end())
    assert "must be at most 7 days after starts_at" in Cli(nodes, "cn").run(
        "operator", "maintenance", "announce", "--from", "2026-11-26T08:00:00Z", "--until", "2027-11-26T08:00:00Z",
        "--reason", "x", code=2,
    ).output  # fmt: skip
