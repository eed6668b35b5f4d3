"""Attacks with calls that gRPC takes: refused, unknown, or too many."""

from __future__ import annotations

from collections.abc import Callable

import grpc.aio

from bench.attacks.attack import HOST, Attack, KeyPair, Tally, Target, at_once
from gateway.contract.channel_options import channel_options
from gateway.rpc.listener.tls import channel_credentials


def channel(target: Target, port: int, pair: KeyPair) -> grpc.aio.Channel:
    """A channel of somebody who holds this certificate."""
    credentials = channel_credentials(target.ca.read_bytes(), pair.certificate.read_bytes(), pair.key.read_bytes())
    return grpc.aio.secure_channel(f"{HOST}:{port}", credentials, channel_options(server_name=target.server_name))


async def flood(
    channel: grpc.aio.Channel, method: str, request: bytes | Callable[[], bytes], size: int, tally: Tally
) -> None:
    """One unary call again and again, `size` at once; counts the answers by their status."""
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)

    async def once() -> None:
        try:
            await call(request() if callable(request) else request, timeout=60)
            tally["OK"] += 1
        except grpc.aio.AioRpcError as error:
            tally[error.code().name] += 1

    await at_once(size, once)


async def unknown_methods(target: Target, size: int, tally: Tally) -> None:
    """Calls of a method that doesn't exist, `size` at once, by a partner."""
    async with channel(target, target.peer_port, target.partner) as opened:
        await flood(opened, "/gateway.v1.ExchangeService/Nothing", b"", size, tally)


async def denied_calls(target: Target, size: int, tally: Tally) -> None:
    """Calls of a local method at the peer port, `size` at once, by a partner."""
    async with channel(target, target.peer_port, target.partner) as opened:
        await flood(opened, "/gateway.v1.AlertService/ListAlerts", b"", size, tally)


async def strange_system(target: Target, size: int, tally: Tally) -> None:
    """Calls at the local port, `size` at once, by a system that TLS accepts and the settings don't name."""
    async with channel(target, target.local_port, target.outsider) as opened:
        await flood(opened, "/gateway.v1.AlertService/GetAlert", b"", size, tally)


ATTACKS = (
    Attack(name="unknown-methods", summary="a partner calls what isn't there", run=unknown_methods, size=256, small=32),
    Attack(name="denied-calls", summary="a partner calls what it may not", run=denied_calls, size=256, small=32),
    Attack(name="strange-system", summary="a system without a row calls", run=strange_system, size=256, small=32),
)
