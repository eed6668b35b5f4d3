"""Finds facts about goods items: declared substance, control, wording.

An item is a case if its subheading is listed, its substance known, or its description vague; others cost two look-ups.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.risk.facts.controlled import Controls, local_day
from gateway.risk.facts.kinds import Case
from gateway.risk.facts.substances import NOT_KNOWN, Substances
from gateway.risk.facts.terms import GoodsTerms
from gateway.v1 import goods_pb2, party_pb2, shipment_pb2, trace_pb2

_CONSIGNEES = (party_pb2.PARTY_ROLE_CONSIGNEE, party_pb2.PARTY_ROLE_IMPORTER, party_pb2.PARTY_ROLE_BUYER)
"""Roles of the final consignee; the first one present."""


_FIRST_S, _LAST_S = -62_135_510_400, 253_402_214_399
"""Years 1 to 9999 in seconds since 1970, without the first and last day, which mean for ever."""


@dataclass(frozen=True, slots=True)
class Papers:
    """Licences of a consignment, and the time of its export declaration, if known."""

    licences: Sequence[shipment_pb2.Licence] = ()
    references: Sequence[str] = ()
    exported_at: Timestamp | None = None


@dataclass(frozen=True, slots=True)
class GoodsFacts:
    """Finds facts about goods items."""

    controls: Controls
    substances: Substances
    terms: GoodsTerms

    def cases(self, shipment: shipment_pb2.Shipment, *, leg: int = 0, papers: Papers | None = None) -> Iterator[Case]:
        """A case for each item of interest.

        Args:
            leg: index in the trace.
            papers: of the consignment; None: the record's own.
        """
        frame: _Frame | None = None
        for item in shipment.goods:
            if self._interesting(item):
                frame = frame or _Frame(shipment, self.terms, papers)
                yield self._case(item, frame, leg)

    def _interesting(self, item: shipment_pb2.ShipmentGoods) -> bool:
        if item.substance or self.controls.lists(item):
            return True
        has_code = self.substances.has_code
        if any(has_code(code.code) for code in item.codes):
            return True
        wording = self.terms.wording(item.description)
        return bool(wording.vague) and wording.other_words == 0

    def _case(self, item: shipment_pb2.ShipmentGoods, frame: _Frame, leg: int) -> Case:
        shipment = frame.shipment
        declared = self.substances.declared(
            [code.code for code in item.codes], substance=item.substance, element=item.element, text=item.description
        )
        on = local_day(shipment.declared_at, shipment.utc_offset_minutes)
        suspects = self.substances.suspects(self.controls.elements_on(on))
        elements = declared.elements
        wording = self.terms.wording(item.description)
        controlled = self.controls.of_item(item, shipment)
        density_low, density_high = declared.densities
        price_low, price_high = declared.prices
        facts = {
            **frame.facts,
            "item": item,
            "controlled": controlled,
            "control_notes": control_notes(controlled),
            "restrictions": [
                {
                    "announcement": restriction.announcement.key,
                    "measure": restriction.announcement.measure.value,
                    "status": restriction.status.value,
                    "text": restriction.text,
                }
                for restriction in self.controls.restrictions(controlled, shipment)
            ],
            "net_kg": item.net_mass_kg if item.HasField("net_mass_kg") else NOT_KNOWN,
            "volume_m3": volume(item),
            "usd": value_usd(item),
            "declared.name": declared.name,
            "declared.cover": declared.cover,
            "declared.density_low": density_low,
            "declared.density_high": density_high,
            "declared.price_low": price_low,
            "declared.price_high": price_high,
            "declared.price_confidence": declared.price_confidence,
            "suspects": [
                {
                    "name": suspect.name,
                    "metal": suspect.metal,
                    "density": suspect.density,
                    "price_low": suspect.price_low,
                    "price_high": suspect.price_high,
                }
                for suspect in suspects
                if not suspect.elements & elements
            ],
            "vague_terms": list(wording.vague),
            "other_words": wording.other_words,
            "named": [substance.name for substance in self.substances.named(item.description)],
        }
        return Case("goods", facts, (leg,), item.sequence)


def control_notes(controlled: Iterable[trace_pb2.ControlledItem]) -> list[str]:
    """Each note of some lines once, after the first code or substance that has it."""
    first: dict[str, str] = {}
    for line in controlled:
        if line.note:
            first.setdefault(line.note, line.code or line.substance)
    return [f"{about}: {note}" for note, about in first.items()]


class _Frame:
    """Shared by all items of a record."""

    def __init__(self, shipment: shipment_pb2.Shipment, terms: GoodsTerms, papers: Papers | None) -> None:
        self.shipment = shipment
        papers = papers or papers_of([shipment])
        consignees = [name.text for party in final_consignees(shipment) for name in party.names if name.text]
        words, sure = terms.forwarder(" | ".join(consignees)) if consignees else ((), False)
        judged_at = papers.exported_at or shipment.declared_at
        self.facts = {
            "shipment": _light(shipment),
            "licences": list(papers.licences),
            "licence_references": list(papers.references),
            "judged_at": moment(judged_at),
            "consignees": consignees,
            "forwarder_terms": list(words),
            "forwarder_sure": sure,
        }


def papers_of(shipments: Sequence[shipment_pb2.Shipment]) -> Papers:
    """Papers of some records."""
    exports = [
        shipment.declared_at for shipment in shipments if shipment.procedure == shipment_pb2.SHIPMENT_PROCEDURE_EXPORT
    ]
    return Papers(
        licences=_distinct(licence for shipment in shipments for licence in shipment.licences),
        references=[
            reference.value
            for shipment in shipments
            for reference in shipment.references
            if reference.kind == goods_pb2.SHIPMENT_REFERENCE_KIND_LICENCE
        ],
        exported_at=min(exports, key=lambda at: (at.seconds, at.nanos), default=None),
    )


def _distinct(licences: Iterable[shipment_pb2.Licence]) -> list[shipment_pb2.Licence]:
    """Every record of a consignment presents its licences again."""
    return list({licence.SerializeToString(deterministic=True): licence for licence in licences}.values())


def final_consignees(shipment: shipment_pb2.Shipment) -> list[party_pb2.Party]:
    """Parties to whom the goods finally go."""
    for role in _CONSIGNEES:
        parties = [party for party in shipment.parties if party.role == role]
        if parties:
            return parties
    return []


def moment(at: Timestamp) -> datetime:
    """A timestamp with zone, clipped to valid dates."""
    seconds = min(max(at.seconds, _FIRST_S), _LAST_S)
    return datetime.fromtimestamp(seconds, UTC)


def word(enum: Any, value: int, prefix: str) -> str:
    """An enum value's name, lower case, without prefix; empty for values of a newer contract."""
    known = enum.DESCRIPTOR.values_by_number.get(value)
    return known.name.removeprefix(prefix).lower() if known else ""


def volume(item: shipment_pb2.ShipmentGoods) -> float:
    """In cubic metres; NaN if a package's is unknown."""
    if not item.packages or not all(package.HasField("volume_m3") for package in item.packages):
        return NOT_KNOWN
    return sum(package.volume_m3 for package in item.packages)


def value_usd(item: shipment_pb2.ShipmentGoods) -> float:
    """NaN if not given in US dollars."""
    if item.HasField("value_usd"):
        return item.value_usd
    if item.HasField("customs_value") and item.customs_value.currency_code == "USD":
        return amount(item.customs_value)
    return NOT_KNOWN


def amount(money: goods_pb2.Money) -> float:
    """Money in units of its currency."""
    return money.units + money.nanos / 1_000_000_000


def _light(shipment: shipment_pb2.Shipment) -> shipment_pb2.Shipment:
    """A record without large parts: rules about an item get the item itself."""
    light = shipment_pb2.Shipment()
    light.CopyFrom(shipment)
    light.ClearField("goods")
    light.ClearField("events")
    light.ClearField("inspections")
    return light
