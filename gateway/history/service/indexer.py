"""Prepares recorded items for the index: parses them and computes their keys and names.

It loads the vocabularies of names, so it runs in a worker process.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from hashlib import sha256

from gateway.contract.identification import shipment_keys as keys_wire
from gateway.contract.timestamps import to_ms
from gateway.db.database import Database
from gateway.history.codec import shipments as wire
from gateway.history.codec.batches import IndexBatch, PreparedItem
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

    def next(self, after: int | None = None) -> IndexBatch | None:
        """Items after a position, by default after the indexed ones; None if there are none."""
        with self._database.read() as conn:
            after = record_progress.indexed(conn) if after is None else after
            rows = shipments.log_after(conn, after, self._batch)
            if not rows:
                return None
            texts: dict[int, str] = {}
            items = tuple(_item(row, texts) for row in rows if row.content)  # without erased ones
            known = names_table.texts(conn, list(texts))
        names = tuple((key, text) for key, text in texts.items() if key not in known)
        filed_under = tuple((filing, key) for key, text in names for filing in name_filing(text))
        return IndexBatch(after, rows[-1].position, items, tuple(known), names, filed_under)


def _item(row: LogRow, texts: dict[int, str]) -> PreparedItem:
    """A prepared item; an unreadable one has its record id alone."""
    try:
        return _prepared(row, texts)
    except Exception:
        log.exception("item %d, of record %s, can't be read; see `gateway verify`", row.position, row.record_id)
        keys = (keys_wire.record_key(row.record_id),)
        digest = sha256(row.content).hexdigest()
        return PreparedItem(row.position, row.record_id, row.kind, row.recorded_at, digest, 0, 0, "", keys)


def _prepared(row: LogRow, texts: dict[int, str]) -> PreparedItem:
    item = wire.parse_item(row.kind, row.content)
    if isinstance(item, shipment_pb2.ShipmentAddition):
        keys, declared_at, procedure, retention_class = keys_wire.keys_of_addition(item), 0, 0, ""
    else:
        texts.update((keys_wire.name_key(text), text) for text in keys_wire.names_of(item))
        keys, declared_at = keys_wire.keys_of(item), to_ms(item.declared_at)
        procedure, retention_class = int(item.procedure), item.retention_class
    return PreparedItem(
        row.position,
        row.record_id,
        row.kind,
        row.recorded_at,
        sha256(row.content).hexdigest(),
        declared_at,
        procedure,
        retention_class,
        tuple(keys),
    )


@lru_cache(maxsize=65_536)
def name_filing(text: str) -> tuple[int, ...]:
    """A name's keys of screening; none if unreadable."""
    try:
        return tuple(sorted(index_keys(prepare(text))))
    except Exception:
        log.exception("a party's name can't be read; it is found as it is written alone")
        return ()
