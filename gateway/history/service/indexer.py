"""Prepares recorded items for the index: parses them and computes their keys and names.

It loads the vocabularies of names, so it runs in a worker process.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from functools import lru_cache
from hashlib import sha256
from itertools import repeat

from gateway.contract.identification import shipment_keys as keys_wire
from gateway.contract.messages import to_ms
from gateway.db.database import Database
from gateway.history.codec import shipments as wire
from gateway.history.codec.batches import IndexBatch, KeyColumns, PreparedItem
from gateway.history.tables import names as names_table
from gateway.history.tables import progress as record_progress
from gateway.history.tables import shipments
from gateway.history.tables.shipments import LogRow
from gateway.screening.index.keys import index_keys
from gateway.screening.prepared_name import prepare
from gateway.v1 import shipment_pb2

log = logging.getLogger(__name__)

BATCH = 500
"""Items in one transaction: some milliseconds."""


class HistoryIndexer:
    """Prepares batches."""

    def __init__(self, database: Database, *, batch: int = BATCH) -> None:
        self._database = database
        self._batch = batch

    def next(self, after: int | None = None, most: int | None = None) -> IndexBatch | None:
        """At most so many items after a position, by default after the indexed ones; None if there are none."""
        with self._database.read() as conn:
            after = record_progress.indexed(conn) if after is None else after
            rows = shipments.log_after(conn, after, most or self._batch)
            if not rows:
                return None
            texts: dict[int, str] = {}
            keys: list[int] = []
            positions: list[int] = []
            items = []
            for row in rows:
                if row.content:  # without erased ones
                    item, of_item = _item(row, texts)
                    items.append(item)
                    keys += of_item
                    positions += repeat(row.position, len(of_item))
            known = names_table.texts(conn, list(texts))
        names = tuple((key, text) for key, text in texts.items() if key not in known)
        filed_under = tuple((filing, key) for key, text in names for filing in name_filing(text))
        columns = KeyColumns.of(keys, positions)
        return IndexBatch(after, rows[-1].position, tuple(items), columns, tuple(known), names, filed_under)


def _item(row: LogRow, texts: dict[int, str]) -> tuple[PreparedItem, Collection[int]]:
    """A prepared item and its distinct keys; an unreadable one has its record id alone."""
    digest = sha256(row.content).digest()
    try:
        return _prepared(row, digest, texts)
    except Exception:
        log.exception("item %d, of record %s, can't be read; see `gateway verify`", row.position, row.record_id)
        unreadable = PreparedItem(row.position, row.record_id, row.kind, row.recorded_at, digest, 0, 0, "")
        return unreadable, (keys_wire.record_key(row.record_id),)


def _prepared(row: LogRow, digest: bytes, texts: dict[int, str]) -> tuple[PreparedItem, Collection[int]]:
    item = wire.parse_item(row.kind, row.content)
    if isinstance(item, shipment_pb2.ShipmentAddition):
        added = PreparedItem(row.position, row.record_id, row.kind, row.recorded_at, digest, 0, 0, "")
        return added, keys_wire.keys_of_addition(item)
    keys, names = keys_wire.keys_and_names_of(item)
    texts.update(names)
    declared_at, procedure, retention_class = to_ms(item.declared_at), int(item.procedure), item.retention_class
    prepared = PreparedItem(
        row.position,
        row.record_id,
        row.kind,
        row.recorded_at,
        digest,
        declared_at,
        procedure,
        retention_class,
        wire.release_list(item),
    )
    return prepared, keys


@lru_cache(maxsize=65_536)
def name_filing(text: str) -> tuple[int, ...]:
    """A name's keys of screening; none if unreadable."""
    try:
        return tuple(sorted(index_keys(prepare(text))))
    except Exception:
        log.exception("a party's name can't be read; it is found as it is written alone")
        return ()
