"""Opens a stream again after a transient failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any, TypeVar

import grpc.aio
from google.protobuf.message import Message

from gateway.client.connection import Backoff, Connection, explained, is_transient
from gateway.errors import GatewayError

ResponseT = TypeVar("ResponseT", bound=Message)


SETTLED_S = 3.0
"""Seconds after which a stream that was opened again, and has nothing to say, counts as going on."""


async def resumed(
    connection: Connection,
    open_stream: Callable[[], grpc.aio.UnaryStreamCall[Any, ResponseT]],
    *,
    until_end: bool,
    on_interruption: Callable[[GatewayError], None] | None,
    on_resumption: Callable[[], None] | None = None,
) -> AsyncGenerator[ResponseT, None]:
    """Responses of a stream and its successors. Use it inside `contextlib.aclosing`, which cancels the call.

    Args:
        connection: to the gateway.
        open_stream: calls the method from the position reached.
        until_end: end when the gateway ends a stream.
        on_interruption: called for each interruption, also for each attempt that fails.
        on_resumption: called when the stream goes on after interruptions.

    Raises:
        GatewayError: not transient; or another than the caller's gateway answers.
    """
    backoff, going_on = Backoff(), _Resumption(on_resumption)
    while True:
        call = open_stream()
        try:
            await going_on.opened(call)
            async for response in call:
                backoff.reset()
                going_on.noted()
                yield response
            if until_end:
                return
        except grpc.aio.AioRpcError as rpc_error:
            error = connection.error(rpc_error)
            if not is_transient(error):
                raise error from None
            error = await explained(error)
            going_on.interrupted()
            if on_interruption is not None:
                on_interruption(error)
            await backoff.pause(error)
        finally:
            going_on.waiting()
            call.cancel()


class _Resumption:
    """Tells once after interruptions that a stream goes on: at its next response, or when it has been open a while."""

    def __init__(self, tell: Callable[[], None] | None) -> None:
        self._tell = tell
        self._interrupted = False
        self._settling: asyncio.TimerHandle | None = None

    async def opened(self, call: grpc.aio.UnaryStreamCall[Any, Any]) -> None:
        """Waits for the connection after an interruption; raises as the call does."""
        if self._interrupted:
            await call.wait_for_connection()
            self._settling = asyncio.get_running_loop().call_later(SETTLED_S, self.noted)

    def noted(self) -> None:
        """The stream goes on."""
        self.waiting()
        if self._interrupted:
            self._interrupted = False
            if self._tell is not None:
                self._tell()

    def interrupted(self) -> None:
        """The stream has ended, or didn't begin."""
        self._interrupted = True

    def waiting(self) -> None:
        """Nothing is known of the next stream yet."""
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None
