"""Lets a rebuild of projections empty the figures too, which then are counted again."""

from __future__ import annotations

from gateway.feed.projection.registry import LoggedEntry, Projection
from gateway.feed.service.writing.transaction import Transaction
from gateway.figures.tables.schema import figure_counts, figure_progress


class FigureProjection(Projection):
    """Counts by day; no alert waits for them, since they follow what is projected (figures.service.counting)."""

    tables = (figure_counts, figure_progress)
    follows = True

    def apply(self, tx: Transaction, entry: LoggedEntry) -> None:
        """Nothing: it has no channel."""
