"""Callers that get round what gRPC bounds: their calls count from the headers on, and their connections are ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from hyperframe.frame import DataFrame

from bench.attacks.attack import KeyPair, Target
from bench.attacks.http2 import INITIAL_WINDOW, HostileConnection, connection, header_block, message
from gateway.errors import OverloadedError
from gateway.rpc.calls import from_rpc_error
from gateway.rpc.fairness.limits import Limits, default_limits
from gateway.rpc.listener.options import MAX_REQUEST_METADATA_BYTES, PortLimits
from gateway.trust.rules.audit import AuditResult
from tests.support import listeners
from tests.support.listeners import (
    SERVICE,
    Credentials,
    Federation,
    RunningNode,
    call,
    gateway_of,
    system_of,
)

PATH = f"/{SERVICE}/Unary"
PATIENCE_S = 60.0


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return Federation(tmp_path)


@pytest.fixture
def partner(federation: Federation) -> Credentials:
    return federation.issue(gateway_of("hk"))


at_node = partial(listeners.at_node, within_s=PATIENCE_S)


@asynccontextmanager
async def hostile(node: RunningNode, who: Credentials, **options: Any) -> AsyncIterator[HostileConnection]:
    """A connection to the peer port with this certificate, in the hands of a test."""
    ca = node.federation.folder / "cn-ca.pem"
    ca.write_bytes(node.federation.cas["cn"].certificate_pem)
    pair = KeyPair(who.files.certificate, who.files.key)
    target = Target(
        node="cn",
        server_name="127.0.0.1",
        peer_port=node.peer.port,
        local_port=node.local.port,
        ca=ca,
        partner=pair,
        system=pair,
        outsider=pair,
    )
    async with connection(target, node.peer.port, pair, **options) as made:
        await made.greeted.wait()
        yield made


def whole_call(made: HostileConnection, request: bytes = b"x") -> bytes:
    headers = made.call(PATH)
    return headers.serialize() + DataFrame(headers.stream_id, message(request), flags=["END_STREAM"]).serialize()


async def until(check: Callable[[], bool]) -> None:
    while not check():  # noqa: ASYNC110  the other end is gRPC
        await asyncio.sleep(0.01)


def test_a_refused_certificate_keeps_its_connection_for_the_answer_alone(
    federation: Federation, partner: Credentials
) -> None:
    federation.change(revoked_certificates=frozenset({partner.fingerprint}))

    async def test(node: RunningNode) -> None:
        async with hostile(node, partner) as made:
            await made.send(whole_call(made))
            await until(lambda: made.received["HeadersFrame"] > 0)
            assert not made.ended.is_set()
            await made.ended.wait()
        assert [event.result for event in node.events()] == [AuditResult.DENY]

    at_node(federation, test)


def test_headers_beyond_the_limit_before_settings_apply_end_the_connection(
    federation: Federation, partner: Credentials
) -> None:
    async def test(node: RunningNode) -> None:
        async with hostile(node, partner, acknowledge=False) as made:
            tiny = [("a", "b")] * (MAX_REQUEST_METADATA_BYTES // 34 + 1)
            await made.send(header_block(made.new_stream(), made.block(PATH, tiny)))
            await made.ended.wait()
        (event,) = node.events()
        assert (event.principal, event.result, event.reason) == ("gateway/hk", AuditResult.DENY, "MALFORMED")
        assert node.handlers.handled == 0
        assert await call(node.channel(partner, node.peer)) == b"gateway/hk x"

    at_node(federation, test)


def test_headers_beyond_the_limit_are_refused_and_the_connection_stays_when_settings_apply(
    federation: Federation, partner: Credentials
) -> None:
    async def test(node: RunningNode) -> None:
        channel = node.channel(partner, node.peer)
        ask = channel.unary_unary(PATH)
        await ask(b"x", metadata=[("note", "x" * (MAX_REQUEST_METADATA_BYTES - 1_000))])
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ask(b"x", metadata=[("note", "x" * MAX_REQUEST_METADATA_BYTES)])
        assert caught.value.code() is not grpc.StatusCode.UNAVAILABLE
        assert await call(channel) == b"gateway/hk x"

    at_node(federation, test)


def test_a_caller_with_too_many_connections_is_refused_on_further_ones_and_loses_them(
    federation: Federation, partner: Credentials
) -> None:
    other = federation.issue(gateway_of("mo"))

    async def test(node: RunningNode) -> None:
        for _ in range(2):
            assert await call(node.channel(partner, node.peer)) == b"gateway/hk x"
        async with hostile(node, partner) as made:
            await made.send(whole_call(made))
            await made.ended.wait()
        assert [(event.principal, event.reason) for event in node.events() if event.result is AuditResult.DENY] == [
            ("gateway/hk", "OVERLOADED")
        ]
        assert await call(node.channel(other, node.peer)) == b"gateway/mo x"

    at_node(federation, test, caller_connections=2)


def test_a_call_counts_before_its_request_has_come(federation: Federation, partner: Credentials) -> None:
    few = Limits(calls_per_s=100, burst=100, concurrent_calls=3, concurrent_streams=3)
    other = federation.issue(gateway_of("mo"))

    async def test(node: RunningNode) -> None:
        async with hostile(node, partner) as made:
            await made.send(*(made.call(PATH) for _ in range(3)))
            channel = node.channel(partner, node.peer)
            await until_refused(channel)
            assert await call(node.channel(other, node.peer)) == b"gateway/mo x"
        await until_served(channel)  # what was open has ended with its connection

    at_node(federation, test, limits=lambda _: few)


def test_a_caller_that_takes_no_answers_may_not_call_until_it_does(
    federation: Federation, partner: Credentials
) -> None:
    async def test(node: RunningNode) -> None:
        async def large(_request: bytes) -> bytes:
            return bytes(5_000_000)

        node.handlers.behaviour = large
        async with hostile(node, partner, settings={INITIAL_WINDOW: 0}) as made:
            await made.send(*(whole_call(made) for _ in range(7)))
            await until(lambda: node.handlers.handled == 7)
            channel = node.channel(partner, node.peer)
            error = await until_refused(channel)
            assert "not taken" in error.message
        await until_served(channel)

    at_node(federation, test, limits=default_limits)


async def until_refused(channel: grpc.aio.Channel) -> OverloadedError:
    while True:
        try:
            await call(channel)
        except grpc.aio.AioRpcError as refused:
            error = from_rpc_error(refused)
            assert isinstance(error, OverloadedError)
            return error
        await asyncio.sleep(0.01)


async def until_served(channel: grpc.aio.Channel) -> None:
    while True:
        try:
            await call(channel)
            return
        except grpc.aio.AioRpcError:
            await asyncio.sleep(0.01)


def test_silent_connections_keep_one_port_from_new_callers_for_three_seconds_and_not_the_other(
    federation: Federation, partner: Credentials
) -> None:
    desk = federation.issue(system_of("cn", "risk-desk"))

    async def test(node: RunningNode) -> None:
        opened = [await asyncio.open_connection("127.0.0.1", node.peer.port) for _ in range(8)]
        reader, late = await asyncio.open_connection("127.0.0.1", node.peer.port)
        assert await reader.read() == b""  # the ninth is closed at once
        assert await call(node.channel(desk, node.local)) == b"system/cn/risk-desk x"
        for first, _ in opened:
            await first.read()
        channel = node.channel(partner, node.peer)
        assert await channel.unary_unary(PATH)(b"x", wait_for_ready=True) == b"gateway/hk x"
        for _, writer in [*opened, (reader, late)]:
            writer.transport.abort()
        await asyncio.sleep(0)

    at_node(federation, test, connections=PortLimits(connections=8, streams=96, waiting=64))
