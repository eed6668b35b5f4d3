"""Loops of a node over its alerts: fill the inbox, index texts, erase old notes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from gateway.casework.commands.cases import ERASED_AT_ONCE, EraseOldNotesCommand
from gateway.casework.projection.index import IndexDocumentsCommand, ListCommand
from gateway.casework.rpc.names_process import NamesProcess
from gateway.casework.service.lister import InboxLister
from gateway.errors import GatewayError
from gateway.feed.rpc.writer_client import ChangeNotifier, WriterClient, set_within

log = logging.getLogger(__name__)

IDLE_S = 5.0
"""Interval of steps without a notification."""

RETRY_S = 2.0

ERASE_EVERY_S = 600.0

WRITE_SHARE = 0.5
"""Most of the time that a backlog spends on writing: callers share the writer."""

Step = Callable[[], Awaitable[bool]]
"""True if there may be more work."""


async def follow(step: Step, *, what: str, notifier: ChangeNotifier, topic: str) -> None:
    """Takes steps whenever a topic moves, until cancelled."""
    moved = asyncio.Event()
    end_subscription = notifier.subscribe(topic, moved, patient=True)
    try:
        while True:
            moved.clear()
            try:
                while await step():
                    pass
            except GatewayError as error:
                log.warning("%s waits: %s", what, error.message)
                await asyncio.sleep(RETRY_S)
            except Exception:
                log.exception("%s failed; it is tried again", what)
                await asyncio.sleep(RETRY_S)
            else:
                await set_within(moved, IDLE_S)
    finally:
        end_subscription()


class ListStep:
    """Writes the next changes of alerts into the inbox."""

    def __init__(self, lister: InboxLister, writer: WriterClient) -> None:
        self._lister = lister
        self._writer = writer

    async def __call__(self) -> bool:
        batch = await asyncio.to_thread(self._lister.next)
        if batch is None:
            return False
        await self._writer.run(ListCommand(batch))
        return True


class IndexStep:
    """Passes the next texts from the worker process to the writer."""

    def __init__(self, process: NamesProcess, writer: WriterClient) -> None:
        self._process = process
        self._writer = writer

    async def __call__(self) -> bool:
        batch = await self._process.next_batch()
        if batch is None:
            return False
        started = time.monotonic()
        await self._writer.run(IndexDocumentsCommand(batch))
        await asyncio.sleep((time.monotonic() - started) * (1 / WRITE_SHARE - 1))
        return True


async def erase_old_notes(writer: WriterClient, *, keep_ms: int, clock: Callable[[], int]) -> None:
    """Erases texts of notes at the end of their retention, until cancelled."""
    while True:
        try:
            while await writer.run(EraseOldNotesCommand(clock() - keep_ms)) == ERASED_AT_ONCE:
                pass
        except GatewayError as error:
            log.warning("erasing old notes waits: %s", error.message)
        except Exception:
            log.exception("erasing old notes failed; it is tried again")
        await asyncio.sleep(ERASE_EVERY_S)
