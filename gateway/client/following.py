"""A stream that is opened again whenever it breaks off by something that passes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any, TypeVar

import grpc.aio
from google.protobuf.message import Message

from gateway.client.connection import Backoff, Connection, may_pass
from gateway.errors import GatewayError

ResponseT = TypeVar("ResponseT", bound=Message)


async def responses(
    connection: Connection,
    open_stream: Callable[[], grpc.aio.UnaryStreamCall[Any, ResponseT]],
    *,
    until_end: bool,
    on_interruption: Callable[[GatewayError], None] | None,
) -> AsyncGenerator[ResponseT, None]:
    """What comes on a stream and on those that follow it.

    Leave it inside `contextlib.aclosing`: that cancels the call.

    Args:
        connection: of the stubs.
        open_stream: calls the method with the position that was reached.
        until_end: a stream that the gateway ends is the last one.
        on_interruption: told of each interruption.

    Raises:
        GatewayError: what doesn't pass by itself.
    """
    backoff = Backoff()
    while True:
        call = open_stream()
        try:
            async for response in call:
                backoff.reset()
                yield response
            if until_end:
                return
        except grpc.aio.AioRpcError as rpc_error:
            error = connection.error(rpc_error)
            if not may_pass(error):
                raise error from None
            if on_interruption is not None:
                on_interruption(error)
            await backoff.pause(error)
        finally:
            call.cancel()
