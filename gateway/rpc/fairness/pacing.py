"""Paces callers whose calls are many or costly, while other callers wait for answers.

A caller with few small calls is served at once. Calls beyond that wait in the caller's order, and get a part of the
node: nearly all of it while nobody else calls, LEAST_SHARE of it while others are busy. So a batch goes at full speed
on a node that is free, and an officer beside it hardly notices it.

Costs are in units: one is a small call, about 0.4 ms of a processor.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from gateway.errors import OverloadedError, UnavailableError

ItemT = TypeVar("ItemT")

MAX_CALLER_BYTES = 32 * 1024 * 1024
"""Bytes that may wait for one caller: six of the largest messages that a listener accepts."""

RETRY_AFTER_S = 2.0


class FairQueue(Generic[ItemT]):
    """Keeps the order of a caller's items; after each item comes another caller's turn."""

    def __init__(self, max_caller_bytes: int = MAX_CALLER_BYTES) -> None:
        self._max_caller_bytes = max_caller_bytes
        self._waiting: dict[str, deque[tuple[ItemT, int]]] = {}
        self._bytes: Counter[str] = Counter()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, caller: str, item: ItemT, size: int) -> None:
        """Adds an item of `size` bytes.

        Raises:
            UnavailableError: too many bytes wait for this caller, or the queue is closed.
        """
        with self._changed:
            if self._closed or (self._bytes[caller] and self._bytes[caller] + size > self._max_caller_bytes):
                raise UnavailableError("too much is waiting for this caller", retry_after_s=RETRY_AFTER_S)
            self._waiting.setdefault(caller, deque()).append((item, size))
            self._bytes[caller] += size
            self._changed.notify()

    def get(self, max_items: int = 1, max_bytes: int = 0, *, wait: bool = True) -> list[ItemT]:
        """Removes the next items; none once closed. `wait` waits for an item and takes one of any size."""
        with self._changed:
            while wait and not self._waiting and not self._closed:
                self._changed.wait()
            taken: list[ItemT] = []
            while not self._closed and self._waiting and len(taken) < max_items:
                max_bytes -= self._next_size()
                if max_bytes < 0 and (taken or not wait):
                    break
                taken.append(self._next())
            return taken

    def close(self) -> list[ItemT]:
        """Closes the queue and returns its items."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            return [self._next() for _ in range(sum(map(len, self._waiting.values())))]

    def _next_size(self) -> int:
        return next(iter(self._waiting.values()))[0][1]

    def _next(self) -> ItemT:
        caller = next(iter(self._waiting))
        items = self._waiting.pop(caller)
        item, size = items.popleft()
        self._bytes[caller] -= size
        if items:
            self._waiting[caller] = items  # behind the others
        else:
            del self._bytes[caller]
        return item


PROMPT_CALLS = 8
"""Calls of one caller that are served at once: a person's screen asks for no more."""

PROMPT_WEIGHT = 10.0
"""Most units of a call that is served at once."""

PROMPT_DEBT = 250.0
"""Units that a caller may owe and still be served at once: one of the largest pages."""

MOST_RUNNING = 64.0
"""Most units of one caller's calls that run at once: what waits in turn hasn't begun, and can give way to others."""

NODE_UNITS_PER_S = 4_000.0
"""Units a second for a caller with a batch while nobody else calls much."""

LEAST_SHARE = 0.0125
"""Part of NODE_UNITS_PER_S for batches while others are busy, so that batches go on: a fiftieth of a processor."""

BUSY = 0.25
"""Mean number of others' prompt calls at once from which on batches get LEAST_SHARE. One caller that waits for each
answer before it asks again reaches 0.5.
"""

IDLE = 0.0005
"""Below it nobody else is calling."""

WINDOW_S = 1.0
"""Seconds over which that mean is taken."""

LONGEST_COUNTED_S = 0.5
"""Most seconds that one call counts as waiting; more is a wait for somebody else, e.g. for a partner."""

MAX_WAIT_S = 20.0
"""Calls that would wait longer are refused: their callers have given up by then."""

TICK_S = 0.05
"""Longest interval between looks at what a waiting caller owes, in seconds."""

REFUSALS_PER_S = 20.0
REFUSAL_BURST = 100.0
"""Refusals of one caller that are answered at once; later ones are held back to REFUSALS_PER_S, so that the calls that
a connection may have open bound how fast it can be refused. A refusal costs as much as a small call.
"""

MAX_HELD_S = 20.0
"""Most seconds that a refusal is held back."""

MAX_HELD = 4_096
"""Most refusals held back at once, about 40 MB; further ones are answered at once."""

MAX_REFUSED = 4_096
"""Most callers whose refusals are counted; the one refused longest ago is forgotten."""


class _Mean:
    """A mean over the last WINDOW_S, recent times counting most."""

    __slots__ = ("_at_s", "_value")

    def __init__(self) -> None:
        self._value = 0.0
        self._at_s = 0.0

    def add(self, seconds: float, now_s: float) -> None:
        self._value = self.at(now_s) + seconds / WINDOW_S
        self._at_s = now_s

    def at(self, now_s: float) -> float:
        return self._value * math.exp((self._at_s - now_s) / WINDOW_S) if self._value else 0.0


@dataclass(slots=True)
class _OpenCalls:
    """Prompt calls that wait for their answers now."""

    count: int = 0
    began_s: float = 0.0  # the sum of their times

    def waited_s(self, now_s: float) -> float:
        """The sum of what they have waited, at most LONGEST_COUNTED_S each on the average."""
        return min(self.count * now_s - self.began_s, self.count * LONGEST_COUNTED_S)


@dataclass(slots=True)
class _Caller:
    prompt: _Mean = field(default_factory=_Mean)
    open: _OpenCalls = field(default_factory=_OpenCalls)
    running: int = 0
    running_weight: float = 0.0
    many_at_s: float = -math.inf
    debt: float = 0.0
    paid_at_s: float = 0.0
    waiting: deque[tuple[float, asyncio.Future[None]]] = field(default_factory=deque)
    waiting_weight: float = 0.0
    timer: asyncio.TimerHandle | None = None


@dataclass(slots=True)
class Turn:
    """A call's turn, to be given back.

    Attributes:
        weight: units.
        prompt: whether it was given at once.
        began_s: by the pacer's clock.
    """

    caller: str
    weight: float
    prompt: bool
    began_s: float


class CallPacer:
    """Gives turns to the calls of both listeners; for one event loop.

    Memory grows with the authenticated callers, whom directory and settings bound.
    """

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._callers: dict[str, _Caller] = {}
        self._prompt = _Mean()
        self._queued_callers = 0
        self._refused_until_s: OrderedDict[str, float] = OrderedDict()
        self._held = 0

    async def enter(self, caller: str, weight: float = 1.0, *, most_s: float = MAX_WAIT_S) -> Turn:
        """Waits for a turn of `weight` units; `leave` must follow.

        Raises:
            OverloadedError: it would wait longer than `most_s` seconds.
        """
        state = self._callers.get(caller)
        if state is None:
            state = self._callers[caller] = _Caller()
        now_s = self._monotonic_s()
        if state.debt:
            self._pay(state, now_s)
        if state.running >= PROMPT_CALLS:
            state.many_at_s = now_s
        prompt = state.running < PROMPT_CALLS and not state.waiting and weight <= PROMPT_WEIGHT
        prompt = prompt and state.debt <= PROMPT_DEBT
        if not prompt:
            await self._wait(state, weight, now_s, most_s)
            now_s = self._monotonic_s()
        state.running += 1
        if prompt:
            state.running_weight += weight  # of the others' when it was granted
            state.open.count += 1
            state.open.began_s += now_s
        return Turn(caller, weight, prompt, now_s)

    def leave(self, turn: Turn, *, unspent: float = 0.0) -> None:
        """Gives a turn back, and `unspent` units of its weight."""
        state = self._callers[turn.caller]
        state.running -= 1
        state.running_weight -= turn.weight
        if turn.prompt:
            state.open.count -= 1
            state.open.began_s -= turn.began_s
            self._count_wait(state, turn)
        elif unspent > 0:
            state.debt = max(0.0, state.debt - unspent)
        if state.waiting:
            self._grant(state)

    def _count_wait(self, state: _Caller, turn: Turn) -> None:
        """Counts what a caller has waited for an answer, unless it was one of many calls of a batch."""
        now_s = self._monotonic_s()
        if now_s - state.many_at_s > WINDOW_S:
            seconds = min(now_s - turn.began_s, LONGEST_COUNTED_S)
            state.prompt.add(seconds, now_s)
            self._prompt.add(seconds, now_s)

    def charge(self, caller: str, units: float) -> None:
        """Adds what a call has cost beyond its weight; the caller's next calls wait for it."""
        state = self._callers.get(caller)
        if state is not None and units > 0:
            self._pay(state, self._monotonic_s())
            state.debt += units

    async def hold_refusal(self, caller: str) -> None:
        """Waits until another refusal of this caller may be answered."""
        now_s = self._monotonic_s()
        until_s = max(now_s, self._refused_until_s.pop(caller, now_s)) + 1 / REFUSALS_PER_S
        self._refused_until_s[caller] = min(until_s, now_s + MAX_HELD_S + REFUSAL_BURST / REFUSALS_PER_S)
        if len(self._refused_until_s) > MAX_REFUSED:
            self._refused_until_s.popitem(last=False)
        wait_s = until_s - now_s - REFUSAL_BURST / REFUSALS_PER_S
        if wait_s <= 0 or self._held >= MAX_HELD:
            return
        self._held += 1
        try:
            await asyncio.sleep(min(wait_s, MAX_HELD_S))
        finally:
            self._held -= 1

    async def _wait(self, state: _Caller, weight: float, now_s: float, most_s: float) -> None:
        rate = self._units_per_s(state, now_s)
        if rate is None:
            state.debt = 0.0
            if not state.waiting and state.running_weight + weight <= MOST_RUNNING:
                state.running_weight += weight
                return
        elif (state.debt + state.waiting_weight) / rate > most_s:
            raise OverloadedError(
                "too many or too large calls of this caller are waiting, while others are served",
                retry_after_s=most_s / 2,
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        place = (weight, turn)
        state.waiting.append(place)
        state.waiting_weight += weight
        if len(state.waiting) == 1:
            self._queued_callers += 1
        if len(state.waiting) == 1 or rate is None:
            self._grant(state)
        try:
            await turn
        except asyncio.CancelledError:
            if place in state.waiting:
                state.waiting.remove(place)
                self._taken(state, weight)
            elif not turn.cancelled():  # granted, and the caller has left meanwhile
                state.running_weight -= weight
                self._grant(state)
            raise

    def _grant(self, state: _Caller) -> None:
        """Gives the next turns that the caller has paid for, and looks again later."""
        if state.timer is not None:
            state.timer.cancel()
            state.timer = None
        now_s = self._monotonic_s()
        self._pay(state, now_s)
        while state.waiting:
            weight, turn = state.waiting[0]
            if state.running_weight and state.running_weight + weight > MOST_RUNNING:
                return  # until one of them ends
            if state.debt > 0:
                rate = self._units_per_s(state, now_s) or NODE_UNITS_PER_S
                wait_s = min(TICK_S, state.debt / rate)
                state.timer = asyncio.get_running_loop().call_later(wait_s, self._grant, state)
                return
            state.waiting.popleft()
            self._taken(state, weight)
            if not turn.done():
                state.debt += weight
                state.running_weight += weight
                turn.set_result(None)

    def _taken(self, state: _Caller, weight: float) -> None:
        state.waiting_weight -= weight
        if not state.waiting:
            state.waiting_weight = 0.0
            self._queued_callers -= 1
            if state.timer is not None:
                state.timer.cancel()
                state.timer = None

    def _pay(self, state: _Caller, now_s: float) -> None:
        rate = self._units_per_s(state, now_s)
        elapsed_s, state.paid_at_s = now_s - state.paid_at_s, now_s
        state.debt = 0.0 if rate is None else max(0.0, state.debt - elapsed_s * rate)

    def _open_s(self, but: _Caller, now_s: float) -> float:
        """What the open calls of other callers without a batch have waited: known before they are answered."""
        return sum(
            state.open.waited_s(now_s)
            for state in self._callers.values()
            if state.open.count and state is not but and now_s - state.many_at_s > WINDOW_S
        )

    def _units_per_s(self, state: _Caller, now_s: float) -> float | None:
        """What this caller's batches may use; None for all while nobody else calls."""
        others = self._prompt.at(now_s) - state.prompt.at(now_s)
        others += self._open_s(state, now_s) / WINDOW_S
        if others < IDLE:
            return None
        share = max(LEAST_SHARE, 1.0 - others / BUSY)
        return NODE_UNITS_PER_S * share / max(1, self._queued_callers)
