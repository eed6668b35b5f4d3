"""Runs handlers in a separate process, so that long computations don't hold up the node.

The process imports nothing from the working directory, gets no settings of the node from its environment, and ends
with the node at once, even when that is killed. It runs `gateway.rpc.workers.worker_main`.
"""

from __future__ import annotations

import logging
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import Any

from gateway import logs
from gateway.errors import GatewayError, InvalidRequestError, UnavailableError
from gateway.rpc.fairness.pacing import RETRY_AFTER_S, FairQueue
from gateway.rpc.workers import worker_main
from gateway.rpc.workers.worker_main import Opener, Outcome
from gateway.telemetry.stray_output import pass_lines

log = logging.getLogger(__name__)

END_S = 30.0
"""Seconds for a process to end at a stop; then it is killed."""

SETTINGS_PREFIX = "GATEWAY_"
"""Environment variables withheld from a worker process: the node's settings, its passphrase among them."""


MAX_TOGETHER = 32
"""Calls passed together: one exchange per call took twice the processor time of screening one name, since the node's
threads wait for each other several times.
"""

MAX_TOGETHER_BYTES = 16 * 1024
"""Bytes of calls passed together; a larger call goes alone."""

MAX_PASSED = 2
"""Groups of calls in the pipe and in the process, which so needn't wait for the node between two groups."""


PING_EVERY_S = 5.0
"""Seconds of silence after which the process is asked whether it still runs."""

MAX_PINGS = 6
"""Pings without an answer after which the process hangs, and is killed: half a minute, for a busy machine."""

MAX_FIRST_PINGS = 60
"""The same before its first answer: it imports its modules until then, perhaps on a busy machine."""

MAX_FAILURES = 16
"""Most ends of a process that are remembered."""


@dataclass(frozen=True, slots=True)
class WorkerFailure:
    """The end of a process that nobody asked for; by `time.monotonic`, with the exit code, negative for a signal.

    Attributes:
        hung: it answered neither pings nor a call in time, and was killed.
    """

    at_s: float
    exit_code: int
    hung: bool = False


@dataclass(frozen=True, slots=True)
class _Job:
    arguments: bytes
    answer: Future[Any] = field(default_factory=Future)


class _Lane:
    """The queue and the pipe of one handler."""

    def __init__(self, name: str, pipe: Connection) -> None:
        self.name = name
        self.pipe = pipe
        self.queue: FairQueue[_Job] = FairQueue()


class _RunningProcess:
    """One running process."""

    def __init__(
        self, process: subprocess.Popen[bytes], control: Connection, lifeline: int, lanes: Mapping[str, _Lane]
    ) -> None:
        self.process = process
        self.control = control
        self.lifeline = lifeline
        self.lanes = lanes
        self.stopping = False
        self.heard = False
        self.hung = False
        self.sending = threading.Lock()
        self.ready: Future[None] = Future()
        self.ready.set_running_or_notify_cancel()  # many wait for it, so none may cancel it
        self.ended = threading.Event()


class WorkerProcess:
    """A process that can be started again after its end; for threads.

    One thread per handler passes calls, small ones together. An answer later than the handler's deadline kills the
    process, and so do unanswered pings, which notice a stopped process before any deadline, also while it starts.
    """

    def __init__(
        self,
        name: str,
        opener: Opener,
        arguments: tuple[Any, ...],
        *,
        deadlines_s: Mapping[str, float],
        on_end: Callable[[], None] = lambda: None,
        ping_every_s: float = PING_EVERY_S,
    ) -> None:
        """Starts nothing.

        Args:
            name: in messages and in the list of processes.
            opener: a module's function, called in the process with the picklable `arguments`.
            deadlines_s: seconds for a call, by handler.
            on_end: called in a thread after the process has ended.
            ping_every_s: seconds between pings; after MAX_PINGS of them without an answer the process is killed.
        """
        self.name = name
        self._opener = opener
        self._arguments = arguments
        self._deadlines_s = dict(deadlines_s)
        self._on_end = on_end
        self._ping_every_s = ping_every_s
        self._lock = threading.Lock()
        self._run: _RunningProcess | None = None
        self._starts = 0
        self._failures: deque[WorkerFailure] = deque(maxlen=MAX_FAILURES)

    @property
    def pid(self) -> int | None:
        run = self._run
        return None if run is None else run.process.pid

    @property
    def is_ready(self) -> bool:
        run = self._run
        return run is not None and run.ready.done()

    @property
    def starts(self) -> int:
        """How often it was started."""
        return self._starts

    def failures(self) -> tuple[WorkerFailure, ...]:
        """The newest ends that nobody asked for, the newest last. From any thread."""
        return tuple(self._failures)

    def start(self) -> Future[None]:
        """Starts the process unless it runs; the future fails with UnavailableError if it ends before it is ready."""
        with self._lock:
            if self._run is None:
                self._run = run = self._launch()
                self._starts += 1
                threading.Thread(target=self._supervise, args=(run,), name=f"{self.name} process", daemon=True).start()
            return self._run.ready

    def call(self, handler: str, *arguments: Any, caller: str, alone: bool = False) -> Future[Any]:
        """Calls a handler; callers are served in turn. A long call is passed `alone`, whatever its bytes.

        The future fails with InvalidRequestError if the handler refuses the arguments, UnavailableError if the process
        ends before the answer, and GatewayError for other errors, which are logged.

        Raises UnavailableError if the process isn't ready or too much waits for this caller.
        """
        run = self._run
        if run is None or not run.ready.done():
            raise self._unavailable("isn't ready")
        job = _Job(bytes(ForkingPickler.dumps(arguments)))
        size = len(job.arguments)
        run.lanes[handler].queue.put(caller, job, max(size, MAX_TOGETHER_BYTES) if alone else size)
        return job.answer

    def stop(self) -> None:
        """Ends the process, by force if it isn't ready or takes longer than END_S."""
        run = self._run
        if run is None:
            return
        run.stopping = True
        if run.ready.done():
            try:
                with run.sending:
                    run.control.send(None)
                run.process.wait(END_S)
            except OSError:
                pass  # it has ended
            except subprocess.TimeoutExpired:
                log.warning("the %s process didn't end in %g s; it is killed", self.name, END_S)
        run.process.kill()
        run.ended.wait()

    def _launch(self) -> _RunningProcess:
        control, *pipes = (_pipe(deadline_s) for deadline_s in (0.0, *self._deadlines_s.values()))
        their_lifeline, lifeline = os.pipe()
        descriptors = [their_lifeline, *(theirs.fileno() for _, theirs in (control, *pipes))]
        as_json = logs.configured()[0] == "json"
        process = subprocess.Popen(  # noqa: S603  this interpreter and a module of this package
            # -P: no imports from the working directory
            [sys.executable, "-P", "-m", worker_main.__name__, self.name, *logs.configured(), *map(str, descriptors)],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE if as_json else None,
            pass_fds=descriptors,
            env={name: value for name, value in os.environ.items() if not name.startswith(SETTINGS_PREFIX)},
            process_group=0,  # a Ctrl-C is for the node, which ends it; in its session, where niceness counts
        )
        os.close(their_lifeline)
        for _, theirs in (control, *pipes):
            theirs.close()
        if process.stderr is not None:  # also what it writes when it can't start, or is about to crash
            threading.Thread(
                target=partial(pass_lines, process.stderr, name=self.name), name=f"{self.name} stderr", daemon=True
            ).start()
        lanes = {name: _Lane(name, ours) for name, (ours, _) in zip(self._deadlines_s, pipes, strict=True)}
        return _RunningProcess(process, control[0], lifeline, lanes)

    def _supervise(self, run: _RunningProcess) -> None:
        """Makes a process ready, waits for its end, then fails the remaining calls."""
        try:
            run.control.send((self._opener, self._arguments, tuple(run.lanes)))
            self._watch_until_ready(run)
            threads = [
                threading.Thread(target=self._pass, args=(run, lane), name=f"{self.name} {lane.name}", daemon=True)
                for lane in run.lanes.values()
            ]
            for thread in threads:
                thread.start()
            run.ready.set_result(None)
            self._watch_until_ready(run)  # which never comes again
        except (EOFError, OSError):
            log.debug("the %s process has ended", self.name)
        self._abandon(run)
        code = run.process.wait()
        os.close(run.lifeline)
        if not run.stopping:
            self._failures.append(WorkerFailure(time.monotonic(), code, run.hung))
            log.error("the %s process has ended by itself, with exit code %d", self.name, code)
        if not run.ready.done():
            run.ready.set_exception(self._unavailable("has ended"))
        for lane in run.lanes.values():
            for job in lane.queue.close():
                self._fail(job)
        self._on_end()
        run.ended.set()

    def _watch_until_ready(self, run: _RunningProcess) -> None:
        """Pings a silent process until it says that it is ready; raises EOFError at its end, or when it hangs."""
        unanswered = 0  # counted, since the node may have been stopped itself
        while True:
            if run.control.poll(self._ping_every_s):
                unanswered, run.heard = 0, True
                if run.control.recv() is None:
                    return
            elif not run.stopping:
                if unanswered == (MAX_PINGS if run.heard else MAX_FIRST_PINGS):
                    run.hung = True
                    log.error("the %s process doesn't answer; it is killed", self.name)
                    raise EOFError
                unanswered += 1
                with run.sending:
                    run.control.send(unanswered)

    def _pass(self, run: _RunningProcess, lane: _Lane) -> None:
        """Passes one handler's calls until the process has ended.

        Further small calls are sent while the process works: they fit into the pipe, so that the two ends never wait
        for each other to read.
        """
        passed: deque[list[_Job]] = deque()
        try:
            while True:
                if len(passed) < MAX_PASSED:
                    taken = lane.queue.get(MAX_TOGETHER, MAX_TOGETHER_BYTES, wait=not passed)
                    if jobs := [job for job in taken if job.answer.set_running_or_notify_cancel()]:
                        passed.append(jobs)
                        lane.pipe.send([job.arguments for job in jobs])
                        continue
                    if not taken and not passed:
                        return
                if passed:
                    outcomes: list[Outcome] = lane.pipe.recv()
                    for job, outcome in zip(passed.popleft(), outcomes, strict=True):
                        self._settle(job.answer, *outcome)
        except (EOFError, OSError) as error:
            if isinstance(error, BlockingIOError):  # see _pipe
                log.error("%s: no answer in %g s; the process is killed", lane.name, self._deadlines_s[lane.name])
                run.hung = True
            self._abandon(run)
            for job in chain.from_iterable(passed):
                self._fail(job)

    def _abandon(self, run: _RunningProcess) -> None:
        """Kills a process, unless it has ended, and makes room for the next one."""
        with self._lock:
            if self._run is run:
                self._run = None
        run.process.kill()

    def _settle(self, answer: Future[Any], succeeded: bool, value: Any) -> None:
        if succeeded:
            answer.set_result(value)
        elif isinstance(value, str):
            answer.set_exception(GatewayError(f"the {self.name} process: {value}"))
        else:
            answer.set_exception(InvalidRequestError(value))

    def _fail(self, job: _Job) -> None:
        if job.answer.running() or job.answer.set_running_or_notify_cancel():
            job.answer.set_exception(self._unavailable("has ended"))

    def _unavailable(self, what: str) -> UnavailableError:
        return UnavailableError(f"the {self.name} process {what}", retry_after_s=RETRY_AFTER_S)


def _pipe(deadline_s: float) -> tuple[Connection, socket.socket]:
    """Both ends; at the node's, I/O fails with BlockingIOError after a deadline, 0 for none."""
    ours, theirs = socket.socketpair()
    time = struct.pack("@ll", int(deadline_s), int(deadline_s % 1 * 1_000_000))
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, time)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, time)
    return Connection(ours.detach()), theirs


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
