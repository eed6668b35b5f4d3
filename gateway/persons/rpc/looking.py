"""Looks at the database again and again, since another replica may have changed it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

from gateway.errors import GatewayError
from gateway.rpc.beats import next_beat


async def poll(look: Callable[[], Awaitable[None]], every_s: float) -> None:
    """Looks until it is cancelled; after a look that raised GatewayError the next one comes as ever."""
    while True:
        with suppress(GatewayError):  # the database is away
            await look()
        await next_beat(every_s)
