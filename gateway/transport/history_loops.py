"""What a node does with its records by itself: makes them findable, in batches behind the recording.

Owns the loop and its pace. Doesn't own what a batch does (services.history_index).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from gateway.errors import GatewayError
from gateway.model.ids import FeedOrigin
from gateway.services.history_index import HistoryIndexer, IndexWork, Retention
from gateway.transport.bridge import Bridge, Wakeups

log = logging.getLogger(__name__)

IDLE_S = 5.0
"""How often the log is looked at without having been told that it grew, in seconds."""

RETRY_S = 2.0
"""Pause after a failure, in seconds."""


class IndexLoop:
    """Keeps the index behind the log."""

    def __init__(
        self, indexer: HistoryIndexer, *, origin: FeedOrigin, bridge: Bridge, wakeups: Wakeups, retention: Retention
    ) -> None:
        self._indexer = indexer
        self._origin = origin
        self._bridge = bridge
        self._wakeups = wakeups
        self._retention = retention

    async def run(self) -> None:
        """Until it is cancelled."""
        grown = asyncio.Event()
        end_subscription = self._wakeups.subscribe(self._origin, grown)
        try:
            while True:
                grown.clear()
                try:
                    while await self._step():
                        pass
                except GatewayError as error:
                    log.warning("records wait to be findable: %s", error.message)
                    await asyncio.sleep(RETRY_S)
                    continue
                except Exception:
                    log.exception("making records findable failed; it is tried again")
                    await asyncio.sleep(RETRY_S)
                    continue
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(grown.wait(), IDLE_S)
        finally:
            end_subscription()

    async def _step(self) -> bool:
        batch = await asyncio.to_thread(self._indexer.next)
        if batch is None:
            return False
        try:
            done = await self._bridge.commit(IndexWork(batch, self._retention))
        except Exception:
            self._indexer.forget()
            raise
        if done:
            self._wakeups.projected()
        else:
            self._indexer.forget()
        return True
