"""Lets all links to a partner wait together while its gateway isn't reached."""

from __future__ import annotations

import asyncio
import logging

from gateway.errors import GatewayError
from gateway.rpc.peers import ATTEMPTS_S, Peers

log = logging.getLogger(__name__)

ATTEMPT_EVERY_S = ATTEMPTS_S
"""Seconds between calls to a partner that isn't connected, by one link in turn: what they meet tells operators why, and
how patient the next attempts to connect must be."""


class Reconnection:
    """The links to one partner that wait for a connection to it; for one event loop.

    gRPC tries to connect meanwhile, for all of them, and wakes nobody until it has succeeded.
    """

    def __init__(self, partner: str, peers: Peers) -> None:
        self._partner = partner
        self._peers = peers
        self._waiting: list[asyncio.Event] = []
        self._watching: asyncio.Task[None] | None = None
        self._told = ""

    async def wait(self, kick: asyncio.Event) -> None:
        """Returns when `kick` is set: here, once the partner is connected or it is this link's turn, or elsewhere."""
        self._waiting.append(kick)
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch(), name=f"connection to {self._partner}")
        try:
            await kick.wait()
        finally:
            self._waiting.remove(kick)
            if not self._waiting and self._watching is not None:
                self._watching.cancel()
                self._watching = None

    def lost(self, why: str) -> None:
        """Logs once for all links why the partner isn't reached."""
        if why != self._told:
            self._told = why
            log.warning("%s isn't reached: %s", self._partner, why)

    def regained(self) -> None:
        """Logs that the partner is reached, if it wasn't."""
        if self._told:
            self._told = ""
            log.info("%s is reached again", self._partner)

    async def _watch(self) -> None:
        while True:
            connected = await self._connected()
            for kick in self._waiting if connected else self._waiting[:1]:
                kick.set()
            await asyncio.sleep(0)  # those leave, and the last one ends this

    async def _connected(self) -> bool:
        try:
            return await self._peers.connected(self._partner, within_s=ATTEMPT_EVERY_S)
        except GatewayError as error:  # the directory gives no address any more
            log.debug("%s can't be connected to: %s", self._partner, error.message)
            await asyncio.sleep(ATTEMPT_EVERY_S)
            return False
