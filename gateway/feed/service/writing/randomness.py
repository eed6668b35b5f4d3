"""Draws random bytes for salts and ids in blocks.

One draw per salt cost 8 % of a busy gateway: the system call releases the interpreter lock and must get it back. Every
byte is used once.
"""

from __future__ import annotations

import os
import threading

_DRAW_BYTES = 8192
"""Bytes drawn at once, enough for some hundred alerts."""


class Randomness:
    """Bytes from the system's cryptographic generator; thread-safe."""

    def __init__(self) -> None:
        self.forget()
        # A forked child must not return its parent's bytes.
        os.register_at_fork(after_in_child=self.forget)

    def forget(self) -> None:
        """Discards drawn bytes."""
        self._lock = threading.Lock()
        self._drawn = b""
        self._at = 0

    def __call__(self, count: int) -> bytes:
        if count > _DRAW_BYTES:
            return os.urandom(count)
        with self._lock:
            if self._at + count > len(self._drawn):
                self._drawn, self._at = os.urandom(_DRAW_BYTES), 0
            start, self._at = self._at, self._at + count
            return self._drawn[start : self._at]


random_bytes = Randomness()
"""The process's buffer."""
