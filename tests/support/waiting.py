"""Waits in a thread for what must come."""

from __future__ import annotations

import time
from collections.abc import Callable


def eventually(check: Callable[[], bool], *, within_s: float, every_s: float = 0.05) -> None:
    """Calls `check` until it is true; AssertionError where it doesn't come to pass in time."""
    deadline = time.monotonic() + within_s
    while not check():
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(every_s)
