"""Bloom filters over keys.

Keys are hashes of 62 bits; their halves are the two hashes behind all bits (Kirsch and Mitzenmacher, "Less hashing,
same performance", 2006).
"""

from __future__ import annotations

from collections.abc import Collection

BITS_PER_KEY = 10
HASHES = 5
"""One in a hundred absent keys is taken for present."""

_HALF_BITS = 31
_HALF = (1 << _HALF_BITS) - 1


def bloom_filter(keys: Collection[int]) -> bytes:
    """A filter that holds these keys."""
    size = (len(keys) * BITS_PER_KEY + 7) // 8 or 1
    bits, count = bytearray(size), 8 * size
    for key in keys:
        at, step = key & _HALF, key >> _HALF_BITS | 1
        for _ in range(HASHES):
            bit = at % count
            bits[bit >> 3] |= 1 << (bit & 7)
            at += step
    return bytes(bits)


def may_hold(bits: bytes, key: int) -> bool:
    """False if the filter holds no such key."""
    at, step, count = key & _HALF, key >> _HALF_BITS | 1, 8 * len(bits)
    for _ in range(HASHES):
        bit = at % count
        if not bits[bit >> 3] >> (bit & 7) & 1:
            return False
        at += step
    return True
