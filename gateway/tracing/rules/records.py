"""Records in a trace: their merge, time, territory and mass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.v1 import goods_pb2, shipment_pb2
from gateway.v1.history_pb2 import HistoryRecord, SearchCriteria

RecordName = tuple[str, str]
"""Node and record id."""

LegOrder = tuple[int, int, bool, str, str]

MAX_RECORDS = 1_000
"""Most records of a trace; comparing all pairs takes up to a second."""

OUTWARD = frozenset({shipment_pb2.SHIPMENT_PROCEDURE_EXPORT, shipment_pb2.SHIPMENT_PROCEDURE_REEXPORT})
"""Procedures by which goods leave."""


@dataclass(frozen=True, slots=True)
class Span:
    """First and last second since 1970."""

    first: int
    last: int

    def gap(self, other: Span) -> int:
        """Seconds between two spans; 0 if they overlap."""
        return max(0, other.first - self.last, self.first - other.last)


@dataclass(frozen=True, slots=True)
class RecordHit:
    """A record and the question it answered.

    Attributes:
        by: None for the trace's first question.
        query_id: of the partner's answer; empty for an own record.
    """

    record: HistoryRecord
    by: SearchCriteria | None = None
    query_id: str = ""


@dataclass(frozen=True)
class TraceRecord:
    """A record in its newest revision; `start` if the trace started with it."""

    record: HistoryRecord
    start: bool
    by: tuple[SearchCriteria, ...] = ()
    query_id: str = ""

    @cached_property
    def order(self) -> LegOrder:
        return leg_order(self.record)


def nearest_records(known: list[TraceRecord]) -> tuple[list[TraceRecord], bool]:
    """The records that a trace keeps, and whether some were dropped: those far in time from the start."""
    if len(known) <= MAX_RECORDS:
        return known, False
    begin = max((record.order[0] for record in known if record.start), default=0)
    nearest = sorted(known, key=lambda each: (not each.start, abs(each.order[0] - begin), each.order))
    return sorted(nearest[:MAX_RECORDS], key=lambda each: name_of(each.record)), True


def name_of(record: HistoryRecord) -> RecordName:
    """The record's name among all nodes."""
    return record.node, record.shipment.record_id


def newest_revision(hits: Sequence[RecordHit]) -> TraceRecord:
    """Of the hits on one record the newest revision with the least withheld."""
    if len(hits) == 1:
        only = hits[0]
        return TraceRecord(only.record, only.by is None, () if only.by is None else (only.by,), only.query_id)
    newest = max(hits, key=lambda each: (_newness(each.record), each.query_id))
    questions = {_bytes(hit.by): hit.by for hit in hits if hit.by is not None}
    by = tuple(questions[key] for key in sorted(questions))
    return TraceRecord(newest.record, any(hit.by is None for hit in hits), by, newest.query_id)


def _newness(record: HistoryRecord) -> tuple[int, int, int, bytes]:
    return record.revision, record.position, -len(record.withheld), _bytes(record)


def _bytes(message: HistoryRecord | SearchCriteria) -> bytes:
    return message.SerializeToString(deterministic=True)


def span_of(record: HistoryRecord) -> Span:
    """From a record's first to its last date."""
    first = last = record.shipment.declared_at.seconds
    for time in _times(record.shipment):
        if time.seconds:
            first, last = min(first, time.seconds), max(last, time.seconds)
    return Span(first, last)


def _times(shipment: shipment_pb2.Shipment) -> Iterator[Timestamp]:
    for leg in shipment.route:
        yield leg.departure
        yield leg.arrival
    yield from (event.occurred_at for event in shipment.events)
    yield from (mass.measured_at for mass in shipment.masses)
    yield from (inspection.inspected_at for inspection in shipment.inspections)


def territory_of(record: HistoryRecord) -> str:
    """The office's territory, else that in the node's name, or empty."""
    territory = record.shipment.office.territory
    if territory:
        return territory
    return record.node.upper() if len(record.node) == 2 else ""


def happened_at(record: HistoryRecord) -> int:
    """Second since 1970 at which the goods left or came, else of the declaration.

    Declarations come up to 14 days later, so they don't order legs.
    """
    shipment, home = record.shipment, territory_of(record)
    declared = shipment.declared_at.seconds
    if shipment.procedure in OUTWARD:
        left = (leg.departure.seconds for leg in shipment.route if _from(leg).territory == home)
        return min((declared, *filter(None, left)))
    came = (leg.arrival.seconds for leg in shipment.route if leg.to.territory == home)
    return next(filter(None, came), declared)


def _from(leg: goods_pb2.RouteLeg) -> goods_pb2.Place:
    start: goods_pb2.Place = getattr(leg, "from")
    return start


def leg_order(record: HistoryRecord) -> LegOrder:
    """Sorts by time, declaration, outward first, then name."""
    shipment = record.shipment
    return (
        happened_at(record),
        shipment.declared_at.seconds,
        shipment.procedure not in OUTWARD,
        record.node,
        shipment.record_id,
    )


def net_mass_kg(shipment: shipment_pb2.Shipment) -> float | None:
    """Mass of all goods; None if an item has none."""
    if not shipment.goods or not all(item.HasField("net_mass_kg") for item in shipment.goods):
        return None
    return sum(item.net_mass_kg for item in shipment.goods)
