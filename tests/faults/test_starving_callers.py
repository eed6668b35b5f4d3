"""One caller that takes all it can get: the others go on. Counts, beside a caller who waits for each answer."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from hyperframe.frame import RstStreamFrame

from bench.attacks.attack import KeyPair, Target
from bench.attacks.http2 import RefusedError, connection
from gateway.errors import UnavailableError
from gateway.rpc import calls
from gateway.rpc.fairness import pacing
from gateway.rpc.fairness.caller_connections import ABANDONED_BURST
from gateway.rpc.fairness.limits import SYSTEM_LIMITS, FairThreadPool, Limits
from gateway.rpc.listener.options import local_limits
from gateway.trust.rules.permissions import Permission, Role
from tests.support.listeners import (
    PERMISSIONS,
    SERVICE,
    Credentials,
    Federation,
    RunningNode,
    call,
    gateway_of,
    running_node,
    system_of,
)

LARGE = Permission(frozenset({Role.PUBLISHER}), peers=True, weight=25)
"""A method with costly calls: "Unlisted" of the test service, which has a row here."""

LARGE_S = 0.02
"""Processor time of a costly call."""

CALLS = 150
"""Small calls of the other caller, one after the other."""

ROUNDS = 15
"""Rounds of small calls, of which one must show the share: others may fall into a busy machine's worst moments."""

CANCEL = 8


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return Federation(tmp_path)


@pytest.fixture
def attacker(federation: Federation) -> Credentials:
    return federation.issue(gateway_of("hk"))


@pytest.fixture
def other(federation: Federation) -> Credentials:
    return federation.issue(gateway_of("mo"))


def at_node(federation: Federation, test: Callable[[RunningNode], Awaitable[None]], **options: Any) -> None:
    async def run() -> None:
        asyncio.get_running_loop().set_default_executor(FairThreadPool())
        async with running_node(federation, **options) as node:
            await test(node)

    asyncio.run(asyncio.wait_for(run(), 120))


def compute() -> None:
    end = time.thread_time() + LARGE_S
    while time.thread_time() < end:
        pass


async def costly(request: bytes) -> bytes:
    """Large calls compute in a thread and answer with a page; small ones echo."""
    if request.startswith(b"large"):
        await asyncio.to_thread(compute)
        calls.current_call().charge(rows=1_000)
    return request


async def again(make: Callable[[], Awaitable[Any]], answers: list[str]) -> None:
    while True:
        try:
            await make()
            answers.append("OK")
        except grpc.aio.AioRpcError as error:
            answers.append(error.code().name)


@contextlib.asynccontextmanager
async def flood(make: Callable[[], Awaitable[Any]], at_once: int) -> Any:
    """Calls without a pause; yields the statuses of the answers."""
    answers: list[str] = []
    tasks = [asyncio.create_task(again(make, answers)) for _ in range(at_once)]
    try:
        yield answers
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def small_calls(channel: grpc.aio.Channel, count: int = CALLS) -> None:
    for _ in range(count):
        assert await call(channel, b"small", seconds=20) == b"small"


def test_a_caller_with_many_costly_calls_leaves_the_node_to_the_others(
    federation: Federation, attacker: Credentials, other: Credentials
) -> None:
    async def test(node: RunningNode) -> None:
        node.handlers.behaviour = costly
        attacking, asking = node.channel(attacker, node.peer), node.channel(other, node.peer)
        costly_ones: list[int] = []
        async with flood(lambda: call(attacking, b"large", "Unlisted", 60), 48) as answers:
            await small_calls(asking)  # while the batch that was let in before is done
            while len(costly_ones) < ROUNDS and min(costly_ones, default=CALLS) >= CALLS / 5:
                before = len(answers)
                await small_calls(asking)
                costly_ones.append(answers[before:].count("OK"))
        # Alternating turns would be 150 in each round; the batch's share is some 0.5 a second, which a busy machine's
        # round may have many of. They go on, or are told to wait.
        assert min(costly_ones) < CALLS / 5, costly_ones
        assert set(answers) <= {"OK", "RESOURCE_EXHAUSTED"}

    at_node(federation, test, permissions={**PERMISSIONS, f"/{SERVICE}/Unlisted": LARGE})


def test_a_call_that_changes_something_costs_its_caller_more(
    federation: Federation, attacker: Credentials, other: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "UNITS_PER_CHANGE", 1_000_000)  # more than a caller may owe: its next call is refused

    async def changing(request: bytes) -> bytes:
        if request == b"change":
            calls.current_call().record()
        return request

    async def test(node: RunningNode) -> None:
        node.handlers.behaviour = changing
        attacking, asking = node.channel(attacker, node.peer), node.channel(other, node.peer)
        for _ in range(10):
            await small_calls(asking, 5)
            await call(attacking, b"read")
        await call(attacking, b"change")
        await small_calls(asking, 5)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(attacking, b"read")
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED

    at_node(federation, test)


def test_a_stream_that_says_nothing_costs_its_caller_the_weight_of_its_method(
    federation: Federation, attacker: Credentials, other: Credentials, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing.CallPacer.enter, "__kwdefaults__", {"most_s": 0.2})

    async def silent(request: bytes) -> bytes:
        if request == b"refuse":
            raise UnavailableError("not now")
        await asyncio.sleep(0.005)
        return request

    async def test(node: RunningNode) -> None:
        node.handlers.behaviour = silent
        attacking, asking = node.channel(attacker, node.peer), node.channel(other, node.peer)
        stream = attacking.unary_stream(f"/{SERVICE}/ServerStream")
        codes = set()
        for _ in range(100):
            await small_calls(asking, 2)
            with contextlib.suppress(grpc.aio.AioRpcError):
                call_ = stream(b"refuse", timeout=20)
                codes.add(await call_.code())
        assert grpc.StatusCode.RESOURCE_EXHAUSTED in codes

    heavy = Permission(frozenset({Role.PUBLISHER}), peers=True, weight=10)
    at_node(federation, test, permissions={**PERMISSIONS, f"/{SERVICE}/ServerStream": heavy})


@pytest.mark.parametrize("method", ["Nothing", "Unlisted"], ids=["unknown", "denied"])
def test_refusals_are_held_back_for_the_caller_that_gets_many(
    federation: Federation, attacker: Credentials, other: Credentials, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "REFUSALS_PER_S", 5.0)
    monkeypatch.setattr(pacing, "REFUSAL_BURST", 10.0)

    async def test(node: RunningNode) -> None:
        node.handlers.behaviour = costly
        attacking, asking = node.channel(attacker, node.peer), node.channel(other, node.peer)
        began = time.monotonic()
        async with flood(lambda: call(attacking, b"", method, 60), 48) as answers:
            await small_calls(asking)
            most = 10 + 5 * (time.monotonic() - began) + 2
        assert set(answers) <= {"UNIMPLEMENTED", "PERMISSION_DENIED"}
        assert 10 <= len(answers) <= most

    at_node(federation, test)


@pytest.mark.parametrize("method", ["Nothing", "Unlisted"], ids=["unknown", "denied"])
def test_limits_count_calls_that_are_unknown_or_denied(
    federation: Federation, attacker: Credentials, method: str
) -> None:
    few = Limits(calls_per_s=0.01, burst=3, concurrent_calls=8, concurrent_streams=8)

    async def test(node: RunningNode) -> None:
        channel = node.channel(attacker, node.peer)
        codes = []
        for _ in range(4):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(channel, method=method)
            codes.append(caught.value.code())
        assert grpc.StatusCode.RESOURCE_EXHAUSTED not in codes[:3]
        assert codes[3] is grpc.StatusCode.RESOURCE_EXHAUSTED
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(channel)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED

    at_node(federation, test, limits=lambda _: few)


def target(node: RunningNode, port: int, who: Credentials, folder: Path) -> Target:
    ca = folder / "cn.pem"
    ca.write_bytes(node.federation.cas["cn"].certificate_pem)
    pair = KeyPair(who.files.certificate, who.files.key)
    return Target(
        node="cn",
        server_name="127.0.0.1",
        peer_port=port,
        local_port=port,
        ca=ca,
        partner=pair,
        system=pair,
        outsider=pair,
    )


async def open_and_reset(attacked: Target, most: int) -> int:
    """Opens and resets calls on one connection until the node ends it, or `most`; returns how many."""
    async with connection(attacked, attacked.peer_port, attacked.partner) as made:
        for number in range(most):
            try:
                opened = made.call(f"/{SERVICE}/Unary")
                await made.send(opened, RstStreamFrame(opened.stream_id, CANCEL))
                await asyncio.sleep(0.0005)
            except RefusedError:
                return number
        return most


@pytest.mark.parametrize("port", ["peer", "local"])
def test_who_opens_and_resets_calls_is_shut_out_and_the_others_are_served(
    federation: Federation, port: str, tmp_path: Path
) -> None:
    bad, good = (
        (federation.issue(gateway_of("hk")), federation.issue(gateway_of("mo")))
        if port == "peer"
        else (federation.issue(system_of("cn", "risk-desk")), federation.issue(system_of("cn", "harbour")))
    )
    permissions = {**PERMISSIONS, f"/{SERVICE}/Unary": Permission(frozenset(Role), peers=True)}

    async def test(node: RunningNode) -> None:
        node.handlers.behaviour = costly
        listener = getattr(node, port)
        attacked = target(node, listener.port, bad, tmp_path)
        asking = node.channel(good, listener)
        await small_calls(asking, 1)
        most = 14 * int(ABANDONED_BURST)
        assert await open_and_reset(attacked, most) < most
        await small_calls(asking, 20)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(node.channel(bad, listener), b"small", seconds=2)
        assert caught.value.code() is not grpc.StatusCode.OK
        assert node.handlers.handled == 21
        await small_calls(asking, 20)

    at_node(federation, test, permissions=permissions)


def test_a_busy_system_whose_connection_breaks_is_served_on_the_next_one(
    federation: Federation, tmp_path: Path
) -> None:
    """All calls that it has open end at once, in their first moments: that is no attack."""
    busy, began = federation.issue(system_of("cn", "risk-desk")), asyncio.Event()

    async def wait(_request: bytes) -> bytes:
        began.set()
        await asyncio.sleep(20)
        return b""

    async def test(node: RunningNode) -> None:
        node.handlers.behaviour = wait
        channel = node.channel(busy, node.local)
        calls = [asyncio.create_task(call(channel, seconds=20)) for _ in range(SYSTEM_LIMITS.concurrent_calls)]
        await began.wait()
        await asyncio.sleep(0.1)
        await channel.close()
        await asyncio.gather(*calls, return_exceptions=True)
        node.handlers.behaviour = costly
        await small_calls(node.channel(busy, node.local), 20)

    permissions = {**PERMISSIONS, f"/{SERVICE}/Unary": Permission(frozenset(Role), peers=True)}
    at_node(federation, test, permissions=permissions, connections=local_limits(64))


def test_a_client_that_gives_up_some_calls_goes_on_being_served(federation: Federation, attacker: Credentials) -> None:
    async def wait(_request: bytes) -> bytes:
        await asyncio.sleep(20)
        return b""

    async def test(node: RunningNode) -> None:
        node.handlers.behaviour = wait
        channel = node.channel(attacker, node.peer)
        for _ in range(3):
            given_up = [asyncio.create_task(call(channel, seconds=0.05)) for _ in range(40)]
            outcomes = await asyncio.gather(*given_up, return_exceptions=True)
            assert all(isinstance(outcome, grpc.aio.AioRpcError) for outcome in outcomes)
        node.handlers.behaviour = costly
        await small_calls(channel, 20)

    at_node(federation, test)
