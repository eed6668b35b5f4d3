"""The pool of threads: callers in turn, and never all threads for one of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from gateway.rpc.calls import Call, enter_call
from gateway.rpc.fairness.limits import FairThreadPool
from gateway.trust.rules.permissions import Principal, PrincipalKind


@pytest.fixture
def pool() -> Iterator[FairThreadPool]:
    made = FairThreadPool(threads=4, caller_threads=2)
    yield made
    made.shutdown(wait=True, cancel_futures=True)


def call_of(name: str) -> Call:
    principal = Principal(PrincipalKind.SYSTEM, "cn", name, frozenset(), "")
    return Call(principal, "/test", lambda _: None, lambda: 0)


async def as_caller(name: str, job: object) -> object:
    enter_call(call_of(name))
    return await asyncio.to_thread(job)  # type: ignore[arg-type]


def test_one_callers_long_jobs_leave_threads_to_the_others(pool: FairThreadPool) -> None:
    go_on, running = threading.Event(), []

    def long() -> None:
        running.append(1)
        assert go_on.wait(20)

    async def run() -> None:
        asyncio.get_running_loop().set_default_executor(pool)
        many = [asyncio.create_task(as_caller("many", long)) for _ in range(50)]
        await asyncio.sleep(0)
        assert await asyncio.wait_for(as_caller("few", lambda: 7), 10) == 7
        assert await asyncio.wait_for(asyncio.to_thread(lambda: 8), 10) == 8  # the node's own work
        assert len(running) <= 2
        go_on.set()
        await asyncio.gather(*many)
        assert len(running) == 50

    asyncio.run(run())


def test_callers_that_wait_take_turns_and_keep_their_order() -> None:
    pool, order = FairThreadPool(threads=1, caller_threads=1), []
    go_on = threading.Event()

    async def run() -> None:
        asyncio.get_running_loop().set_default_executor(pool)
        jobs = [asyncio.create_task(as_caller("first", lambda: go_on.wait(20)))]
        await asyncio.sleep(0)
        for number in range(3):
            for name in ("a", "b"):
                jobs.append(asyncio.create_task(as_caller(name, lambda one=(name, number): order.append(one))))
        await asyncio.sleep(0)
        jobs += [asyncio.create_task(as_caller("c", lambda: order.append(("c", 0))))]
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.gather(*jobs)

    asyncio.run(run())
    assert order == [("a", 0), ("b", 0), ("c", 0), ("a", 1), ("b", 1), ("a", 2), ("b", 2)]


def test_errors_cancellation_and_the_end() -> None:
    pool = FairThreadPool(threads=1, caller_threads=1)
    go_on = threading.Event()
    first = pool.submit(go_on.wait, 20)
    cancelled, failed, dropped = pool.submit(lambda: 1), pool.submit(lambda: 1 / 0), pool.submit(lambda: 2)
    assert cancelled.cancel()
    go_on.set()
    assert first.result(10)
    assert isinstance(failed.exception(10), ZeroDivisionError)
    assert dropped.result(10) == 2
    pool.shutdown()
    assert pool.submit(lambda: 3).cancelled()
