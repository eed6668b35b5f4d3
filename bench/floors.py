"""Floors: what bare gRPC does on this machine with the same certificates, and nothing behind it.

The handlers do nothing but send back what came, with mutual TLS 1.3 as the product has it: nothing built on gRPC for
Python can be faster per message.

    python -m bench.floors FOLDER_OF_A_NODE    serves; prints its port
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import psutil
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from bench.nodes import SYSTEM
from gateway.contract.channel_options import channel_options
from gateway.contract.ids import server_name
from gateway.rpc.listener.options import local_limits, server_options
from gateway.rpc.listener.tls import channel_credentials
from gateway.trust.service.trial_federation import FEDERATION, NodeFolder

SERVICE = "bench.Echo"

MESSAGE_BYTES = 600
"""Size of one message: that of the alerts."""

FRAME_MESSAGES = 100
"""Messages in a frame of the batched floor."""

_MESSAGE = bytes(index * 37 % 251 for index in range(MESSAGE_BYTES))


def _frame_type() -> Any:
    """message Frame { repeated bytes messages = 1; }, made here: it is no part of the contract."""
    file = descriptor_pb2.FileDescriptorProto(name="bench/frame.proto", package="bench", syntax="proto3")
    of_bytes, repeated = (
        descriptor_pb2.FieldDescriptorProto.TYPE_BYTES,
        descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED,
    )
    file.message_type.add(name="Frame").field.add(name="messages", number=1, type=of_bytes, label=repeated)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("bench.Frame"))


Frame = _frame_type()


class Echo:
    """A client of the echo service.

    Attributes:
        pid: of the server's process.
    """

    def __init__(self, channel: grpc.aio.Channel, pid: int) -> None:
        self.pid = pid
        self._unary: Any = channel.unary_unary(f"/{SERVICE}/Unary")
        self._streamed: Any = channel.unary_stream(f"/{SERVICE}/Streamed")
        self._stream: Any = channel.stream_stream(f"/{SERVICE}/Stream")
        self._frames: Any = channel.stream_stream(
            f"/{SERVICE}/Frames",
            request_serializer=Frame.SerializeToString,
            response_deserializer=Frame.FromString,
        )

    async def unary(self, count: int, in_flight: int) -> float:
        """Messages per second with so many calls at once."""
        left = iter(range(count))

        async def caller() -> None:
            for _ in left:
                await self._unary(_MESSAGE)

        started = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(in_flight)))
        return count / (time.perf_counter() - started)

    async def lone_us(self, rate: float, seconds: float) -> float:
        """Processor time of the server for each call in µs, at so many calls a second, one after the other."""

        async def call() -> None:
            await self._unary(_MESSAGE)

        return await self._lone_us(call, rate, seconds)

    async def lone_message_us(self, rate: float, seconds: float) -> float:
        """Processor time of the server in µs for reading a message of a stream and writing one, as `lone_us`."""
        stream = self._stream()

        async def echo() -> None:
            await stream.write(_MESSAGE)
            assert await stream.read() is not grpc.aio.EOF

        try:
            return await self._lone_us(echo, rate, seconds)
        finally:
            stream.cancel()

    async def _lone_us(self, one: Callable[[], Awaitable[None]], rate: float, seconds: float) -> float:
        process = psutil.Process(self.pid)
        before, count = sum(process.cpu_times()[:2]), int(rate * seconds)
        started = time.perf_counter()
        for number in range(count):
            await asyncio.sleep(started + number / rate - time.perf_counter())
            await one()
        return (sum(process.cpu_times()[:2]) - before) / count * 1e6

    async def streamed(self) -> float:
        """Seconds of a call that is answered with a stream of one message, as a search is that finds one record."""
        started = time.perf_counter()
        assert len([message async for message in self._streamed(_MESSAGE)]) == 1
        return time.perf_counter() - started

    async def stream(self, count: int) -> float:
        """Messages per second over one stream, one in each frame."""
        return count / await self._echoed(self._stream(), [_MESSAGE] * count)

    async def frames(self, count: int) -> float:
        """Messages per second over one stream, FRAME_MESSAGES in each frame."""
        return await self.frames_of([_MESSAGE] * count)

    async def frames_of(self, messages: Sequence[bytes]) -> float:
        """These messages per second over one stream, FRAME_MESSAGES in each frame."""
        frames = [Frame(messages=messages[at : at + FRAME_MESSAGES]) for at in range(0, len(messages), FRAME_MESSAGES)]
        return len(messages) / await self._echoed(self._frames(), frames)

    async def _echoed(self, call: Any, messages: list[Any]) -> float:
        async def write() -> None:
            for message in messages:
                await call.write(message)
            await call.done_writing()

        started = time.perf_counter()
        writing = asyncio.create_task(write())
        for _ in messages:
            assert await call.read() is not grpc.aio.EOF
        await writing
        return time.perf_counter() - started


@asynccontextmanager
async def running_echo(node: NodeFolder, name: str) -> AsyncIterator[Echo]:
    """The echo service in its own process, with a node's certificates, and a client of it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.floors", str(node.path), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        port = int(await process.stdout.readline())
        credentials = channel_credentials(
            node.ca.read_bytes(), node.system_certificate(SYSTEM).read_bytes(), node.system_key(SYSTEM).read_bytes()
        )
        options = channel_options(server_name=server_name(FEDERATION, name))
        async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options) as channel:
            yield Echo(channel, process.pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _unary(request: bytes, _context: Any) -> bytes:
    return request


async def _streamed(request: bytes, _context: Any) -> AsyncIterator[bytes]:
    yield request


async def _stream(requests: AsyncIterator[Any], _context: Any) -> AsyncIterator[Any]:
    async for request in requests:
        yield request


def _handlers() -> grpc.GenericRpcHandler:
    both: Callable[..., Any] = grpc.stream_stream_rpc_method_handler
    return grpc.method_handlers_generic_handler(
        SERVICE,
        {
            "Unary": grpc.unary_unary_rpc_method_handler(_unary),
            "Streamed": grpc.unary_stream_rpc_method_handler(_streamed),
            "Stream": both(_stream),
            "Frames": both(_stream, request_deserializer=Frame.FromString, response_serializer=Frame.SerializeToString),
        },
    )


async def _serve(node: NodeFolder) -> None:
    server = grpc.aio.server(options=server_options(local_limits(64)))
    server.add_generic_rpc_handlers((_handlers(),))
    credentials = grpc.ssl_server_credentials(
        [(node.key.read_bytes(), node.certificate.read_bytes())], node.ca.read_bytes(), require_client_auth=True
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    print(port, flush=True)
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    await stopping.wait()
    await server.stop(0)


if __name__ == "__main__":
    asyncio.run(_serve(NodeFolder(Path(sys.argv[1]))))
