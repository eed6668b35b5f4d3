"""What was freed goes back to the system."""

from __future__ import annotations

import psutil

from gateway.free_memory import release_free_memory

PIECES, PIECE_BYTES = 40_000, 2_000


def test_memory_between_what_is_kept_is_released() -> None:
    pieces = [bytes(PIECE_BYTES) for _ in range(PIECES)]
    kept = pieces[-1]  # at the end, so that the heap can't just be cut
    process = psutil.Process()
    held = process.memory_info().rss
    pieces.clear()
    release_free_memory()
    assert held - process.memory_info().rss > PIECES * PIECE_BYTES / 2
    assert kept == bytes(PIECE_BYTES)
