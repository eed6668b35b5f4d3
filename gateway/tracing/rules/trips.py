"""Divides the records that name a reusable thing (container, lock, lorry) into its trips, by the order of events.

A trip begins where goods leave and ends where they are imported: the thing is empty then, and what leaves with it later
is another consignment, under any procedure. Only a re-export of equal goods from where they were imported goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from gateway.tracing.rules.records import OUTWARD, TraceRecord, net_mass_kg, territory_of
from gateway.v1 import shipment_pb2

MASS_TOLERANCE = 0.05
"""Share of the larger mass, as in rule R12."""

ADVANCE_S = 86_400
"""An import may be declared so many seconds before its export: advance declarations, clocks, offices."""

MOST_TRIPS_BACK = 8
"""Late declarations belong to one of the last trips."""

_IMPORT = shipment_pb2.SHIPMENT_PROCEDURE_IMPORT
_REEXPORT = shipment_pb2.SHIPMENT_PROCEDURE_REEXPORT
_MANIFEST = shipment_pb2.SHIPMENT_PROCEDURE_MANIFEST


@dataclass(frozen=True, slots=True)
class _Stop:
    """A record on the way.

    Attributes:
        at: second since 1970 at which the goods left or came.
        came_from: territory, if the record says so.
        kg: net mass, if known.
        goods: four digits of codes.
    """

    node: str
    territory: str
    procedure: int
    at: int
    came_from: str
    kg: float | None
    goods: frozenset[str]

    @classmethod
    def of(cls, traced: TraceRecord) -> _Stop:
        record, shipment = traced.record, traced.record.shipment
        territory = territory_of(record) or record.node
        return cls(
            record.node,
            territory,
            shipment.procedure,
            traced.order[0],
            shipment.export_territory,
            net_mass_kg(shipment),
            frozenset(code.code[:4] for item in shipment.goods for code in item.codes),
        )

    @property
    def leaves(self) -> bool:
        return self.procedure in OUTWARD

    @property
    def is_import(self) -> bool:
        return self.procedure == _IMPORT


class _Fit(IntEnum):
    """How a stop fits into a trip: not, for want of knowledge, or in order."""

    NO = 0
    MAYBE = 1
    YES = 2


def _fit(fits: bool) -> _Fit:
    return _Fit.YES if fits else _Fit.NO


class _Trip:
    """Stops of a trip so far.

    Attributes:
        members: indexes of the stops.
    """

    def __init__(self, apart_s: int) -> None:
        self.members: list[int] = []
        self._apart_s = apart_s
        self._stops: list[_Stop] = []

    def add(self, index: int, stop: _Stop) -> None:
        self.members.append(index)
        self._stops.append(stop)

    def fit(self, stop: _Stop) -> _Fit:
        """How a stop, none of whose predecessors came later, may be the next of this trip."""
        alike = [each for each in self._stops if (each.node, each.procedure) == (stop.node, stop.procedure)]
        imports = self._imports()
        if stop.procedure == _MANIFEST:  # repeated at each crossing
            return _fit(all(stop.at - each.at <= self._apart_s for each in imports))
        if alike:
            return _fit(stop.at - alike[0].at <= self._apart_s and not (stop.leaves and imports))
        if stop.leaves:
            return _fit(self._lets_leave(stop, imports))
        if imports:
            here = any(each.territory == stop.territory for each in imports)
            return _Fit.NO if here or self.has_goods_of(stop) is False else _Fit.MAYBE
        return _fit(self._lets_arrive(stop))

    @property
    def left(self) -> set[str]:
        """Territories that it left."""
        return {each.territory for each in self._stops if each.leaves}

    def _imports(self) -> list[_Stop]:
        """Imports since the last departure."""
        imports: list[_Stop] = []
        for each in self._stops:
            if each.leaves:
                imports.clear()
            elif each.is_import:
                imports.append(each)
        return imports

    def _lets_leave(self, stop: _Stop, imports: Sequence[_Stop]) -> bool:
        if all(each.procedure == _MANIFEST for each in self._stops):
            return True
        departures = [each for each in self._stops if each.leaves]
        if imports and not departures and all(self._is_advance(each, stop) for each in imports):
            return True
        same = self.has_goods_of(stop)
        if imports:
            here = any(each.territory == stop.territory for each in imports)
            return here and stop.procedure == _REEXPORT and same is True
        return same is True or (stop.procedure == _REEXPORT and same is None)

    def _lets_arrive(self, stop: _Stop) -> bool:
        if not any(each.leaves for each in self._stops):
            return True
        elsewhere = {each.territory for each in self._stops if each.territory != stop.territory}
        if not elsewhere:
            return False
        return stop.came_from in ("", *elsewhere) or self.has_goods_of(stop) is True

    def _is_advance(self, imported: _Stop, exported: _Stop) -> bool:
        return (
            imported.territory != exported.territory
            and exported.at - imported.at <= ADVANCE_S
            and imported.came_from in ("", exported.territory)
        )

    def has_goods_of(self, stop: _Stop) -> bool | None:
        """Whether a record of the trip has an equal mass and heading; None if that isn't known."""
        headings = [each.goods for each in self._stops if each.goods]
        if stop.goods and headings and not any(stop.goods & goods for goods in headings):
            return False
        known = [each for each in self._stops if each.kg and each.goods]
        if not stop.kg or not stop.goods or not known:
            return None
        return any(
            abs(each.kg - stop.kg) <= MASS_TOLERANCE * max(each.kg, stop.kg) and each.goods & stop.goods
            for each in known
            if each.kg
        )


def trips(records: Sequence[TraceRecord], apart_s: int) -> Iterator[list[int]]:
    """Indexes of the records of each trip.

    Args:
        records: in the order of legs.
        apart_s: equal procedures of one node further apart are of two trips.
    """
    known: list[_Trip] = []
    for index, record in enumerate(records):
        stop = _Stop.of(record)
        trip = _trip_of(stop, known[-MOST_TRIPS_BACK:])
        if trip is None:
            trip = _Trip(apart_s)
            known.append(trip)
        trip.add(index, stop)
    return (trip.members for trip in known)


def _trip_of(stop: _Stop, last: Sequence[_Trip]) -> _Trip | None:
    """The newest trip if the stop is its next; else one before, to which a late declaration belongs."""
    if not last:
        return None
    newest = last[-1].fit(stop)
    if newest is _Fit.YES:
        return last[-1]
    earlier = [trip for trip in reversed(last[:-1]) if trip.fit(stop) is _Fit.YES]
    sure = [trip for trip in earlier if trip.has_goods_of(stop) is True]
    possible = [trip for trip in earlier if trip.has_goods_of(stop) is None]
    if newest is _Fit.MAYBE:
        return next(iter([*sure, *possible, last[-1]]))
    return next(iter([*sure, *(trip for trip in possible if stop.came_from in trip.left)]), None)
