"""Checks criteria of a search, and compares them and recorded items as keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.contract.identification import shipment_keys as keys_wire
from gateway.contract.identification.shipment_keys import KeySets
from gateway.contract.messages import to_ms, to_timestamp
from gateway.errors import InvalidRequestError, Violation
from gateway.history.codec import shipments as wire
from gateway.history.tables import shipment_search
from gateway.history.tables.cells import CellsState
from gateway.history.tables.shipment_search import RecordFilter
from gateway.history.tables.shipments import LogRow, RevisionRow
from gateway.trust.rules.directory import FieldClass
from gateway.v1 import history_pb2, shipment_pb2

_INEXACT = ("party_names", "commodity_codes", "substances", "places", "vessel", "journey")


@dataclass(frozen=True, slots=True)
class KeyCriteria:
    """Criteria as keys (no set: nothing matches) and a filter.

    Attributes:
        exact_sets: without names; an empty set matches nothing.
        has_names: whether a name is asked for too.
        hit_filter: the filter, of the span of time in which a record's last match is wanted.
    """

    key_sets: KeySets
    record_filter: RecordFilter
    exact_sets: KeySets
    has_names: bool
    hit_filter: RecordFilter


@dataclass(frozen=True, slots=True)
class SearchPlan:
    """A search by any of its alternatives.

    Attributes:
        names: the matching recorded names, by key.
        classes: disclosure classes that the searcher may have.
        asker: the partner that searches; empty: our node.
    """

    alternatives: Sequence[KeyCriteria]
    names: Mapping[int, history_pb2.NameMatch]
    classes: frozenset[FieldClass]
    asker: str = ""


@dataclass(frozen=True, slots=True)
class LoggedItem:
    """A recorded item with its keys and names; `revision` is None for an addition."""

    logged: LogRow
    keys: frozenset[int]
    names: frozenset[str] = frozenset()
    revision: RevisionRow | None = None

    @classmethod
    def of(cls, logged: LogRow) -> LoggedItem:
        item = wire.readable(logged.kind, logged.content)
        if isinstance(item, shipment_pb2.ShipmentAddition):
            return cls(logged, frozenset(keys_wire.keys_of_addition(item)))
        if item is None:
            return cls(logged, frozenset({keys_wire.record_key(logged.record_id)}))
        revision = RevisionRow(logged.position, logged.record_id, 0, to_ms(item.declared_at), int(item.procedure))
        return cls(logged, frozenset(keys_wire.keys_of(item)), frozenset(keys_wire.names_of(item)), revision)

    @property
    def digest(self) -> bytes:
        return wire.salted_digest(self.logged.salt, self.logged.content)


def matching_positions(conn: Connection, plan: SearchPlan, before: int, limit: int, state: CellsState) -> Sequence[int]:
    """Matching positions, newest first: the newest `limit`, or fewer where there are no more."""
    positions: set[int] = set()
    for criteria in plan.alternatives:
        if criteria.key_sets:
            sets, hit_filter = criteria.key_sets, criteria.hit_filter
            positions.update(shipment_search.search(conn, sets, hit_filter, before=before, limit=limit, state=state))
    return sorted(positions, reverse=True)[:limit]


def require_all_narrow(
    criteria: history_pb2.SearchCriteria, alternatives: Sequence[history_pb2.SearchCriteria], prefix: str = ""
) -> None:
    """`require_narrow` for criteria and alternatives.

    Raises:
        InvalidRequestError: one of them matches everything.
    """
    require_narrow(criteria, f"{prefix}criteria")
    for number, alternative in enumerate(alternatives):
        require_narrow(alternative, f"{prefix}alternatives[{number}]")


def require_narrow(criteria: history_pb2.SearchCriteria, prefix: str = "criteria") -> None:
    """Requires an indexed criterion.

    Raises:
        InvalidRequestError: only place, time or procedure.
    """
    if not keys_wire.is_narrow(criteria):
        raise InvalidRequestError(
            [
                Violation(
                    prefix,
                    "criteria.narrow",
                    "place, time and procedure alone would find everything: give a reference, container, seal, "
                    "registration, vessel, journey, party, commodity code, substance or record id as well",
                )
            ]
        )


def is_short(criteria: history_pb2.SearchCriteria, *, whole: bool = False) -> bool:
    """Whether such criteria find few records: numbers do, and a trader does if all or none are wanted."""
    return not any(getattr(criteria, name) for name in (*_INEXACT, *(() if whole else ("party_identifiers",))))


def require_exact(criteria: history_pb2.SearchCriteria, rule: str, message: str) -> None:
    """Requires exact criteria, as numbers and record ids are.

    Raises:
        InvalidRequestError: lists every inexact one.
    """
    require_narrow(criteria)
    violations = [Violation(f"criteria.{name}", rule, message) for name in _INEXACT if getattr(criteria, name)]
    if violations:
        raise InvalidRequestError(violations)


def filter_of(criteria: history_pb2.SearchCriteria, asker: str = "") -> RecordFilter:
    """The criteria that aren't keys, for a partner that asks."""
    return RecordFilter(
        to_ms(criteria.declared_from) if criteria.HasField("declared_from") else 0,
        to_ms(criteria.declared_until) if criteria.HasField("declared_until") else 0,
        tuple(criteria.procedures),
        asker,
    )


def declared_within(criteria: history_pb2.SearchCriteria, span: tuple[int, int]) -> history_pb2.SearchCriteria:
    """The criteria for a span, for a partner of an earlier version: any revision counts that was declared in it."""
    within, bounds = history_pb2.SearchCriteria(), filter_of(criteria).within(*span)
    within.CopyFrom(criteria)
    if bounds.declared_from:
        within.declared_from.CopyFrom(to_timestamp(bounds.declared_from))
    if bounds.declared_until:
        within.declared_until.CopyFrom(to_timestamp(bounds.declared_until))
    return within
