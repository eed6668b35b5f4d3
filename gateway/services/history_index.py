"""Makes what was recorded findable: revisions of records, keys, names, and when a record may go.

Owns the step from the log of records to the tables that are searched. It runs behind the recording, in batches: what
costs time (parsing, keys, readings of names) is done outside the writer's transaction, and the transaction only writes.
The tables are projections: with the cursor at 0 they come out the same from the log. Doesn't own the log
(services.history_record) or searching (services.history_search).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256

from gateway.screening.forms import prepare
from gateway.screening.keys import filed
from gateway.services.commit import Transaction
from gateway.store import shipments
from gateway.store.database import Database
from gateway.store.shipments import INDEXED, LogRow, RevisionRow, ShipmentRow
from gateway.v1 import shipment_pb2
from gateway.wire import shipment_keys as keys_wire
from gateway.wire import shipments as wire
from gateway.wire.alerts import to_ms

BATCH = 500
"""Items that are made findable in one transaction: a few milliseconds in which an alert would wait."""

Retention = Callable[[str, int], tuple[str, int]]
"""From a record's class (empty: none given) and time of declaration to the class that counts and the time at which it
may be erased (0: never); times in milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """An item with what can be known of it without the tables.

    Attributes:
        row: as it stands in the log.
        keys: by which it is found.
        digest: SHA-256 of the content.
        declared_at: in milliseconds since 1970; 0 for an addition.
        procedure: ShipmentProcedure; 0 for an addition.
        retention_class: as given.
    """

    row: LogRow
    keys: frozenset[int]
    digest: bytes
    declared_at: int
    procedure: int
    retention_class: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Items from the one after position `after` to the one at `last`, prepared; those that were erased are left out."""

    after: int
    last: int
    items: tuple[Prepared, ...]
    names: tuple[tuple[int, str], ...]
    name_keys: tuple[tuple[int, int], ...]


class HistoryIndexer:
    """Prepares batches; for one thread at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: set[int] = set()

    def next(self) -> Batch | None:
        """The next items that aren't findable yet, prepared; None when there are none."""
        with self._database.read() as conn:
            after = shipments.cursor(conn, INDEXED)
            rows = shipments.log_after(conn, after, BATCH)
            if not rows:
                return None
            texts: dict[int, str] = {}
            items = tuple(_prepared(row, texts) for row in rows if row.content)  # nothing is left of what was erased
            new = [key for key in texts if key not in self._seen]
            known = shipments.known_names(conn, new) if new else {}
        names = tuple((key, texts[key]) for key in new if key not in known)
        if len(self._seen) > 1_000_000:
            self._seen.clear()
        self._seen.update(new)
        filed_under = tuple((filing, key) for key, text in names for filing in name_filing(text))
        return Batch(after, rows[-1].position, items, names, filed_under)

    def forget(self) -> None:
        """After a batch that wasn't written: what names are known is read again."""
        self._seen.clear()


def _prepared(row: LogRow, texts: dict[int, str]) -> Prepared:
    item = wire.parse_item(row.kind, row.content)
    digest = sha256(row.content).digest()
    if isinstance(item, shipment_pb2.ShipmentAddition):
        return Prepared(row, frozenset(keys_wire.keys_of_addition(item)), digest, 0, 0, "")
    for text in keys_wire.names_of(item):
        texts[keys_wire.name_key(text)] = text
    keys = frozenset(keys_wire.keys_of(item))
    return Prepared(row, keys, digest, to_ms(item.declared_at), item.procedure, item.retention_class)


@lru_cache(maxsize=65_536)
def name_filing(text: str) -> tuple[int, ...]:
    """Keys of screening under which a party's name is filed."""
    return tuple(sorted(filed(prepare(text))))


@dataclass(frozen=True, slots=True)
class IndexWork:
    """Writes a batch; the result is whether it was still the next one."""

    batch: Batch
    retention: Retention

    @property
    def weight(self) -> int:
        return max(1, len(self.batch.items))

    def stage(self, tx: Transaction) -> bool:
        batch = self.batch
        if shipments.cursor(tx.conn, INDEXED) != batch.after:
            return False
        known = shipments.find(tx.conn, list({item.row.record_id for item in batch.items}))
        rows = dict(known)
        revisions: list[RevisionRow] = []
        pairs: list[tuple[int, int]] = []
        for item in batch.items:
            row = self._advanced(rows.get(item.row.record_id), item)
            changed = row.position == item.row.position or item.row.kind == wire.ADDITION
            keys: Sequence[int] = tuple(item.keys) if changed else (keys_wire.record_key(item.row.record_id),)
            pairs.extend((key, item.row.position) for key in keys)
            revisions.append(
                RevisionRow(item.row.position, row.record_id, row.revision, row.declared_at, row.procedure)
            )
            rows[row.record_id] = row
        shipments.add(tx.conn, sorted((rows[one] for one in rows.keys() - known.keys()), key=lambda row: row.record_id))
        shipments.put(tx.conn, [rows[one] for one in sorted(known) if rows[one] != known[one]])
        shipments.add_revisions(tx.conn, revisions)
        shipments.add_names(tx.conn, batch.names, batch.name_keys)
        shipments.add_keys(tx.conn, pairs)
        shipments.move_cursor(tx.conn, INDEXED, batch.last)
        return True

    def _advanced(self, row: ShipmentRow | None, item: Prepared) -> ShipmentRow:
        """The record after an item: the next revision, the same one when nothing has changed, or one addition more."""
        if row is None:
            retention_class, delete_at = self.retention("", item.row.recorded_at)
            row = ShipmentRow(item.row.record_id, 0, 0, 0, 0, 0, b"", retention_class, delete_at)
        if item.row.kind == wire.ADDITION:
            return replace(row, additions=row.additions + 1)
        if item.digest == row.digest:
            return row
        retention_class, delete_at = self.retention(item.retention_class, item.declared_at)
        return replace(
            row,
            position=item.row.position,
            revision=row.revision + 1,
            declared_at=item.declared_at,
            procedure=item.procedure,
            digest=item.digest,
            retention_class=retention_class,
            delete_at=delete_at,
        )
