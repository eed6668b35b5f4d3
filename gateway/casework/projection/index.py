"""Writes the inbox and the search index, and empties them for a rebuild."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.casework.service.lister import ListBatch
from gateway.casework.tables import documents, inbox, names
from gateway.casework.tables import progress as casework_progress
from gateway.casework.tables.documents import DocumentBatch
from gateway.casework.tables.schema import alert_documents, alert_name_keys, alert_names, inbox_items
from gateway.feed.projection.registry import LoggedEntry, Projection
from gateway.feed.service.writing.commits import CASEWORK
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import progress


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
    return reached.indexed_position == reached.listed_position == progress.position(conn)


@dataclass(frozen=True, slots=True)
class ListCommand:
    """Writes a batch of the inbox; False if it isn't the next. A crash before the commit leaves nothing of it."""

    batch: ListBatch

    @property
    def weight(self) -> int:
        return max(1, len(self.batch.items))

    def execute(self, tx: Transaction) -> bool:
        if casework_progress.lock(tx.conn).listed_position != self.batch.after:
            return False
        inbox.put(tx.conn, self.batch.items)
        casework_progress.move_listed(tx.conn, self.batch.last)
        tx.topics.add(CASEWORK)
        return True


@dataclass(frozen=True, slots=True)
class IndexDocumentsCommand:
    """Writes a batch of the search index, likewise."""

    batch: DocumentBatch

    @property
    def weight(self) -> int:
        return max(1, len(self.batch.documents))

    def execute(self, tx: Transaction) -> bool:
        batch = self.batch
        if casework_progress.lock(tx.conn).indexed_position != batch.after:
            return False
        documents.put(tx.conn, batch.documents)
        names.add(tx.conn, batch.names, batch.name_keys)
        casework_progress.move_indexed(tx.conn, batch.last)
        return True
