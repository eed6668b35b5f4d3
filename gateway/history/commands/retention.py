"""Ends what was recorded when its time is over, and keeps what a legal hold names.

A hold errs on the side of keeping: each of its criteria may be met by another thing that was recorded of a record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import groupby

from sqlalchemy import Connection

from gateway.contract import shipment_keys as keys_wire
from gateway.contract.ids import FeedOrigin
from gateway.contract.shipment_keys import KeySets
from gateway.contract.timestamps import to_ms, to_timestamp
from gateway.errors import IllegalTransitionError, NotFoundError
from gateway.feed.service.idempotency import IdempotentCommand
from gateway.feed.service.transaction import Transaction
from gateway.history.codec import shipments as wire
from gateway.history.commands.record import append_event
from gateway.history.service.search import NEWEST, filter_of, positions_of, require_exact
from gateway.history.tables import holds, shipment_search, shipments
from gateway.history.tables.holds import LegalHold
from gateway.history.tables.shipment_search import RecordFilter
from gateway.history.tables.shipments import LogRow, RevisionRow, ShipmentRow
from gateway.trust import tables as audit
from gateway.trust.rules.audit import AuditEntry, AuditResult
from gateway.v1 import history_pb2, history_service_pb2, record_log_pb2, shipment_pb2

PURGE_BATCH = 100
"""Most records that are erased in one transaction."""

PURGE_ITEMS = 5_000
"""Items of these records in one transaction, unless a single record has more."""

ERASED_IN_ENTRY = 20_000
"""Most items that one entry of the log says were erased: some 100 kilobytes."""

MOST_COUNTED = 100_000
"""Positions that are looked at to say how many records a new hold keeps."""

COUNTED_AT_ONCE = 500
"""Records whose items are looked at together for that: so many values one statement takes."""

PURGE_METHOD = "purge"
"""Name of the operation in the audit log."""

_Pb = history_service_pb2

ForgetRecords = Callable[[Connection, Sequence[str]], None]
"""Removes what other capabilities keep about records, by their ids, in the transaction that erases them."""


@dataclass(frozen=True, slots=True)
class PlaceHoldCommand(IdempotentCommand[_Pb.PlaceHoldResponse]):
    """Places a hold; the result is the response.

    Raises:
        InvalidRequestError: the criteria aren't such as a hold may have.
    """

    origin: FeedOrigin
    request: _Pb.PlaceHoldRequest
    principal: str
    actor: str
    new_id: Callable[[], str]
    weight: int = 1

    @property
    def response_type(self) -> type[_Pb.PlaceHoldResponse]:
        return _Pb.PlaceHoldResponse

    def answer(self, tx: Transaction) -> _Pb.PlaceHoldResponse:
        request = self.request
        require_fit_for_hold(request.criteria)
        hold = LegalHold(
            hold_id=self.new_id(),
            criteria=request.criteria,
            reason=request.reason,
            case_reference=request.case_reference,
            placed_by=self.actor,
            placed_at=to_timestamp(tx.now_ms),
        )
        holds.add(tx.conn, hold)
        digest = sha256(hold.SerializeToString(deterministic=True)).digest()
        append_event(tx, self.origin, hold_placed=record_log_pb2.HoldPlaced(hold_id=hold.hold_id, digest=digest))
        return _Pb.PlaceHoldResponse(hold_id=hold.hold_id, records=_kept_now(tx.conn, _Kept.by(hold)))


@dataclass(frozen=True, slots=True)
class ReleaseHoldCommand(IdempotentCommand[_Pb.ReleaseHoldResponse]):
    """Lets a hold go; the result is the response.

    Raises:
        NotFoundError: there is no such hold.
        IllegalTransitionError: it was let go before.
    """

    origin: FeedOrigin
    request: _Pb.ReleaseHoldRequest
    principal: str
    actor: str
    weight: int = 1

    @property
    def response_type(self) -> type[_Pb.ReleaseHoldResponse]:
        return _Pb.ReleaseHoldResponse

    def answer(self, tx: Transaction) -> _Pb.ReleaseHoldResponse:
        hold = holds.find(tx.conn, self.request.hold_id)
        if hold is None:
            raise NotFoundError(f"hold_id: there is no hold {self.request.hold_id}")
        if hold.HasField("released_at"):
            raise IllegalTransitionError(f"hold_id: the hold was let go by {hold.released_by} before")
        hold.released_at.CopyFrom(to_timestamp(tx.now_ms))
        hold.released_by, hold.release_reason = self.actor, self.request.reason
        holds.release(tx.conn, hold)
        append_event(tx, self.origin, hold_released=record_log_pb2.HoldReleased(hold_id=hold.hold_id))
        return _Pb.ReleaseHoldResponse()


def require_fit_for_hold(criteria: history_pb2.SearchCriteria) -> None:
    """Raises unless a hold can be kept to by what stands in records themselves.

    Raises:
        InvalidRequestError: with every criterion that a hold can't have.
    """
    require_exact(
        criteria,
        "hold.criteria",
        "a hold names records by references, containers, seals, registrations, party identifiers or record ids",
    )


@dataclass(frozen=True, slots=True)
class _Item:
    """One thing that was recorded: its place in the log, the keys under which it is found, names of its parties, and
    its time and procedure as the index has them (those of an addition are its record's: none here)."""

    logged: LogRow
    keys: frozenset[int]
    names: frozenset[str] = frozenset()
    as_of: RevisionRow | None = None

    @classmethod
    def of(cls, logged: LogRow) -> _Item:
        item = wire.readable(logged.kind, logged.content)
        if isinstance(item, shipment_pb2.ShipmentAddition):
            return cls(logged, frozenset(keys_wire.keys_of_addition(item)))
        if item is None:
            return cls(logged, frozenset({keys_wire.record_key(logged.record_id)}))
        as_of = RevisionRow(logged.position, logged.record_id, 0, to_ms(item.declared_at), int(item.procedure))
        return cls(logged, frozenset(keys_wire.keys_of(item)), frozenset(keys_wire.names_of(item)), as_of)

    @property
    def digest(self) -> bytes:
        """What the log committed to."""
        return wire.salted_digest(self.logged.salt, self.logged.content)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a hold keeps, ready to be held against records."""

    hold_id: str
    key_sets: KeySets
    record_filter: RecordFilter

    @classmethod
    def by(cls, hold: LegalHold) -> _Kept:
        return cls(hold.hold_id, keys_wire.key_sets(hold.criteria), filter_of(hold.criteria))

    def keeps(self, items: Sequence[_Item]) -> bool:
        """Whether a record of which this was recorded meets all criteria."""
        keys = frozenset[int]().union(*(item.keys for item in items))
        if any(keys.isdisjoint(some) for some in self.key_sets):
            return False
        return self.admits([item.as_of for item in items if item.as_of is not None])

    def admits(self, rows: Iterable[RevisionRow]) -> bool:
        """Whether a record with these revisions had such a time, and such a procedure; while only additions to it are
        known, it may have them."""
        known = [row for row in rows if row.procedure]
        apart = (replace(self.record_filter, procedures=()), RecordFilter(procedures=self.record_filter.procedures))
        return not known or all(any(one.admits(row) for row in known) for one in apart)


def _kept_now(conn: Connection, kept: _Kept) -> int:
    """Number of records that a hold keeps: those for which `keeps` is true, by the index."""
    sure = _with(conn, kept.key_sets, kept.record_filter)  # one item meets everything
    unsure = sorted(_with(conn, kept.key_sets[:1], RecordFilter()) - sure)
    parts = (unsure[at : at + COUNTED_AT_ONCE] for at in range(0, len(unsure), COUNTED_AT_ONCE))
    return len(sure) + sum(len(_kept_of(conn, kept, part)) for part in parts)


def _with(conn: Connection, key_sets: KeySets, record_filter: RecordFilter) -> set[str]:
    """Records of which one item is found so."""
    positions = list(shipment_search.search(conn, key_sets, record_filter, before=NEWEST, limit=MOST_COUNTED))
    return {row.record_id for row in shipments.revisions(conn, positions).values()}


def _kept_of(conn: Connection, kept: _Kept, record_ids: Sequence[str]) -> list[str]:
    """Those of some records with what a hold asks for first that it keeps."""
    positions = positions_of(conn, record_ids)
    rows = shipments.revisions(conn, [one for of_record in positions.values() for one in of_record])
    left = {name for name in record_ids if kept.admits(rows[one] for one in positions[name])}
    for keys in kept.key_sets[1:]:
        met = shipment_search.matching(conn, [one for name in left for one in positions[name]], [keys])
        left = {rows[one].record_id for one in met}
    return sorted(left)


def holds_on(conn: Connection, logged: Sequence[LogRow]) -> list[str]:
    """Ids of the holds that keep a record of which this was recorded."""
    kept = [_Kept.by(hold) for hold in holds.all_of(conn, released=False)]
    if not kept:
        return []
    items = [_Item.of(one) for one in logged]
    return [one.hold_id for one in kept if one.keeps(items)]


@dataclass(frozen=True, slots=True)
class PurgeResult:
    """What one purge came to: records erased, records kept by holds, and time and id of the last record that
    was looked at; None when there was none."""

    erased: int
    held: int
    last: tuple[int, str] | None


@dataclass(frozen=True, slots=True)
class PurgeCommand:
    """Erases the next records whose time is over and which no hold keeps; the result says what it came to.

    A record goes whole: every revision of it and everything that was added to it.
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
        kept = [_Kept.by(hold) for hold in holds.all_of(tx.conn, released=False)]
        items = _items(tx.conn, {row.record_id: positions[row.record_id] for row in due})
        going = [row for row in due if not any(one.keeps(items[row.record_id]) for one in kept)]
        for retention_class, rows in _by_class(going):
            self._erase(tx, retention_class, [row.record_id for row in rows], items)
        return PurgeResult(len(going), len(due) - len(going), (due[-1].delete_at, due[-1].record_id))

    def _erase(
        self,
        tx: Transaction,
        retention_class: str,
        record_ids: Sequence[str],
        items: Mapping[str, Sequence[_Item]],
    ) -> None:
        going = sorted(
            (item for record_id in record_ids for item in items[record_id]), key=lambda item: item.logged.position
        )
        shipments.erase(tx.conn, record_ids, {item.logged.position: item.keys for item in going})
        self.forget(tx.conn, record_ids)
        _forget_names(tx.conn, going)
        for first in range(0, len(going), ERASED_IN_ENTRY):
            self._tell(tx, retention_class, going[first : first + ERASED_IN_ENTRY])

    def _tell(self, tx: Transaction, retention_class: str, gone: Sequence[_Item]) -> None:
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
    """The first records with PURGE_ITEMS items in all, and one at least: a record goes whole."""
    items = 0
    for at, row in enumerate(due):
        items += len(positions[row.record_id])
        if at and items > PURGE_ITEMS:
            return due[:at]
    return due


def _items(conn: Connection, positions: Mapping[str, Sequence[int]]) -> dict[str, list[_Item]]:
    """Everything that was recorded of records, by record."""
    logged = shipments.log_rows(conn, [one for of_record in positions.values() for one in of_record])
    return {record_id: [_Item.of(logged[one]) for one in of_record] for record_id, of_record in positions.items()}


def _forget_names(conn: Connection, items: Sequence[_Item]) -> None:
    """Names of parties that stand in no record any more."""
    keys = {keys_wire.name_key(text) for item in items for text in item.names}
    gone = [
        key
        for key in sorted(keys)
        if not any(shipment_search.search(conn, [[key]], RecordFilter(), before=NEWEST, limit=1))
    ]
    shipments.remove_names(conn, gone)


def _by_class(rows: Sequence[ShipmentRow]) -> Iterator[tuple[str, list[ShipmentRow]]]:
    for retention_class, of_class in groupby(
        sorted(rows, key=lambda row: row.retention_class), key=lambda row: row.retention_class
    ):
        yield retention_class, list(of_class)
