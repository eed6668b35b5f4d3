"""Opens a stream again after a transient failure."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any, TypeVar

import grpc.aio
from google.protobuf.message import Message

from gateway.client.connection import Backoff, Connection, explained, is_transient
from gateway.errors import GatewayError

ResponseT = TypeVar("ResponseT", bound=Message)


async def resumed(
    connection: Connection,
    open_stream: Callable[[], grpc.aio.UnaryStreamCall[Any, ResponseT]],
    *,
    until_end: bool,
    on_interruption: Callable[[GatewayError], None] | None,
) -> AsyncGenerator[ResponseT, None]:
    """Responses of a stream and its successors. Use it inside `contextlib.aclosing`, which cancels the call.

    Args:
        connection: to the gateway.
        open_stream: calls the method from the position reached.
        until_end: end when the gateway ends a stream.
        on_interruption: called for each interruption.

    Raises:
        GatewayError: not transient.
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
            if not is_transient(error):
                raise error from None
            if on_interruption is not None:
                on_interruption(await explained(error))
            await backoff.pause(error)
        finally:
            call.cancel()
