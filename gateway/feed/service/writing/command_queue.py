"""The writer's queue: callers take turns; each caller's urgent commands come first, and equal ones keep their order."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeAlias

from gateway.contract.ids import Channel
from gateway.errors import GatewayError, OverloadedError, StoreUnavailableError
from gateway.feed.service.writing.transaction import Command, Transaction
from gateway.feed.tables.journal import HeadMovedError

QUEUE_WEIGHT = 20_000
"""Most waiting items: a second of full load."""

CALLER_WEIGHT = QUEUE_WEIGHT // 2
"""Most waiting items of one caller: the others find room."""

GROUP_WEIGHT = 1_000
"""Most items in one transaction: bounds an alert's wait behind a bulk load."""

SHARED_GROUP_WEIGHT = 64
"""The same while commands of several callers wait."""

DEFER_S = 0.02
"""Longest delay of a deferrable command, in seconds."""

RETRY_AFTER_S = 1.0


class Urgency(IntEnum):
    """Order of one caller's commands; it gives no caller a turn before another's."""

    URGENT = 0
    ORDINARY = 1
    LISTS = 2


def urgency_of(channel: Channel) -> Urgency:
    """Urgency of commands on feeds of a channel."""
    match channel:
        case Channel.ALERTS_A:
            return Urgency.URGENT
        case Channel.WATCHLIST:
            return Urgency.LISTS
        case _:
            return Urgency.ORDINARY


@dataclass(frozen=True, slots=True)
class Outcome:
    """A command's result or error."""

    result: Any = None
    error: Exception | None = None


def outcome_of(command: Command[object], tx: Transaction) -> Outcome:
    """Executes a command; an error that isn't its own ends the group."""
    try:
        return Outcome(result=command.execute(tx))
    except (StoreUnavailableError, HeadMovedError):
        raise
    except GatewayError as error:
        return Outcome(error=error)


class NoCommand:
    """A command without effect; its commit carries audit events."""

    weight = 1

    def execute(self, tx: Transaction) -> None:
        return


Done: TypeAlias = Callable[[Outcome], None]
Submission: TypeAlias = tuple[Command[object], Done]


class CommandQueue:
    """Commands on their way to the writer; thread-safe. One thread takes them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[str, dict[Urgency, deque[tuple[Submission, int]]]] = {}
        self._weights: Counter[str] = Counter()
        self._deferred: deque[tuple[Submission, int]] = deque()
        self._deferred_until = 0.0
        self._look_at = math.inf
        self._weight = 0
        self._closed = False

    @property
    def weight(self) -> int:
        """Waiting items, deferred ones too."""
        return self._weight

    @property
    def is_empty(self) -> bool:
        """Whether no command waits that isn't deferred."""
        return not self._waiting

    def put(
        self, submission: Submission, *, caller: str, deferrable: bool, urgency: Urgency = Urgency.ORDINARY
    ) -> None:
        """Adds a command.

        Args:
            caller: whose commands of equal urgency keep their order.
            urgency: its place among the caller's commands.
            deferrable: may wait DEFER_S to share a commit, and then comes before those that don't.

        Raises:
            OverloadedError: the queue is full, for this caller or for all.
            StoreUnavailableError: it is closed.
        """
        weight = submission[0].weight
        with self._changed:
            if self._closed:
                raise StoreUnavailableError("the gateway is stopping", retry_after_s=RETRY_AFTER_S)
            if self._weight >= QUEUE_WEIGHT or self._weights[caller] >= CALLER_WEIGHT:
                raise OverloadedError("too many requests are waiting for the database", retry_after_s=RETRY_AFTER_S)
            self._weight += weight
            if deferrable:
                if not self._deferred:
                    self._deferred_until = time.monotonic() + DEFER_S
                    self._changed.notify()
                self._deferred.append((submission, weight))
            else:
                self._waiting.setdefault(caller, {}).setdefault(urgency, deque()).append((submission, weight))
                self._weights[caller] += weight
                self._changed.notify()

    def look_within(self, seconds: float) -> None:
        """Ends `wait` after at most so many seconds, once: there is something else to commit."""
        look_at = time.monotonic() + seconds
        if look_at < self._look_at:
            with self._changed:
                self._look_at = look_at
                self._changed.notify()

    def wait(self, seconds: float) -> bool:
        """Waits for a command that isn't deferred, the end of a delay, or the queue's end."""
        with self._changed:
            now = time.monotonic()
            until = now + seconds
            while not self._waiting and not self._closed:
                ends_at = min(until, self._look_at, self._deferred_until if self._deferred else math.inf)
                if ends_at <= now:
                    break
                self._changed.wait(ends_at - now)
                now = time.monotonic()
            if self._look_at <= now:
                self._look_at = math.inf
            return bool(self._waiting)

    def take(self) -> list[Submission]:
        """Removes the next group: the deferred commands, then each caller's most urgent one in turn.

        Without others the deferred ones come when one is due.
        """
        with self._changed:
            group: list[Submission] = []
            most, taken = (SHARED_GROUP_WEIGHT if len(self._waiting) > 1 else GROUP_WEIGHT), 0
            while self._waiting and taken < most:
                submission, weight = self._next()
                group.append(submission)
                taken += weight
            if group or self._closed or time.monotonic() >= self._deferred_until:
                group[:0] = [submission for submission, _ in self._deferred]
                self._weight -= sum(weight for _, weight in self._deferred)
                self._deferred.clear()
            return group

    def close(self) -> None:
        """Takes no more commands; those that wait can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    @property
    def is_closed(self) -> bool:
        """Whether it is closed and empty."""
        return self._closed and not self._waiting and not self._deferred

    def _next(self) -> tuple[Submission, int]:
        caller = next(iter(self._waiting))
        commands = self._waiting.pop(caller)
        first = min(commands)
        submission, weight = commands[first].popleft()
        if not commands[first]:
            del commands[first]
        self._weight -= weight
        self._weights[caller] -= weight
        if commands:
            self._waiting[caller] = commands  # behind the others
        else:
            del self._weights[caller]
        return submission, weight
