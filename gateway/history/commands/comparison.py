"""Compares items with what is recorded already, so that a file recorded again isn't counted as new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy import Connection

from gateway.feed.service.writing.transaction import Transaction
from gateway.history.codec import shipments as wire
from gateway.history.commands.record import RecordCommand, ValidItem
from gateway.history.service.search import positions_of
from gateway.history.tables import progress as record_progress
from gateway.history.tables import shipments
from gateway.history.tables.shipments import ShipmentRow

MAX_PENDING = 100_000
"""Most items behind the index that are remembered, in about 20 MB; beyond them nothing is compared."""

MAX_ADDITIONS = 200
"""Most additions of a record that a new one is compared with."""

_PAGE = 500


class RecordedCounts(NamedTuple):
    """A message's items: new records and additions, next revisions, and equal ones; others weren't compared.

    Attributes:
        position: of the last item.
    """

    position: int
    added: int = 0
    changed: int = 0
    unchanged: int = 0


@dataclass(slots=True)
class PendingItems:
    """Digests of what is recorded and not indexed yet. For one thread, the writer's.

    What another replica or an earlier process recorded is read from the log. A row's salt shows whether the log still
    has what is remembered: a transaction that was rolled back leaves its positions to others.
    """

    _upto: int = 0
    _salt: bytes = b""
    _shipments: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    _additions: dict[str, dict[bytes, int]] = field(default_factory=dict)

    def catch_up(self, conn: Connection, indexed: int) -> bool:
        """Reads what was recorded since; False if that is too much."""
        if self._upto > indexed and not self._is_there(conn):
            self._forget(indexed)
        if self._upto <= indexed:
            self._forget(indexed)
        if shipments.last_position(conn) - self._upto > MAX_PENDING or self._count() > MAX_PENDING:
            self._forget(indexed)
            return shipments.last_position(conn) - indexed <= MAX_PENDING and self.catch_up(conn, indexed)
        while rows := shipments.log_after(conn, self._upto, _PAGE):
            for row in rows:
                self._take(row.position, row.record_id, row.kind, sha256(row.content).digest())
            self._upto, self._salt = rows[-1].position, rows[-1].salt
        return True

    def add(self, items: Sequence[ValidItem], digests: Sequence[bytes], last: int) -> None:
        """Adds items that were appended after `catch_up`; `last`: position of the last."""
        for position, item, digest in zip(range(last - len(items) + 1, last + 1), items, digests, strict=True):
            self._take(position, item.record_id, item.kind, digest)
        self._upto, self._salt = last, items[-1].salt

    def shipment(self, record_id: str, indexed: int) -> bytes | None:
        """Digest of a record's newest revision behind the index."""
        position, digest = self._shipments.get(record_id, (0, b""))
        return digest if position > indexed else None

    def additions(self, record_id: str, indexed: int) -> set[bytes]:
        """Digests of a record's additions behind the index."""
        return {digest for digest, position in self._additions.get(record_id, {}).items() if position > indexed}

    def _take(self, position: int, record_id: str, kind: int, digest: bytes) -> None:
        if kind == wire.ADDITION:
            self._additions.setdefault(record_id, {})[digest] = position
        else:
            self._shipments[record_id] = (position, digest)

    def _count(self) -> int:
        return len(self._shipments) + len(self._additions)

    def _is_there(self, conn: Connection) -> bool:
        row = shipments.log_rows(conn, [self._upto]).get(self._upto)
        return row is not None and row.salt == self._salt

    def _forget(self, indexed: int) -> None:
        self._upto, self._salt = indexed, b""
        self._shipments.clear()
        self._additions.clear()


@dataclass(frozen=True, slots=True)
class RecordAndCompareCommand:
    """Records items, and counts which of them were recorded before."""

    record: RecordCommand
    pending: PendingItems

    @property
    def weight(self) -> int:
        return self.record.weight

    def execute(self, tx: Transaction) -> RecordedCounts:
        items, indexed = self.record.items, record_progress.indexed(tx.conn)
        if not self.pending.catch_up(tx.conn, indexed):
            return RecordedCounts(self.record.execute(tx))
        digests = [sha256(item.content).digest() for item in items]
        counts = Counter(_compared(tx.conn, items, digests, self.pending, indexed))
        position = self.record.execute(tx)
        self.pending.add(items, digests, position)
        return RecordedCounts(position, **counts)


def _compared(
    conn: Connection, items: Sequence[ValidItem], digests: Sequence[bytes], pending: PendingItems, indexed: int
) -> Iterator[str]:
    """`added`, `changed` or `unchanged` for each item that can be compared, in order."""
    known = shipments.find(conn, list({item.record_id for item in items}))
    newest: dict[str, bytes] = {}
    added = _recorded_additions(conn, items, known)
    for item, digest in zip(items, digests, strict=True):
        if item.kind == wire.ADDITION:
            before = added.get(item.record_id)
            if before is not None:
                before |= pending.additions(item.record_id, indexed)
                yield "unchanged" if digest in before else "added"
                before.add(digest)
            continue
        current = newest.get(item.record_id) or pending.shipment(item.record_id, indexed)
        if current is None and item.record_id in known and known[item.record_id].position:
            current = known[item.record_id].digest
        yield "added" if current is None else "unchanged" if current == digest else "changed"
        newest[item.record_id] = digest


def _recorded_additions(
    conn: Connection, items: Sequence[ValidItem], known: dict[str, ShipmentRow]
) -> dict[str, set[bytes]]:
    """Digests of indexed additions by record; without records that have too many."""
    records = {item.record_id for item in items if item.kind == wire.ADDITION}
    few = {one for one in records if one not in known or known[one].additions <= MAX_ADDITIONS}
    found: dict[str, set[bytes]] = {record_id: set() for record_id in few}
    for record_id, positions in positions_of(conn, _with_additions(few, known)).items():
        rows = shipments.log_rows(conn, positions).values()
        found[record_id] |= {sha256(row.content).digest() for row in rows if row.kind == wire.ADDITION}
    return found


def _with_additions(record_ids: Collection[str], known: dict[str, ShipmentRow]) -> list[str]:
    return sorted(one for one in record_ids if one in known and known[one].additions)
