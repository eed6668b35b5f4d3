"""Limits what each caller takes: calls per second (token bucket) and at once, use of a day (UTC), memory, and threads.

gRPC widens a call's window to the whole message as soon as somebody waits for it, and keeps an answer until the caller
takes it. A caller may send slowly and take nothing, so both are counted here, for each caller over all connections.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast

import grpc.aio

from gateway.errors import DeadlineExceededError, MalformedError, OverloadedError
from gateway.rpc.calls import current_caller
from gateway.trust.rules.permissions import Principal, PrincipalKind

MIN_RETRY_AFTER_S = 0.1
"""Shortest retry time in seconds, so that a flood doesn't return at once."""

_ROUNDING = 1e-6
"""Part of a token that may be missing: a caller that waits exactly the retry time must get in."""

BUSY_RETRY_AFTER_S = 1.0
"""Retry time in seconds when too many calls run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of one caller; a stream counts once in `calls_per_s`, and `burst` is calls at once after a pause.

    Attributes:
        calls_per_day: calls, and messages of streams; 0 for any number.
        bytes_per_day: of messages, both ways; 0 for any number.
        rows_per_day: items of messages, both ways, e.g. alerts of a page; 0 for any number.
    """

    calls_per_s: float
    burst: int
    concurrent_calls: int
    concurrent_streams: int
    calls_per_day: int = 0
    bytes_per_day: int = 0
    rows_per_day: int = 0


SYSTEM_LIMITS = Limits(calls_per_s=20_000, burst=20_000, concurrent_calls=512, concurrent_streams=64)
"""A customs system: more than one core can answer, so that only a flood is limited."""

PEER_LIMITS = Limits(calls_per_s=500, burst=1_000, concurrent_calls=64, concurrent_streams=32)
"""A partner's gateway: two streams per channel, and some hundred queries a second."""


PERSON_LIMITS = Limits(calls_per_s=50, burst=300, concurrent_calls=32, concurrent_streams=24)
"""A person at a console: a page takes some ten calls, and an open one has two streams."""

SIGN_IN_LIMITS = Limits(calls_per_s=100, burst=400, concurrent_calls=128, concurrent_streams=1)
"""Sign-ins at one console: a shift of 200 that begins at once, and not what strangers at its door can ask for."""


def default_limits(principal: Principal) -> Limits:
    """Limits without a setting."""
    if principal.lane:
        return SIGN_IN_LIMITS
    if principal.person:
        return PERSON_LIMITS
    return PEER_LIMITS if principal.kind is PrincipalKind.PEER else SYSTEM_LIMITS


DAY_MS = 24 * 3600 * 1000

OF_DAY = ("calls", "bytes", "rows")
"""What is counted in a day."""


def _system_time_ms() -> int:
    return time.time_ns() // 1_000_000


class _Usage:
    __slots__ = ("calls", "day", "limits", "of_day", "principal", "streams", "tokens", "updated_s")

    def __init__(self, principal: Principal, limits: Limits, now_s: float) -> None:
        self.principal = principal
        self.limits = limits
        self.day = 0
        self.of_day = [0, 0, 0]  # calls, bytes, rows
        self.tokens = float(limits.burst)
        self.updated_s = now_s
        self.calls = 0
        self.streams = 0


class CallerLimits:
    """Counts each caller's use, on one thread. Times are seconds of a monotonic clock.

    Memory grows with the authenticated callers, whom directory and settings bound.
    """

    def __init__(
        self,
        limits_of: Callable[[Principal], Limits] = default_limits,
        *,
        time_ms: Callable[[], int] = _system_time_ms,
        on_refusal: Callable[[str, str], None] = lambda _caller, _limit: None,
    ) -> None:
        """Counts from the start of the process, each replica for itself.

        Args:
            limits_of: a caller's limits.
            time_ms: says which day it is.
            on_refusal: takes the caller and the limit's name of each refusal.
        """
        self._limits_of = limits_of
        self._time_ms = time_ms
        self._usages: dict[str, _Usage] = {}
        self._on_refusal = on_refusal

    def set_limits(self, limits_of: Callable[[Principal], Limits]) -> None:
        """Puts other limits in force; what callers have used stays counted."""
        self._limits_of = limits_of
        for usage in self._usages.values():
            usage.limits = limits_of(usage.principal)
            usage.tokens = min(usage.tokens, float(usage.limits.burst))

    def spend(self, principal: Principal, *, size: int, rows: int) -> None:
        """Counts a message on the day on which its call entered, or its stream took the last turn."""
        usage = self._usages[principal.account]
        usage.of_day[1] += size
        usage.of_day[2] += rows

    def require_day(self, principal: Principal) -> None:
        """Counts a stream's next message; raises OverloadedError when the day's use is at a limit."""
        with self._counted(principal):
            self._take_of_day(self._usages[principal.account])

    def _take_of_day(self, usage: _Usage) -> None:
        day = self._time_ms() // DAY_MS
        if day != usage.day:
            usage.day, usage.of_day = day, [0, 0, 0]
        limits = usage.limits
        bounds = (limits.calls_per_day, limits.bytes_per_day, limits.rows_per_day)
        for what, used, most in zip(OF_DAY, usage.of_day, bounds, strict=True):
            if most and used >= most:
                raise OverloadedError(
                    f"{used:,} {what} of this caller are used today (UTC); {most:,} are its limit",
                    metadata={"limit": f"{what}_per_day"},
                    retry_after_s=((usage.day + 1) * DAY_MS - self._time_ms()) / 1000,
                )
        usage.of_day[0] += 1

    @contextmanager
    def _counted(self, principal: Principal) -> Iterator[None]:
        try:
            yield
        except OverloadedError as error:
            self._on_refusal(principal.caller, error.metadata["limit"])
            raise

    def enter(self, principal: Principal, *, streaming: bool, now_s: float) -> None:
        """Counts the start of a call; `leave` must follow when it ends.

        Raises OverloadedError with the seconds to wait, and counts nothing, at a limit.
        """
        usage = self._usages.get(principal.account)
        if usage is None:
            usage = self._usages[principal.account] = _Usage(principal, self._limits_of(principal), now_s)
        with self._counted(principal):
            _require_room(usage, streaming)
            _take_token(usage, now_s)
            self._take_of_day(usage)
        if streaming:
            usage.streams += 1
        else:
            usage.calls += 1

    def leave(self, principal: Principal, *, streaming: bool) -> None:
        usage = self._usages[principal.account]
        if streaming:
            usage.streams -= 1
        else:
            usage.calls -= 1


def _require_room(usage: _Usage, streaming: bool) -> None:
    running, most, what = (
        (usage.streams, usage.limits.concurrent_streams, "streams")
        if streaming
        else (usage.calls, usage.limits.concurrent_calls, "calls")
    )
    if running >= most:
        raise OverloadedError(
            f"{running} {what} are open, and that is the limit for one caller",
            metadata={"limit": f"concurrent_{what}"},
            retry_after_s=BUSY_RETRY_AFTER_S,
        )


def _take_token(usage: _Usage, now_s: float) -> None:
    limits = usage.limits
    elapsed = max(0.0, now_s - usage.updated_s)
    usage.tokens = min(float(limits.burst), usage.tokens + elapsed * limits.calls_per_s)
    usage.updated_s = max(usage.updated_s, now_s)
    if usage.tokens < 1.0 - _ROUNDING:
        wait_s = (1.0 - usage.tokens) / limits.calls_per_s
        raise OverloadedError(
            f"more than {limits.calls_per_s:g} calls a second",
            metadata={"limit": "calls_per_s"},
            retry_after_s=max(MIN_RETRY_AFTER_S, wait_s),
        )
    usage.tokens -= 1.0


RECEIVING = 8
"""Requests of one caller that are received at once, of at most MAX_MESSAGE_BYTES each. A small one comes with its call
and takes no time."""

RECEIVE_S = 30.0
"""Seconds for a request to come, and for the turn to receive it."""

MAX_UNSENT_BYTES = 32 * 1024 * 1024
"""Bytes of answers that a caller hasn't taken yet, from which on its calls are refused: twenty of the largest pages."""

UNSENT_RETRY_AFTER_S = 1.0
"""Seconds to wait for a caller that has to take its answers first."""


class CallerBuffers:
    """Requests and answers of a listener's callers; for one event loop.

    Memory grows with the authenticated callers, whom directory and settings bound.
    """

    def __init__(self, *, receiving: int = RECEIVING, receive_s: float = RECEIVE_S) -> None:
        self._turns: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(receiving))
        self._receive_s = receive_s
        self._unsent: Counter[str] = Counter()

    async def receive(self, caller: str, read: Callable[[], Awaitable[Any]]) -> bytes:
        """The single request of a call.

        Args:
            read: of the call's context; returns EOF when nothing comes any more.

        Raises:
            DeadlineExceededError: it didn't come in time.
            MalformedError: the call has none.
        """
        try:
            async with asyncio.timeout(self._receive_s), self._turns[caller]:
                request = await read()
        except TimeoutError:
            raise DeadlineExceededError(f"no request came within {self._receive_s:g} s") from None
        if request is grpc.aio.EOF:
            raise MalformedError("the call has no request")
        return cast("bytes", request)

    def require_room(self, caller: str) -> None:
        """Raises OverloadedError if the caller has to take answers before it may call again."""
        if self._unsent[caller] >= MAX_UNSENT_BYTES:
            raise OverloadedError(
                f"{self._unsent[caller]:,} bytes of answers were not taken yet", retry_after_s=UNSENT_RETRY_AFTER_S
            )

    def hold(self, caller: str, size: int) -> None:
        """Counts an answer; `drop` must follow when gRPC has sent it, or given it up."""
        self._unsent[caller] += size

    def drop(self, caller: str, size: int) -> None:
        self._unsent[caller] -= size


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
