"""Connections that break, in silence or not, are noticed and come back by themselves within a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import grpc.aio
import pytest

from gateway.contract.channel_options import KEEPALIVE_TIME_MS, KEEPALIVE_TIMEOUT_MS, channel_options
from gateway.rpc.listener import options
from gateway.rpc.listener.server import Listener, build_server
from gateway.rpc.listener.tls import channel_credentials, server_credentials
from tests.support.listeners import (
    LIMITS,
    SERVICE,
    Credentials,
    Federation,
    RecordingHandlers,
    RunningNode,
    call,
    gateway_of,
    running_node,
)
from tests.support.stopwatch import Stopwatch

NOTICED_S = (KEEPALIVE_TIME_MS + KEEPALIVE_TIMEOUT_MS) / 1000


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return Federation(tmp_path)


class Wire:
    """Forwards TCP to a port; while `cut`, bytes vanish into it and nobody is told."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._whole = asyncio.Event()
        self.port = 0
        self.mend()

    def cut(self) -> None:
        self._whole.clear()

    def mend(self) -> None:
        self._whole.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Wire]:
        server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            for writer in self._writers:
                writer.transport.abort()
            await asyncio.sleep(0.01)  # transports are gone a turn of the loop after that

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        task = asyncio.get_running_loop().create_task(self._forward(reader, writer))
        self._tasks.add(task)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._whole.wait()
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.add(far_writer)
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        except OSError:
            return
        finally:
            writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                await self._whole.wait()
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()


def dial(federation: Federation, partner: Credentials, port: int) -> grpc.aio.Channel:
    credentials = channel_credentials(federation.cas["cn"].certificate_pem, partner.certificate, partner.key)
    return grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options=channel_options())


async def answered(channel: grpc.aio.Channel) -> None:
    ask = channel.unary_unary(f"/{SERVICE}/Unary")
    try:
        await ask(b"x", wait_for_ready=True, timeout=60)
    except grpc.aio.AioRpcError as error:
        # It can still get onto the connection that is just ending, once; a link asks again as well.
        if error.code() is not grpc.StatusCode.UNAVAILABLE:
            raise
        await ask(b"x", wait_for_ready=True, timeout=60)


def test_a_silent_cut_is_noticed_and_mended_within_a_second(federation: Federation) -> None:
    partner = federation.issue(gateway_of("hk"))

    async def run() -> None:
        async with (
            running_node(federation) as node,
            Wire(node.peer.port).running() as wire,
            dial(federation, partner, wire.port) as channel,
        ):
            stream = channel.stream_stream(f"/{SERVICE}/Both")()
            await stream.write(b"1")
            assert await stream.read() == b"gateway/hk 1"
            wire.cut()
            with Stopwatch() as watch, pytest.raises(grpc.aio.AioRpcError) as caught:
                await asyncio.wait_for(stream.read(), 60)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            assert watch.quiet_s < NOTICED_S + 1
            waiting = asyncio.create_task(answered(channel))
            await asyncio.sleep(1.7)  # into the wait between attempts
            wire.mend()
            with Stopwatch() as watch:
                await waiting
            assert watch.quiet_s < 1.0

    asyncio.run(asyncio.wait_for(run(), 180))


def listener_at(node: RunningNode, port: int, connection_age_ms: int = options.CONNECTION_AGE_MS) -> Listener:
    return build_server(
        bind=f"127.0.0.1:{port}",
        credentials=server_credentials(node.source),
        limits=LIMITS,
        interceptors=[],
        services={SERVICE: UnguardedHandlers().register},
        connection_age_ms=connection_age_ms,
    )


class UnguardedHandlers(RecordingHandlers):
    """Answers every call; here only connections matter."""

    async def unary(self, request: bytes, context: object) -> bytes:
        return request


def test_a_server_that_restarts_is_back_within_a_second(federation: Federation) -> None:
    partner = federation.issue(gateway_of("hk"))

    async def run() -> None:
        async with running_node(federation) as node:
            first = listener_at(node, 0)
            await first.start()
            async with dial(federation, partner, first.port) as channel:
                assert await call(channel) == b"x"
                await first.stop(0)
                waiting = asyncio.create_task(answered(channel))
                await asyncio.sleep(1.3)  # long enough for the longest back-off
                second = listener_at(node, first.port)
                await second.start()
                with Stopwatch() as watch:
                    await waiting
                assert watch.quiet_s < 1.0
                await second.stop(0)

    asyncio.run(asyncio.wait_for(run(), 180))


def test_the_age_of_a_connection_is_bounded_and_calls_go_on(federation: Federation) -> None:
    partner = federation.issue(gateway_of("hk"))

    async def run() -> None:
        async with running_node(federation) as node:
            listener = listener_at(node, 0, connection_age_ms=300)
            await listener.start()
            async with Wire(listener.port).running() as wire, dial(federation, partner, wire.port) as channel:
                until = time.monotonic() + 1.5
                while time.monotonic() < until:
                    assert await call(channel) == b"x"
                    await asyncio.sleep(0.01)
                assert len(wire._tasks) >= 3
            await listener.stop(0)

    asyncio.run(asyncio.wait_for(run(), 180))
