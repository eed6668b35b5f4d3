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
import psutil
import pytest

from bench.attacks.attack import HOST, Target
from bench.attacks.guard import ATTACKERS_ADDRESS, guarded
from gateway.contract.channel_options import channel_options
from gateway.rpc.listener.tls import channel_credentials
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import exchange_service_pb2 as pb
from gateway.v1.exchange_service_pb2_grpc import ExchangeServiceStub
from gateway.v1.feed_pb2 import FeedPosition
from tests.support.attacks import target, under_attack
from tests.support.federation import Federation, alert, origin, with_logs
from tests.support.programs import HAPROXY
from tests.support.waiting import eventually

ATTACK_S = 4.0
SHOWN_BY = {"header-bomb": "calls", "early-headers": "calls", "continuation": "frames", "priorities": "frames"}

MOST_STRANGERS = 4
"""Connections of an address that isn't a partner's, as deploy/guard/haproxy.cfg has it."""


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    for made in with_logs(tmp_path_factory.mktemp("guarded")):
        made.start("cn")
        yield made


@pytest.fixture(scope="module")
def guard(federation: Federation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder: Path = tmp_path_factory.mktemp("guard")
    with guarded(federation["cn"].peer_port, folder, program=str(HAPROXY.require())) as port:
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


async def processor_s(federation: Federation, port: int, name: str, *, partner: bool) -> float:
    """Seconds of a processor that an attack through a port costs the node; own systems are served meanwhile, and with
    `partner` mo's gateway through the same port."""
    process = psutil.Process(federation["cn"].pid)
    await asyncio.to_thread(eventually, lambda: process.cpu_percent(0.5) < 15, within_s=60)  # of an attack before
    async with federation.client("cn", "publisher") as client:
        with under_attack(name, attacked(federation, port)) as tally:
            await asyncio.to_thread(eventually, lambda: tally[SHOWN_BY[name]] > 0, within_s=60)
            before, began = sum(process.cpu_times()[:2]), time.monotonic()
            while time.monotonic() < began + ATTACK_S:
                await client.publish(alert(), ["hk"])
                if partner:
                    await checkpoint(federation, port)
                await asyncio.sleep(0.5)
            spent_s = sum(process.cpu_times()[:2]) - before
            return spent_s * ATTACK_S / (time.monotonic() - began)  # a call may take longer on a busy machine


@pytest.mark.parametrize("name", SHOWN_BY)
def test_frames_of_a_stranger_cost_little(federation: Federation, guard: int, name: str) -> None:
    async def run() -> tuple[float, float]:
        guarded_s = await processor_s(federation, guard, name, partner=True)
        open_s = await processor_s(federation, federation["cn"].peer_port, name, partner=False)
        return open_s, guarded_s

    open_s, guarded_s = federation.run(run(), within_s=300)
    print(f"{name}: {open_s:.2f} s of a processor without the guard, {guarded_s:.2f} s with it")
    # What is within the permitted size costs little either way, and the partner's calls cost more than it.
    assert guarded_s < max(0.5 * open_s, 0.5 * ATTACK_S)


def test_a_stranger_has_few_connections(federation: Federation, guard: int) -> None:
    with ExitStack() as stack:
        for _ in range(MOST_STRANGERS):
            stack.enter_context(connected(guard))
        for _ in range(3):
            assert is_refused(guard)


def connected(port: int) -> socket.socket:
    return socket.create_connection((HOST, port), timeout=10, source_address=("127.0.0.3", 0))


def is_refused(port: int) -> bool:
    """Whether a connection is closed at once: the gateway itself lets it wait three seconds for its handshake."""
    try:
        with connected(port) as one:
            one.settimeout(2.5)
            return one.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
