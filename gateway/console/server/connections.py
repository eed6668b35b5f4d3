"""Connections of browsers: one that sends no request ends, and a new one takes the place of the oldest that waits."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 for one event loop; `limit_to` sets the bounds.

    A connection waits from its begin, or from the first byte of a further request, until the request's head has come.
    """

    head_s: float
    most: int

    _waits_since_s: float = 0.0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()
        if len(self.connections) >= self.most:
            self._make_room()

    def data_received(self, data: bytes) -> None:
        if not self._is_answering and self._timer is None:
            self._wait()
        super().data_received(data)
        if self._is_answering:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        self._stop_waiting()
        super().on_response_complete()

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    @property
    def _is_ending(self) -> bool:
        return bool(self.transport.is_closing())

    def _wait(self) -> None:
        self._waits_since_s = self.loop.time()
        self._timer = self.loop.call_later(self.head_s, self._give_up)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.abort()

    def _make_room(self) -> None:
        """Ends the connection that has waited longest for a request, or is kept open between two."""
        open_ones = [one for one in self.connections if isinstance(one, BoundedProtocol) and not one._is_ending]
        if len(open_ones) < self.most:  # the others end before the next bytes are read
            return
        idle = [one for one in open_ones if not one._is_answering]
        oldest = min(idle, key=lambda one: one._waits_since_s, default=None)
        if oldest is not None and oldest is not self:
            oldest._stop_waiting()
            oldest.transport.abort()


def limit_to(head_s: float, most: int) -> type[BoundedProtocol]:
    """The protocol with bounds.

    Args:
        head_s: seconds for the head of a request.
        most: connections at once.
    """
    bounds: dict[str, Any] = {"head_s": head_s, "most": most}
    return type("LimitedProtocol", (BoundedProtocol,), bounds)
