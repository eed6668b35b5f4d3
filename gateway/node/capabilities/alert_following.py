"""Follows alerts for all capabilities together: a change is read once, and what they make of it is one commit.

What people wait for is prepared in the node. What needs the vocabularies of names is prepared in the process that has
them, and follows on its own: it may take longer, and must not hold up an inbox.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from sqlalchemy import Connection

from gateway.alerts.commands.following import AlertFollower, FollowCommand, FollowedBatch, prepare_batch
from gateway.db.commit_watch import CommitWatch, NewsSince
from gateway.db.database import Database
from gateway.errors import GatewayError
from gateway.feed.rpc.writer_client import ChangeNotifier, WriterClient, set_within
from gateway.node.workers.history import FOLLOW_ALERTS
from gateway.rpc.beats import beat_in_s
from gateway.rpc.workers.batch_sizes import BatchSizes
from gateway.rpc.workers.worker_process import WorkerProcess

log = logging.getLogger(__name__)

BATCHES = BatchSizes(fewest=250, most=1_000, short_s=0.02, long_s=0.04)
"""Steps of alerts in one batch."""

IDLE_S = 5.0
"""Interval of looks without a notification, if anything was committed."""

QUIET_S = 60.0
"""The same if nothing was."""

RETRY_S = 2.0

WRITE_SHARE = 0.5
"""Most of the time that a backlog spends on writing: callers share the writer."""

Prepare = Callable[[int], Awaitable[FollowedBatch]]
"""The next batch of at most so many steps; empty where nothing is new."""

IsBehind = Callable[[Connection], bool]
"""Whether a follower may have something to do."""


class AlertFollowing:
    """Writes what followers make of alerts, as these change; for one replica."""

    def __init__(self, prepare: Prepare, writer: WriterClient, notifier: ChangeNotifier, commits: CommitWatch) -> None:
        self._news = NewsSince(commits, most_s=QUIET_S)
        self._prepare = prepare
        self._writer = writer
        self._notifier = notifier
        self._limit = BATCHES.fewest
        self._write_again_at = 0.0  # in a backlog

    async def run(self) -> None:
        """Until cancelled."""
        moved = asyncio.Event()
        end_subscription = self._notifier.subscribe(ChangeNotifier.ALERT_CHANGES, moved, coalesce=True)
        try:
            while True:
                is_told = moved.is_set()
                moved.clear()
                try:
                    if self._news.is_due or is_told:
                        while await self._step():
                            pass
                        self._news.looked()
                except GatewayError as error:
                    log.warning("followers of alerts wait: %s", error.message)
                    await asyncio.sleep(RETRY_S)
                except Exception:
                    log.exception("following alerts failed; it is tried again")
                    await asyncio.sleep(RETRY_S)
                else:
                    await set_within(moved, beat_in_s(IDLE_S))
        finally:
            end_subscription()

    async def _step(self) -> bool:
        """Writes the next batch; whether more is waiting."""
        loop = asyncio.get_running_loop()
        batch = await self._prepare(self._limit)
        if not batch.parts:
            return False
        await asyncio.sleep(self._write_again_at - loop.time())  # preparing was a rest too
        started = loop.time()
        try:
            await self._writer.run(FollowCommand(batch.parts))
        except GatewayError:
            raise
        except Exception:
            log.exception("what followers of alerts write together failed; each writes its own")
            await self._write_singly(batch)
        took = loop.time() - started
        self._limit = BATCHES.after(self._limit, took, is_cut=batch.is_cut)
        self._write_again_at = loop.time() + took * (1 / WRITE_SHARE - 1) if batch.is_cut else 0.0
        return batch.is_cut

    async def _write_singly(self, batch: FollowedBatch) -> None:
        failed: Exception | None = None
        for part in batch.parts:
            try:
                await self._writer.run(part)
            except Exception as error:
                failed = error
        if failed is not None:
            raise failed


def in_node(database: Database, followers: Sequence[AlertFollower]) -> Prepare:
    """Prepares in a thread of the node."""
    return lambda limit: asyncio.to_thread(prepare_batch, database, followers, limit=limit)


def in_process(database: Database, process: WorkerProcess, followers: Mapping[str, IsBehind]) -> Prepare:
    """Prepares in the process that knows names, which is started when there is something to do.

    Args:
        followers: by the names that the handler FOLLOW_ALERTS knows.
    """

    def is_behind() -> bool:
        with database.read() as conn:
            return any(waits(conn) for waits in followers.values())

    async def prepare(limit: int) -> FollowedBatch:
        if not await asyncio.to_thread(is_behind):
            return FollowedBatch((), is_cut=False)
        await asyncio.wrap_future(await asyncio.to_thread(process.start))
        batch: FollowedBatch
        batch = await asyncio.wrap_future(process.call(FOLLOW_ALERTS, tuple(followers), limit, caller=FOLLOW_ALERTS))
        return batch

    return prepare
