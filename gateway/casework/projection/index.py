"""Empties the inbox and the search index for a rebuild."""

from __future__ import annotations

from sqlalchemy import Connection

from gateway.casework.tables import documents
from gateway.casework.tables import progress as casework_progress
from gateway.casework.tables.schema import alert_documents, alert_name_keys, alert_names, inbox_items
from gateway.feed.projection.registry import LoggedEntry, Projection
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import journal


class CaseworkProjection(Projection):
    """The inbox and the search index of alerts, which follow the projection of alerts."""

    tables = (inbox_items, alert_documents, alert_names, alert_name_keys)
    follows = True

    def clear(self, conn: Connection) -> None:
        """Empties them; they are built again from the first step."""
        documents.clear(conn)
        super().clear(conn)
        casework_progress.clear(conn)

    def apply(self, tx: Transaction, entry: LoggedEntry) -> None:
        """Does nothing: no channel is its own."""


def casework_is_complete(conn: Connection) -> bool:
    """Whether both have everything that is projected."""
    reached = casework_progress.read(conn)
    return reached.indexed_position == reached.listed_position == journal.projected_position(conn)
