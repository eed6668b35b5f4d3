"""Keeps the newest time that a partner has told, so that an own clock that jumped ahead ends nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from gateway.contract.limits import MAX_CLOCK_SKEW_MS


class PartnerClocks:
    """Partners' times, which go on as this machine's monotonic clock does; thread-safe."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._newest_ms: int | None = None  # less the monotonic time

    def note(self, their_time_ms: int) -> None:
        """Notes a partner's time, in milliseconds since 1970. One in the past says nothing."""
        with self._lock:
            moved = their_time_ms - self._elapsed_ms()
            self._newest_ms = moved if self._newest_ms is None else max(self._newest_ms, moved)

    def latest_ms(self) -> int | None:
        """The latest that it may be by any partner's clock and the tolerance; None before the first was told."""
        with self._lock:
            if self._newest_ms is None:
                return None
            return self._newest_ms + self._elapsed_ms() + MAX_CLOCK_SKEW_MS

    def _elapsed_ms(self) -> int:
        return int(self._monotonic_s() * 1000)
