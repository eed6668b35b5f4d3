"""HTTP/2 that no honest client sends, with a good certificate: memory stays bounded, and own systems are served."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import pytest

from bench.attacks.registry import ATTACKS
from tests.support.attacks import MemoryGrowth, target, under_attack
from tests.support.federation import Federation, alert, with_logs

ATTACK_S = 1.5
"""Seconds of each attack: some thousand frames, or as many calls as a connection may have."""

GROWTH_MB = 250.0
"""What a node may grow by: unfinished messages alone took it 528 MB further, on one connection. Allocators keep what
earlier attacks made them take, so 145 MB were seen once where a flood alone costs 25."""

EARLY_GROWTH_MB = 700.0
"""And by headers before settings apply, which gRPC takes and this product can only end (test_hostile_connections): four
connections took it 1,761 MB further when their calls could wait."""

SHOWN_BY = {
    "header-bomb": "calls",
    "early-headers": "calls",
    "continuation": "frames",
    "settings": "frames",
    "pings": "frames",
    "priorities": "frames",
    "windows": "frames",
    "empty-data": "frames",
    "rapid-reset": "calls",
    "half-open": "streams",
    "unfinished": "streams",
    "unread-pages": "calls",
    "unread-feeds": "calls",
    "goaway": "goaways",
    "idle-tls": "connected",
    "idle-http2": "connected",
    "handshakes": "handshakes",
}
"""What each attack must have done before it counts as one."""


SHUT_OUT = {"rapid-reset": "mo"}
"""Partners that an attack costs their connections for a while: none that another attack needs."""


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    for made in with_logs(tmp_path_factory.mktemp("floods")):
        made.start("cn")
        yield made


@pytest.mark.parametrize("name", SHOWN_BY)
def test_memory_is_bounded_and_own_systems_are_served(federation: Federation, name: str) -> None:
    node = federation["cn"]

    async def run() -> None:
        async with federation.client("cn", "publisher") as client:
            await client.publish(alert(), ["hk"])
            growth, most = MemoryGrowth(node.pid), 0.0
            with under_attack(name, target(federation, "cn", partner=SHUT_OUT.get(name, "hk"))) as tally:
                began = time.monotonic()
                while time.monotonic() < began + ATTACK_S or not tally[SHOWN_BY[name]]:
                    await asyncio.sleep(0.1)
                    most = max(most, growth.now())
                await client.publish(alert(), ["hk"])
            bound = EARLY_GROWTH_MB if name == "early-headers" else GROWTH_MB
            assert most < bound, f"the node grew by {most:.0f} MB: {tally}"

    federation.run(run(), within_s=90)
    assert node.process is not None
    assert node.process.poll() is None


def test_every_attack_with_connections_and_frames_is_tried_small() -> None:
    from bench.attacks import connections, frames

    elsewhere = {"idle-tcp", "slow-hello"}  # test_connection_floods
    assert {attack.name for attack in (*connections.ATTACKS, *frames.ATTACKS)} == set(SHOWN_BY) | elsewhere
    assert set(SHOWN_BY) <= set(ATTACKS)
