"""A pool of threads that serves callers in turn: the executor behind `asyncio.to_thread` in a node."""

from __future__ import annotations

import os
import threading
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ParamSpec, TypeVar

from gateway.rpc.calls import current_caller

ParamsT = ParamSpec("ParamsT")
ResultT = TypeVar("ResultT")

THREADS = max(8, min(32, (os.cpu_count() or 1) + 4))
"""Threads of a node: as many as asyncio's own pool has, and enough for two callers and the node's own work."""

CALLER_THREADS = 2
"""Most threads that work for one caller at once: with more, they would wait for the interpreter and for each other, and
so would the node's event loop. Reads in the database don't hold the interpreter.
"""


@dataclass(frozen=True, slots=True)
class _ThreadJob:
    run: Callable[[], Any]
    future: Future[Any] = field(default_factory=Future)


class FairThreadPool(ThreadPoolExecutor):
    """Keeps the order of a caller's jobs; of several callers, the one with the fewest running jobs is next.

    The caller is that of the task that submits a job (`calls.current_caller`).
    """

    def __init__(self, threads: int = THREADS, caller_threads: int = CALLER_THREADS) -> None:
        super().__init__(threads, thread_name_prefix="work")
        self._free = threads
        self._caller_threads = caller_threads
        self._turns = threading.Lock()
        self._waiting: dict[str, deque[_ThreadJob]] = {}
        self._running: Counter[str] = Counter()

    def submit(
        self, fn: Callable[ParamsT, ResultT], /, *args: ParamsT.args, **kwargs: ParamsT.kwargs
    ) -> Future[ResultT]:
        """Queues a job for the current caller."""
        job = _ThreadJob(partial(fn, *args, **kwargs))
        with self._turns:
            self._waiting.setdefault(current_caller(), deque()).append(job)
            self._start_next()
        return job.future

    def _start_next(self) -> None:
        while self._free and (caller := self._next_caller()) is not None:
            jobs = self._waiting.pop(caller)
            job = jobs.popleft()
            if jobs:
                self._waiting[caller] = jobs  # behind the others
            self._free -= 1
            self._running[caller] += 1
            try:
                super().submit(self._work, caller, job)
            except RuntimeError:  # the pool is shut down
                job.future.cancel()
                self._ended(caller)

    def _next_caller(self) -> str | None:
        caller = min(self._waiting, key=self._running.__getitem__, default=None)
        return None if caller is None or self._running[caller] >= self._caller_threads else caller

    def _work(self, caller: str, job: _ThreadJob) -> None:
        if job.future.set_running_or_notify_cancel():
            try:
                result = job.run()
            except BaseException as error:
                job.future.set_exception(error)
            else:
                job.future.set_result(result)
        with self._turns:
            self._ended(caller)
            self._start_next()

    def _ended(self, caller: str) -> None:
        self._free += 1
        self._running[caller] -= 1
        if not self._running[caller]:
            del self._running[caller]
