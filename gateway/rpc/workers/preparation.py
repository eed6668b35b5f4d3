"""Prepares what comes in bulk in a pool of worker processes, sized by the cores.

Parsing, rules and digests are most of what an alert or a list entry costs, and need nothing but the message. Their
functions are pure: what a process didn't answer, since it was killed or is behind, is done in the node, once more.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

from gateway.errors import GatewayError, UnavailableError
from gateway.rpc.workers.worker_main import Opener
from gateway.rpc.workers.worker_process import WorkerProcess

log = logging.getLogger(__name__)

ANSWER_S = 20.0
"""Seconds for a call; then its process is killed, and the node does the work."""

MAX_PROCESSES = 8
"""Most processes: beyond these the node's own process, which commits what they prepare, is the limit."""

FREE_CORES = 2
"""Cores that the node and its other processes fill. With no more than these a pool only adds hand-overs."""

ResultT = TypeVar("ResultT")


def processes_for(cores: int) -> int:
    """Processes that pay with so many cores; none with one or two."""
    return max(0, min(MAX_PROCESSES, cores - 1)) if cores > FREE_CORES else 0


class Preparation:
    """The pool. Without processes everything is done in the node, by threads.

    A call goes to the process with the fewest unanswered ones, where callers are served in turn.
    """

    def __init__(self, opener: Opener, arguments: tuple[Any, ...], *, handlers: Sequence[str], processes: int) -> None:
        """
        Args:
            opener: as WorkerProcess's; handlers are pure functions.
            processes: 0 for none.
        """
        deadlines_s: Mapping[str, float] = dict.fromkeys(handlers, ANSWER_S)
        names = [f"preparation {number}" for number in range(1, processes + 1)]
        self.workers = tuple(WorkerProcess(name, opener, arguments, deadlines_s=deadlines_s) for name in names)
        self._unanswered = dict.fromkeys(self.workers, 0)
        self._lock = threading.Lock()

    def begin(self, handler: str, *arguments: Any, caller: str) -> Future[Any] | None:
        """Passes a call to a process; None where none is ready, or too much waits. From any thread."""
        with self._lock:
            ready = [worker for worker in self.workers if worker.is_ready]
            worker = min(ready, key=self._unanswered.__getitem__, default=None)
            if worker is not None:
                self._unanswered[worker] += 1
        self._start_ended(len(ready))
        if worker is None:
            return None
        try:
            answer = worker.call(handler, *arguments, caller=caller)
        except UnavailableError:
            self._answered(worker)
            return None
        answer.add_done_callback(lambda _: self._answered(worker))
        return answer

    async def run(
        self,
        handler: str,
        pack: Callable[[], tuple[Any, ...] | None],
        *,
        caller: str,
        here: Callable[[], ResultT],
        finish: Callable[[Any], ResultT],
    ) -> ResultT:
        """The result by a process, which `finish` completes in a thread, or by `here` in a thread.

        Args:
            pack: the handler's arguments; None where `here` has to do it.
        """
        arguments = pack() if self.workers else None
        answer = None if arguments is None else self.begin(handler, *arguments, caller=caller)
        if answer is None:
            return await asyncio.to_thread(here)
        try:
            prepared = await asyncio.wrap_future(answer)
        except GatewayError as error:
            log.warning("%s is done in the node: %s", handler, error)
            return await asyncio.to_thread(here)
        return await asyncio.to_thread(finish, prepared)

    async def keep(self) -> None:
        """Runs the processes until it is cancelled."""
        try:
            self._start_ended(0)
            await asyncio.Event().wait()
        finally:
            await asyncio.to_thread(self._stop)

    def _answered(self, worker: WorkerProcess) -> None:
        with self._lock:
            self._unanswered[worker] -= 1

    def _start_ended(self, ready: int) -> None:
        """Starts those that don't run, in threads: nobody waits for them."""
        if ready == len(self.workers):
            return
        for worker in self.workers:
            if worker.pid is None:
                threading.Thread(target=self._start, args=(worker,), name=f"starting {worker.name}").start()

    def _start(self, worker: WorkerProcess) -> None:
        try:
            worker.start()
        except OSError as error:
            log.warning("the %s process can't start: %s", worker.name, error)

    def _stop(self) -> None:
        for worker in self.workers:
            worker.stop()
