"""Builds the inbox and the search index again after their projection was emptied."""

from __future__ import annotations

from collections.abc import Callable

from gateway.alerts.commands.following import FollowCommand, prepare_batch
from gateway.casework.commands.indexing import IndexDocumentsCommand, ListCommand
from gateway.casework.service.lister import InboxLister
from gateway.db.database import Database
from gateway.feed.service.writing.transaction import Command

AT_ONCE = 1_000
"""Steps of alerts in one transaction: some 150 ms."""

RunCommand = Callable[[Command[object]], object]
"""Executes a command in a transaction of its own."""


def rebuild_casework(run: RunCommand, database: Database) -> int:
    """Lists and indexes all alerts; returns the position reached.

    Raises:
        StoreUnavailableError: the database can't be written; call again.
    """
    from gateway.casework.service.indexer import AlertIndexer  # noqa: PLC0415  # the vocabularies of names

    reached = 0
    followers = (InboxLister(), AlertIndexer())
    while parts := prepare_batch(database, followers, limit=AT_ONCE).parts:
        run(FollowCommand(parts))
        reached = max(part.batch.last for part in parts if isinstance(part, ListCommand | IndexDocumentsCommand))
    return reached
