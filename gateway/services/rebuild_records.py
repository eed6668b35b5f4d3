"""Makes recorded shipments findable again, from the log of records, after their projections were dropped.

Owns the loop. Doesn't own the steps (services.history_prepare, services.history_index).
"""

from __future__ import annotations

from gateway.services.commit import Committer
from gateway.services.history_index import IndexWork, Retention
from gateway.services.history_prepare import HistoryIndexer
from gateway.services.rebuild import Progress
from gateway.store.database import Database


def rebuild_records(committer: Committer, database: Database, retention: Retention, *, progress: Progress) -> int:
    """Makes recorded shipments findable again after `rebuild`; returns how many items that is.

    Rules judge them again while the gateway runs.

    Args:
        committer: a running writer.
        database: its database.
        retention: how long records are kept, by the settings.
        progress: called as it goes.

    Raises:
        StoreUnavailableError: the database can't be written; call again.
    """
    indexer = HistoryIndexer(database)
    count = 0
    while (batch := indexer.next()) is not None:
        if committer.run(IndexWork(batch, retention)):  # not so when a running gateway did the same meanwhile
            count += batch.last - batch.after
            progress(batch.last - batch.after)
    return count
