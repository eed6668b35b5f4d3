"""Finds facts about goods on their way: how fast they went, and where a lock or seal was taken off.

Times and places come from routes, events and measurements. A place counts only where its position is known.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
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
    for index, shipment in records:
        for leg in shipment.route:
            ends = (getattr(leg, "from"), leg.departure), (leg.to, leg.arrival)
            if len(placed := [*_placed(index, ends)]) > 1:
                modes = _modes([leg.means])
                yield from _passages(placed, "", modes if any(modes) else _modes_of(records))
    if not any(shipment.events or shipment.masses for _, shipment in records):
        return
    modes = _modes_of(records)
    containers = {compact(Scheme.CONTAINER, each.id) for _, shipment in records for each in shipment.equipment}
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


def _modes_of(records: Sequence[Record]) -> list[str]:
    """Modes of transport that some records name."""
    return _modes(
        means for _, shipment in records for means in (*shipment.means, *(leg.means for leg in shipment.route))
    )


def _modes(means: Iterable[goods_pb2.TransportMeans]) -> list[str]:
    return sorted({word(goods_pb2.TransportMode, each.mode, _MODE) for each in means if each.mode})


def opening_cases(records: Sequence[Record]) -> Iterator[Case]:
    """A case for each lock or seal that an event says was taken off."""
    if not any(event.kind in _TAKEN_OFF for _, shipment in records for event in shipment.events):
        return
    control_points = {key for _, shipment in records for place in _ends(shipment) for key in _place_keys(place)}
    times = _Times(records)
    for index, shipment in records:
        for event in shipment.events:
            if event.kind in _TAKEN_OFF:
                container, at = compact(Scheme.CONTAINER, event.equipment_id), event.occurred_at.seconds
                facts = {
                    "what": _TAKEN_OFF[event.kind],
                    "container": container,
                    "seal": event.seal,
                    "at": moment(event.occurred_at),
                    "place": event.place.name or event.place.unlocode or event.place.territory,
                    "at_control_point": _is_control_point(event.place, control_points),
                    "minutes_left": _minutes_left(at, container, event.place.territory, times),
                    "inspected": times.any_near(at, container),
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


def _minutes_left(at: int, container: str, territory: str, times: _Times) -> float:
    """Minutes until the goods arrived, if they were under way; else NaN.

    A check of a lock shows an arrival but no stay, as does an import in another territory than that of the opening.
    """
    last_left = times.last_before(_What.LEFT, container, at)
    next_stay = times.next_arrival(container, at, territory)
    if not last_left or not next_stay or times.last_before(_What.STAYED, container, at + 1) >= last_left:
        return NOT_KNOWN
    return (next_stay - at) / SECONDS_A_MINUTE


class _What(Enum):
    """What a time is of."""

    LEFT = "left"
    STAYED = "stayed"
    CHECKED = "checked"
    INSPECTED = "inspected"


_SAYS = {
    shipment_pb2.SHIPMENT_EVENT_KIND_GATE_OUT: _What.LEFT,
    shipment_pb2.SHIPMENT_EVENT_KIND_E_LOCK_APPLIED: _What.LEFT,
    shipment_pb2.SHIPMENT_EVENT_KIND_GATE_IN: _What.STAYED,
    shipment_pb2.SHIPMENT_EVENT_KIND_UNLOADED: _What.STAYED,
    shipment_pb2.SHIPMENT_EVENT_KIND_E_LOCK_CHECKED: _What.CHECKED,
    shipment_pb2.SHIPMENT_EVENT_KIND_INSPECTION: _What.INSPECTED,
    shipment_pb2.SHIPMENT_EVENT_KIND_SEIZURE: _What.INSPECTED,
}
"""What an event says of goods on their way."""


class _Times:
    """Seconds since 1970 at which goods left, came and were looked at, in order, by container.

    An event that names no container is of each, and an opening that names none is of any: partners' records have
    thousands of both, so each opening is looked up and none is compared with all events.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self._times: dict[tuple[_What, str | None], list[int]] = {}
        self._imports: dict[str, list[int]] = {}
        for _, shipment in records:
            home = shipment.office.territory
            if home and shipment.procedure == shipment_pb2.SHIPMENT_PROCEDURE_IMPORT:
                self._imports.setdefault(home, []).append(shipment.declared_at.seconds)
            for leg in shipment.route:
                self._put(_What.LEFT, "", leg.departure.seconds)
                self._put(_What.STAYED, "", leg.arrival.seconds)
            for inspection in shipment.inspections:
                self._put(_What.INSPECTED, "", inspection.inspected_at.seconds)
            for event in shipment.events:
                if (what := _SAYS.get(event.kind)) is not None:
                    self._put(what, compact(Scheme.CONTAINER, event.equipment_id), event.occurred_at.seconds)
        for each in (*self._times.values(), *self._imports.values()):
            each.sort()

    def last_before(self, what: _What, container: str, at: int) -> int:
        """0: there is none."""
        return max((_last_before(times, at) for times in self._of(what, container)), default=0)

    def next_arrival(self, container: str, at: int, territory: str) -> int:
        """The next stay or check after a moment, or import outside of a territory; 0: there is none."""
        arrivals = [
            *self._of(_What.STAYED, container),
            *self._of(_What.CHECKED, container),
            *(times for home, times in self._imports.items() if home != territory),
        ]
        return min(filter(None, (_first_after(times, at) for times in arrivals)), default=0)

    def any_near(self, at: int, container: str) -> bool:
        """Whether an inspection or a seizure explains an opening."""
        since = at - INSPECTED_WITHIN_S - 1
        return any(
            0 < _first_after(times, since) <= at + INSPECTED_WITHIN_S for times in self._of(_What.INSPECTED, container)
        )

    def _put(self, what: _What, container: str, at: int) -> None:
        if at > 0:
            for key in {container, None}:
                self._times.setdefault((what, key), []).append(at)

    def _of(self, what: _What, container: str) -> Iterator[Sequence[int]]:
        for key in (container, "") if container else (None,):
            if times := self._times.get((what, key)):
                yield times


def _last_before(times: Sequence[int], at: int) -> int:
    place = bisect_left(times, at)
    return times[place - 1] if place else 0


def _first_after(times: Sequence[int], at: int) -> int:
    place = bisect_right(times, at)
    return times[place] if place < len(times) else 0


def _order(at: Timestamp) -> tuple[int, int]:
    return at.seconds, at.nanos
