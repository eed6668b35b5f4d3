"""The pool that prepares what comes in bulk: killed processes lose nothing, and few cores have none."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.rpc.workers.cores import usable_cores
from gateway.rpc.workers.preparation import Preparation, processes_for
from tests.support import worker_handlers

ROOT = Path(__file__).parents[4]
HANDLERS = ("echo", "sleep", "divide", "pid")


@pytest.fixture(autouse=True)
def handlers_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def pool(processes: int) -> Preparation:
    return Preparation(worker_handlers.toy_handlers, (), handlers=HANDLERS, processes=processes)


@pytest.fixture
def two() -> Iterator[Preparation]:
    made = pool(2)
    for worker in made.workers:
        worker.start().result(60)
    yield made
    for worker in made.workers:
        worker.stop()


def until(condition: Callable[[], object], within_s: float = 60.0) -> None:
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


async def ask(preparation: Preparation, handler: str, *arguments: Any) -> Any:
    return await preparation.run(
        handler, lambda: arguments, caller="test", here=lambda: "here", finish=lambda answer: ("elsewhere", answer)
    )


def test_without_processes_nothing_is_packed() -> None:
    def packed() -> tuple[Any, ...]:
        raise AssertionError("packed")

    answer = asyncio.run(pool(0).run("echo", packed, caller="test", here=lambda: "here", finish=str))
    assert answer == "here"


def test_calls_are_spread_and_what_cannot_be_passed_is_done_here(two: Preparation) -> None:
    begun = [two.begin("sleep", 0.2, caller="test"), two.begin("pid", caller="test"), two.begin("pid", caller="test")]
    assert None not in begun
    pids = {answer.result(20) for answer in begun[1:] if answer is not None}
    assert pids <= {worker.pid for worker in two.workers}

    async def two_ways() -> tuple[Any, Any]:
        left = await two.run("echo", lambda: None, caller="test", here=lambda: "here", finish=str)
        return left, await ask(two, "divide", 0)

    assert asyncio.run(two_ways()) == ("here", "here")  # nothing to pass, and a defect there


def test_a_killed_process_loses_no_call_and_comes_back(two: Preparation) -> None:
    async def killed() -> list[Any]:
        asked = [asyncio.create_task(ask(two, "sleep", 1.0)) for _ in range(2)]
        await asyncio.sleep(0.2)
        victim = two.workers[0].pid
        assert victim is not None
        os.kill(victim, signal.SIGKILL)
        return await asyncio.gather(*asked)

    assert sorted(asyncio.run(killed()), key=str) == [("elsewhere", None), "here"]
    until(lambda: two.begin("pid", caller="test") and all(worker.is_ready for worker in two.workers))
    assert [worker.starts for worker in two.workers] == [2, 1]


def test_the_pool_ends_with_its_task() -> None:
    async def kept() -> Preparation:
        made = pool(1)
        task = asyncio.create_task(made.keep())
        await asyncio.to_thread(until, lambda: made.workers[0].is_ready)
        assert await ask(made, "echo", 7) == ("elsewhere", 7)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return made

    assert asyncio.run(kept()).workers[0].pid is None


@pytest.mark.parametrize(("cores", "processes"), [(1, 0), (2, 0), (3, 2), (4, 3), (8, 7), (64, 8)])
def test_processes_follow_the_cores(cores: int, processes: int) -> None:
    assert processes_for(cores) == processes


@pytest.mark.parametrize(
    ("second", "first", "cores"),
    [
        ("max 100000\n", "", None),
        ("150000 100000\n", "", 1),
        ("50000 100000\n", "", 1),
        ("", "-1\n", None),
        ("", "100000\n", 1),
        ("damaged", "", None),
        ("", "", None),
    ],
)
def test_a_control_group_allows_fewer_cores(tmp_path: Path, second: str, first: str, cores: int | None) -> None:
    paths = tmp_path / "cpu.max", tmp_path / "cpu.cfs_quota_us"
    for path, content in zip(paths, (second, first), strict=True):
        if content:
            path.write_text(content, encoding="ascii")
    (tmp_path / "cpu.cfs_period_us").write_text("100000\n", encoding="ascii")
    assert usable_cores(paths) == (cores or len(os.sched_getaffinity(0)))
