"""Adds what was counted to the figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.feed.service.writing.transaction import Transaction
from gateway.figures.tables import counts
from gateway.figures.tables.counts import CountKey, CountTally, FigureProgress


@dataclass(frozen=True, slots=True)
class AddFiguresCommand:
    """Adds a batch of counted steps; False where another replica or a rebuild has moved the progress meanwhile.

    Counts and progress are one transaction: a crash before the commit leaves both as they were.

    Attributes:
        before, after: progress that the batch was counted from, and that it leads to.
        afresh: days are cut anew: all counts are removed first.
    """

    before: FigureProgress
    after: FigureProgress
    tallies: Mapping[CountKey, CountTally]
    afresh: bool = False
    weight: int = 1

    def execute(self, tx: Transaction) -> bool:
        if counts.progress(tx.conn) != self.before:
            return False
        if self.afresh:
            counts.clear(tx.conn)
        counts.add(tx.conn, self.tallies)
        counts.move(tx.conn, self.after)
        return True
