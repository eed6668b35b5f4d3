"""The alarm about a worker process: it rises when one ends by itself, and ends when it runs again."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.feed.service.alarms import WORKER, Alarms
from gateway.node.observation.workers import OFTEN, RECENT_S, WorkerObserver
from gateway.rpc.workers.worker_process import WorkerProcess
from gateway.telemetry.metrics import Metrics
from tests.support import worker_handlers

ROOT = Path(__file__).parents[4]
DEADLINES_S = dict.fromkeys(("echo", "sleep", "refuse", "divide", "facts", "pid", "complain"), 60.0)
START_S = 120.0


class Monotonic:
    ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + START_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_killed_process_is_an_alarm_until_it_runs_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    alarms, metrics, clock = Alarms(lambda: 1), Metrics(), Monotonic()
    worker = WorkerProcess("toy", worker_handlers.toy_handlers, (), deadlines_s=DEADLINES_S)
    observer = WorkerObserver([worker], alarms=alarms, metrics=metrics, monotonic_s=clock)

    def seen() -> list[str]:
        observer.observe()
        return [alarm.message for alarm in alarms.list() if alarm.code == WORKER]

    def killed() -> None:
        worker.start().result(START_S)
        ends = len(worker.failures())
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        until(lambda: len(worker.failures()) > ends)

    def sample(name: str) -> float | None:
        return metrics.registry.get_sample_value(name, {"worker": "toy"})

    try:
        worker.start().result(START_S)
        assert seen() == []
        assert sample("gateway_worker_up") == 1
        assert (sample("gateway_worker_resident_memory_bytes") or 0) > 1_000_000
        killed()
        assert seen() == [
            "the toy process has ended by itself once in the last 10 min, last by signal 9; it doesn't run"
        ]
        assert sample("gateway_worker_up") == 0
        worker.start().result(START_S)
        assert seen() == [], "it runs again"
        for _ in range(OFTEN - 1):
            killed()
        worker.start().result(START_S)
        (message,) = seen()
        assert "3 times in the last 10 min, last by signal 9; it runs again" in message
        clock.ahead_s = RECENT_S
        assert seen() == []
        assert sample("gateway_worker_starts_total") == 4
    finally:
        worker.stop()
    assert len(worker.failures()) == OFTEN, "a stop isn't an end by itself"
