"""How much of a file is asked for at once, so that alerts on the same line wait for a fraction of a second at most.

Only what was asked for is on its way. A piece is sized so that the line carries it in about a tenth of a second; after
it the file pauses as long as it took, so that at least half of the line is the alerts'.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST_BYTES = 16 * 1024
LEAST_BYTES = 2 * 1024
MOST_BYTES = 512 * 1024
"""Bounds of a piece: 2 KiB take a quarter of a second on 64 kbit/s."""

QUICK_S = 0.05
SLOW_S = 0.2
"""A piece that took less is doubled, one that took more is halved; in seconds."""

MOST_PAUSE_S = 2.0
"""Longest pause after a piece, in seconds."""


@dataclass(frozen=True, slots=True)
class PieceSize:
    """Bytes to ask for next."""

    size: int = FIRST_BYTES

    def after(self, took_s: float) -> PieceSize:
        """The next size, when a piece of this one took so many seconds."""
        if took_s < QUICK_S:
            return PieceSize(min(self.size * 2, MOST_BYTES))
        if took_s > SLOW_S:
            return PieceSize(max(self.size // 2, LEAST_BYTES))
        return self


def pause_s(took_s: float) -> float:
    """Seconds to wait before the next piece; none on a line that carries it at once."""
    return 0.0 if took_s < QUICK_S else min(took_s, MOST_PAUSE_S)
