"""Weak links: equal quantity in a short time with a common trader, or equal goods at one place; the same lorry.

They link no further records: a trader's regular shipments look alike.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.tracing.rules.link_graph import LinkGraph, RecordLink, days_apart, slot_of, vehicle_links
from gateway.tracing.rules.links import RULES, LinkKind, plain
from gateway.tracing.rules.records import Span, TraceRecord, net_mass_kg, span_of
from gateway.v1 import goods_pb2, party_pb2, shipment_pb2

MASS_TOLERANCE = 0.05
"""Share of the larger mass, as in rule R12."""

TRADERS = frozenset(
    {
        party_pb2.PARTY_ROLE_EXPORTER,
        party_pb2.PARTY_ROLE_IMPORTER,
        party_pb2.PARTY_ROLE_CONSIGNOR,
        party_pb2.PARTY_ROLE_CONSIGNEE,
        party_pb2.PARTY_ROLE_SELLER,
        party_pb2.PARTY_ROLE_BUYER,
    }
)
"""Roles that trade the goods; a declarant, carrier or agent serves thousands."""

_WHOLE_TERRITORIES = frozenset({"HKHKG", "MOMFM"})
"""UN/LOCODEs of whole territories."""


@dataclass(frozen=True, slots=True)
class _RecordFeatures:
    """Compared parts; maps go from normal to shown forms."""

    index: int
    slot: tuple[str, int]
    span: Span
    mass_kg: float
    parties: dict[str, str]
    goods: dict[str, str]
    places: dict[str, str]


def weak_links(graph: LinkGraph, core: set[int]) -> list[RecordLink]:
    """Unambiguous links from the core to other records.

    A record is linked if its nearest possible predecessor or successor is in the core, the core lacks its node and
    procedure, and no other record of these is nearer.
    """
    outside = [index for index in range(len(graph.known)) if index not in core]
    if not core or not outside:
        return []
    taken = {slot_of(graph.known[index].record) for index in core}
    free = [index for index in outside if slot_of(graph.known[index].record) not in taken]
    if not free:
        return []
    edges = [*_alike(graph.known, core, free), *_by_vehicle(graph, core, set(free))]
    nearest: dict[tuple[str, int], RecordLink] = {}
    for edge in edges:
        slot = slot_of(graph.known[edge.other].record)
        if slot not in nearest or _rank(edge, graph.known) < _rank(nearest[slot], graph.known):
            nearest[slot] = edge
    chosen = {edge.other for edge in nearest.values()}
    return [edge for edge in edges if edge.other in chosen]


def _rank(edge: RecordLink, known: Sequence[TraceRecord]) -> tuple[object, ...]:
    return edge.gap_s, -edge.strength, known[edge.other].order, known[edge.one].order


def _by_vehicle(graph: LinkGraph, core: set[int], free: set[int]) -> Iterator[RecordLink]:
    for edge in vehicle_links(graph):
        if edge.one in core and edge.other in free:
            yield edge
        elif edge.other in core and edge.one in free:
            yield edge.turned()


def _alike(known: Sequence[TraceRecord], core: set[int], free: Sequence[int]) -> Iterator[RecordLink]:
    features = [found for index, each in enumerate(known) if (found := _features(index, each)) is not None]
    by_mass = sorted(features, key=lambda each: each.mass_kg)
    masses = [item.mass_kg for item in by_mass]
    wanted = set(free)
    for mine in features:
        if mine.index not in wanted:
            continue
        low = bisect_left(masses, mine.mass_kg * (1 - MASS_TOLERANCE))
        high = bisect_right(masses, mine.mass_kg / (1 - MASS_TOLERANCE))
        nearest: dict[tuple[str, int], tuple[tuple[int, bool, int], _RecordFeatures]] = {}
        for yours in by_mass[low:high]:
            gap = mine.span.gap(yours.span)
            if yours.slot == mine.slot or gap > RULES[LinkKind.PARTY].window_s or not _shared(mine, yours):
                continue
            rank = (gap, yours.index not in core, yours.index)
            if yours.slot not in nearest or rank < nearest[yours.slot][0]:
                nearest[yours.slot] = (rank, yours)
        for _, yours in nearest.values():
            if yours.index in core:
                yield from _edges(yours, mine)


def _shared(mine: _RecordFeatures, yours: _RecordFeatures) -> bool:
    if not mine.parties.keys().isdisjoint(yours.parties):
        return True
    return not mine.goods.keys().isdisjoint(yours.goods) and not mine.places.keys().isdisjoint(yours.places)


def _edges(yours: _RecordFeatures, mine: _RecordFeatures) -> Iterator[RecordLink]:
    gap = mine.span.gap(yours.span)
    apart = abs(mine.mass_kg - yours.mass_kg) / max(mine.mass_kg, yours.mass_kg)
    quantity = f"{yours.mass_kg:,.10g} kg and {mine.mass_kg:,.10g} kg net ({apart:.1%} apart), {days_apart(gap)}"
    party, goods, place = (
        next((mine_names[key] for key in sorted(mine_names.keys() & yours_names.keys())), "")
        for mine_names, yours_names in (
            (mine.parties, yours.parties),
            (mine.goods, yours.goods),
            (mine.places, yours.places),
        )
    )
    if party:
        because = f"Both name {party}, with {quantity}."
        yield RecordLink(yours.index, mine.index, LinkKind.PARTY, because=because, value=party, gap_s=gap)
    if goods and (party or place):
        because = f"Both are of {goods}, with {quantity}; both name {place or party}."
        yield RecordLink(yours.index, mine.index, LinkKind.QUANTITY_AND_TIME, because=because, value=goods, gap_s=gap)


def _features(index: int, known: TraceRecord) -> _RecordFeatures | None:
    shipment = known.record.shipment
    mass = net_mass_kg(shipment)
    if not mass:
        return None
    return _RecordFeatures(
        index,
        slot_of(known.record),
        span_of(known.record),
        mass,
        _parties(shipment),
        _goods(shipment),
        _places(shipment),
    )


def _parties(shipment: shipment_pb2.Shipment) -> dict[str, str]:
    identifiers: dict[str, str] = {}
    for party in shipment.parties:
        if party.role not in TRADERS:
            continue
        name = next((each.text for each in party.names if each.text), "")
        for identifier in party.identifiers:
            if identifier.value:
                shown = f"{identifier.scheme} {identifier.value}"
                identifiers[f"{identifier.scheme}:{plain(identifier.value)}"] = f"{name} ({shown})" if name else shown
        identifiers.update({f"name:{plain(each.text)}": each.text for each in party.names if plain(each.text)})
    return identifiers


def _goods(shipment: shipment_pb2.Shipment) -> dict[str, str]:
    codes = {
        f"hs:{code.code[:6]}": code.code[:6] for item in shipment.goods for code in item.codes if len(code.code) > 5
    }
    return codes | {f"element:{item.element}": item.element for item in shipment.goods if item.element}


def _places(shipment: shipment_pb2.Shipment) -> dict[str, str]:
    values: dict[str, str] = {}
    for place in (shipment.office, *(end for leg in shipment.route for end in (getattr(leg, "from"), leg.to))):
        key = _place_key(place)
        if key:
            values[key] = place.name or place.unlocode or place.customs_office
    return values


def _place_key(place: goods_pb2.Place) -> str:
    if place.unlocode and place.unlocode not in _WHOLE_TERRITORIES:
        return place.unlocode
    if place.name:
        return f"{place.territory}:{plain(place.name)}"
    return f"{place.territory}#{place.customs_office}" if place.customs_office else ""
