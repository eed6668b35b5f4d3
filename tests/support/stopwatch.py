"""Times what a test bounds in seconds, as if the machine did nothing else.

    with Stopwatch() as watch:
        await what_must_be_quick()
    assert watch.quiet_s < 1.0

The machine's load is measured in the same run: a thread hashes now and then, and the kernel says how long it waited
for a processor. On a machine that is free the factor is 1, and the bound as it stands; what this process computes
doesn't count, nor does a wait for the interpreter's lock. Without the kernel's figures (Linux has them) it is 1.
"""

from __future__ import annotations

import hashlib
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_SAMPLE = bytes(4 * 1024 * 1024)
"""Takes some milliseconds, outside of the interpreter lock."""

_PAUSE_S = 0.03

_FIGURES = Path("/proc/thread-self/schedstat")
"""Of the calling thread: nanoseconds on a processor, nanoseconds that it waited for one, and how often it ran."""


class Stopwatch:
    """Runs as long as its block."""

    def __enter__(self) -> Self:
        self._stopped = threading.Event()
        self._ran_ns = self._waited_ns = 0
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._began = time.perf_counter()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.elapsed_s = self.so_far_s
        self._stopped.set()
        self._thread.join()

    @property
    def so_far_s(self) -> float:
        """Seconds since the block began."""
        return time.perf_counter() - self._began

    @property
    def slowdown(self) -> float:
        """How many times as long as its processor time a computation takes; at least 1."""
        return 1.0 + self._waited_ns / self._ran_ns if self._ran_ns else 1.0

    @property
    def quiet_s(self) -> float:
        """Seconds that the block would have taken on a machine that is free."""
        return self.elapsed_s / self.slowdown

    def _sample(self) -> None:
        if not _FIGURES.exists():
            return
        while True:
            ran, waited = _figures()
            hashlib.sha256(_SAMPLE).digest()
            ran_now, waited_now = _figures()
            self._ran_ns += ran_now - ran
            self._waited_ns += waited_now - waited
            if self._stopped.wait(_PAUSE_S):
                return


def _figures() -> tuple[int, int]:
    ran, waited, _ = map(int, _FIGURES.read_text().split())
    return ran, waited
