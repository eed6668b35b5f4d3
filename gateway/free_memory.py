"""Gives memory that was freed back to the system, where the C library can."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    """glibc's; None elsewhere."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None)


def release_free_memory() -> None:
    """Worth it after much was freed at once: glibc keeps it for the next time otherwise. Takes milliseconds."""
    if (trim := _malloc_trim()) is not None:
        trim(0)
