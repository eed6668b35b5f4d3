"""Ends what was recorded when its time is over, and keeps what a legal hold names.

Owns holds, and the erasure of records whose retention has ended: content and salt go, while the digests in the own log
of records stay, so the log verifies on. Doesn't own how long a class is kept (the node's settings, applied when a
record becomes findable).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby

from sqlalchemy import Connection

from gateway.errors import IllegalTransitionError, InvalidRequestError, NotFoundError, Violation
from gateway.model.audit import AuditEvent, AuditResult
from gateway.model.ids import FeedOrigin
from gateway.model.matches import SourceKind
from gateway.services.commit import Transaction
from gateway.services.history_record import append_event
from gateway.services.history_search import NEWEST, positions_of, require_narrow
from gateway.services.once import once
from gateway.store import audit, holds, matches, shipments
from gateway.store.holds import LegalHold
from gateway.store.shipments import LogRow, Narrowing, ShipmentRow
from gateway.v1 import history_pb2, history_service_pb2, record_log_pb2, shipment_pb2
from gateway.wire import shipment_keys as keys_wire
from gateway.wire import shipments as wire
from gateway.wire.alerts import to_ms, to_timestamp
from gateway.wire.shipment_keys import KeySets

PURGE_BATCH = 100
"""Records that are erased in one transaction."""

MOST_COUNTED = 100_000
"""Positions that are looked at to say how many records a new hold keeps."""

PURGE_METHOD = "purge"
"""Name of the operation in the audit log."""

_Pb = history_service_pb2
_UNFIT = ("party_names", "substances", "commodity_codes", "places", "vessel", "journey")


@dataclass(frozen=True, slots=True)
class PlaceHoldWork:
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

    def stage(self, tx: Transaction) -> _Pb.PlaceHoldResponse:
        return once(
            tx,
            self.request,
            lambda: self._place(tx),
            request_id=self.request.request_id,
            principal=self.principal,
            response_type=_Pb.PlaceHoldResponse,
        )

    def _place(self, tx: Transaction) -> _Pb.PlaceHoldResponse:
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
class ReleaseHoldWork:
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

    def stage(self, tx: Transaction) -> _Pb.ReleaseHoldResponse:
        return once(
            tx,
            self.request,
            lambda: self._release(tx),
            request_id=self.request.request_id,
            principal=self.principal,
            response_type=_Pb.ReleaseHoldResponse,
        )

    def _release(self, tx: Transaction) -> _Pb.ReleaseHoldResponse:
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
    require_narrow(criteria)
    found = [
        Violation(
            f"criteria.{name}",
            "hold.criteria",
            "a hold names records by references, containers, seals, registrations, party identifiers or record ids",
        )
        for name in _UNFIT
        if getattr(criteria, name)
    ]
    if found:
        raise InvalidRequestError(found)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a hold keeps, ready to be held against records."""

    hold_id: str
    key_sets: KeySets
    narrowing: Narrowing

    @classmethod
    def by(cls, hold: LegalHold) -> _Kept:
        criteria = hold.criteria
        narrowing = Narrowing(
            to_ms(criteria.declared_from) if criteria.HasField("declared_from") else 0,
            to_ms(criteria.declared_until) if criteria.HasField("declared_until") else 0,
            tuple(criteria.procedures),
        )
        return cls(hold.hold_id, keys_wire.key_sets(criteria), narrowing)

    def keeps(self, row: ShipmentRow, keys: Sequence[frozenset[int]]) -> bool:
        """Whether any revision or addition of a record meets all criteria. Times and procedures are the record's."""
        if not self.narrowing.admits(row):
            return False
        return any(all(not of.isdisjoint(some) for some in self.key_sets) for of in keys)


def _kept_now(conn: Connection, kept: _Kept) -> int:
    positions = list(
        shipments.search(
            conn, kept.key_sets, kept.narrowing, before=shipments.last_position(conn) + 1, limit=MOST_COUNTED
        )
    )
    return len({row.record_id for row in shipments.revisions(conn, positions).values()})


def holds_on(conn: Connection, row: ShipmentRow) -> list[str]:
    """Ids of the holds that keep a record."""
    kept = [_Kept.by(hold) for hold in holds.all_of(conn, released=False)]
    if not kept:
        return []
    keys = [_keys_of(logged) for logged in _log_of(conn, row)]
    return [one.hold_id for one in kept if one.keeps(row, keys)]


def _log_of(conn: Connection, row: ShipmentRow) -> list[LogRow]:
    return list(shipments.log_rows(conn, positions_of(conn, row.record_id)).values())


def _keys_of(logged: LogRow) -> frozenset[int]:
    item = wire.readable(logged.kind, logged.content)
    if isinstance(item, shipment_pb2.ShipmentAddition):
        return frozenset(keys_wire.keys_of_addition(item))
    return frozenset(keys_wire.keys_of(item) if item is not None else {keys_wire.record_key(logged.record_id)})


@dataclass(frozen=True, slots=True)
class Purged:
    """What one purge came to: records erased, records kept by holds, and time and id of the last record that
    was looked at; None when there was none."""

    erased: int
    held: int
    last: tuple[int, str] | None


@dataclass(frozen=True, slots=True)
class PurgeWork:
    """Erases the next records whose time is over and which no hold keeps; the result says what it came to.

    A record goes whole: every revision of it and everything that was added to it.
    """

    origin: FeedOrigin
    after: tuple[int, str] = (0, "")
    weight: int = PURGE_BATCH

    def stage(self, tx: Transaction) -> Purged:
        due = shipments.due(tx.conn, tx.now_ms, PURGE_BATCH, after=self.after)
        if not due:
            return Purged(0, 0, None)
        kept = [_Kept.by(hold) for hold in holds.all_of(tx.conn, released=False)]
        logs = {row.record_id: _log_of(tx.conn, row) for row in due}
        going = [
            row
            for row in due
            if not any(one.keeps(row, [_keys_of(logged) for logged in logs[row.record_id]]) for one in kept)
        ]
        for retention_class, rows in _by_class(going):
            self._erase(tx, retention_class, rows, logs)
        return Purged(len(going), len(due) - len(going), (due[-1].delete_at, due[-1].record_id))

    def _erase(
        self, tx: Transaction, retention_class: str, rows: Sequence[ShipmentRow], logs: Mapping[str, Sequence[LogRow]]
    ) -> None:
        logged = sorted((one for row in rows for one in logs[row.record_id]), key=lambda one: one.position)
        positions = [one.position for one in logged]
        digest = sha256(b"".join(wire.salted_digest(one.salt, one.content) for one in logged)).digest()
        shipments.erase(tx.conn, [row.record_id for row in rows], {one.position: _keys_of(one) for one in logged})
        matches.forget_sources(tx.conn, SourceKind.SHIPMENT, [row.record_id for row in rows])
        _forget_names(tx.conn, logged)
        erased = record_log_pb2.RecordsErased(positions=positions, retention_class=retention_class, digest=digest)
        append_event(tx, self.origin, erased=erased)
        event = AuditEvent(
            time_ms=tx.now_ms,
            principal=f"gateway/{tx.own_node}",
            method=PURGE_METHOD,
            result=AuditResult.ALLOW,
            detail=f"retention of class {retention_class} has ended; SHA-256 over the digests {digest.hex()}",
            subject_ids=tuple(row.record_id for row in rows),
            counts=(("items", len(positions)), ("records", len(rows))),
        )
        audit.append(tx.conn, [event])


def _forget_names(conn: Connection, logged: Sequence[LogRow]) -> None:
    """Names of parties that stand in no record any more."""
    texts = {text for one in logged if one.content for text in _names_of(one)}
    keys = {keys_wire.name_key(text) for text in texts}
    gone = [
        key for key in sorted(keys) if not any(shipments.search(conn, [[key]], Narrowing(), before=NEWEST, limit=1))
    ]
    shipments.remove_names(conn, gone)


def _names_of(logged: LogRow) -> set[str]:
    item = wire.readable(logged.kind, logged.content)
    return keys_wire.names_of(item) if isinstance(item, shipment_pb2.Shipment) else set()


def _by_class(rows: Sequence[ShipmentRow]) -> Iterator[tuple[str, list[ShipmentRow]]]:
    for retention_class, of_class in groupby(
        sorted(rows, key=lambda row: row.retention_class), key=lambda row: row.retention_class
    ):
        yield retention_class, list(of_class)
