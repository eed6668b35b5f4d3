"""Finds facts about a consignment: where its records are and which way it went."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.risk.facts.controlled import Controls
from gateway.risk.facts.goods import word
from gateway.risk.facts.kinds import Case
from gateway.risk.facts.substances import NOT_KNOWN
from gateway.v1 import goods_pb2, history_pb2, shipment_pb2, trace_pb2

SECONDS_A_DAY = 86_400

EARLIEST_S = SECONDS_A_DAY
"""An import may be declared this long before its export: advance declarations, clocks, offices."""

EXPORTS = frozenset({shipment_pb2.SHIPMENT_PROCEDURE_EXPORT, shipment_pb2.SHIPMENT_PROCEDURE_REEXPORT})

_SEEN_AT_DESTINATION = frozenset(
    {
        shipment_pb2.SHIPMENT_PROCEDURE_IMPORT,
        shipment_pb2.SHIPMENT_PROCEDURE_TRANSIT,
        shipment_pb2.SHIPMENT_PROCEDURE_REEXPORT,
        shipment_pb2.SHIPMENT_PROCEDURE_TRANSSHIPMENT,
    }
)
"""Procedures that show a consignment at its destination; a manifest declares nothing."""

_ARRIVED = frozenset({shipment_pb2.SHIPMENT_PROCEDURE_IMPORT, shipment_pb2.SHIPMENT_PROCEDURE_TRANSIT})

_MODE = "TRANSPORT_MODE_"


@dataclass(frozen=True, slots=True)
class Leg:
    """A record of a trace.

    Attributes:
        index: in the trace.
        node: that recorded it; empty outside a trace.
        at: declaration, seconds since 1970.
        controlled: six-digit codes of goods under control then.
    """

    index: int
    shipment: shipment_pb2.Shipment
    node: str
    territory: str
    at: int
    controlled: frozenset[str]

    @property
    def exports(self) -> bool:
        return self.shipment.procedure in EXPORTS

    @property
    def imports(self) -> bool:
        return self.shipment.procedure == shipment_pb2.SHIPMENT_PROCEDURE_IMPORT


def legs_of(trace: trace_pb2.Trace, controls: Controls, territories: Mapping[str, str]) -> list[Leg]:
    """A trace's records in order of declaration; `territories` has ISO 3166-1 codes by node."""
    legs = [
        Leg(
            index,
            leg.record.shipment,
            leg.record.node,
            _territory(leg.record, territories),
            leg.record.shipment.declared_at.seconds,
            controlled_hs6(leg.record.shipment, controls),
        )
        for index, leg in enumerate(trace.legs)
    ]
    return sorted(legs, key=lambda leg: (leg.at, leg.index))


def leg_alone(shipment: shipment_pb2.Shipment, controls: Controls) -> Leg:
    """A leg outside a trace."""
    at = shipment.declared_at.seconds
    return Leg(0, shipment, "", shipment.office.territory, at, controlled_hs6(shipment, controls))


def controlled_hs6(shipment: shipment_pb2.Shipment, controls: Controls) -> frozenset[str]:
    """Six-digit codes of goods under control at declaration."""
    met = {line.sequence for line in controls.by_code(shipment)}
    if not met:
        return frozenset()
    items = [item for item in shipment.goods if item.sequence in met]
    return frozenset(code.code[:6] for item in items for code in item.codes if len(code.code) >= 6)


def node_territory(node: str, territories: Mapping[str, str]) -> str:
    """Territory of a node, by default its name."""
    return territories.get(node, node.upper())


def _territory(record: history_pb2.HistoryRecord, territories: Mapping[str, str]) -> str:
    shipment = record.shipment
    if shipment.office.territory:
        return shipment.office.territory
    if shipment.procedure == shipment_pb2.SHIPMENT_PROCEDURE_EXPORT and shipment.export_territory:
        return shipment.export_territory
    return node_territory(record.node, territories)


def missing_cases(
    legs: Sequence[Leg], trace: trace_pb2.Trace, territories: Mapping[str, str], now: datetime
) -> Iterator[Case]:
    """A case for each export to a partner's territory without a later record there."""
    answered: dict[str, bool] = {}
    for answer in trace.answers:
        territory = node_territory(answer.node, territories)
        answered[territory] = answered.get(territory, not trace.truncated) and _told_all(answer)
    unasked = {(refusal.source, node_territory(refusal.recipient, territories)) for refusal in trace.onward_refusals}
    for leg in legs:
        destination = leg.shipment.destination_territory
        if not leg.exports or destination not in answered or destination == leg.territory:
            continue
        arrived = any(
            other.territory == destination
            and other.shipment.procedure in _SEEN_AT_DESTINATION
            and other.at >= leg.at - EARLIEST_S
            for other in legs
        )
        if not arrived:
            facts = {
                "destination": destination,
                "mode": mode(leg.shipment),
                "days": (now.timestamp() - _departed(leg)) / SECONDS_A_DAY,
                "answered": answered[destination] and (leg.node, destination) not in unasked,
                "record": leg.shipment.record_id,
            }
            yield Case("missing", facts, (leg.index,))


def _told_all(answer: history_pb2.NodeAnswer) -> bool:
    """An answer of hit or no hit hides records."""
    return answer.status == history_pb2.ANSWER_STATUS_COMPLETE and not answer.hit


def _departed(leg: Leg) -> int:
    route = leg.shipment.route
    return route[-1].departure.seconds if route and route[-1].HasField("departure") else leg.at


def mode(shipment: shipment_pb2.Shipment) -> str:
    """Last mode of transport in lower case; empty if unknown."""
    means = [*shipment.means, *(leg.means for leg in shipment.route)]
    modes = [transport.mode for transport in means if transport.mode != goods_pb2.TRANSPORT_MODE_UNSPECIFIED]
    return word(goods_pb2.TransportMode, modes[-1], _MODE) if modes else ""


def destination_cases(legs: Sequence[Leg]) -> Iterator[Case]:
    """A case for each other destination named after the first export declaration."""
    first = next((leg for leg in legs if leg.exports and leg.shipment.destination_territory), None)
    if first is None:
        return
    declared = first.shipment.destination_territory
    seen, onward_s = {declared}, _onward_from(declared, first, legs)
    for leg in legs:
        later = leg.shipment.destination_territory
        if leg.at >= first.at and later and later not in seen:
            seen.add(later)
            facts = {
                "declared_destination": declared,
                "later_destination": later,
                "record": leg.shipment.record_id,
                "controlled_goods": bool(first.controlled or leg.controlled),
                "entrepot": onward_s is not None and leg.at >= onward_s,
            }
            yield Case("destination", facts, (first.index, leg.index))


def _onward_from(declared: str, first: Leg, legs: Sequence[Leg]) -> int | None:
    """When the goods left the declared destination again, having arrived there; None if they didn't."""
    of_territory = [leg for leg in legs if leg.territory == declared and leg.at >= first.at - EARLIEST_S]
    arrived = next((leg.at for leg in of_territory if leg.shipment.procedure in _ARRIVED), None)
    if arrived is None:
        return None
    return next((leg.at for leg in of_territory if leg.exports and leg.at >= arrived), None)


def path_cases(legs: Sequence[Leg]) -> Iterator[Case]:
    """If the consignment left a territory."""
    path: list[str] = []
    for leg in sorted(legs, key=lambda leg: _went_at(leg, legs)):
        came_from = leg.shipment.export_territory if leg.imports else ""
        if came_from and came_from not in path:
            _go(path, came_from)
        _go(path, leg.territory)
    if legs and legs[-1].exports:
        _go(path, legs[-1].shipment.destination_territory)
    if len(path) > 1:
        facts = {"path": path, "territories": len(set(path)), "days": (legs[-1].at - legs[0].at) / SECONDS_A_DAY}
        yield Case("path", facts, tuple(sorted(leg.index for leg in legs)))


def _went_at(leg: Leg, legs: Sequence[Leg]) -> tuple[int, bool]:
    """An advance import comes after its export."""
    ahead = [
        other.at
        for other in legs
        if leg.imports
        and other.exports
        and other.shipment.destination_territory == leg.territory
        and leg.at <= other.at <= leg.at + EARLIEST_S
    ]
    return max([leg.at, *ahead]), leg.imports


def _go(path: list[str], territory: str) -> None:
    if territory and (not path or path[-1] != territory):
        path.append(territory)


def hs6_of(shipment: shipment_pb2.Shipment) -> list[str]:
    """In order, without doubles."""
    return list(dict.fromkeys(code.code[:6] for item in shipment.goods for code in item.codes if len(code.code) >= 6))


def net_kg(item: shipment_pb2.ShipmentGoods) -> float:
    """NaN if unknown."""
    return item.net_mass_kg if item.HasField("net_mass_kg") else NOT_KNOWN


def by_hs6(shipment: shipment_pb2.Shipment, number: Callable[[shipment_pb2.ShipmentGoods], float]) -> dict[str, float]:
    """NaN if a part is unknown."""
    sums: dict[str, float] = {}
    for item in shipment.goods:
        for hs6 in {code.code[:6] for code in item.codes if len(code.code) >= 6}:
            sums[hs6] = sums.get(hs6, 0.0) + number(item)
    return sums
