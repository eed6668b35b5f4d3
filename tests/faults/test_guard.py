"""The guard of deploy/guard before a peer port: TLS goes through it, and strangers' frames come slowly."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import grpc.aio
import pytest

from bench.attacks.attack import HOST, Target
from bench.attacks.guard import ATTACKERS_ADDRESS, guarded
from gateway.contract.channel_options import channel_options
from gateway.rpc.listener.options import HANDSHAKE_TIMEOUT_MS
from gateway.rpc.listener.tls import channel_credentials
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import exchange_service_pb2 as pb
from gateway.v1.exchange_service_pb2_grpc import ExchangeServiceStub
from gateway.v1.feed_pb2 import FeedPosition
from tests.support.attacks import target, under_attack
from tests.support.federation import Federation, alert, origin, with_logs
from tests.support.programs import HAPROXY
from tests.support.proxy import Network, Proxy
from tests.support.waiting import eventually

ATTACK_S = 4.0
SHOWN_BY = {"header-bomb": "calls", "early-headers": "calls", "continuation": "frames", "priorities": "frames"}

STRANGER_BYTES_PER_S = 16_384
"""Of an address that isn't a partner's, as bench/attacks/guard.py has it."""

AT_ONCE_BYTES = 200_000
"""What comes at once: a stranger's four connections, and mo's calls meanwhile with their handshakes."""

MOST_STRANGERS = 4
"""Connections of an address that isn't a partner's, as deploy/guard/haproxy.cfg has it."""

MOST_OF_A_PARTNER = 32
"""Connections of a partner's address, likewise."""


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    for made in with_logs(tmp_path_factory.mktemp("guarded")):
        made.start("cn")
        yield made


@pytest.fixture(scope="module")
def way(federation: Federation) -> Iterator[Proxy]:
    """Between the guard and the node: counts what the guard lets through."""
    with Network() as network:
        yield network.proxy(federation["cn"].peer_port)


@pytest.fixture(scope="module")
def guard(way: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder: Path = tmp_path_factory.mktemp("guard")
    with guarded(way.port, folder, program=str(HAPROXY.require())) as port:
        yield port


async def checkpoint(federation: Federation, port: int) -> FeedPosition:
    """What mo's gateway gets of cn through a port, with both sides' certificates."""
    own, node = federation.folder.node("mo"), federation["cn"]
    credentials = channel_credentials(node.folder.ca.read_bytes(), own.certificate.read_bytes(), own.key.read_bytes())
    options = channel_options(server_name=f"cn.{FEDERATION}")
    async with grpc.aio.secure_channel(f"{HOST}:{port}", credentials, options=options) as channel:
        request = pb.GetCheckpointRequest(origin=origin("cn", "mo"))
        return (await ExchangeServiceStub(channel).GetCheckpoint(request, timeout=30)).position


def test_identity_goes_through_it(federation: Federation, guard: int) -> None:
    async def run() -> tuple[FeedPosition, FeedPosition]:
        async with federation.client("cn", "publisher") as client:
            await client.publish(alert(), ["mo"])
        return await checkpoint(federation, guard), await checkpoint(federation, federation["cn"].peer_port)

    through, beside = federation.run(run())
    assert through == beside
    assert through.size


def attacked(federation: Federation, port: int) -> Target:
    return replace(target(federation, "cn"), peer_port=port, source=ATTACKERS_ADDRESS)


async def reaches_node(federation: Federation, way: Proxy, port: int, name: str) -> tuple[float, float]:
    """Bytes of an attack through a port that reach the node over `way`, and for how many seconds they were counted.

    Meanwhile own systems are served, and mo's gateway through the same port.
    """
    async with federation.client("cn", "publisher") as client:
        with under_attack(name, attacked(federation, port)) as tally:
            await asyncio.to_thread(eventually, lambda: tally[SHOWN_BY[name]] > 0, within_s=60)
            before, began = way.sent, time.monotonic()
            while time.monotonic() < began + ATTACK_S:
                await client.publish(alert(), ["hk"])
                await checkpoint(federation, port)
                await asyncio.sleep(0.5)
            return way.sent - before, time.monotonic() - began


@pytest.mark.parametrize("name", SHOWN_BY)
def test_few_frames_of_a_stranger_reach_the_node(federation: Federation, way: Proxy, guard: int, name: str) -> None:
    reached, took_s = federation.run(reaches_node(federation, way, guard, name), within_s=300)
    print(f"{name}: {reached / took_s / 1000:.1f} kB/s with the guard")
    assert reached < took_s * STRANGER_BYTES_PER_S + AT_ONCE_BYTES


def test_without_the_guard_far_more_reach_it(federation: Federation, way: Proxy) -> None:
    reached, took_s = federation.run(reaches_node(federation, way, way.port, "continuation"), within_s=300)
    assert reached > took_s * STRANGER_BYTES_PER_S + AT_ONCE_BYTES


@pytest.mark.parametrize(
    ("address", "most"), [("127.0.0.3", MOST_STRANGERS), (HOST, MOST_OF_A_PARTNER)], ids=["stranger", "partner"]
)
def test_an_address_has_so_many_connections(guard: int, way: Proxy, address: str, most: int) -> None:
    before, began = way.accepted, time.monotonic()
    with ExitStack() as stack:
        made = [stack.enter_context(one) for _ in range(most + 3) if (one := connected(guard, address)) is not None]
        # On a slow machine the node has closed the first ones before the last one comes.
        turns = 1 + int((time.monotonic() - began) * 1_000 / HANDSHAKE_TIMEOUT_MS)
        for one in made:  # three by the guard, the others by the node
            assert is_closed(one)
        assert most <= way.accepted - before <= turns * most


def connected(port: int, address: str) -> socket.socket | None:
    """A connection from an address; None where it has ended before we hear that it was made."""
    try:
        return socket.create_connection((HOST, port), timeout=60, source_address=(address, 0))
    except ConnectionResetError:
        return None


def is_closed(one: socket.socket) -> bool:
    try:
        return one.recv(1) == b""
    except ConnectionResetError:
        return True
