"""Finds facts about goods on their way: how fast they went, and where a lock or seal was taken off.

Times and places come from routes, events and measurements. A place counts only where its position is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.contract.identification.code_lists import WHOLE_TERRITORIES
from gateway.contract.identification.identifiers import Scheme, compact
from gateway.formats.positions import Position, kilometres_between, position_of
from gateway.risk.facts.goods import moment, word
from gateway.risk.facts.kinds import Case
from gateway.risk.facts.shipments import Record
from gateway.risk.facts.substances import NOT_KNOWN
from gateway.v1 import goods_pb2, shipment_pb2

SECONDS_A_MINUTE = 60

SLOW_KMH = 30.0
"""What goes no faster than that is no case: nearly everything, and any means may."""

INSPECTED_WITHIN_S = 2 * 3_600
"""An inspection explains an opening within so many seconds before or after it. A judgement."""

_MODE = "TRANSPORT_MODE_"
_TAKEN_OFF = {
    shipment_pb2.SHIPMENT_EVENT_KIND_E_LOCK_REMOVED: "lock",
    shipment_pb2.SHIPMENT_EVENT_KIND_SEAL_REMOVED: "seal",
}
_INSPECTIONS = frozenset({shipment_pb2.SHIPMENT_EVENT_KIND_INSPECTION, shipment_pb2.SHIPMENT_EVENT_KIND_SEIZURE})
_LEAVES = frozenset({shipment_pb2.SHIPMENT_EVENT_KIND_GATE_OUT, shipment_pb2.SHIPMENT_EVENT_KIND_E_LOCK_APPLIED})
_ARRIVES = frozenset({shipment_pb2.SHIPMENT_EVENT_KIND_GATE_IN, shipment_pb2.SHIPMENT_EVENT_KIND_UNLOADED})
_SIGHTINGS = _LEAVES | _ARRIVES | {shipment_pb2.SHIPMENT_EVENT_KIND_E_LOCK_CHECKED}


@dataclass(frozen=True, slots=True)
class _PlacedMoment:
    """A container, or the whole shipment (empty), at a place."""

    at: Timestamp
    place: goods_pb2.Place
    position: Position
    leg: int


def passage_cases(records: Sequence[Record]) -> Iterator[Case]:
    """A case for each two consecutive places with known positions of one route leg, or of one container's events.

    Events of a consignment with one container are that container's.
    """
    modes = sorted({word(goods_pb2.TransportMode, mode, _MODE) for mode in {*_modes(records)}})
    containers = {compact(Scheme.CONTAINER, each.id) for _, shipment in records for each in shipment.equipment}
    for index, shipment in records:
        for leg in shipment.route:
            mode = word(goods_pb2.TransportMode, leg.means.mode, _MODE) if leg.means.mode else ""
            ends = (getattr(leg, "from"), leg.departure), (leg.to, leg.arrival)
            yield from _passages([*_placed(index, ends)], "", [mode] if mode else modes)
    by_container: dict[str, list[_PlacedMoment]] = {}
    for index, shipment in records:
        for equipment, place, at in _sighted(shipment):
            container = compact(Scheme.CONTAINER, equipment) if len(containers) > 1 else ""
            by_container.setdefault(container, []).extend(_placed(index, [(place, at)]))
    only = next(iter(containers)) if len(containers) == 1 else ""
    for container, moments in by_container.items():
        if container or len(containers) <= 1:
            yield from _passages(sorted(moments, key=lambda each: _order(each.at)), container or only, modes)


def _passages(moments: Sequence[_PlacedMoment], container: str, modes: Sequence[str]) -> Iterator[Case]:
    for before, after in pairwise(moments):
        if before.position == after.position:
            continue
        kilometres = kilometres_between(before.position, after.position)
        minutes = (after.at.seconds - before.at.seconds) / SECONDS_A_MINUTE
        if minutes >= 0 and 60 * kilometres > SLOW_KMH * minutes:
            facts = {
                "container": container,
                "before.place": before.place.name or before.place.unlocode,
                "before.at": moment(before.at),
                "after.place": after.place.name or after.place.unlocode,
                "after.at": moment(after.at),
                "kilometres": kilometres,
                "minutes": minutes,
                "modes": list(modes),
            }
            yield Case("passage", facts, tuple(sorted({before.leg, after.leg})))


def _placed(leg: int, seen: Iterable[tuple[goods_pb2.Place, Timestamp]]) -> Iterator[_PlacedMoment]:
    for place, at in seen:
        position = None if place.unlocode in WHOLE_TERRITORIES and not place.name else position_of(place)
        if position is not None and at.seconds:
            yield _PlacedMoment(at, place, position, leg)


def _sighted(shipment: shipment_pb2.Shipment) -> Iterator[tuple[str, goods_pb2.Place, Timestamp]]:
    for event in shipment.events:
        yield event.equipment_id, event.place, event.occurred_at
    for mass in shipment.masses:
        yield mass.equipment_id, mass.place, mass.measured_at


def _modes(records: Sequence[Record]) -> Iterator[goods_pb2.TransportMode.ValueType]:
    for _, shipment in records:
        for means in (*shipment.means, *(leg.means for leg in shipment.route)):
            if means.mode:
                yield means.mode


def opening_cases(records: Sequence[Record]) -> Iterator[Case]:
    """A case for each lock or seal that an event says was taken off."""
    if not any(event.kind in _TAKEN_OFF for _, shipment in records for event in shipment.events):
        return
    control_points = {key for _, shipment in records for place in _ends(shipment) for key in _place_keys(place)}
    for index, shipment in records:
        for event in shipment.events:
            if event.kind in _TAKEN_OFF:
                container = compact(Scheme.CONTAINER, event.equipment_id)
                facts = {
                    "what": _TAKEN_OFF[event.kind],
                    "container": container,
                    "seal": event.seal,
                    "at": moment(event.occurred_at),
                    "place": event.place.name or event.place.unlocode or event.place.territory,
                    "at_control_point": _is_control_point(event.place, control_points),
                    "minutes_left": _minutes_left(event, container, records),
                    "inspected": _is_inspected(event, container, records),
                }
                yield Case("opening", facts, (index,))


def _ends(shipment: shipment_pb2.Shipment) -> Iterator[goods_pb2.Place]:
    yield shipment.office
    for leg in shipment.route:
        yield getattr(leg, "from")
        yield leg.to


def _place_keys(place: goods_pb2.Place) -> Iterator[str]:
    if place.unlocode and place.unlocode not in WHOLE_TERRITORIES:
        yield place.unlocode
    if place.name:
        yield f"{place.territory}:{place.name.casefold()}"


def _is_control_point(place: goods_pb2.Place, known: set[str]) -> bool:
    """Whether customs or a terminal is there: an office's code, a known place, or an end of a route."""
    if place.customs_office or any(key in known for key in _place_keys(place)):
        return True
    return bool(place.name or place.unlocode) and position_of(place) is not None


def _minutes_left(opening: shipment_pb2.ShipmentEvent, container: str, records: Sequence[Record]) -> float:
    """Minutes until the goods arrived, if they were under way; else NaN.

    A check of a lock shows an arrival but no stay, as does an import in another territory than that of the opening.
    """
    left: list[int] = []
    stayed: list[int] = []
    checked: list[int] = []
    for _, shipment in records:
        home = shipment.office.territory
        if shipment.procedure == shipment_pb2.SHIPMENT_PROCEDURE_IMPORT and home not in ("", opening.place.territory):
            checked.append(shipment.declared_at.seconds)
        left += [leg.departure.seconds for leg in shipment.route]
        stayed += [leg.arrival.seconds for leg in shipment.route]
        for event in shipment.events:
            if _is_of(event, container) and event.kind in _SIGHTINGS:
                times = left if event.kind in _LEAVES else stayed if event.kind in _ARRIVES else checked
                times.append(event.occurred_at.seconds)
    at = opening.occurred_at.seconds
    last_left = max((time for time in left if 0 < time < at), default=0)
    next_stay = min((time for time in (*stayed, *checked) if time > at), default=0)
    if not last_left or not next_stay or max((time for time in stayed if time <= at), default=0) >= last_left:
        return NOT_KNOWN
    return (next_stay - at) / SECONDS_A_MINUTE


def _is_inspected(opening: shipment_pb2.ShipmentEvent, container: str, records: Sequence[Record]) -> bool:
    times = [
        event.occurred_at.seconds
        for _, shipment in records
        for event in shipment.events
        if event.kind in _INSPECTIONS and _is_of(event, container)
    ]
    times += [each.inspected_at.seconds for _, shipment in records for each in shipment.inspections]
    return any(abs(time - opening.occurred_at.seconds) <= INSPECTED_WITHIN_S for time in times)


def _is_of(event: shipment_pb2.ShipmentEvent, container: str) -> bool:
    return not (event.equipment_id and container) or compact(Scheme.CONTAINER, event.equipment_id) == container


def _order(at: Timestamp) -> tuple[int, int]:
    return at.seconds, at.nanos
