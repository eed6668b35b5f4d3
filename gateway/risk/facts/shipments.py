"""Finds facts about records: route, identifiers, and masses and seals in sequence.

Sequences go across records: a container that leaves one territory sealed should arrive so in the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isnan

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.contract.identification.identifiers import Scheme, compact, shipment_doubts
from gateway.risk.facts.controlled import Controls
from gateway.risk.facts.goods import moment, word
from gateway.risk.facts.kinds import Case, LazyFacts
from gateway.risk.facts.substances import NOT_KNOWN
from gateway.v1 import shipment_pb2

PERSONS = frozenset({Scheme.CN_RESIDENT_ID, Scheme.HK_ID, Scheme.MO_RESIDENT_ID})
"""Schemes of persons, whose values a hit doesn't repeat."""

_EVENT = "SHIPMENT_EVENT_KIND_"
_SOURCE = "MASS_SOURCE_"

_TOUCHING = frozenset(
    {
        shipment_pb2.SHIPMENT_EVENT_KIND_E_LOCK_APPLIED,
        shipment_pb2.SHIPMENT_EVENT_KIND_E_LOCK_REMOVED,
        shipment_pb2.SHIPMENT_EVENT_KIND_SEAL_APPLIED,
        shipment_pb2.SHIPMENT_EVENT_KIND_SEAL_REMOVED,
        shipment_pb2.SHIPMENT_EVENT_KIND_INSPECTION,
        shipment_pb2.SHIPMENT_EVENT_KIND_SEIZURE,
    }
)
"""Events at which a seal may rightly change."""

_PUT_ON = {
    shipment_pb2.SHIPMENT_EVENT_KIND_SEAL_APPLIED: "seal",
    shipment_pb2.SHIPMENT_EVENT_KIND_E_LOCK_APPLIED: "lock",
}
_TAKEN_OFF = frozenset({shipment_pb2.SHIPMENT_EVENT_KIND_SEAL_REMOVED, shipment_pb2.SHIPMENT_EVENT_KIND_E_LOCK_REMOVED})

Record = tuple[int, shipment_pb2.Shipment]
"""With its index in the trace; 0 outside one."""


def route_cases(shipment: shipment_pb2.Shipment, controls: Controls, *, leg: int = 0) -> Iterator[Case]:
    """The case of a record with known destination and route."""
    destination, route = shipment.destination_territory, shipment.route
    if destination and route and (end := route[-1].to.territory):
        known = {"declared_destination": destination, "route_end": end}
        yield Case("route", LazyFacts(known, _CONTROLLED_GOODS, (controls, shipment)), (leg,))


_CONTROLLED_GOODS = {"controlled_goods": lambda source: bool(source[0].by_code(source[1]))}
"""Found in the controls and the record."""


def identifier_cases(shipment: shipment_pb2.Shipment, *, leg: int = 0) -> Iterator[Case]:
    """A case for each identifier that breaks its scheme's rules."""
    for path, notice in shipment_doubts(shipment):
        facts = {
            "doubt.path": path.removesuffix(".value"),
            "doubt.scheme": notice.scheme,
            "doubt.value": "" if notice.scheme in PERSONS else notice.value,
            "doubt.code": notice.code.value,
            "doubt.message": notice.message,
        }
        yield Case("identifier", facts, (leg,))


@dataclass(frozen=True, slots=True)
class _Mass:
    at: Timestamp
    kg: float
    source: str
    container: str
    with_tare: bool
    leg: int


def mass_cases(records: Sequence[Record]) -> Iterator[Case]:
    """A case for each two consecutive masses of one thing."""
    groups: dict[tuple[str, bool], list[_Mass]] = {}
    for mass in sorted((mass for record in records for mass in _masses(*record)), key=lambda mass: _order(mass.at)):
        groups.setdefault((mass.container, mass.with_tare), []).append(mass)
    for masses in groups.values():
        for before, after in pairwise(masses):
            facts = {
                "before.kg": before.kg,
                "before.source": before.source,
                "before.at": moment(before.at),
                "after.kg": after.kg,
                "after.source": after.source,
                "after.at": moment(after.at),
                "container": after.container,
            }
            yield Case("masses", facts, _both(before.leg, after.leg))


def _masses(leg: int, shipment: shipment_pb2.Shipment) -> Iterator[_Mass]:
    gross = gross_kg(shipment)
    if not isnan(gross) and not any(_is_declared(mass) for mass in shipment.masses):
        yield _Mass(shipment.declared_at, gross, "declaration", "", False, leg)
    for mass in shipment.masses:
        if not mass.mass_kg > 0:
            continue  # withheld, or not measured
        at = mass.measured_at if mass.HasField("measured_at") else shipment.declared_at
        source = word(shipment_pb2.MassSource, mass.source, _SOURCE)
        container = compact(Scheme.CONTAINER, mass.equipment_id)
        yield _Mass(at, mass.mass_kg, source, container, mass.includes_tare, leg)


def _is_declared(mass: shipment_pb2.MeasuredMass) -> bool:
    return mass.source == shipment_pb2.MASS_SOURCE_DECLARATION and not mass.equipment_id and not mass.includes_tare


def gross_kg(shipment: shipment_pb2.Shipment) -> float:
    """Declared, else the items' sum; NaN if unknown."""
    if shipment.HasField("gross_mass_kg"):
        return shipment.gross_mass_kg
    if shipment.goods and all(item.HasField("gross_mass_kg") for item in shipment.goods):
        return sum(item.gross_mass_kg for item in shipment.goods)
    return NOT_KNOWN


@dataclass(frozen=True, slots=True)
class _SealReading:
    """Seals or a lock as seen or declared."""

    at: Timestamp
    what: str
    seals: frozenset[str]
    leg: int


def seal_cases(records: Sequence[Record]) -> Iterator[Case]:
    """A case for each two consecutive sightings of a container's seals that differ."""
    containers = dict.fromkeys(
        compact(Scheme.CONTAINER, equipment.id) for _, shipment in records for equipment in shipment.equipment
    )
    for container in containers:
        events = sorted(
            (
                (event, leg)
                for leg, shipment in records
                for event in shipment.events
                if not event.equipment_id or compact(Scheme.CONTAINER, event.equipment_id) == container
            ),
            key=lambda pair: _order(pair[0].occurred_at),
        )
        yield from _changes(container, _sights(container, records, events), [event for event, _ in events])


def _sights(
    container: str, records: Sequence[Record], events: Iterable[tuple[shipment_pb2.ShipmentEvent, int]]
) -> list[_SealReading]:
    sights: list[_SealReading] = []
    for leg, shipment in records:
        for equipment in shipment.equipment:
            if compact(Scheme.CONTAINER, equipment.id) == container:
                sights.append(_SealReading(shipment.declared_at, "seal", _normal(equipment.seals), leg))
                sights.append(_SealReading(shipment.declared_at, "lock", _normal([equipment.e_lock]), leg))
    for event, leg in events:
        if event.seal and event.kind not in _TAKEN_OFF:
            what = "lock" if event.kind == shipment_pb2.SHIPMENT_EVENT_KIND_E_LOCK_CHECKED else "either"
            sights.append(_SealReading(event.occurred_at, _PUT_ON.get(event.kind, what), _normal([event.seal]), leg))
    return sorted((sight for sight in sights if sight.seals), key=lambda sight: _order(sight.at))


def _changes(
    container: str, sights: Sequence[_SealReading], events: Sequence[shipment_pb2.ShipmentEvent]
) -> Iterator[Case]:
    last: dict[str, _SealReading] = {}
    for sight in sights:
        known = [last[what] for what in (("seal", "lock") if sight.what == "either" else (sight.what,)) if what in last]
        before = frozenset().union(*(sighting.seals for sighting in known))
        if before and before != sight.seals:
            since = max((sighting.at for sighting in known), key=_order)
            between = [
                word(shipment_pb2.ShipmentEventKind, event.kind, _EVENT)
                for event in events
                if event.kind in _TOUCHING and _order(since) <= _order(event.occurred_at) <= _order(sight.at)
            ]
            facts = {
                "container": container,
                "before.seals": sorted(before),
                "before.at": moment(since),
                "after.seals": sorted(sight.seals),
                "after.at": moment(sight.at),
                "events": between,
            }
            yield Case("seals", facts, _both(*{sighting.leg for sighting in known}, sight.leg))
        if sight.what != "either":
            last[sight.what] = sight


def _normal(seals: Iterable[str]) -> frozenset[str]:
    return frozenset(text for seal in seals if (text := "".join(char for char in seal.upper() if char.isalnum())))


def _both(*legs: int) -> tuple[int, ...]:
    return tuple(sorted(set(legs)))


def _order(at: Timestamp) -> tuple[int, int]:
    return at.seconds, at.nanos
