"""What rules can be about, and which facts they find there.

A number that isn't known is NaN and a text that isn't known is empty: comparisons with NaN are false, so write
conditions that are true when something is wrong, and a missing fact never makes a rule fire.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

ITEM = "gateway.v1.ShipmentGoods"
SHIPMENT = "gateway.v1.Shipment"
LICENCE = "gateway.v1.Licence"
CONTROLLED = "gateway.v1.ControlledItem"

SCOPES = ("goods_item", "shipment", "pair", "consignment")

LOOKED_FOR: Mapping[str, tuple[str, ...]] = MappingProxyType({"series": ("hs6", "controlled", "kg", "usd")})
"""Kinds whose facts are in other records, which are looked for, with the facts that are known before: by these a rule
says for which records to look (`candidate`)."""

MAPS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "suspects": {
            "name": "string",
            "metal": "bool",
            "density": "double",
            "price_low": "double",
            "price_high": "double",
        },
        "exports": {"days": "double", "kg": "double", "usd": "double", "record": "string"},
    }
)
"""Names and types of what is in variables of type `maps`."""


@dataclass(frozen=True, slots=True)
class CaseKind:
    """One kind of case that a rule can be about.

    Attributes:
        name: what a rule names in `about`.
        scope: where its cases come from, one of SCOPES: items and shipments are judged on each record, pairs and
            consignments on a whole trace. What is LOOKED_FOR is judged on both.
        variables: name to type: `double`, `int`, `bool`, `string`, `timestamp`, a message's full name, `maps` (facts by
            name, in a list), or `list ` and one of the others.
    """

    name: str
    scope: str
    variables: Mapping[str, str]


@dataclass(slots=True)
class Case:
    """Something that rules judge: facts of one kind, and what they are about.

    Attributes:
        kind: name of its kind.
        facts: a value for every variable of the kind.
        legs: indexes of the records that it is about.
        goods_sequence: sequence of the goods item; 0: not about one.
    """

    kind: str
    facts: dict[str, Any]
    legs: tuple[int, ...] = ()
    goods_sequence: int = field(default=0)


def _kinds(*kinds: CaseKind) -> Mapping[str, CaseKind]:
    return MappingProxyType({kind.name: kind for kind in kinds})


def _side(name: str) -> dict[str, str]:
    return {
        f"{name}.kg": "double",
        f"{name}.net_kg": "double",
        f"{name}.gross_kg": "double",
        f"{name}.value": "double",
        f"{name}.hs6": "list string",
        f"{name}.hs4": "list string",
        f"{name}.hs2": "list string",
        f"{name}.controlled_hs6": "list string",
        f"{name}.records": "list string",
    }


KINDS = _kinds(
    # A goods item that is on the control list, or whose substance is known, or whose description says nothing.
    CaseKind(
        "goods",
        "goods_item",
        {
            "item": ITEM,
            "shipment": SHIPMENT,  # without goods, events, inspections
            "controlled": f"list {CONTROLLED}",  # lines of the list that the item meets
            "licences": f"list {LICENCE}",  # of the record; in a trace of all records
            "licence_references": "list string",
            "judged_at": "timestamp",  # when the export was declared, as far as known
            "net_kg": "double",
            "volume_m3": "double",  # of all packages
            "usd": "double",
            "declared.name": "string",  # the substance that the item says it is
            "declared.cover": "bool",
            "declared.density_low": "double",  # g/cm³
            "declared.density_high": "double",
            "declared.price_low": "double",  # USD/kg
            "declared.price_high": "double",
            "declared.price_confidence": "string",
            "suspects": "maps",  # substances under control that day: name, metal, density, price_low, price_high
            "vague_terms": "list string",
            "other_words": "int",
            "named": "list string",  # substances that the description names
            "consignees": "list string",
            "forwarder_terms": "list string",  # a forwarder's words in consignees' names
            "forwarder_sure": "bool",
        },
    ),
    # A shipment whose declared destination and whose route are both known.
    CaseKind(
        "route", "shipment", {"declared_destination": "string", "route_end": "string", "controlled_goods": "bool"}
    ),
    # An identifier that doesn't fit the rules of its scheme.
    CaseKind(
        "identifier",
        "shipment",
        {
            "doubt.path": "string",
            "doubt.scheme": "string",
            "doubt.value": "string",  # empty for a person's
            "doubt.code": "string",  # format, check_digit, unknown_code
            "doubt.message": "string",
        },
    ),
    # Two masses of the same thing, one after the other.
    CaseKind(
        "masses",
        "shipment",
        {
            "before.kg": "double",
            "before.source": "string",  # declaration, manifest, vgm, weighbridge, inspection
            "before.at": "timestamp",
            "after.kg": "double",
            "after.source": "string",
            "after.at": "timestamp",
            "container": "string",  # empty: the whole shipment
        },
    ),
    # Seals and locks of one container as seen twice, one after the other.
    CaseKind(
        "seals",
        "shipment",
        {
            "container": "string",
            "before.seals": "list string",
            "before.at": "timestamp",
            "after.seals": "list string",
            "after.at": "timestamp",
            "events": "list string",  # what was done to seals in between: kinds of events in lower case
        },
    ),
    # Export and import records of one consignment.
    CaseKind(
        "mirror",
        "pair",
        {
            **_side("exported"),
            **_side("imported"),
            "via": "string",  # the reference that joins them
            "basis": "string",  # masses compared: gross, net, net_gross (net of one side with gross of the other), none
            "freight": "double",  # stated at import; 0 where not
            "currency": "string",  # of both values; empty where they can't be compared
        },
    ),
    # An export record whose destination's gateway knows no record of the consignment.
    CaseKind(
        "missing",
        "pair",
        {
            "destination": "string",
            "mode": "string",  # sea, rail, road, air, …
            "days": "double",  # since departure or declaration
            "answered": "bool",  # whether the destination's gateway gave all records that it has
            "record": "string",
        },
    ),
    # The same goods imported and exported again by one territory.
    CaseKind(
        "reexport",
        "pair",
        {
            "hub": "string",
            "hs6_in": "string",
            "hs6_out": "string",
            "both_controlled": "bool",
            "kg_in": "double",
            "kg_out": "double",
            "days": "double",
            "destination": "string",  # of the re-export
            "foreseen": "bool",  # whether the first export named that destination
        },
    ),
    # A record that names another destination than the first export declaration.
    CaseKind(
        "destination",
        "consignment",
        {
            "declared_destination": "string",
            "later_destination": "string",
            "record": "string",
            "controlled_goods": "bool",
        },
    ),
    # The territories that a consignment went through, in order.
    CaseKind(
        "path",
        "consignment",
        {"path": "list string", "territories": "int", "days": "double"},
    ),
    # An export, with others of the same exporter under the same subheading at the same node.
    CaseKind(
        "series",
        "consignment",
        {
            "exporter": "string",
            "hs6": "string",
            "controlled": "bool",  # whether goods of this export under the subheading are under control
            "kg": "double",  # of this export
            "usd": "double",
            "exports": "maps",  # this one and those around it: days (since the first), kg, usd, record
            "usual_kg_a_day": "double",  # exported before them
        },
    ),
)
"""All kinds by name."""
