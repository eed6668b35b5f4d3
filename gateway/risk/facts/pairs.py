"""Finds facts about pairs: export and import records that should agree, and imports exported again.

Several exports and imports (part consignments, groupage) are compared together; a sum is known only if all parts are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeGuard

from gateway.contract.identification.identifiers import Scheme, compact
from gateway.risk.facts.consignments import EARLIEST_S, EXPORTS, SECONDS_A_DAY, Leg, by_hs6, hs6_of, net_kg
from gateway.risk.facts.goods import amount, value_usd
from gateway.risk.facts.kinds import Case
from gateway.risk.facts.shipments import gross_kg
from gateway.risk.facts.substances import NOT_KNOWN
from gateway.v1 import goods_pb2, shipment_pb2

_Keys = frozenset[tuple[str, ...]]


CONTAINER_S = 45 * SECONDS_A_DAY
"""A container alone pairs records within so many seconds, as it links them (tracing.rules.links)."""

_Stage = tuple[int, str]
"""Imports of all territories add up; a transit shows the whole consignment again at each."""


@dataclass(slots=True)
class _Group:
    """Exports and arrivals that belong together."""

    stage: _Stage
    exports: list[Leg]
    imports: list[Leg]
    via: str


def mirror_cases(legs: Sequence[Leg]) -> Iterator[Case]:
    """A case for each group of export records and records of the same goods elsewhere: imports, or one transit."""
    for group in _groups(legs):
        exported, imported = _side("exported", group.exports), _side("imported", group.imports)
        basis, exported_kg, imported_kg = _masses(exported, imported)
        currency, exported_value, imported_value = _values(group)
        facts = {
            **exported,
            **imported,
            "exported.kg": exported_kg,
            "imported.kg": imported_kg,
            "exported.value": exported_value,
            "imported.value": imported_value,
            "via": group.via,
            "basis": basis,
            "freight": _freight(group.imports, currency),
            "currency": currency,
        }
        yield Case("mirror", facts, tuple(sorted(leg.index for leg in (*group.exports, *group.imports))))


def _groups(legs: Sequence[Leg]) -> list[_Group]:
    groups: list[_Group] = []
    keys = {leg.index: _keys(leg.shipment) for leg in legs}
    for arrived in legs:
        if not (arrived.imports or arrived.shipment.procedure in _TRANSITS):
            continue
        exports = _mirrors(arrived, legs, keys)
        if not exports:
            continue
        shared = min(keys[arrived.index] & keys[exports[0].index], key=lambda key: _RANK[key[0]])
        stage = (arrived.shipment.procedure, "" if arrived.imports else arrived.territory)
        met = [group for group in groups if group.stage == stage and any(leg in group.exports for leg in exports)]
        group = _Group(stage, exports, [arrived], f"{shared[0].replace('_', ' ')} {shared[1]}")
        for other in met:
            groups.remove(other)
            group.exports = [*other.exports, *(leg for leg in group.exports if leg not in other.exports)]
            group.imports = [*other.imports, *group.imports]
            group.via = other.via
        groups.append(group)
    return groups


def _mirrors(arrived: Leg, legs: Sequence[Leg], keys: dict[int, _Keys]) -> list[Leg]:
    """Exports from the territory that the goods came from: by documents, else in one container."""
    origin = arrived.shipment.export_territory
    pairs = [
        leg
        for leg in legs
        if leg.exports
        and leg.territory != arrived.territory
        and leg.at <= arrived.at + EARLIEST_S
        and origin in ("", leg.territory)
        and keys[leg.index] & keys[arrived.index]
    ]
    documented = [leg for leg in pairs if any(key[0] != _CONTAINER for key in keys[leg.index] & keys[arrived.index])]
    pairs = documented or _in_container(arrived, pairs, legs, keys)
    return [leg for leg in pairs if leg.territory == pairs[-1].territory]


def _in_container(arrived: Leg, exports: Sequence[Leg], legs: Sequence[Leg], keys: dict[int, _Keys]) -> list[Leg]:
    """The container's last exports of one day, unless it was unloaded since: an import ends its trip."""
    if not exports or abs(arrived.at - exports[-1].at) > CONTAINER_S:
        return []
    last = [leg for leg in exports if exports[-1].at - leg.at <= SECONDS_A_DAY]
    unloaded = any(
        leg.imports
        and last[-1].at - EARLIEST_S <= leg.at < arrived.at
        and not (arrived.imports and leg.territory == arrived.territory and arrived.at - leg.at <= SECONDS_A_DAY)
        and keys[leg.index] & keys[arrived.index]
        for leg in legs
    )
    return [] if unloaded else last


_CONTAINER = "container"

_RANK = {"ucr": 0, "transport_document": 1, "previous_document": 2, _CONTAINER: 3}

_TRANSITS = frozenset({shipment_pb2.SHIPMENT_PROCEDURE_TRANSIT, shipment_pb2.SHIPMENT_PROCEDURE_TRANSSHIPMENT})


def _keys(shipment: shipment_pb2.Shipment) -> _Keys:
    """An arrival's previous document is an export's declaration number."""
    exports = shipment.procedure in EXPORTS
    containers = [compact(Scheme.CONTAINER, equipment.id) for equipment in shipment.equipment]
    keys: set[tuple[str, ...]] = {(_CONTAINER, container) for container in containers}
    for reference in shipment.references:
        value = reference.value.strip().upper()
        if not value:
            continue
        if reference.kind == goods_pb2.SHIPMENT_REFERENCE_KIND_UCR:
            keys.add(("ucr", compact(Scheme.UCR, value)))
        elif reference.kind == goods_pb2.SHIPMENT_REFERENCE_KIND_TRANSPORT_DOCUMENT:
            keys.update(("transport_document", value, container) for container in containers)
        elif reference.kind == _PREVIOUS[exports]:
            keys.add(("previous_document", value))
    return frozenset(keys)


_PREVIOUS = {
    True: goods_pb2.SHIPMENT_REFERENCE_KIND_DECLARATION,
    False: goods_pb2.SHIPMENT_REFERENCE_KIND_PREVIOUS_DOCUMENT,
}


def _side(name: str, legs: Sequence[Leg]) -> dict[str, object]:
    codes = list(dict.fromkeys(code for leg in legs for code in hs6_of(leg.shipment)))
    return {
        f"{name}.net_kg": sum(_net(leg.shipment) for leg in legs),
        f"{name}.gross_kg": sum(gross_kg(leg.shipment) for leg in legs),
        f"{name}.hs6": codes,
        f"{name}.hs4": list(dict.fromkeys(code[:4] for code in codes)),
        f"{name}.hs2": list(dict.fromkeys(code[:2] for code in codes)),
        f"{name}.controlled_hs6": sorted(frozenset().union(*(leg.controlled for leg in legs))),
        f"{name}.records": [leg.shipment.record_id for leg in legs],
    }


def _net(shipment: shipment_pb2.Shipment) -> float:
    return sum(map(net_kg, shipment.goods)) if shipment.goods else NOT_KNOWN


def _masses(exported: dict[str, object], imported: dict[str, object]) -> tuple[str, float, float]:
    """Gross, else net, else net of one side with gross of the other."""
    for basis, ours, theirs in (("gross", "gross", "gross"), ("net", "net", "net")):
        masses = exported[f"exported.{ours}_kg"], imported[f"imported.{theirs}_kg"]
        if _known(masses):
            return basis, masses[0], masses[1]
    for ours, theirs in (("net", "gross"), ("gross", "net")):
        masses = exported[f"exported.{ours}_kg"], imported[f"imported.{theirs}_kg"]
        if _known(masses):
            return "net_gross", masses[0], masses[1]
    return "none", NOT_KNOWN, NOT_KNOWN


def _known(masses: tuple[object, object]) -> TypeGuard[tuple[float, float]]:
    return all(isinstance(mass, float | int) and not math.isnan(mass) for mass in masses)


def _values(group: _Group) -> tuple[str, float, float]:
    """US dollars if all are known, else one common currency."""
    dollars = _total(group.exports, _usd), _total(group.imports, _usd)
    if not math.isnan(dollars[0]) and not math.isnan(dollars[1]):
        return "USD", *dollars
    currencies = {leg.shipment.total_value.currency_code for leg in (*group.exports, *group.imports)}
    if len(currencies) == 1 and "" not in currencies:
        return currencies.pop(), _total(group.exports, _declared_value), _total(group.imports, _declared_value)
    return "", NOT_KNOWN, NOT_KNOWN


def _total(legs: Iterable[Leg], value: Callable[[shipment_pb2.Shipment], float]) -> float:
    return sum(value(leg.shipment) for leg in legs)


def _usd(shipment: shipment_pb2.Shipment) -> float:
    if shipment.total_value.currency_code == "USD":
        return amount(shipment.total_value)
    return sum(map(value_usd, shipment.goods)) if shipment.goods else NOT_KNOWN


def _declared_value(shipment: shipment_pb2.Shipment) -> float:
    return amount(shipment.total_value)


def _freight(imports: Sequence[Leg], currency: str) -> float:
    stated = [leg.shipment.freight for leg in imports if leg.shipment.HasField("freight")]
    return sum(amount(money) for money in stated if money.currency_code == currency)


def reexport_cases(legs: Sequence[Leg]) -> Iterator[Case]:
    """A case for each import exported again by its territory: by subheading, or as controlled goods in all."""
    first = next((leg for leg in legs if leg.exports), None)
    kg = {leg.index: by_hs6(leg.shipment, net_kg) for leg in legs if leg.imports or leg.exports}
    stated: dict[str, int] = {}  # when a licence was stated first; legs are in order
    for leg in legs:
        for number in _licences(leg):
            stated.setdefault(number, leg.at)
    for imported in legs:
        for exported in legs:
            same_hub = imported.imports and exported.exports and imported.territory == exported.territory
            if same_hub and exported.at >= imported.at:
                destination = exported.shipment.destination_territory
                foreseen = first is not None and first is not exported and _destination(first) == destination != ""
                for hs6_in, hs6_out, kg_in, kg_out, both in _quantities(
                    imported, exported, kg[imported.index], kg[exported.index]
                ):
                    facts = {
                        "hub": imported.territory,
                        "hs6_in": hs6_in,
                        "hs6_out": hs6_out,
                        "both_controlled": both,
                        "kg_in": kg_in,
                        "kg_out": kg_out,
                        "days": (exported.at - imported.at) / SECONDS_A_DAY,
                        "destination": destination,
                        "foreseen": foreseen,
                        "licensed": any(stated[number] >= exported.at for number in _licences(exported)),
                    }
                    yield Case("reexport", facts, tuple(sorted((imported.index, exported.index))))


def _licences(leg: Leg) -> frozenset[str]:
    """Numbers of licences that a record states; later records state earlier ones again."""
    references = leg.shipment.references
    numbers = [each.value for each in references if each.kind == goods_pb2.SHIPMENT_REFERENCE_KIND_LICENCE]
    return frozenset((*numbers, *(licence.number for licence in leg.shipment.licences)))


def _destination(leg: Leg) -> str:
    return leg.shipment.destination_territory


def _quantities(
    imported: Leg, exported: Leg, kg_in: Mapping[str, float], kg_out: Mapping[str, float]
) -> Iterator[tuple[str, str, float, float, bool]]:
    """Subheadings, masses and control on both sides."""
    shared = [hs6 for hs6 in kg_in if hs6 in kg_out]
    for hs6 in shared:
        yield hs6, hs6, kg_in[hs6], kg_out[hs6], hs6 in imported.controlled and hs6 in exported.controlled
    if not shared and imported.controlled and exported.controlled:
        ours, theirs = sorted(imported.controlled), sorted(exported.controlled)
        total_in, total_out = sum(kg_in[hs6] for hs6 in ours), sum(kg_out[hs6] for hs6 in theirs)
        yield ", ".join(ours), ", ".join(theirs), total_in, total_out, True
