"""Fills the tables of a stopped node with shipments: `python -m bench.history_fill URL KEY NODE SIZE`.

The product's own services record and index, without gRPC and without rules.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection

from bench import shipment_records as made
from gateway.contract.ids import Channel, FeedOrigin
from gateway.db import migrate
from gateway.db.database import Database
from gateway.feed.codec import EntryFormat
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.service.writing.writer import Writer
from gateway.history.commands.record import RecordCommand, checked, records_feed
from gateway.history.projection.index import IndexCommand
from gateway.history.service.indexer import HistoryIndexer
from gateway.history.tables import progress as record_progress
from gateway.history.tables import shipments
from gateway.node.assembly.history import retention_of
from gateway.node.settings import HistorySettings
from gateway.trust.pki.keys import Ed25519Signer, load_signing_key
from gateway.trust.service.audit_queue import AuditQueue
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1.shipment_pb2 import Shipment

TOGETHER = 5_000
"""Shipments in one transaction: nothing else waits for this node's writer."""


class NodeSigners:
    """A node's log key for each of its feeds."""

    def __init__(self, path: Path, name: str) -> None:
        self._key = load_signing_key(path, name=name, passphrase=None)

    def for_feed(self, origin: FeedOrigin) -> Ed25519Signer:
        """The key under the feed's name."""
        return self._key.named(origin.line)


class NoProjector:
    """Projects nothing: records are indexed by commands."""

    formats: Mapping[Channel, EntryFormat] = {}

    def advance(self, tx: Transaction, limit: int, *, isolated: bool) -> bool:
        """Nothing is left."""
        return False

    def answer(self, tx: Transaction) -> None:
        return

    def clear(self, conn: Connection) -> None:
        """Nothing to clear."""


TOLD_EACH = 100_000
"""Records after which it says how far it is."""


def fill(url: str, key: Path, node: str, size: int) -> None:
    """Records and indexes, TOGETHER at a time, until there are at least so many."""
    database = Database(url)
    migrate.upgrade(database)
    writer = Writer(
        database,
        own_node=node,
        signers=NodeSigners(key, f"{FEDERATION}/{node}"),
        clock=lambda: time.time_ns() // 1_000_000,
        audit_queue=AuditQueue(),
        projector=NoProjector(),
    )
    writer.start()
    origin, indexer = records_feed(FEDERATION, node), HistoryIndexer(database, batch=TOGETHER)
    retention = retention_of(HistorySettings())
    try:
        with database.read() as conn:
            filled = shipments.last_position(conn)
        left = max(0, size - filled)
        records: Iterator[Shipment] = made.shipments(left, first=filled, node=node)
        while left > 0:
            some = [checked(one) for one in islice(records, min(TOGETHER, left))]
            writer.run(RecordCommand(origin, some, "bench"))
            batch = indexer.next()
            assert batch is not None
            assert writer.run(IndexCommand(batch, retention))
            left -= len(some)
            if (size - left) // TOLD_EACH > (size - left - len(some)) // TOLD_EACH:
                print(f"{node} has {size - left:,} of {size:,} records", flush=True)
        with database.write() as conn:
            record_progress.move_evaluated(conn, shipments.last_position(conn))
    finally:
        writer.stop()
        database.close()


def main() -> None:
    """Takes its arguments from the command line."""
    url, key, node, size = sys.argv[1:]
    os.nice(10)
    fill(url, Path(key), node, int(size))


if __name__ == "__main__":
    main()
