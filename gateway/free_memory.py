"""Gives memory that was freed back to the system, where the C library can."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Protocol


class _Trim(Protocol):
    def __call__(self, pad: int) -> int: ...


@cache
def _trim() -> _Trim | None:
    """glibc's `malloc_trim`; None elsewhere."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None)


def release_free_memory() -> None:
    """Worth it after much was freed at once: glibc keeps it for the next time otherwise. Takes milliseconds."""
    if (trim := _trim()) is not None:
        trim(0)
