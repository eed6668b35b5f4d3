"""Bounds what the node holds in memory for one caller: requests on their way in, answers on their way out.

gRPC widens a call's window to the whole message as soon as somebody waits for it, and keeps an answer until the caller
takes it. A caller may send slowly and take nothing, so both are counted here, for each caller over all connections.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from typing import Any, cast

import grpc.aio

from gateway.errors import DeadlineExceededError, MalformedError, OverloadedError

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
