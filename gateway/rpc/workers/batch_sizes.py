"""How many items a batch has that is prepared for the writer: as many as keep its write short.

A larger batch writes fewer pages for each item, and holds up whoever else wants to write.
"""

from __future__ import annotations

FEWEST_AT_ONCE = 250
MOST_AT_ONCE = 1_000
"""Most items in one batch, at first and far behind."""

SHORT_WRITE_S = 0.02
LONG_WRITE_S = 0.04
"""The next batch is twice as large after a shorter write, in seconds, and half as large after a longer one."""


def next_limit(limit: int, took_s: float, *, is_cut: bool) -> int:
    """Most items of the batch after one of at most `limit` whose write took so long.

    Args:
        is_cut: more is waiting.
    """
    if not is_cut or took_s > LONG_WRITE_S:
        return max(FEWEST_AT_ONCE, limit // 2)
    return min(2 * limit, MOST_AT_ONCE) if took_s < SHORT_WRITE_S else limit
