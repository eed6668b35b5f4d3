"""What a node does with its records by itself: makes them findable, judges them, and ends those whose time is over."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from gateway.contract.ids import FeedOrigin
from gateway.errors import GatewayError
from gateway.feed.rpc.writer_client import ChangeNotifier, WriterClient, set_within
from gateway.feed.service.transaction import Command
from gateway.history.codec.batches import IndexBatch, RiskBatch
from gateway.history.commands.answer_retention import PurgeAnswersCommand, PurgeOrphansCommand
from gateway.history.commands.retention import ForgetRecords, PurgeCommand
from gateway.history.projection.index import IndexCommand, Retention
from gateway.history.rpc.index_process import FILTER, INDEX, JUDGE, Preparing
from gateway.history.service.risk import KeepRisksCommand
from gateway.history.service.segment_filters import KeepFilterCommand, SegmentFilter

log = logging.getLogger(__name__)

IDLE_S = 5.0
"""How often there is a look without having been told that something moved, in seconds."""

RETRY_S = 2.0
"""Pause after a failure, in seconds."""

PURGE_EVERY_S = 60.0
"""How often records are looked for whose time is over, in seconds."""

Step = Callable[[], Awaitable[bool]]
"""Does some of what there is to do; True when there may be more."""


KEEP_SHARE = 0.5
"""Part of the time that the node may take to keep what was prepared while there is a backlog: whoever waits for an
answer shares the interpreter and the writer with that. Preparing needs no pause: its process comes after the node
wherever a processor is scarce."""


async def follow(step: Step, *, what: str, notifier: ChangeNotifier, topic: FeedOrigin | str) -> None:
    """Takes steps whenever a topic moves, until cancelled.

    Args:
        step: what to do.
        what: names it in the log.
        notifier, topic: what wakes it.
    """
    moved = asyncio.Event()
    end_subscription = notifier.subscribe(topic, moved)
    try:
        while True:
            moved.clear()
            if not await _steps(step, what):
                await asyncio.sleep(RETRY_S)
                continue
            await set_within(moved, IDLE_S)
    finally:
        end_subscription()


async def _steps(step: Step, what: str) -> bool:
    """Steps until there is no more to do; False when one failed."""
    try:
        while await step():
            pass
        return True
    except GatewayError as error:
        log.warning("%s waits: %s", what, error.message)
    except Exception:
        log.exception("%s failed; it is tried again", what)
    return False


class PreparedStep:
    """Has the process prepare the next thing of a kind, and the writer keep it."""

    def __init__(
        self, preparing: Preparing, *, question: bytes, keep: Callable[[bytes], Command], writer: WriterClient
    ) -> None:
        """Takes what it needs.

        Args:
            preparing: the process.
            question: what it is asked for, see history.rpc.index_process.
            keep: makes the writer's work of what it gives; called in a thread.
            writer: to the writer.
        """
        self._preparing = preparing
        self._question = question
        self._keep = keep
        self._writer = writer

    async def __call__(self) -> bool:
        data = await self._preparing.ask(self._question)
        if not data:
            return False
        started = time.monotonic()
        await self._writer.run(await asyncio.to_thread(self._keep, data))
        await asyncio.sleep((time.monotonic() - started) * (1 / KEEP_SHARE - 1))
        return True


class IndexStep:
    """Makes the next records findable, and wakes who waits for that."""

    def __init__(
        self, preparing: Preparing, *, writer: WriterClient, notifier: ChangeNotifier, retention: Retention
    ) -> None:
        self._step = PreparedStep(
            preparing, question=INDEX, keep=lambda data: IndexCommand(IndexBatch.decode(data), retention), writer=writer
        )
        self._notifier = notifier

    async def __call__(self) -> bool:
        went_on = await self._step()
        if went_on:
            self._notifier.projection_changed()
        return went_on


def risk_step(preparing: Preparing, *, writer: WriterClient) -> PreparedStep:
    """Judges the next records by the rules."""
    return PreparedStep(
        preparing, question=JUDGE, keep=lambda data: KeepRisksCommand(RiskBatch.decode(data)), writer=writer
    )


def filter_step(preparing: Preparing, *, writer: WriterClient) -> PreparedStep:
    """Makes the filter of the next full segment of the index."""
    return PreparedStep(
        preparing, question=FILTER, keep=lambda data: KeepFilterCommand(SegmentFilter.decode(data)), writer=writer
    )


class SearchStep:
    """Runs a search in a thread, and has the writer keep what it gives."""

    def __init__(self, search: Callable[[], Command | None], *, writer: WriterClient) -> None:
        """Takes what it needs.

        Args:
            search: gives the command that keeps what it has found; None when there is nothing.
            writer: to the writer.
        """
        self._search = search
        self._writer = writer

    async def __call__(self) -> bool:
        command = await asyncio.to_thread(self._search)
        if command is None:
            return False
        await self._writer.run(command)
        return True


async def purge(origin: FeedOrigin, writer: WriterClient, *, forget: ForgetRecords) -> None:
    """Ends records, and questions and answers between partners, whose time is over; until cancelled."""
    while True:
        after, held = (0, ""), 0
        try:
            while True:
                done = await writer.run(PurgeCommand(origin, forget, after))
                held += done.held
                if done.last is None:
                    break
                after = done.last
            while await writer.run(PurgeAnswersCommand()):
                pass
            await writer.run(PurgeOrphansCommand())
        except GatewayError as error:
            log.warning("the purge of records waits: %s", error.message)
        except Exception:
            log.exception("the purge of records failed; it is tried again")
        if held:
            log.info("%d records whose time is over are kept by holds", held)
        await asyncio.sleep(PURGE_EVERY_S)
