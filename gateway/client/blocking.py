"""Runs asynchronous work with a client, for a program without an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway.client.alerts import GatewayClient
from gateway.client.connection import explained
from gateway.client.diagnosis import NoAnswerError

T = TypeVar("T")


def run_blocking(connect: Callable[[], GatewayClient], work: Callable[[GatewayClient], Awaitable[T]]) -> T:
    """Result of `work`; on Ctrl-C raises KeyboardInterrupt once the client is closed."""

    async def connected_work() -> T:
        async with connect() as client:
            try:
                return await work(client)
            except NoAnswerError as error:  # of a stream
                raise await explained(error) from None

    try:
        return asyncio.run(connected_work())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
