"""RFC 6962, section 2.1, as its recursive definitions read: slow, obvious, and independent of `gateway.tlog`.

Also the simplest store of tile hashes there can be, which refuses what a log never does: gaps, rewrites, shrinking.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from gateway.errors import TileMissingError
from gateway.tlog.merkle import TileWrite


def leaves(count: int) -> list[bytes]:
    """Distinct leaf hashes."""
    return [sha256(b"\x00" + number.to_bytes(8, "big")).digest() for number in range(count)]


def split(count: int) -> int:
    """The largest power of two smaller than `count`."""
    k = 1
    while k * 2 < count:
        k *= 2
    return k


def root(d: Sequence[bytes]) -> bytes:
    """MTH(D[n]) over leaf hashes."""
    if len(d) == 0:
        return sha256(b"").digest()
    if len(d) == 1:
        return d[0]
    k = split(len(d))
    return sha256(b"\x01" + root(d[:k]) + root(d[k:])).digest()


def inclusion(m: int, d: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D[n])."""
    if len(d) == 1:
        return []
    k = split(len(d))
    if m < k:
        return [*inclusion(m, d[:k]), root(d[k:])]
    return [*inclusion(m - k, d[k:]), root(d[:k])]


def consistency(m: int, d: Sequence[bytes]) -> list[bytes]:
    """PROOF(m, D[n]) for 0 < m <= n."""
    return _subproof(m, d, True)


def _subproof(m: int, d: Sequence[bytes], complete: bool) -> list[bytes]:
    if m == len(d):
        return [] if complete else [root(d)]
    k = split(len(d))
    if m <= k:
        return [*_subproof(m, d[:k], complete), root(d[k:])]
    return [*_subproof(m - k, d[k:], False), root(d[:k])]


class MemoryTiles:
    """Tile hashes in memory, one growing row for each level; counts what is read."""

    def __init__(self) -> None:
        self.rows: dict[int, bytearray] = {}
        self.reads: list[tuple[int, int, int]] = []

    def apply(self, writes: Sequence[TileWrite]) -> None:
        for write in writes:
            row = self.rows.setdefault(write.level, bytearray())
            assert len(row) == write.start * 32, "a log only grows at its end"
            row += write.hashes

    def hashes(self, level: int, start: int, count: int) -> bytes:
        self.reads.append((level, start, count))
        row = self.rows.get(level, b"")
        if len(row) < (start + count) * 32:
            raise TileMissingError(f"level {level} has no hashes {start} to {start + count}")
        return bytes(row[start * 32 : (start + count) * 32])
