"""Writes the inbox and the search index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from gateway.casework.tables import documents, inbox, names
from gateway.casework.tables import progress as casework_progress
from gateway.casework.tables.documents import DocumentBatch
from gateway.casework.tables.inbox import InboxItem
from gateway.feed.service.writing.commits import CASEWORK
from gateway.feed.service.writing.transaction import Transaction


class ListBatch(NamedTuple):
    """Items of the alerts that changed between two positions of the local log."""

    after: int
    last: int
    items: tuple[InboxItem, ...]


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


class MergeWordsCommand:
    """Merges some of the search index, so that no word of an erased alert is left in it; whether there is more."""

    weight = 1

    def execute(self, tx: Transaction) -> bool:
        return documents.has_erased_words(tx.conn) and documents.merge(tx.conn)


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
        documents.put(tx.conn, batch.documents, after=batch.after)
        names.add(tx.conn, batch.names, batch.name_keys)
        casework_progress.move_indexed(tx.conn, batch.last)
        return True
