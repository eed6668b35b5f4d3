"""Counts unary calls, so that a stop waits for them and for no stream."""

from __future__ import annotations

import asyncio


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
