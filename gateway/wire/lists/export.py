"""What every writer of a watchlist gives back: how much it wrote, and what its format has no place for.

Owns the account. Doesn't own any format.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Export:
    """An account of what was written.

    Attributes:
        written: entries written.
        left_out: field of WatchlistContent to the number of written entries that lost it, in part or whole.
        not_written: ids of entries that the format can't hold at all, and why.
    """

    written: int
    left_out: Mapping[str, int]
    not_written: Mapping[str, str]


class Tally:
    """Counts while entries are written."""

    def __init__(self) -> None:
        self._written = 0
        self._left_out: Counter[str] = Counter()
        self._not_written: dict[str, str] = {}

    def wrote(self, left_out: Iterable[str] = ()) -> None:
        self._written += 1
        self._left_out.update(set(left_out))

    def refused(self, entry_id: str, reason: str) -> None:
        self._not_written[entry_id] = reason

    def export(self) -> Export:
        return Export(self._written, dict(sorted(self._left_out.items())), dict(self._not_written))
