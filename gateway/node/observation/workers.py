"""Knows how the worker processes of a node are, and raises an alarm about those that end by themselves."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from gateway.feed.service.alarms import WORKER, Alarms
from gateway.rpc.workers.worker_process import WorkerFailure, WorkerProcess
from gateway.telemetry.metrics import Metrics

RECENT_S: Final = 600.0
"""Seconds for which an end counts: after that, a process that nobody needed meanwhile is no alarm any more."""

OFTEN: Final = 3
"""Ends in RECENT_S from which on the alarm stays although the process runs again."""

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


class WorkerObserver:
    """Watches worker processes. `observe` runs in one thread at a time."""

    def __init__(
        self,
        workers: Sequence[WorkerProcess],
        *,
        alarms: Alarms,
        metrics: Metrics,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._workers = workers
        self._alarms = alarms
        self._metrics = metrics
        self._monotonic_s = monotonic_s
        self._starts: dict[str, int] = {}

    def observe(self) -> None:
        """Looks once."""
        metrics = self._metrics
        metrics.worker_up.replace({(worker.name,): float(worker.is_ready) for worker in self._workers})
        metrics.worker_rss.replace(
            {(worker.name,): float(resident_bytes(worker.pid)) for worker in self._workers if worker.pid is not None}
        )
        for worker in self._workers:
            starts = worker.starts
            metrics.worker_starts.labels(worker.name).inc(starts - self._starts.get(worker.name, 0))
            self._starts[worker.name] = starts
        messages = {worker.name: (self._problem(worker), 0) for worker in self._workers}
        self._alarms.keep(WORKER, {name: told for name, told in messages.items() if told[0]})

    def _problem(self, worker: WorkerProcess) -> str:
        recent = [end for end in worker.failures() if self._monotonic_s() - end.at_s < RECENT_S]
        if not recent or (worker.is_ready and len(recent) < OFTEN and not any(end.hung for end in recent)):
            return ""
        times = f"{len(recent)} times" if len(recent) > 1 else "once"
        state = "it runs again" if worker.is_ready else "it doesn't run"
        return (
            f"the {worker.name} process has ended by itself {times} in the last {RECENT_S // 60:g} min, "
            f"{_how(recent[-1])}; {state}"
        )


def resident_bytes(pid: int) -> int:
    """Memory of a process in bytes; 0 if it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * _PAGE_BYTES
    except (OSError, IndexError, ValueError):
        return 0


def _how(end: WorkerFailure) -> str:
    if end.hung:
        return "last killed because it didn't answer"
    if end.exit_code < 0:
        return f"last by signal {-end.exit_code}"
    return f"last with exit code {end.exit_code}"
