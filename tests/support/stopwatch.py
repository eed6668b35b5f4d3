"""Times what a test bounds in seconds, as if the machine did nothing else.

    with Stopwatch() as watch:
        await what_must_be_quick()
    assert watch.quiet_s < 1.0

The floor is measured in the same run: a thread that hashes now and then finds how much slower everything goes.
On a machine that is free the factor is 1, and the bound as it stands.
"""

from __future__ import annotations

import hashlib
import threading
import time
from types import TracebackType
from typing import Self

_SAMPLE = bytes(4 * 1024 * 1024)
"""Takes some milliseconds, outside of the interpreter lock."""

_PAUSE_S = 0.03


class Stopwatch:
    """Runs as long as its block."""

    def __enter__(self) -> Self:
        self._stopped = threading.Event()
        self._wall_s = self._cpu_s = 0.0
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
        """How many times as long as its processor time a computation took; at least 1."""
        return max(1.0, self._wall_s / self._cpu_s)

    @property
    def quiet_s(self) -> float:
        """Seconds that the block would have taken on a machine that is free."""
        return self.elapsed_s / self.slowdown

    def _sample(self) -> None:
        while True:
            wall, cpu = time.perf_counter(), time.thread_time()
            hashlib.sha256(_SAMPLE).digest()
            self._wall_s += time.perf_counter() - wall
            self._cpu_s += time.thread_time() - cpu
            if self._stopped.wait(_PAUSE_S):
                return
