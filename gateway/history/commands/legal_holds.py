"""Places and releases legal holds, and decides which records they keep.

A hold keeps too much rather than too little: different items of a record may match its criteria.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from sqlalchemy import Connection

from gateway.contract.identification import shipment_keys as keys_wire
from gateway.contract.identification.shipment_keys import KeySets
from gateway.contract.ids import FeedOrigin
from gateway.contract.messages import to_timestamp
from gateway.errors import IllegalTransitionError, NotFoundError
from gateway.feed.service.writing.commands import IdempotentCommand
from gateway.feed.service.writing.transaction import Transaction
from gateway.history.commands.record import append_event
from gateway.history.service.criteria import LoggedItem, filter_of, require_exact
from gateway.history.service.search import NEWEST, positions_of
from gateway.history.tables import holds, shipment_search, shipments
from gateway.history.tables.holds import LegalHold
from gateway.history.tables.shipment_search import RecordFilter
from gateway.history.tables.shipments import LogRow, RevisionRow
from gateway.v1 import history_pb2, history_service_pb2, record_log_pb2

MOST_COUNTED = 100_000
"""Most positions read to count a hold's records."""

COUNTED_AT_ONCE = 500
"""Records counted together."""

_Pb = history_service_pb2


@dataclass(frozen=True, slots=True)
class PlaceHoldCommand(IdempotentCommand[_Pb.PlaceHoldResponse]):
    """Places a hold.

    Raises:
        InvalidRequestError: its criteria aren't exact.
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
        return _Pb.PlaceHoldResponse(hold_id=hold.hold_id, records=_count_held(tx.conn, HoldCriteria.of(hold)))


@dataclass(frozen=True, slots=True)
class ReleaseHoldCommand(IdempotentCommand[_Pb.ReleaseHoldResponse]):
    """Releases a hold.

    Raises:
        NotFoundError: unknown hold.
        IllegalTransitionError: released before.
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
            raise IllegalTransitionError(f"hold_id: the hold was released by {hold.released_by} before")
        hold.released_at.CopyFrom(to_timestamp(tx.now_ms))
        hold.released_by, hold.release_reason = self.actor, self.request.reason
        holds.release(tx.conn, hold)
        append_event(tx, self.origin, hold_released=record_log_pb2.HoldReleased(hold_id=hold.hold_id))
        return _Pb.ReleaseHoldResponse()


def require_fit_for_hold(criteria: history_pb2.SearchCriteria) -> None:
    """Requires exact criteria.

    Raises:
        InvalidRequestError: lists every other criterion.
    """
    require_exact(
        criteria,
        "hold.criteria",
        "a hold names records by references, containers, seals, registrations, party identifiers or record ids",
    )


@dataclass(frozen=True, slots=True)
class HoldCriteria:
    """A hold's criteria as keys and a filter."""

    hold_id: str
    key_sets: KeySets
    record_filter: RecordFilter

    @classmethod
    def of(cls, hold: LegalHold) -> HoldCriteria:
        return cls(hold.hold_id, keys_wire.key_sets(hold.criteria), filter_of(hold.criteria))

    def match(self, items: Sequence[LoggedItem]) -> bool:
        """Whether a record with these items matches."""
        keys = frozenset[int]().union(*(item.keys for item in items))
        return self.match_keys(keys) and self.match_revisions(
            [item.revision for item in items if item.revision is not None]
        )

    def match_keys(self, keys: frozenset[int]) -> bool:
        """Whether something with these keys matches, whatever its times and procedures are."""
        return not any(keys.isdisjoint(key_set) for key_set in self.key_sets)

    def match_revisions(self, rows: Iterable[RevisionRow]) -> bool:
        """Whether any revision has such a time, and any such a procedure; True without revisions."""
        known = [row for row in rows if row.procedure]
        parts = (replace(self.record_filter, procedures=()), RecordFilter(procedures=self.record_filter.procedures))
        return not known or all(any(part.matches(row) for row in known) for part in parts)


def _count_held(conn: Connection, criteria: HoldCriteria) -> int:
    by_one_item = _records_with(conn, criteria.key_sets, criteria.record_filter)
    others = sorted(_records_with(conn, criteria.key_sets[:1], RecordFilter()) - by_one_item)
    parts = (others[at : at + COUNTED_AT_ONCE] for at in range(0, len(others), COUNTED_AT_ONCE))
    return len(by_one_item) + sum(_count_matching(conn, criteria, part) for part in parts)


def _records_with(conn: Connection, key_sets: KeySets, record_filter: RecordFilter) -> set[str]:
    positions = list(shipment_search.search(conn, key_sets, record_filter, before=NEWEST, limit=MOST_COUNTED))
    return {row.record_id for row in shipments.revisions(conn, positions).values()}


def _count_matching(conn: Connection, criteria: HoldCriteria, record_ids: Sequence[str]) -> int:
    """Counts matches among records with a key of the first set."""
    positions = positions_of(conn, record_ids)
    rows = shipments.revisions(conn, [position for of_record in positions.values() for position in of_record])
    left = {
        record_id
        for record_id in record_ids
        if criteria.match_revisions(rows[position] for position in positions[record_id])
    }
    for keys in criteria.key_sets[1:]:
        candidates = [position for record_id in left for position in positions[record_id]]
        left = {rows[position].record_id for position in shipment_search.matching(conn, candidates, [keys])}
    return len(left)


def holds_on(conn: Connection, logged: Sequence[LogRow]) -> list[str]:
    """Ids of the holds on a record with these items."""
    criteria = criteria_in_force(conn)
    items = [LoggedItem.of(row) for row in logged] if criteria else []
    return [criterion.hold_id for criterion in criteria if criterion.match(items)]


def criteria_in_force(conn: Connection) -> list[HoldCriteria]:
    """Criteria of unreleased holds."""
    return [HoldCriteria.of(hold) for hold in holds.all_of(conn, released=False)]
