"""Loops of a node over its records: index them, evaluate the rules, erase at the end of retention."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import ExitStack
from typing import Any

from gateway.contract.ids import FeedOrigin
from gateway.db.commit_watch import NewsSince
from gateway.errors import GatewayError
from gateway.feed.rpc.writer_client import ChangeNotifier, WriterClient, set_within
from gateway.feed.service.writing.transaction import Command
from gateway.history.commands.answer_retention import PurgeAnswersCommand, PurgeOrphansCommand
from gateway.history.commands.key_tree import ForgetKeyTreeCommand, KeepKeyTreeCommand
from gateway.history.commands.retention import ForgetRecords, PurgeCommand
from gateway.history.projection.index import IndexCommand, Retention
from gateway.history.rpc.index_process import EVALUATE, INDEX, IndexProcess
from gateway.history.service.risk import KeepRisksCommand
from gateway.rpc.beats import beat_in_s
from gateway.rpc.workers.batch_sizes import BatchSizes

log = logging.getLogger(__name__)

IDLE_S = 5.0
"""Interval of steps without a notification, if anything was committed."""

QUIET_S = 60.0
"""The same if nothing was."""

RETRY_S = 2.0

PURGE_EVERY_S = 60.0

HEAD_EVERY_S = 2.0
"""Between two heads of the tree of keys, unless more waits than fits into one: each is an entry in the log."""

Step = Callable[[], Awaitable[bool]]
"""True if there may be more work."""


BATCHES = BatchSizes(fewest=500, most=1_000, short_s=0.04, long_s=0.08)
"""Positions in one batch: beside others that use the machine a write takes twice as long."""

KEEP_SHARE = 3 / 4
"""Most of the time spent on writing during a backlog: callers share the interpreter and the writer. The worker process
needs no pause, at its lower priority; it prepares the next batch meanwhile."""


async def follow(
    step: Step, *, what: str, notifier: ChangeNotifier, topics: Collection[FeedOrigin | str], news: NewsSince
) -> None:
    """Takes steps whenever one of these topics moves, until cancelled.

    Args:
        news: whether to look without having been told.
    """
    moved = asyncio.Event()
    with ExitStack() as ends:
        for topic in topics:
            ends.callback(notifier.subscribe(topic, moved, coalesce=isinstance(topic, str)))
        while True:
            is_told = moved.is_set()
            moved.clear()
            if news.is_due or is_told:
                if not await _steps(step, what):
                    await asyncio.sleep(RETRY_S)
                    continue
                news.looked()
            await set_within(moved, beat_in_s(IDLE_S))


async def _steps(step: Step, what: str) -> bool:
    """Takes steps until no work is left; False after a failure."""
    try:
        while await step():
            pass
        return True
    except GatewayError as error:
        log.warning("%s waits: %s", what, error.message)
    except Exception:
        log.exception("%s failed; it is tried again", what)
    return False


class IndexProcessStep:
    """Passes the next batch from the worker process to the writer, while the one after it is prepared.

    A batch says where it begins, and the writer refuses one that isn't the next. Used by one task.
    """

    def __init__(
        self, process: IndexProcess, handler: str, *, keep: Callable[[Any], Command[object]], writer: WriterClient
    ) -> None:
        self._process = process
        self._handler = handler
        self._keep = keep
        self._writer = writer
        self._most = BATCHES.fewest
        self._ahead: asyncio.Task[Any] | None = None

    async def __call__(self) -> bool:
        ahead, self._ahead = self._ahead, None
        batch = await (ahead or self._process.next(self._handler, most=self._most))
        if batch is None:
            return False
        following = self._process.next(self._handler, batch.last, most=self._most)
        ahead = asyncio.create_task(following, name=f"prepare the next {self._handler}")
        try:
            started = time.monotonic()
            written = await self._writer.run(self._keep(batch))
            took_s = time.monotonic() - started
            self._most = BATCHES.after(max(BATCHES.fewest, batch.last - batch.after), took_s, is_cut=True)
            await asyncio.sleep(took_s * (1 / KEEP_SHARE - 1))
        except BaseException:
            _drop(ahead)
            raise
        if written is False:  # another replica, a rebuild or a purge was faster
            _drop(ahead)
        else:
            self._ahead = ahead
        return True


def _drop(task: asyncio.Task[Any] | None) -> None:
    """Ends a task whose result isn't needed."""
    if task is not None:
        task.cancel()
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())


def index_step(process: IndexProcess, *, writer: WriterClient, retention: Retention) -> IndexProcessStep:
    """Indexes the next records."""
    return IndexProcessStep(process, INDEX, keep=lambda batch: IndexCommand(batch, retention), writer=writer)


def risk_step(process: IndexProcess, *, writer: WriterClient) -> IndexProcessStep:
    """Evaluates the rules on the next records."""
    return IndexProcessStep(process, EVALUATE, keep=KeepRisksCommand, writer=writer)


class KeyTreeStep:
    """Passes the next state of the tree of keys from the worker process to the writer, where it gets its head."""

    def __init__(self, process: IndexProcess, origin: FeedOrigin, *, writer: WriterClient) -> None:
        self._process = process
        self._origin = origin
        self._writer = writer

    async def __call__(self) -> bool:
        batch = await self._process.next_key_tree()
        if batch is None:
            return False
        await self._writer.run(KeepKeyTreeCommand(self._origin, batch))  # False: another replica was faster
        if not batch.is_full:
            await asyncio.sleep(HEAD_EVERY_S)
        return True


async def forget_key_tree(writer: WriterClient) -> None:
    """Empties the tree of a node that doesn't prove its answers."""
    await writer.run(ForgetKeyTreeCommand())


class SearchStep:
    """Runs a search in a thread, and writes its result."""

    def __init__(self, search: Callable[[], Command[object] | None], *, writer: WriterClient) -> None:
        self._search = search
        self._writer = writer

    async def __call__(self) -> bool:
        command = await asyncio.to_thread(self._search)
        if command is None:
            return False
        await self._writer.run(command)
        return True


async def purge(origin: FeedOrigin, writer: WriterClient, *, forget: ForgetRecords) -> None:
    """Erases records and answers whose retention has ended, until cancelled."""
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
