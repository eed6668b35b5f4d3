"""Spreads calls of one handler over several worker processes, and returns the answers in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

from gateway.errors import UnavailableError
from gateway.rpc.workers.worker_process import WorkerProcess

CALLS_PER_PROCESS = 3
"""Calls that a process has or has answered before the oldest answer is taken: enough that none waits for another."""


def ordered_calls(
    workers: Sequence[WorkerProcess], handler: str, arguments: Iterable[tuple[Any, ...]]
) -> Iterator[Future[Any]]:
    """Starts the processes, yields a future for each call, and ends the processes at the end.

    A call of a process that can't start, or ended, has a future that fails with UnavailableError.
    """
    try:
        for worker in workers:
            worker.start()
        passed: deque[Future[Any]] = deque()
        unanswered: list[list[Future[Any]]] = [[] for _ in workers]
        for call in arguments:
            if len(passed) == len(workers) * CALLS_PER_PROCESS:
                yield passed.popleft()
            for number, calls in enumerate(unanswered):
                unanswered[number] = [answer for answer in calls if not answer.done()]
            least = min(range(len(workers)), key=lambda number: len(unanswered[number]))
            answer = _call(workers[least], handler, call)
            unanswered[least].append(answer)
            passed.append(answer)
        yield from passed
    finally:
        for worker in workers:
            worker.stop()


def _call(worker: WorkerProcess, handler: str, arguments: tuple[Any, ...]) -> Future[Any]:
    try:
        worker.start().result()
        return worker.call(handler, *arguments, caller=handler)
    except UnavailableError as error:
        failed: Future[Any] = Future()
        failed.set_exception(error)
        return failed
