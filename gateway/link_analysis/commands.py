"""Writes the index of what alerts and shipments name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.feed.service.writing.transaction import Transaction
from gateway.history.service.search import positions_of
from gateway.history.tables import shipments
from gateway.link_analysis.tables import terms
from gateway.link_analysis.tables.terms import SHIPMENT, LinkProgress, PackedTerms


def forget_records(conn: Connection, record_ids: Sequence[str]) -> None:
    """Removes what was indexed of records that are about to be erased."""
    if terms.progress(conn).record_position:
        positions = [position for of_record in positions_of(conn, record_ids).values() for position in of_record]
        terms.forget_shipments(conn, positions)


@dataclass(frozen=True, slots=True)
class LinkBatch:
    """What the next alerts and recorded items name.

    Attributes:
        before, after: progress that it was read from, and that it leads to.
        terms: rows of the index, packed: they go from process to process.
        names, name_keys: names of parties in alerts as (key, text), and keys of screening as (key, name).
    """

    before: LinkProgress
    after: LinkProgress
    terms: PackedTerms
    names: tuple[tuple[int, str], ...]
    name_keys: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class AddLinksCommand:
    """Writes a batch; False where another replica or a rebuild has moved the progress meanwhile.

    A crash before the commit leaves nothing of the batch.
    """

    batch: LinkBatch
    weight: int = 1

    def execute(self, tx: Transaction) -> bool:
        batch = self.batch
        if terms.progress(tx.conn) != batch.before:
            return False
        rows = terms.unpacked(batch.terms)
        if batch.after.record_position != batch.before.record_position:
            erased = shipments.erased(tx.conn, {ref for source, _, _, ref in rows if source == SHIPMENT})
            rows = [row for row in rows if row[0] != SHIPMENT or row[3] not in erased]
        terms.add(tx.conn, rows)
        terms.add_names(tx.conn, batch.names, batch.name_keys)
        terms.move(tx.conn, batch.after)
        return True
