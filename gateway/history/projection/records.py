"""Recorded shipments as a projection, built from the log of records."""

from __future__ import annotations

from sqlalchemy import Connection

from gateway.contract.ids import Channel
from gateway.contract.limits import MAX_STREAM_ITEMS
from gateway.feed.codec import EntryFormat
from gateway.feed.projection.registry import LoggedEntry, Projection
from gateway.feed.service.writing.transaction import Transaction
from gateway.history.tables import key_tree, progress
from gateway.history.tables.schema import (
    inspection_outcomes,
    party_name_keys,
    party_names,
    risk_hits,
    shipment_cells,
    shipment_keys,
    shipment_revisions,
    shipment_times,
    shipments,
)
from gateway.v1 import record_log_pb2

RECORD_ENTRIES = EntryFormat(channel=Channel.RECORDS, message=record_log_pb2.RecordLogEvent, items=MAX_STREAM_ITEMS)


class RecordProjection(Projection):
    """The index of recorded shipments, their risk hits and what inspections of them came to."""

    formats = (RECORD_ENTRIES,)
    tables = (
        shipments,
        shipment_revisions,
        shipment_keys,
        shipment_cells,
        shipment_times,
        party_names,
        party_name_keys,
        risk_hits,
        inspection_outcomes,
    )

    def clear(self, conn: Connection) -> None:
        super().clear(conn)
        progress.clear(conn)
        key_tree.clear(conn)

    def apply(self, tx: Transaction, entry: LoggedEntry) -> None:
        """Does nothing: entries hold digests only."""
