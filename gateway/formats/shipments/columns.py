"""Defines the CSV columns of shipments and their fields in the contract."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from types import MappingProxyType

from gateway.errors import MalformedError
from gateway.formats.tables.cell_values import (
    RFC3339,
    Format,
    as_count,
    as_enum,
    as_known_territory,
    as_mass,
    as_number,
    as_time,
    one_of,
    read_known_territory,
    read_time,
    split_identifier,
)
from gateway.formats.tables.fields import Column, Field, Read, as_parts, as_text
from gateway.formats.tables.layout import Table
from gateway.formats.tables.mapping import Extra, Family, MappingKind, Zone
from gateway.formats.tables.notation import OWN, PARTED
from gateway.formats.transport_modes import mode_of
from gateway.v1 import goods_pb2, party_pb2, shipment_pb2

ROLES: Mapping[str, party_pb2.PartyRole.ValueType] = MappingProxyType(
    {name.removeprefix("PARTY_ROLE_").lower(): number for name, number in party_pb2.PartyRole.items() if number}
)
"""Words for parties' roles, as columns begin."""

PARTY_FIELDS = tuple(f"{role}_{part}" for role in ROLES for part in ("name", "id", "address"))

PLACES = ("office", "route", "event_place")
PLACE_KINDS = ("own", "unlocode", "customs_code", "name")
"""Notations of a place: UNLOCODE|territory|name|office, a UN/LOCODE, a customs office's code, or a name."""

NOBODY = "-"
"""The member of a release list without members."""

MOST_PARTS = 8
"""A licence has six, a container seven seals."""

_MILLIGRAM = Decimal("0.000001")
"""Step to which kilograms and cubic metres are rounded: exports carry binary noise such as 73.72000000000001."""

_SCHEME = re.compile(r"[a-z][a-z0-9_]{0,47}")


def _one(path: str = "", read: Read = as_text) -> Column:
    return Column(path=path, read=read, own=PARTED, parts=MOST_PARTS)


def _many(path: str = "", read: Read = as_parts) -> Column:
    return Column(path=path, read=read, own=OWN, parts=MOST_PARTS, many=True)


def _field(read: Read = as_text, *, many: bool = False) -> Field:
    return Field(read=read, own=OWN if many else PARTED, parts=MOST_PARTS, many=many)


def rounded(value: Decimal) -> float:
    """Kilograms or cubic metres without binary noise."""
    return float(value.quantize(_MILLIGRAM, rounding=ROUND_HALF_EVEN))


def _mass(parts: list[str], form: Format) -> float:
    return rounded(as_mass(parts, form))


def _volume(parts: list[str], form: Format) -> float:
    return rounded(as_number(parts, form))


def _float(parts: list[str], form: Format) -> float:
    return float(as_number(parts, form))


def _reference(kind: goods_pb2.ShipmentReferenceKind.ValueType) -> Column:
    def read(parts: list[str], _: Format) -> goods_pb2.ShipmentReference:
        return goods_pb2.ShipmentReference(kind=kind, value=parts[0], territory=read_known_territory(parts[1]))

    return _many("references", read)


def _weighed(source: shipment_pb2.MassSource.ValueType) -> Column:
    def read(parts: list[str], form: Format) -> shipment_pb2.MeasuredMass:
        return shipment_pb2.MeasuredMass(mass_kg=_mass(parts, form), source=source)

    return _one("masses", read)


def _licence(parts: list[str], _: Format) -> shipment_pb2.Licence:
    number, kind, authority, territory, first, last, *_more = parts
    licence = shipment_pb2.Licence(number=number, type=kind, authority=authority)
    licence.territory = read_known_territory(territory)
    for text, stamp in ((first, licence.valid_from), (last, licence.valid_until)):
        if text:
            stamp.CopyFrom(read_time(text)[0])
    return licence


def _name(parts: list[str], _: Format) -> party_pb2.Name:
    return party_pb2.Name(text=parts[0], script=parts[1], language=parts[2])


def _identifier(parts: list[str], _: Format) -> party_pb2.Identifier:
    scheme, value = split_identifier(parts[0])
    return party_pb2.Identifier(scheme=scheme, value=value, territory=read_known_territory(parts[1]))


def _address(parts: list[str], _: Format) -> party_pb2.Address:
    return party_pb2.Address(street=parts[0], city=parts[1], territory=read_known_territory(parts[2]))


def _mode(parts: list[str], _: Format) -> goods_pb2.TransportMode.ValueType:
    mode = mode_of(parts[0])
    if mode is None:
        raise MalformedError(f"{parts[0][:40]!r} is no mode of UN/ECE Recommendation 19, such as 3 or road")
    return mode


def _registration(parts: list[str], _: Format) -> goods_pb2.TransportMeans.Identifier:
    scheme, value = split_identifier(parts[0])
    return goods_pb2.TransportMeans.Identifier(scheme=scheme, value=value)


def _imo_number(parts: list[str], _: Format) -> goods_pb2.TransportMeans.Identifier:
    return goods_pb2.TransportMeans.Identifier(scheme="imo_ship", value=parts[0])


_TERRITORY = _field(as_known_territory)
_TEXT = _field()
_NUMBER = _field(as_number)
_TIME = _field(as_time)
_PARTY: Mapping[str, Field] = MappingProxyType(
    {"name": _field(_name, many=True), "id": _field(_identifier, many=True), "address": _field(_address)}
)

SHIPMENT: Mapping[str, Field] = MappingProxyType(
    {
        "procedure": _one("procedure", as_enum(shipment_pb2.ShipmentProcedure, "SHIPMENT_PROCEDURE_")),
        "declared_at": _TIME,
        "office": _field(as_parts),
        "office_territory": _TERRITORY,
        "declaration": _reference(goods_pb2.SHIPMENT_REFERENCE_KIND_DECLARATION),
        "ucr": _reference(goods_pb2.SHIPMENT_REFERENCE_KIND_UCR),
        "transport_documents": _reference(goods_pb2.SHIPMENT_REFERENCE_KIND_TRANSPORT_DOCUMENT),
        "previous_documents": _reference(goods_pb2.SHIPMENT_REFERENCE_KIND_PREVIOUS_DOCUMENT),
        "licences": _many("licences", _licence),
        **{name: _PARTY[name.rpartition("_")[2]] for name in PARTY_FIELDS},
        "containers": _field(many=True),
        "seals": _field(as_parts, many=True),
        "e_locks": _field(many=True),
        "mode": _one("mode", _mode),
        "plates": _many("registrations", _registration),
        "vessel": _one("name"),
        "imo": _one("registrations", _imo_number),
        "voyage": _one("journey"),
        "route": _field(as_parts, many=True),
        "departed_at": _TIME,
        "arrived_at": _TIME,
        "manifest_mass_kg": _weighed(shipment_pb2.MASS_SOURCE_MANIFEST),
        "vgm_kg": _weighed(shipment_pb2.MASS_SOURCE_VGM),
        "weighbridge_mass_kg": _weighed(shipment_pb2.MASS_SOURCE_WEIGHBRIDGE),
        "inspection_mass_kg": _weighed(shipment_pb2.MASS_SOURCE_INSPECTION),
        "export_territory": _one("export_territory", as_known_territory),
        "destination_territory": _one("destination_territory", as_known_territory),
        "package_count": _one("package_count", as_count),
        "total_gross_mass_kg": _one("gross_mass_kg", _mass),
        "total_value": _NUMBER,
        "total_currency": _TEXT,
        "freight": _NUMBER,
        "freight_currency": _TEXT,
        "incoterms": _one("incoterms"),
        "retention_class": _one("retention_class"),
        "releasable_to": _field(many=True),
    }
)
"""Fields of a whole shipment."""

MEANS = ("mode", "plates", "vessel", "imo", "voyage")
"""Fields of the means of transport: their paths are those of TransportMeans."""

GOODS: Mapping[str, Field] = MappingProxyType(
    {
        "item": _one("sequence", as_count),
        "hs_code": _field(many=True),
        "tariff_territory": _TERRITORY,
        "description": _one("description"),
        "substance": _one("substance"),
        "element": _one("element"),
        "purity_percent": _one("purity_percent", _float),
        "form": _one("form"),
        "net_mass_kg": _one("net_mass_kg", _mass),
        "gross_mass_kg": _one("gross_mass_kg", _mass),
        "supplementary_quantity": _one("supplementary_quantity", _float),
        "packages": _field(as_count),
        "package_type": _TEXT,
        "package_volume_m3": _field(_volume),
        "package_marks": _TEXT,
        "value": _NUMBER,
        "currency": _TEXT,
        "value_usd": _one("value_usd", _float),
        "origin": _one("origin_territory", as_known_territory),
    }
)
"""Fields of a line's goods item."""

EVENT: Mapping[str, Field] = MappingProxyType(
    {
        "event": _one("kind", as_enum(shipment_pb2.ShipmentEventKind, "SHIPMENT_EVENT_KIND_")),
        "event_at": _TIME,
        "event_place": _field(as_parts),
        "event_territory": _TERRITORY,
        "event_source": _one("source"),
        "event_container": _one("equipment_id"),
        "event_seal": _one("seal"),
        "event_means": _one("means"),
        "event_remarks": _one("remarks"),
    }
)
"""Fields of a line's event."""

FIELDS: Mapping[str, Field] = MappingProxyType(
    {"record_id": Field(own=PARTED, parts=MOST_PARTS, key=True), **SHIPMENT, **GOODS, **EVENT}
)
"""All fields, in the documentation's order."""

SHIPMENTS = Table(
    fields=FIELDS,
    needed=("record_id",),
    first_line=frozenset(SHIPMENT),
    help="docs/shipment-formats.md lists the columns; --mapping reads other columns",
)


def _role(text: str) -> int:
    one_of(text, tuple(ROLES), "role")
    return ROLES[text]


def _scheme(text: str) -> str:
    if _SCHEME.fullmatch(text) is None:
        raise MalformedError("scheme must be small letters, digits and underscores, e.g. trader_id")
    return text


SHIPMENT_MAPPINGS = MappingKind(
    table=SHIPMENTS,
    family=Family.SHIPMENTS,
    default="shipments_import_declarations",
    record="line",
    date=RFC3339,
    zone=Zone.ALWAYS,
    extras={
        "names": Extra(keys={"role": _role, "script": str, "language": str}, needed=("role",)),
        "identifiers": Extra(keys={"role": _role, "scheme": _scheme, "territory": str}, needed=("role", "scheme")),
        "registrations": Extra(keys={"scheme": _scheme}, needed=("scheme",)),
    },
    places=PLACES,
    place_kinds=PLACE_KINDS,
)
