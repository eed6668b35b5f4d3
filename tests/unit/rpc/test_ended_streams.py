"""Writing to a stream that the other side has ended tells the other side's status."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import grpc.aio
import pytest

from gateway.errors import OverloadedError, UnavailableError
from gateway.rpc.calls import abort_with, from_rpc_error, write_to
from gateway.v1 import exchange_service_pb2 as pb
from gateway.v1.exchange_service_pb2_grpc import (
    ExchangeServiceServicer,
    ExchangeServiceStub,
    add_ExchangeServiceServicer_to_server,
)


class EndingServicer(ExchangeServiceServicer):
    """Ends a stream after its first message, with or without an error."""

    def __init__(self, *, full: bool) -> None:
        self._full = full

    async def Fetch(self, requests: AsyncIterator[pb.FetchRequest], context: Any) -> AsyncIterator[pb.FetchResponse]:
        await anext(requests)
        if self._full:
            await abort_with(context, OverloadedError("the disk is full", retry_after_s=7))
        yield pb.FetchResponse()


async def written_after_the_end(*, full: bool) -> None:
    server = grpc.aio.server()
    add_ExchangeServiceServicer_to_server(EndingServicer(full=full), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = ExchangeServiceStub(channel).Fetch()
            await write_to(call, pb.FetchRequest())
            with suppress(grpc.aio.AioRpcError):
                while await call.read() is not grpc.aio.EOF:
                    pass
            with pytest.raises(asyncio.InvalidStateError):
                await call.write(pb.FetchRequest())
            await write_to(call, pb.FetchRequest())
    finally:
        await server.stop(None)


def test_it_tells_the_error_of_the_other_side() -> None:
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        asyncio.run(written_after_the_end(full=True))
    error = from_rpc_error(ended.value)
    assert isinstance(error, OverloadedError)
    assert (error.message, error.retry_after_s) == ("the disk is full", 7)


def test_it_tells_that_the_stream_has_ended() -> None:
    with pytest.raises(UnavailableError, match="ended the stream"):
        asyncio.run(written_after_the_end(full=False))
