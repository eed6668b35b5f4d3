"""How many records an answer lacks because they aren't indexed yet, and how much of that a partner is told."""

from __future__ import annotations

from typing import NamedTuple


class Unindexed(NamedTuple):
    """Records that are recorded, may match, and aren't indexed yet; `or_more`: at least so many."""

    records: int = 0
    or_more: bool = False

    @property
    def text(self) -> str:
        """`1 record recorded and not indexed yet`, or empty."""
        if not self.records:
            return ""
        number = f"at least {self.records}" if self.or_more else str(self.records)
        return f"{number} {'record' if self.records == 1 else 'records'} recorded and not indexed yet"


NONE = Unindexed()

SOME = Unindexed(1, or_more=True)
"""All that a partner is told where a number would say how much is recorded."""


def told_to_partner(count: int, *, compared: bool, hit_only: bool) -> Unindexed:
    """What a partner is told.

    The number of records that were `compared` with the question is no more than it gets by asking again. Without that,
    or where it may only know whether there are any, it is told that there may be some.
    """
    if not count:
        return NONE
    return Unindexed(count) if compared and not hit_only else SOME
