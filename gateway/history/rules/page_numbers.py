"""Numbers that partners go on by in an answer, in place of positions, which would tell how much a node records.

Each is lower than the one before, so that the partner can verify that its pages follow each other.
"""

from __future__ import annotations

RANDOM_BYTES = 8
"""Random bytes to draw a number from."""

MAX_PAGE_NUMBER = (1 << 63) - 1
"""Largest number that databases have; a partner may send a larger one."""

_STEP = 1 << 16
"""Most between two numbers: ten million pages fit below a time in milliseconds."""


def first_number(as_of: int, random: bytes) -> int:
    """A number in the upper half below what the answer is as of."""
    return max(0, as_of - 1 - int.from_bytes(random) % max(1, as_of // 2))


def next_number(before: int, random: bytes) -> int:
    """A lower number; 0 when there are none left."""
    return max(0, before - 1 - int.from_bytes(random) % _STEP)
