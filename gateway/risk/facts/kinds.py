"""Defines kinds of cases that rules can be about, with their facts.

Unknown numbers are NaN and unknown texts empty. Comparisons with NaN are false: write conditions that are true when
something is wrong, and a missing fact never fires a rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

ITEM = "gateway.v1.ShipmentGoods"
SHIPMENT = "gateway.v1.Shipment"
LICENCE = "gateway.v1.Licence"
CONTROLLED = "gateway.v1.ControlledItem"


LOOKED_FOR: Mapping[str, tuple[str, ...]] = MappingProxyType(
    dict.fromkeys(("series", "turns"), ("hs6", "controlled", "kg", "usd"))
)
"""Kinds that need other records, with the facts known before the search for `candidate`."""

_RESTRICTIONS = {"announcement": "string", "measure": "string", "status": "string", "text": "string"}

MAPS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "suspects": {
            "name": "string",
            "metal": "bool",
            "density": "double",
            "price_low": "double",
            "price_high": "double",
        },
        "restrictions": _RESTRICTIONS,
        "third_places": _RESTRICTIONS,
        "listed_parties": {
            "name": "string",
            "entity": "string",
            "list": "string",
            "announcement": "string",
            "sure": "bool",
            "status": "string",
            "text": "string",
        },
        "checked_licences": {"issuer": "string", "number": "string", "covers": "string", "why": "string"},
        "exports": {"days": "double", "kg": "double", "usd": "double", "record": "string", "exporter": "string"},
    }
)
"""Fields of variables of type `maps`, with types."""


@dataclass(frozen=True, slots=True)
class CaseKind:
    """A kind of case.

    Attributes:
        name: as in a rule's `about`.
        scope: `goods_item`, `shipment`, `pair` or `consignment`: the first two are evaluated on each record, the others
            on a whole trace, kinds in LOOKED_FOR on both.
        variables: name to type: `double`, `int`, `bool`, `string`, `timestamp`, a message's full name, `maps` (facts by
            name, in a list), or `list ` and one of the others.
    """

    name: str
    scope: str
    variables: Mapping[str, str]


class LazyFacts(dict[str, Any]):
    """Facts by name, of which some are found in a source when they are asked for."""

    __slots__ = ("_finders", "_source")

    def __init__(self, known: Mapping[str, Any], finders: Mapping[str, Callable[[Any], Any]], source: Any) -> None:
        """`finders`: find a fact in the source, by its name; all records share them."""
        super().__init__(known)
        self._finders = finders
        self._source = source

    def __missing__(self, name: str) -> Any:
        fact = self[name] = self._finders[name](self._source)
        return fact

    def complete(self) -> None:
        """Finds all."""
        for name in self._finders:
            _ = self[name]


@dataclass(slots=True)
class Case:
    """Facts of one kind for rules to evaluate.

    Attributes:
        facts: a value for every variable; some are only found when asked for by name (LazyFacts).
        legs: indexes of the records concerned.
        goods_sequence: of the goods item; 0 for none.
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
    # Listed, of known substance, or vaguely described.
    CaseKind(
        "goods",
        "goods_item",
        {
            "item": ITEM,
            "shipment": SHIPMENT,  # without goods, events, inspections
            "controlled": f"list {CONTROLLED}",  # lines that the item matches
            "control_notes": "list string",  # what the list says about those lines, each note once
            "restrictions": "maps",  # on the way to the destination: announcement, measure, status, text
            "third_places": "maps",  # the same, for goods that leave other territories than the list's
            "listed_parties": "maps",  # that goods go to: name, entity, list, announcement, sure, status, text
            "licences": f"list {LICENCE}",  # of the record; in a trace of all records
            "licence_references": "list string",
            "licences_known": "bool",  # whether the records say which licences were presented
            "checked_licences": "maps",  # those that the node knows: issuer, number, covers (yes, no, partly), why
            "judged_at": "timestamp",  # export declaration, if known
            "net_kg": "double",
            "volume_m3": "double",  # of all packages
            "usd": "double",
            "declared.name": "string",  # declared substance
            "declared.cover": "bool",
            "declared.density_low": "double",  # g/cm³
            "declared.density_high": "double",
            "declared.price_low": "double",  # USD/kg
            "declared.price_high": "double",
            "declared.price_confidence": "string",
            "suspects": "maps",  # substances under control that day: name, metal, density, price_low, price_high
            "vague_terms": "list string",
            "other_words": "int",
            "named": "list string",  # substances in the description
            "consignees": "list string",
            "forwarder_terms": "list string",  # forwarder's words in consignees' names
            "forwarder_sure": "bool",
        },
    ),
    # A subheading of a record, under which inspections found something before; not on traces.
    CaseKind(
        "findings",
        "goods_item",
        {"hs6": "string", "inspected": "int", "confirmed": "int"},  # records of this node, declared earlier
    ),
    # A shipment with known destination and route.
    CaseKind(
        "route", "shipment", {"declared_destination": "string", "route_end": "string", "controlled_goods": "bool"}
    ),
    # An identifier that breaks its scheme's rules.
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
    # Two consecutive masses of one thing.
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
    # Two consecutive sightings of a container's seals and locks.
    CaseKind(
        "seals",
        "shipment",
        {
            "container": "string",
            "before.seals": "list string",
            "before.at": "timestamp",
            "after.seals": "list string",
            "after.at": "timestamp",
            "events": "list string",  # kinds of seal events in between, lower case
        },
    ),
    # A total beside the sum of the items.
    CaseKind(
        "totals",
        "shipment",
        {
            "what": "string",  # value, gross mass, net mass (of the items, beside the gross mass of all)
            "stated": "double",
            "items": "double",
            "freight": "double",  # stated in the same currency; 0 if not
            "unit": "string",  # the currency, or kg
        },
    ),
    # Two consecutive places of a route leg, or of a container's events, with known positions, faster than 30 km/h.
    CaseKind(
        "passage",
        "shipment",
        {
            "container": "string",
            "before.place": "string",
            "before.at": "timestamp",
            "after.place": "string",
            "after.at": "timestamp",
            "kilometres": "double",  # in a straight line
            "minutes": "double",
            "modes": "list string",  # of the leg, else of all records; empty: unknown
        },
    ),
    # A lock or seal that was taken off.
    CaseKind(
        "opening",
        "shipment",
        {
            "what": "string",  # lock, seal
            "container": "string",
            "seal": "string",
            "at": "timestamp",
            "place": "string",
            "at_control_point": "bool",  # an office, a known place, or an end of the route
            "minutes_left": "double",  # until the goods arrived, if they were under way
            "inspected": "bool",  # within two hours
        },
    ),
    # Export and import records of one consignment.
    CaseKind(
        "mirror",
        "pair",
        {
            **_side("exported"),
            **_side("imported"),
            "via": "string",  # the common reference
            "basis": "string",  # masses compared: gross, net, net_gross (net of one side with gross of the other), none
            "freight": "double",  # stated at import; 0 if not
            "currency": "string",  # of both values; empty if not comparable
        },
    ),
    # An export without a record at its destination's gateway.
    CaseKind(
        "missing",
        "pair",
        {
            "destination": "string",
            "mode": "string",  # sea, rail, road, air, …
            "days": "double",  # since departure or declaration
            "answered": "bool",  # whether that gateway gave all its records
            "record": "string",
        },
    ),
    # Goods imported and exported again by one territory.
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
            "licensed": "bool",  # whether the re-export states a licence that no earlier record does
        },
    ),
    # Goods that came to a territory and left it again, as they were declared each time.
    CaseKind(
        "relabelling",
        "pair",
        {
            "hub": "string",
            "via": "string",  # the common reference or container; empty: equal masses alone
            "hs6_in": "list string",
            "hs6_out": "list string",
            "hs4_in": "list string",
            "hs4_out": "list string",
            "controlled_in": "bool",
            "controlled_out": "bool",
            "origins_in": "list string",
            "origins_out": "list string",
            "elements_in": "list string",
            "elements_out": "list string",
            "kg_in": "double",
            "kg_out": "double",
            "days": "double",
            "destination": "string",
            "records": "list string",
        },
    ),
    # A record with another destination than the first export declaration.
    CaseKind(
        "destination",
        "consignment",
        {
            "declared_destination": "string",
            "later_destination": "string",
            "record": "string",
            "controlled_goods": "bool",
            "entrepot": "bool",  # it leaves the declared destination again, where it had arrived
        },
    ),
    # The consignment's territories, in order.
    CaseKind(
        "path",
        "consignment",
        {"path": "list string", "territories": "int", "days": "double"},
    ),
    # An export among others of one exporter, subheading and node.
    CaseKind(
        "series",
        "consignment",
        {
            "exporter": "string",
            "hs6": "string",
            "controlled": "bool",  # whether this export's goods are under control
            "kg": "double",  # of this export
            "usd": "double",
            "exports": "maps",  # this one and those around it: days (since the first), kg, usd, record, exporter
            "usual_kg_a_day": "double",  # before them
        },
    ),
    # An export among those of several exporters to one consignee, of one subheading and node.
    CaseKind(
        "turns",
        "consignment",
        {
            "consignee": "string",
            "exporters": "list string",
            "hs6": "string",
            "controlled": "bool",
            "kg": "double",
            "usd": "double",
            "exports": "maps",  # as of a series
            "usual_kg_a_day": "double",  # to that consignee, before them
        },
    ),
)
