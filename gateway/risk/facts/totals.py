"""Finds totals of a record that should agree with the sum of its items."""

from __future__ import annotations

import math
from collections.abc import Iterator

from gateway.risk.facts.consignments import net_kg
from gateway.risk.facts.goods import amount, value_usd
from gateway.risk.facts.kinds import Case
from gateway.risk.facts.substances import NOT_KNOWN
from gateway.v1 import shipment_pb2


def totals_cases(shipment: shipment_pb2.Shipment, *, leg: int = 0) -> Iterator[Case]:
    """A case for each total that differs from the items, where all of them are known."""
    for what, stated, items, freight, unit in (_values(shipment), *_masses(shipment)):
        if not (math.isnan(stated) or math.isnan(items) or stated == items):
            facts = {"what": what, "stated": stated, "items": items, "freight": freight, "unit": unit}
            yield Case("totals", facts, (leg,))


def _values(shipment: shipment_pb2.Shipment) -> tuple[str, float, float, float, str]:
    currency = shipment.total_value.currency_code
    items = NOT_KNOWN
    if shipment.goods and currency:
        if all(item.customs_value.currency_code == currency for item in shipment.goods):
            items = sum(amount(item.customs_value) for item in shipment.goods)
        elif currency == "USD":
            items = sum(map(value_usd, shipment.goods))
    freight = amount(shipment.freight) if shipment.freight.currency_code == currency else 0.0
    return "value", amount(shipment.total_value) if currency else NOT_KNOWN, items, freight, currency


def _masses(shipment: shipment_pb2.Shipment) -> Iterator[tuple[str, float, float, float, str]]:
    if not shipment.HasField("gross_mass_kg") or not shipment.goods:
        return
    if all(item.HasField("gross_mass_kg") for item in shipment.goods):
        items = sum(item.gross_mass_kg for item in shipment.goods)
        yield "gross mass", shipment.gross_mass_kg, items, 0.0, "kg"
    yield "net mass", shipment.gross_mass_kg, sum(map(net_kg, shipment.goods)), 0.0, "kg"
