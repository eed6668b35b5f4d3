"""Builds the inbox and the search index again after their projection was emptied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gateway.casework.projection.index import IndexDocumentsCommand, ListCommand
from gateway.casework.service.lister import InboxLister
from gateway.db.database import Database
from gateway.feed.service.writing.transaction import Command

RunCommand = Callable[[Command], Any]
"""Executes a command in a transaction of its own."""


def rebuild_casework(run: RunCommand, database: Database) -> int:
    """Lists and indexes all alerts; returns the position reached.

    Raises:
        StoreUnavailableError: the database can't be written; call again.
    """
    from gateway.casework.service.indexer import AlertIndexer  # noqa: PLC0415  # the vocabularies of names

    reached = 0
    lister, indexer = InboxLister(database), AlertIndexer(database)
    while (items := lister.next()) is not None:
        run(ListCommand(items))
    while (batch := indexer.next()) is not None:
        run(IndexDocumentsCommand(batch))
        reached = batch.last
    return reached
