"""A tree's tiles as a published log has them (C2SP tlog-tiles), written from the specification."""

from __future__ import annotations

from collections.abc import Iterator

TILE_WIDTH = 256


def tile_path(level: int, tile: int, width: int = TILE_WIDTH) -> str:
    """Path of a tile, e.g. `tile/0/x001/234.p/5` (section Merkle Tree)."""
    digits = str(tile)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    number = "/".join([*(f"x{group}" for group in groups[:-1]), groups[-1]])
    return f"tile/{level}/{number}" + (f".p/{width}" if width < TILE_WIDTH else "")


def tiles_of(size: int) -> Iterator[tuple[int, int, int]]:
    """A tree's tiles as (level, tile, width), by level."""
    level, hashes = 0, size
    while hashes:
        for tile in range(-(-hashes // TILE_WIDTH)):
            yield level, tile, min(TILE_WIDTH, hashes - tile * TILE_WIDTH)
        level, hashes = level + 1, hashes // TILE_WIDTH
