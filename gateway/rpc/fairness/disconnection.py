"""Ends connections on which nobody is to be served: refused certificates, and callers that get round HTTP/2 limits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from gateway.rpc.fairness.sockets import shut_down

ANSWER_S = 1.0
"""Seconds for the answer to a refused call to arrive, before its connection is ended."""


class Disconnector:
    """Ends connections by the caller's address; for one event loop, with one thread of its own.

    Each connection is ended once, so a caller pays with a TLS handshake for each refusal.
    """

    def __init__(self, end: Callable[[str], object] = shut_down, *, answer_s: float = ANSWER_S) -> None:
        self._end = end
        self._answer_s = answer_s
        self._due: set[str] = set()  # as many as there are connections
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="disconnect")

    def now(self, peer: str) -> None:
        """Ends the connection with `peer`, as `ServicerContext.peer` gives it."""
        self._schedule(peer, 0.0)

    def soon(self, peer: str) -> None:
        """Ends it when the answer to its caller has had time to arrive."""
        self._schedule(peer, self._answer_s)

    def _schedule(self, peer: str, after_s: float) -> None:
        if peer not in self._due:
            self._due.add(peer)
            asyncio.get_running_loop().call_later(after_s, self._start, peer)

    def _start(self, peer: str) -> None:
        ended = asyncio.get_running_loop().run_in_executor(self._thread, self._end, peer)
        ended.add_done_callback(lambda _: self._due.discard(peer))
