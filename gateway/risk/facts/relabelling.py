"""Finds goods that came to a territory and left it again, as they were declared each time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from gateway.contract.identification.identifiers import Scheme, compact
from gateway.risk.facts.consignments import SECONDS_A_DAY, Leg, hs6_of, net_kg
from gateway.risk.facts.kinds import Case
from gateway.v1 import goods_pb2, shipment_pb2

_ARRIVALS = frozenset(
    {
        shipment_pb2.SHIPMENT_PROCEDURE_IMPORT,
        shipment_pb2.SHIPMENT_PROCEDURE_TRANSIT,
        shipment_pb2.SHIPMENT_PROCEDURE_TRANSSHIPMENT,
    }
)

_DOCUMENTS = frozenset(
    {
        goods_pb2.SHIPMENT_REFERENCE_KIND_DECLARATION,
        goods_pb2.SHIPMENT_REFERENCE_KIND_PREVIOUS_DOCUMENT,
        goods_pb2.SHIPMENT_REFERENCE_KIND_TRANSPORT_DOCUMENT,
        goods_pb2.SHIPMENT_REFERENCE_KIND_UCR,
    }
)


def relabelling_cases(legs: Sequence[Leg]) -> Iterator[Case]:
    """A case for each arrival in a territory and later departure from it.

    Of several departures the one that names the arrival's documents or container counts; without such a one, each.
    """
    for arrived in legs:
        if arrived.shipment.procedure not in _ARRIVALS:
            continue
        departures = [
            leg for leg in legs if leg.exports and leg.territory == arrived.territory and leg.at >= arrived.at
        ]
        linked = [leg for leg in departures if _via(arrived, leg)]
        for departed in linked or departures:
            yield _case(arrived, departed)


def _case(arrived: Leg, departed: Leg) -> Case:
    facts: dict[str, object] = {
        "hub": arrived.territory,
        "via": _via(arrived, departed),
        "days": (departed.at - arrived.at) / SECONDS_A_DAY,
        "destination": departed.shipment.destination_territory,
        "records": [arrived.shipment.record_id, departed.shipment.record_id],
    }
    for side, leg in (("in", arrived), ("out", departed)):
        goods, codes = leg.shipment.goods, hs6_of(leg.shipment)
        facts |= {
            f"hs6_{side}": codes,
            f"hs4_{side}": list(dict.fromkeys(code[:4] for code in codes)),
            f"controlled_{side}": bool(leg.controlled),
            f"origins_{side}": sorted({item.origin_territory for item in goods if item.origin_territory}),
            f"elements_{side}": sorted({item.element for item in goods if item.element}),
            f"kg_{side}": sum(map(net_kg, goods)) if goods else math.nan,
        }
    return Case("relabelling", facts, tuple(sorted((arrived.index, departed.index))))


def _via(one: Leg, other: Leg) -> str:
    """What both records name; empty: nothing."""
    documents = _documents(one.shipment) & _documents(other.shipment)
    if documents:
        return f"document {min(documents)}"
    containers = _containers(one.shipment) & _containers(other.shipment)
    return f"container {min(containers)}" if containers else ""


def _documents(shipment: shipment_pb2.Shipment) -> frozenset[str]:
    values = [reference.value for reference in shipment.references if reference.kind in _DOCUMENTS]
    plain = ("".join(filter(str.isalnum, value)).upper() for value in (*values, shipment.record_id))
    return frozenset(value for value in plain if len(value) >= 6)


def _containers(shipment: shipment_pb2.Shipment) -> frozenset[str]:
    return frozenset(compact(Scheme.CONTAINER, equipment.id) for equipment in shipment.equipment)
