"""Attacks with connections alone: no certificate, or nothing done with it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable

from bench.attacks.attack import HOST, Attack, Tally, Target, at_once
from bench.attacks.http2 import RefusedError, connection

_AGAIN_S = 0.2
"""Seconds before a connection that was ended is opened again."""


async def idle_tcp(target: Target, size: int, tally: Tally) -> None:
    """`size` TCP connections to the peer port that say nothing; what the node ends is opened again."""
    await _keep(size, lambda: _silent(target, tally))


async def slow_hello(target: Target, size: int, tally: Tally) -> None:
    """`size` TCP connections that send a TLS greeting byte by byte, one a second."""
    hello = client_hello()
    await _keep(size, lambda: _dripping(target, hello, tally))


async def idle_tls(target: Target, size: int, tally: Tally) -> None:
    """`size` connections that end the TLS handshake with a good certificate and say no more."""

    await _keep(size, lambda: _idle(target, tally, greet=False))


async def idle_http2(target: Target, size: int, tally: Tally) -> None:
    """`size` connections that greet as HTTP/2 demands, make no call and stay."""

    await _keep(size, lambda: _idle(target, tally, greet=True))


async def handshakes(target: Target, size: int, tally: Tally) -> None:
    """Full TLS handshakes with a good certificate, `size` at once, each ended right after."""

    async def shake() -> None:
        async with connection(target, target.peer_port, target.partner):
            tally["handshakes"] += 1

    await _keep(size, shake, pause_s=0)


def client_hello() -> bytes:
    """A TLS greeting."""
    context = ssl.create_default_context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    return outgoing.read()


async def _idle(target: Target, tally: Tally, *, greet: bool) -> None:
    async with connection(target, target.peer_port, target.partner, greet=greet) as made:
        tally["connected"] += 1
        await made.ended.wait()
        tally["ended by the node"] += 1


async def _silent(target: Target, tally: Tally) -> None:
    reader, writer = await asyncio.open_connection(HOST, target.peer_port)
    tally["connected"] += 1
    try:
        while await reader.read(4096):
            pass
        tally["ended by the node"] += 1
    finally:
        writer.transport.abort()


async def _dripping(target: Target, hello: bytes, tally: Tally) -> None:
    reader, writer = await asyncio.open_connection(HOST, target.peer_port)
    tally["connected"] += 1
    try:
        for byte in hello:
            writer.write(bytes([byte]))
            await writer.drain()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await reader.read()  # until the node ends it
                tally["ended by the node"] += 1
                return
    finally:
        writer.transport.abort()


async def _keep(count: int, hold: Callable[[], Awaitable[None]], *, pause_s: float = _AGAIN_S) -> None:
    """Does something `count` times at once, and again when it has ended."""

    async def once() -> None:
        with contextlib.suppress(OSError, RefusedError):
            await hold()
        await asyncio.sleep(pause_s)

    await at_once(count, once)


ATTACKS = (
    Attack(name="idle-tcp", summary="TCP connections that say nothing", run=idle_tcp, size=1_100, small=60),
    Attack(name="slow-hello", summary="a TLS greeting byte by byte", run=slow_hello, size=1_100, small=60),
    Attack(name="idle-tls", summary="silence after the TLS handshake", run=idle_tls, size=600, small=20),
    Attack(name="idle-http2", summary="HTTP/2 connections without a call", run=idle_http2, size=600, small=20),
    Attack(name="handshakes", summary="full TLS handshakes, each dropped", run=handshakes, size=16, small=4),
)
