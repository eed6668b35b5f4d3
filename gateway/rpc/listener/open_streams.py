"""Calls of a listener that a stop waits for: unary ones run to their end, open streams end with a time to come back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.errors import GatewayError


class RunningCalls:
    """Unary calls of a listener that run now; for one event loop."""

    def __init__(self) -> None:
        self._count = 0
        self._none = asyncio.Event()
        self._none.set()

    def begin(self) -> None:
        """Counts a call; `end` must follow."""
        self._count += 1
        self._none.clear()

    def end(self) -> None:
        """A call has ended and its answer is sent."""
        self._count -= 1
        if not self._count:
            self._none.set()

    async def ended(self) -> None:
        """Returns when no call runs."""
        await self._none.wait()


class StreamEnd:
    """One stream's end, before its caller or its handler ends it; for one event loop.

    A stream with one request ends at once. One with many takes no more of them, and answers those that it took first.
    """

    def __init__(self) -> None:
        self.error: GatewayError | None = None
        self._waiting: asyncio.Task[object] | None = None

    def end(self, error: GatewayError) -> None:
        """Raises the error in the block that waits, or in the next one."""
        self.error = error
        if self._waiting is not None:
            self._waiting.cancel()

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """A block that the end interrupts; raises its error."""
        if self.error is not None:
            raise self.error
        task = self._waiting = asyncio.current_task()
        try:
            yield
        except asyncio.CancelledError:
            # By this end alone, not by the caller or the server too.
            error = self._ended_with()
            if error is not None and task is not None and task.uncancel() == 0:
                raise error from None
            raise
        finally:
            self._waiting = None

    def _ended_with(self) -> GatewayError | None:
        return self.error


class OpenStreams:
    """Streams that are open now; for one event loop."""

    def __init__(self) -> None:
        self._ends: set[StreamEnd] = set()
        self._error: GatewayError | None = None
        self._none = asyncio.Event()
        self._none.set()

    @contextmanager
    def open(self) -> Iterator[StreamEnd]:
        """Counts a stream while its block runs; raises the error if all were ended."""
        if self._error is not None:
            raise self._error
        end = StreamEnd()
        self._ends.add(end)
        self._none.clear()
        try:
            yield end
        finally:
            self._ends.discard(end)
            if not self._ends:
                self._none.set()

    def end(self, error: GatewayError) -> None:
        """Ends all streams, and those that are opened from now on."""
        self._error = error
        for end in [*self._ends]:
            end.end(error)

    async def ended(self) -> None:
        """Returns when none is open."""
        await self._none.wait()
