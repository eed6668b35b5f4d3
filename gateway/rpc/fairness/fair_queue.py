"""A queue between threads that serves its callers in turn."""

from __future__ import annotations

import threading
from collections import Counter, deque
from typing import Generic, TypeVar

from gateway.errors import UnavailableError

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
