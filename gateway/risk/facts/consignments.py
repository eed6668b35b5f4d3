"""Facts about a whole consignment: where its records lie, and which way it went."""

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
"""How long before its export declaration an import may be declared: advance declarations, clocks and offices differ."""

EXPORTS = frozenset({shipment_pb2.SHIPMENT_PROCEDURE_EXPORT, shipment_pb2.SHIPMENT_PROCEDURE_REEXPORT})

_SEEN_AT_DESTINATION = frozenset(
    {
        shipment_pb2.SHIPMENT_PROCEDURE_IMPORT,
        shipment_pb2.SHIPMENT_PROCEDURE_TRANSIT,
        shipment_pb2.SHIPMENT_PROCEDURE_REEXPORT,
        shipment_pb2.SHIPMENT_PROCEDURE_TRANSSHIPMENT,
    }
)
"""Procedures by which a consignment shows up where it was going; a manifest alone declares nothing."""

_MODE = "TRANSPORT_MODE_"


@dataclass(frozen=True, slots=True)
class Leg:
    """A record of the trace, and what is asked of it again and again.

    Attributes:
        index: in the trace.
        shipment: the record.
        node: that recorded it; empty for a record on its own.
        territory: where it was recorded.
        at: when it was declared, seconds since 1970.
        controlled: six-digit codes of its goods that were under control then.
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
    """The trace's records in order of their declaration.

    Args:
        trace: the trace.
        controls: the control list.
        territories: ISO 3166-1 code of each node's territory; a node that isn't listed is called by its territory.
    """
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
    """A record that isn't in a trace, as a leg."""
    at = shipment.declared_at.seconds
    return Leg(0, shipment, "", shipment.office.territory, at, controlled_hs6(shipment, controls))


def controlled_hs6(shipment: shipment_pb2.Shipment, controls: Controls) -> frozenset[str]:
    """Six-digit codes of a record's goods that were under control when it was declared."""
    met = {line.sequence for line in controls.items(shipment)}
    if not met:
        return frozenset()
    items = [item for item in shipment.goods if item.sequence in met]
    return frozenset(code.code[:6] for item in items for code in item.codes if len(code.code) >= 6)


def node_territory(node: str, territories: Mapping[str, str]) -> str:
    """Territory of a node."""
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
    """One case for each export whose destination is a partner's territory where no later record of it is known."""
    answered: dict[str, bool] = {}
    for answer in trace.answers:
        territory = node_territory(answer.node, territories)
        answered[territory] = answered.get(territory, not trace.truncated) and _told_all(answer)
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
                "answered": answered[destination],
                "record": leg.shipment.record_id,
            }
            yield Case("missing", facts, (leg.index,))


def _told_all(answer: history_pb2.NodeAnswer) -> bool:
    """Whether a node gave every record that it has. One that may only say whether there are any has some unseen."""
    return answer.status == history_pb2.ANSWER_STATUS_COMPLETE and not answer.hit


def _departed(leg: Leg) -> int:
    route = leg.shipment.route
    return route[-1].departure.seconds if route and route[-1].HasField("departure") else leg.at


def mode(shipment: shipment_pb2.Shipment) -> str:
    """How a record's goods moved at last, in lower case; empty where it doesn't say."""
    means = [*shipment.means, *(leg.means for leg in shipment.route)]
    modes = [each.mode for each in means if each.mode != goods_pb2.TRANSPORT_MODE_UNSPECIFIED]
    return word(goods_pb2.TransportMode, modes[-1], _MODE) if modes else ""


def destination_cases(legs: Sequence[Leg]) -> Iterator[Case]:
    """One case for each other destination that is named after the first export declaration."""
    first = next((leg for leg in legs if leg.exports and leg.shipment.destination_territory), None)
    if first is None:
        return
    seen = {first.shipment.destination_territory}
    for leg in legs:
        later = leg.shipment.destination_territory
        if leg.at >= first.at and later and later not in seen:
            seen.add(later)
            facts = {
                "declared_destination": first.shipment.destination_territory,
                "later_destination": later,
                "record": leg.shipment.record_id,
                "controlled_goods": bool(first.controlled or leg.controlled),
            }
            yield Case("destination", facts, (first.index, leg.index))


def path_cases(legs: Sequence[Leg]) -> Iterator[Case]:
    """The case of the way that a consignment went, where it left a territory at all."""
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
    """When a leg took its place on the way: an import that was declared in advance comes after the export to it."""
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
    """Six-digit codes of a record's goods, each once, in their order."""
    return list(dict.fromkeys(code.code[:6] for item in shipment.goods for code in item.codes if len(code.code) >= 6))


def net_kg(item: shipment_pb2.ShipmentGoods) -> float:
    """Net mass of an item; NaN where it isn't known."""
    return item.net_mass_kg if item.HasField("net_mass_kg") else NOT_KNOWN


def by_hs6(shipment: shipment_pb2.Shipment, number: Callable[[shipment_pb2.ShipmentGoods], float]) -> dict[str, float]:
    """A number of all items under each subheading together; NaN where one of them isn't known."""
    sums: dict[str, float] = {}
    for item in shipment.goods:
        for hs6 in {code.code[:6] for code in item.codes if len(code.code) >= 6}:
            sums[hs6] = sums.get(hs6, 0.0) + number(item)
    return sums
