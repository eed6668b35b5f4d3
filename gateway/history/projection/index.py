"""Writes the index of recorded shipments: revisions, keys, names, and the end of retention.

An addition is indexed under the time and procedure of its record, also when it came first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.contract.identification import shipment_keys as keys_wire
from gateway.feed.service.writing.commits import INDEXED
from gateway.feed.service.writing.transaction import Transaction
from gateway.history.codec import shipments as wire
from gateway.history.codec.batches import IndexBatch, PreparedItem
from gateway.history.service.search import positions_of
from gateway.history.tables import names, releases, shipments
from gateway.history.tables import progress as record_progress
from gateway.history.tables.releases import ReleaseRow, list_text
from gateway.history.tables.shipments import RevisionRow, ShipmentRow

Retention = Callable[[str, int], tuple[str, int]]
"""From a class (empty: default) and the start of retention to the record's class and the end of its retention (0:
never); milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class IndexCommand:
    """Writes a batch; False if it isn't the next or a known name is gone.

    A crash before the commit leaves nothing of the batch.
    """

    batch: IndexBatch
    retention: Retention

    @property
    def weight(self) -> int:
        return max(1, len(self.batch.items))

    def execute(self, tx: Transaction) -> bool:
        batch = self.batch
        if record_progress.indexed(tx.conn) != batch.after:
            return False
        if len(names.texts(tx.conn, batch.known)) < len(batch.known):
            return False
        known = shipments.find(tx.conn, list({item.record_id for item in batch.items}))
        rows = dict(known)
        revisions: list[RevisionRow] = []
        same: list[PreparedItem] = []
        moved: list[ShipmentRow] = []
        for item in batch.items:
            before = rows.get(item.record_id)
            row = self._advanced(before, item)
            if before is not None and before.additions and _as_of(before) != _as_of(row):
                moved.append(row)
            if row.position != item.position and item.kind != wire.ADDITION:
                same.append(item)
            revisions.append(RevisionRow(item.position, row.record_id, row.revision, row.declared_at, row.procedure))
            rows[row.record_id] = row
        releases.add(tx.conn, list(filter(None, map(_release, batch.items))))
        first = {one: row.revision for one, row in known.items()}
        releases.end(
            tx.conn, {one: row.position for one, row in rows.items() if row.revision > max(1, first.get(one, 0))}
        )
        shipments.add(tx.conn, sorted((rows[one] for one in rows.keys() - known.keys()), key=lambda row: row.record_id))
        shipments.put(tx.conn, [rows[one] for one in sorted(known) if rows[one] != known[one]])
        shipments.add_revisions(tx.conn, revisions)
        names.add(tx.conn, batch.names, batch.name_keys)
        shipments.add_keys(tx.conn, *_without(same, *batch.keys.columns()))
        _date_additions(tx.conn, moved)
        record_progress.move_indexed(tx.conn, batch.last)
        tx.topics.add(INDEXED)
        return True

    def _advanced(self, row: ShipmentRow | None, item: PreparedItem) -> ShipmentRow:
        """The record after an item."""
        if item.kind == wire.ADDITION:
            if row is None:
                retention_class, delete_at = self.retention("", item.recorded_at)
                row = ShipmentRow(item.record_id, 0, 0, 0, 0, 0, b"", retention_class, delete_at)
            return row._replace(additions=row.additions + 1)
        if row is not None and item.digest == row.digest:
            return row
        since = max(item.declared_at, item.recorded_at)  # an imported old record isn't due at once
        retention_class, delete_at = self.retention(item.retention_class, since)
        return ShipmentRow(
            item.record_id,
            item.position,
            1 if row is None else row.revision + 1,
            0 if row is None else row.additions,
            item.declared_at,
            item.procedure,
            item.digest,
            retention_class,
            delete_at,
        )


def _release(item: PreparedItem) -> ReleaseRow | None:
    """The list of a revision: recording has written it, unless the database is of before or was made anew."""
    if item.releasable_to is None:
        return None
    return ReleaseRow(item.record_id, item.position, list_text(item.releasable_to))


def _without(
    same: Sequence[PreparedItem], keys: Sequence[int], positions: Sequence[int]
) -> tuple[Sequence[int], Sequence[int]]:
    """Keys and positions; of items that say the same as their record before, the record's key alone."""
    if not same:
        return keys, positions
    left_out = {item.position for item in same}
    pairs = [pair for pair in zip(keys, positions, strict=True) if pair[1] not in left_out]
    pairs += [(keys_wire.record_key(item.record_id), item.position) for item in same]
    return [key for key, _ in pairs], [position for _, position in pairs]


def _as_of(row: ShipmentRow) -> tuple[int, int]:
    """Time and procedure in the index."""
    return row.declared_at, row.procedure


def _date_additions(conn: Connection, moved: Sequence[ShipmentRow]) -> None:
    """Moves earlier additions to their records' new time and procedure."""
    if not moved:
        return
    positions = positions_of(conn, dict.fromkeys(row.record_id for row in moved))
    added = shipments.of_kind(conn, [one for of_record in positions.values() for one in of_record], wire.ADDITION)
    for row in moved:
        earlier = [position for position in positions[row.record_id] if position in added and position < row.position]
        shipments.date_additions(conn, earlier, *_as_of(row))
