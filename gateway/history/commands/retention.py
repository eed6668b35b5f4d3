"""Erases records whose retention has ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby

from sqlalchemy import Connection

from gateway.contract.identification import shipment_keys as keys_wire
from gateway.contract.ids import FeedOrigin
from gateway.feed.service.writing.transaction import Transaction
from gateway.history.commands.key_tree import note_erasures
from gateway.history.commands.legal_holds import criteria_in_force
from gateway.history.commands.record import append_event
from gateway.history.service.criteria import LoggedItem
from gateway.history.service.search import NEWEST, positions_of
from gateway.history.tables import names, shipment_search, shipments
from gateway.history.tables.shipment_search import RecordFilter
from gateway.history.tables.shipments import ShipmentRow
from gateway.trust import tables as audit
from gateway.trust.rules.audit import AuditEntry, AuditResult
from gateway.v1 import history_service_pb2, record_log_pb2

PURGE_BATCH = 100
"""Most records in one transaction."""

PURGE_ITEMS = 5_000
"""Most items in one, unless a record has more."""

ERASED_IN_ENTRY = 20_000
"""Most erased items in an entry, some 100 kB."""

PURGE_METHOD = "purge"
"""Operation in the audit log."""

_Pb = history_service_pb2

ForgetRecords = Callable[[Connection, Sequence[str]], None]
"""Removes other capabilities' data on records in the transaction that erases them."""


@dataclass(frozen=True, slots=True)
class PurgeResult:
    """Records erased, records held, and time and id of the last one due."""

    erased: int
    held: int
    last: tuple[int, str] | None


@dataclass(frozen=True, slots=True)
class PurgeCommand:
    """Erases the next records whose retention has ended and that no hold keeps.

    A crash before the commit leaves all of them; after it they are gone with their keys, names and risk hits.
    """

    origin: FeedOrigin
    forget: ForgetRecords
    after: tuple[int, str] = (0, "")
    weight: int = PURGE_BATCH

    def execute(self, tx: Transaction) -> PurgeResult:
        due = shipments.due(tx.conn, tx.now_ms, PURGE_BATCH, after=self.after)
        if not due:
            return PurgeResult(0, 0, None)
        positions = positions_of(tx.conn, [row.record_id for row in due])
        due = _first(due, positions)
        criteria = criteria_in_force(tx.conn)
        items = _items(tx.conn, {row.record_id: positions[row.record_id] for row in due})
        going = [row for row in due if not any(criterion.match(items[row.record_id]) for criterion in criteria)]
        for retention_class, rows in _by_class(going):
            self._erase(tx, retention_class, [row.record_id for row in rows], items)
        return PurgeResult(len(going), len(due) - len(going), (due[-1].delete_at, due[-1].record_id))

    def _erase(
        self,
        tx: Transaction,
        retention_class: str,
        record_ids: Sequence[str],
        items: Mapping[str, Sequence[LoggedItem]],
    ) -> None:
        going = sorted(
            (item for record_id in record_ids for item in items[record_id]), key=lambda item: item.logged.position
        )
        self.forget(tx.conn, record_ids)  # while the index still has them
        note_erasures(tx.conn, [item.logged for item in going])
        shipments.erase(tx.conn, record_ids, {item.logged.position: item.keys for item in going})
        _forget_names(tx.conn, going)
        for first in range(0, len(going), ERASED_IN_ENTRY):
            self._log(tx, retention_class, going[first : first + ERASED_IN_ENTRY])

    def _log(self, tx: Transaction, retention_class: str, gone: Sequence[LoggedItem]) -> None:
        positions = [item.logged.position for item in gone]
        record_ids = sorted({item.logged.record_id for item in gone})
        digest = sha256(b"".join(item.digest for item in gone)).digest()
        erased = record_log_pb2.RecordsErased(positions=positions, retention_class=retention_class, digest=digest)
        append_event(tx, self.origin, erased=erased)
        event = AuditEntry(
            time_ms=tx.now_ms,
            principal=f"gateway/{tx.own_node}",
            method=PURGE_METHOD,
            result=AuditResult.ALLOW,
            detail=f"retention of class {retention_class} has ended; SHA-256 over the digests {digest.hex()}",
            subject_ids=tuple(record_ids),
            counts=(("items", len(positions)), ("records", len(record_ids))),
        )
        audit.append(tx.conn, [event])


def _first(due: list[ShipmentRow], positions: Mapping[str, Sequence[int]]) -> list[ShipmentRow]:
    """First records with at most PURGE_ITEMS items, at least one."""
    items = 0
    for at, row in enumerate(due):
        items += len(positions[row.record_id])
        if at and items > PURGE_ITEMS:
            return due[:at]
    return due


def _items(conn: Connection, positions: Mapping[str, Sequence[int]]) -> dict[str, list[LoggedItem]]:
    logged = shipments.log_rows(conn, [position for of_record in positions.values() for position in of_record])
    return {
        record_id: [LoggedItem.of(logged[position]) for position in of_record]
        for record_id, of_record in positions.items()
    }


def _forget_names(conn: Connection, items: Sequence[LoggedItem]) -> None:
    """Removes names that no record has any more."""
    keys = {keys_wire.name_key(text) for item in items for text in item.names}
    gone = [
        key
        for key in sorted(keys)
        if not any(shipment_search.search(conn, [[key]], RecordFilter(), before=NEWEST, limit=1))
    ]
    names.remove(conn, gone)


def _by_class(rows: Sequence[ShipmentRow]) -> Iterator[tuple[str, list[ShipmentRow]]]:
    for retention_class, of_class in groupby(
        sorted(rows, key=lambda row: row.retention_class), key=lambda row: row.retention_class
    ):
        yield retention_class, list(of_class)
