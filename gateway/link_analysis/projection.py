"""Lets a rebuild of projections empty the index of links too, which then is made again."""

from __future__ import annotations

from gateway.feed.projection.registry import LoggedEntry, Projection
from gateway.feed.service.writing.transaction import Transaction
from gateway.link_analysis.tables.schema import link_name_keys, link_names, link_progress, link_terms


class LinkProjection(Projection):
    """What alerts and shipments name; it follows what is projected and indexed (link_analysis.service.indexer)."""

    tables = (link_terms, link_names, link_name_keys, link_progress)
    follows = True

    def apply(self, tx: Transaction, entry: LoggedEntry) -> None:
        """Nothing: it has no channel."""
