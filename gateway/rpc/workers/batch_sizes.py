"""How many items a batch has that is prepared for the writer."""

from __future__ import annotations

from typing import NamedTuple


class BatchSizes(NamedTuple):
    """Bounds of a batch: a larger one writes fewer pages for each item, and holds up whoever else wants to write.

    Attributes:
        fewest, most: items at first, and far behind.
        short_s, long_s: the next batch is twice as large after a shorter write, in seconds, and half as large after a
            longer one.
    """

    fewest: int
    most: int
    short_s: float
    long_s: float

    def after(self, limit: int, took_s: float, *, is_cut: bool) -> int:
        """Most items of the batch after one of at most `limit` whose write took so long.

        Args:
            is_cut: more is waiting.
        """
        if not is_cut or took_s > self.long_s:
            return max(self.fewest, limit // 2)
        return min(2 * limit, self.most) if took_s < self.short_s else limit
