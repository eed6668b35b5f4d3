"""Records in a trace: how they were found, their time, territory and mass."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.v1 import goods_pb2, shipment_pb2
from gateway.v1.history_pb2 import HistoryRecord, SearchCriteria

RecordName = tuple[str, str]
"""Node and record id."""

LegOrder = tuple[int, int, bool, str, str]
"""See `leg_order`."""

MAX_RECORDS = 1_000
"""Most records of a trace; comparing all pairs takes a second at worst."""

OUTWARD = frozenset({shipment_pb2.SHIPMENT_PROCEDURE_EXPORT, shipment_pb2.SHIPMENT_PROCEDURE_REEXPORT})
"""Procedures by which goods leave a territory."""


@dataclass(frozen=True, slots=True)
class Span:
    """A record's first and last second since 1970."""

    first: int
    last: int

    def gap(self, other: Span) -> int:
        """Seconds between two spans; 0 if they overlap."""
        return max(0, other.first - self.last, self.first - other.last)


@dataclass(frozen=True, slots=True)
class RecordHit:
    """A record and the question that it answered.

    Attributes:
        record: as its node gave it.
        by: the question; None for the trace's first.
        query_id: of the partner's answer; empty for an own record.
    """

    record: HistoryRecord
    by: SearchCriteria | None = None
    query_id: str = ""


@dataclass(frozen=True)
class TraceRecord:
    """A record in its newest revision.

    Attributes:
        record: as its node gave it.
        start: whether the trace started with it.
        by: other questions that found it.
        query_id: of the partner's answer; empty for an own record.
    """

    record: HistoryRecord
    start: bool
    by: tuple[SearchCriteria, ...] = ()
    query_id: str = ""

    @cached_property
    def order(self) -> LegOrder:
        """Its place among legs."""
        return leg_order(self.record)


def merge_hits(found: Iterable[RecordHit]) -> tuple[list[TraceRecord], bool]:
    """Each record once, and whether some were dropped; those nearest in time to the trace's start stay.

    The start is the newest record of the first question.
    """
    known = newest_revisions(found)
    if len(known) <= MAX_RECORDS:
        return known, False
    begin = max((each.order[0] for each in known if each.start), default=0)
    nearest = sorted(known, key=lambda each: (not each.start, abs(each.order[0] - begin), each.order))
    return sorted(nearest[:MAX_RECORDS], key=lambda each: name_of(each.record)), True


def name_of(record: HistoryRecord) -> RecordName:
    """The record's name among all nodes."""
    return record.node, record.shipment.record_id


def newest_revisions(found: Iterable[RecordHit]) -> list[TraceRecord]:
    """Each record once, newest revision with the least withheld, ordered by name."""
    by_name: dict[RecordName, list[RecordHit]] = {}
    for each in found:
        by_name.setdefault(name_of(each.record), []).append(each)
    return [_merged(by_name[name]) for name in sorted(by_name)]


def _merged(found: list[RecordHit]) -> TraceRecord:
    if len(found) == 1:
        only = found[0]
        return TraceRecord(only.record, only.by is None, () if only.by is None else (only.by,), only.query_id)
    newest = max(found, key=lambda each: (_newness(each.record), each.query_id))
    questions = {_bytes(each.by): each.by for each in found if each.by is not None}
    by = tuple(questions[key] for key in sorted(questions))
    return TraceRecord(newest.record, any(each.by is None for each in found), by, newest.query_id)


def _newness(record: HistoryRecord) -> tuple[int, int, int, bytes]:
    return record.revision, record.position, -len(record.withheld), _bytes(record)


def _bytes(message: HistoryRecord | SearchCriteria) -> bytes:
    return message.SerializeToString(deterministic=True)


def span_of(record: HistoryRecord) -> Span:
    """Time from the first to the last date in a record, its declaration included."""
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
    """Territory of the record's office, else that of its node's name, or empty."""
    territory = record.shipment.office.territory
    if territory:
        return territory
    return record.node.upper() if len(record.node) == 2 else ""


def happened_at(record: HistoryRecord) -> int:
    """Second since 1970 at which the goods left or came, else the declaration.

    Declarations come before the goods or up to 14 days after, so their order differs.
    """
    shipment, home = record.shipment, territory_of(record)
    declared = shipment.declared_at.seconds
    if shipment.procedure in OUTWARD:
        left = (leg.departure.seconds for leg in shipment.route if _from(leg).territory == home)
        return min((declared, *filter(None, left)))
    came = (leg.arrival.seconds for leg in shipment.route if leg.to.territory == home)
    return next(filter(None, came), declared)


def _from(leg: goods_pb2.RouteLeg) -> goods_pb2.Place:
    start: goods_pb2.Place = getattr(leg, "from")  # `from` is a Python keyword
    return start


def leg_order(record: HistoryRecord) -> LegOrder:
    """Order of legs: time, declaration, outward first, then name for a total order."""
    shipment = record.shipment
    return (
        happened_at(record),
        shipment.declared_at.seconds,
        shipment.procedure not in OUTWARD,
        record.node,
        shipment.record_id,
    )


def net_mass_kg(shipment: shipment_pb2.Shipment) -> float | None:
    """Net mass of all goods in kilograms; None if an item lacks it."""
    if not shipment.goods or not all(item.HasField("net_mass_kg") for item in shipment.goods):
        return None
    return sum(item.net_mass_kg for item in shipment.goods)
