"""Makes recorded shipments findable again, from the log of records, after their projections were dropped."""

from __future__ import annotations

from gateway.db.database import Database
from gateway.feed.projection.rebuild import ReportProgress
from gateway.feed.service.writer import Writer
from gateway.history.projection.index import IndexCommand, Retention
from gateway.history.service.indexer import HistoryIndexer


def rebuild_records(writer: Writer, database: Database, retention: Retention, *, progress: ReportProgress) -> int:
    """Makes recorded shipments findable again after `rebuild`; returns how many items that is.

    Rules judge them again while the gateway runs.

    Args:
        writer: a running writer.
        database: its database.
        retention: how long records are kept, by the settings.
        progress: called as it goes.

    Raises:
        StoreUnavailableError: the database can't be written; call again.
    """
    indexer = HistoryIndexer(database)
    count = 0
    while (batch := indexer.next()) is not None:
        if writer.run(IndexCommand(batch, retention)):  # not so when a running gateway did the same meanwhile
            count += batch.last - batch.after
            progress(batch.last - batch.after)
    return count
