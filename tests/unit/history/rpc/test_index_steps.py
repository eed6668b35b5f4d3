"""The next batch is prepared while one is written; what was prepared in vain is prepared again."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from gateway.errors import UnavailableError
from gateway.feed.rpc.writer_client import WriterClient
from gateway.feed.service.writing.transaction import Command
from gateway.history.codec.batches import IndexBatch, KeyColumns
from gateway.history.rpc.index_process import INDEX, IndexProcess
from gateway.history.rpc.loops import BATCHES, IndexProcessStep

BATCH = 10


class Log:
    """A log of `last` positions with its index: worker process and writer in one."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.indexed = 0
        self.prepared: list[int] = []
        self.asked: list[int] = []
        self.positions_each = BATCH
        self.write_s = 0.001
        self.moved = asyncio.Event()
        self.writing = False
        self.prepared_while_writing = 0
        self.fails_at: int | None = None
        self.refuses_at: int | None = None

    async def next(self, handler: str, after: int | None = None, *, most: int) -> IndexBatch | None:
        assert handler == INDEX
        self.asked.append(most)
        start = self.indexed if after is None else after
        await asyncio.sleep(0)
        if start == self.fails_at:
            self.fails_at = None
            raise UnavailableError("the process has ended")
        if start >= self.last:
            return None
        self.prepared.append(start)
        self.prepared_while_writing += self.writing
        return IndexBatch(start, min(start + min(most, self.positions_each), self.last), (), KeyColumns(), (), (), ())

    async def run(self, command: Any) -> bool:
        batch = cast(IndexBatch, command)
        self.writing = True
        await asyncio.sleep(self.write_s)
        self.writing = False
        if batch.after == self.refuses_at:
            self.refuses_at = None
            return False
        if batch.after != self.indexed:
            return False
        self.indexed = batch.last
        self.moved.set()
        return True

    def step(self) -> IndexProcessStep:
        keep = cast("type[Command]", lambda batch: batch)
        return IndexProcessStep(cast(IndexProcess, self), INDEX, keep=keep, writer=cast(WriterClient, self))


async def follow(log: Log, step: IndexProcessStep) -> int:
    """Steps until nothing is left; the number of failures."""
    failures = 0
    while True:
        try:
            if not await step():
                return failures
        except UnavailableError:
            failures += 1


def test_each_batch_is_prepared_once_and_all_but_the_first_while_another_is_written() -> None:
    log = Log(35)
    assert asyncio.run(follow(log, log.step())) == 0
    assert log.indexed == 35
    assert log.prepared == [0, 10, 20, 30]
    assert log.prepared_while_writing == 3


def test_batches_grow_while_writes_are_short_and_shrink_after_long_ones() -> None:
    async def scene() -> None:
        log = Log(10_000)
        log.positions_each = log.last
        await follow(log, step := log.step())
        assert log.asked[0] == BATCHES.fewest
        assert max(log.asked) == BATCHES.most
        log.last, log.write_s = 15_000, 1.5 * BATCHES.long_s
        await follow(log, step)
        assert log.asked[-1] == BATCHES.fewest

    asyncio.run(scene())


def test_what_comes_after_the_end_is_found_by_the_next_step() -> None:
    async def scene() -> None:
        log = Log(15)
        step = log.step()
        await follow(log, step)
        log.last = 25
        await follow(log, step)
        assert log.indexed == 25

    asyncio.run(scene())


def test_after_a_batch_that_was_not_the_next_preparing_begins_where_the_index_stands() -> None:
    log = Log(40)
    log.refuses_at = 10
    asyncio.run(follow(log, log.step()))
    assert log.indexed == 40
    assert log.prepared.count(10) == 2


def test_a_process_that_ends_while_it_prepares_ahead_costs_one_failure() -> None:
    log = Log(40)
    log.fails_at = 20
    assert asyncio.run(follow(log, log.step())) == 1
    assert log.indexed == 40


def test_a_step_that_is_cancelled_leaves_no_task() -> None:
    async def scene() -> set[asyncio.Task[Any]]:
        log = Log(1_000_000)
        task = asyncio.create_task(follow(log, log.step()))
        await log.moved.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.01)
        return asyncio.all_tasks() - {cast("asyncio.Task[Any]", asyncio.current_task())}

    assert asyncio.run(scene()) == set()
