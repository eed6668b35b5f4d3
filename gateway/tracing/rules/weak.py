"""Weak links: equal quantity in a short time with a common trader, or equal goods at one place; the same lorry.

They link no further records: a trader's regular shipments look alike.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gateway.contract.identification.code_lists import WHOLE_TERRITORIES
from gateway.tracing.rules.link_graph import LinkGraph, RecordLink, days_apart, slot_of, vehicle_links
from gateway.tracing.rules.links import RULES, LinkKind, plain
from gateway.tracing.rules.records import OUTWARD, Span, TraceRecord, net_mass_kg, span_of, territory_of
from gateway.tracing.rules.trips import ADVANCE_S, MASS_TOLERANCE
from gateway.v1 import goods_pb2, party_pb2, shipment_pb2

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


_EXPORT = shipment_pb2.SHIPMENT_PROCEDURE_EXPORT
_IMPORT = shipment_pb2.SHIPMENT_PROCEDURE_IMPORT
_REEXPORT = shipment_pb2.SHIPMENT_PROCEDURE_REEXPORT


@dataclass(frozen=True, slots=True)
class _RecordFeatures:
    """Compared parts; maps go from normal to shown forms.

    Attributes:
        at: second since 1970 at which the goods left or came.
    """

    index: int
    slot: tuple[str, int]
    span: Span
    at: int
    procedure: int
    territory: str
    came_from: str
    destination: str
    mass_kg: float
    parties: dict[str, str]
    goods: dict[str, str]
    places: dict[str, str]


def weak_links(graph: LinkGraph, core: set[int]) -> list[RecordLink]:
    """Unambiguous links from the core to other records.

    A record is linked if its nearest possible predecessor or successor is in the core, the core lacks its node and
    procedure, and no other record of these is nearer; and if what it is strongly linked with would fit as well.
    """
    outside = [index for index in range(len(graph.known)) if index not in core]
    if not core or not outside:
        return []
    taken = _slots(graph, core)
    if any(procedure == _EXPORT for _, procedure in taken):
        taken |= {(each.record.node, _EXPORT) for each in graph.known}  # goods are exported once
    free = [index for part in _parts(graph, outside) if taken.isdisjoint(_slots(graph, part)) for index in part]
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


def _parts(graph: LinkGraph, indexes: Iterable[int]) -> Iterator[list[int]]:
    """Records that strong links join."""
    seen: set[int] = set()
    for index in indexes:
        if index not in seen:
            part = graph.reached_from(index)
            seen |= part
            yield sorted(part)


def _slots(graph: LinkGraph, indexes: Iterable[int]) -> set[tuple[str, int]]:
    return {slot_of(graph.known[index].record) for index in indexes}


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
            if not (_may_follow(yours, mine) or _may_follow(mine, yours)):
                continue
            rank = (gap, yours.index not in core, yours.index)
            if yours.slot not in nearest or rank < nearest[yours.slot][0]:
                nearest[yours.slot] = (rank, yours)
        for _, yours in nearest.values():
            if yours.index in core:
                yield from _edges(yours, mine)


def _shared(mine: _RecordFeatures, yours: _RecordFeatures) -> bool:
    same_goods = not mine.goods.keys().isdisjoint(yours.goods)
    if not mine.parties.keys().isdisjoint(yours.parties):
        return same_goods or not mine.goods or not yours.goods
    return same_goods and not mine.places.keys().isdisjoint(yours.places)


def _may_follow(before: _RecordFeatures, after: _RecordFeatures) -> bool:
    """Whether goods may come from one record to another: by time, procedures and territories.

    An arrival elsewhere follows a departure or transit, where nothing names another origin or destination; a re-export
    follows an arrival in its territory, or a departure to it.
    """
    if after.at < before.at - ADVANCE_S:
        return False
    leaves, left = after.procedure in OUTWARD, before.procedure in OUTWARD
    if leaves and not left:
        return after.procedure == _REEXPORT and after.territory == before.territory
    if leaves:
        return after.procedure == _REEXPORT and before.destination == after.territory
    if before.territory == after.territory or before.procedure == _IMPORT:
        return False
    if not left or before.destination == after.territory:
        return True
    passes = after.procedure != _IMPORT or not before.destination
    return passes and after.came_from in ("", before.territory)


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
        known.order[0],
        shipment.procedure,
        territory_of(known.record) or known.record.node,
        shipment.export_territory,
        shipment.destination_territory,
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
    if place.unlocode and place.unlocode not in WHOLE_TERRITORIES:
        return place.unlocode
    if place.name:
        return f"{place.territory}:{plain(place.name)}"
    return f"{place.territory}#{place.customs_office}" if place.customs_office else ""
