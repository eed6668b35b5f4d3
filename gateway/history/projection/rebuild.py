"""Rebuilds the index of recorded shipments from the log of records."""

from __future__ import annotations

from gateway.db.database import Database
from gateway.feed.projection.rebuild import ReportProgress
from gateway.feed.service.writing.writer import Writer
from gateway.history.projection.index import IndexCommand, Retention
from gateway.history.service.indexer import HistoryIndexer


def rebuild_records(writer: Writer, database: Database, retention: Retention, *, progress: ReportProgress) -> int:
    """Indexes recorded shipments again after `rebuild`; returns the number of items.

    Raises:
        StoreUnavailableError: the database can't be written; call again.
    """
    indexer = HistoryIndexer(database)
    count = 0
    while (batch := indexer.next()) is not None:
        if writer.run(IndexCommand(batch, retention)):  # False if a running gateway wrote it
            count += batch.last - batch.after
            progress(batch.last - batch.after)
    return count
