"""Randomness for salts and ids, drawn from the operating system a few kilobytes at a time.

A draw for each salt cost eight percent of a busy gateway: the system call is quick, but it lets go of the interpreter
lock and has to wait for it afterwards. Every byte is handed out once.
"""

from __future__ import annotations

import os
import threading

_DRAW_BYTES = 8192
"""Bytes drawn at once: some hundred alerts."""


class Randomness:
    """Bytes from the operating system's cryptographic generator; thread-safe."""

    def __init__(self) -> None:
        self.forget()
        # A forked child must not hand out the bytes that its parent does.
        os.register_at_fork(after_in_child=self.forget)

    def forget(self) -> None:
        """Throws away what was drawn."""
        self._lock = threading.Lock()
        self._drawn = b""
        self._at = 0

    def __call__(self, count: int) -> bytes:
        """`count` fresh random bytes."""
        if count > _DRAW_BYTES:
            return os.urandom(count)
        with self._lock:
            if self._at + count > len(self._drawn):
                self._drawn, self._at = os.urandom(_DRAW_BYTES), 0
            start, self._at = self._at, self._at + count
            return self._drawn[start : self._at]


random_bytes = Randomness()
"""The process's buffer."""
