"""Writes entries as FollowTheMoney entities in JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any, BinaryIO

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.formats.lists.export import Export, Tally, lost
from gateway.formats.lists.ftm import BORN, PROGRAMME, Entity, content_of
from gateway.formats.lists.ftm_schema import CONTACTS, IDENTIFIERS, NAMES
from gateway.formats.territories import territory_name
from gateway.translation.plain_text import printable_json
from gateway.v1.party_pb2 import Address, Identifier
from gateway.v1.watchlist_pb2 import (
    LISTED_NAME_KIND_PRIMARY,
    WATCHLIST_KIND_ADDRESS,
    WATCHLIST_KIND_AIRCRAFT,
    WATCHLIST_KIND_ORGANISATION,
    WATCHLIST_KIND_PERSON,
    WATCHLIST_KIND_VEHICLE,
    WATCHLIST_KIND_VESSEL,
    WatchlistContent,
    WatchlistEntry,
)

_SCHEMATA: Mapping[int, str] = {
    WATCHLIST_KIND_PERSON: "Person",
    WATCHLIST_KIND_ORGANISATION: "Organization",
    WATCHLIST_KIND_VESSEL: "Vessel",
    WATCHLIST_KIND_VEHICLE: "Vehicle",
    WATCHLIST_KIND_AIRCRAFT: "Airplane",
    WATCHLIST_KIND_ADDRESS: "Address",
}
_IDENTIFIERS: Mapping[int, tuple[str, ...]] = {
    WATCHLIST_KIND_PERSON: (
        *("passportNumber", "idNumber", "socialSecurityNumber", "taxNumber", "innCode"),
        *CONTACTS,
    ),
    WATCHLIST_KIND_ORGANISATION: (
        *("registrationNumber", "taxNumber", "vatCode", "uscCode", "leiCode", "swiftBic", "dunsCode"),
        *("innCode", "kppCode", "ogrnCode", "okpoCode", "bikCode", "isinCode"),
        *CONTACTS,
    ),
    WATCHLIST_KIND_VESSEL: ("imoNumber", "mmsi", "callSign", "registrationNumber"),
    WATCHLIST_KIND_VEHICLE: ("registrationNumber", "vin"),
}
"""Properties for identifiers in a kind's schema; others become an Identification."""

_TERRITORY: Mapping[int, str] = {WATCHLIST_KIND_PERSON: "nationality", WATCHLIST_KIND_VESSEL: "flag"}
_AIRCRAFT = {"aircraft_registration": "registrationNumber", "aircraft_serial_number": "serialNumber"}
_PROPERTIES = {kind: name for name, kind in reversed(list(NAMES.items())) if name != "name"}


def write_ftm(stream: BinaryIO, entries: Iterable[WatchlistEntry]) -> Export:
    """Writes each entry as an entity, then its addresses, documents and sanction."""
    tally = Tally()
    for entry in entries:
        entities = list(_entities(entry))
        if not entities:
            tally.refused(entry.id, "the format has persons, organisations, vessels, vehicles and addresses only")
            continue
        for entity in entities:
            stream.write(printable_json(json.dumps(_document(entity), ensure_ascii=False)).encode() + b"\n")
        tally.wrote(lost(entry.content, content_of(entities[0], entities[1:])))
    return tally.export()


def _document(entity: Entity) -> dict[str, Any]:
    return {"id": entity.id, "caption": entity.caption, "schema": entity.schema, "properties": entity.properties}


def _entities(entry: WatchlistEntry) -> Iterator[Entity]:
    content = entry.content
    schema = _SCHEMATA.get(content.kind)
    if schema is None:
        return
    properties: dict[str, list[Any]] = {}
    about: list[Entity] = []
    caption = _put_names(content, properties)
    others = _put_identifiers(content, schema, properties)
    about += [_identification(entry.id, at, address) for at, address in enumerate(others, start=1)]
    if schema == "Address":
        _put_address(content, properties)
    else:
        properties[_TERRITORY.get(content.kind, "country")] = [code.lower() for code in content.territories]
        properties["birthDate"] = list(content.birth_dates)
        properties["birthPlace"] = [
            _in_words(birth_place) for birth_place in content.birth_places if birth_place.street or birth_place.city
        ]
        properties["birthCountry"] = [
            birth_place.territory.lower() for birth_place in content.birth_places if birth_place.territory
        ]
        addresses = [_address(entry.id, at, content) for at in range(len(content.addresses))]
        properties["addressEntity"] = [address.id for address in addresses]
        about += addresses
    notes = [*(f"{BORN}{period}" for period in content.birth_periods), content.remarks]
    properties["notes"] = list(filter(None, notes))
    about += _sanction(entry)
    yield Entity(entry.id, schema, caption, {name: values for name, values in properties.items() if values})
    yield from about


def _put_names(content: WatchlistContent, properties: dict[str, list[Any]]) -> str:
    caption = ""
    for name in content.names:
        if name.kind == LISTED_NAME_KIND_PRIMARY:
            caption = name.text
            properties.setdefault("name", []).append(name.text)
        else:
            properties.setdefault(_PROPERTIES.get(name.kind, "alias"), []).append(name.text)
    return caption or next((name.text for name in content.names), "")


def _put_identifiers(content: WatchlistContent, schema: str, properties: dict[str, list[Any]]) -> list[Identifier]:
    """Sets the schema's properties; returns identifiers with no property or more details."""
    own = {IDENTIFIERS[name]: name for name in _IDENTIFIERS.get(content.kind, ())}
    if schema == "Vehicle":
        own = {"vehicle_plate": "registrationNumber", "vin": "vin"}
    elif schema == "Airplane":
        own = _AIRCRAFT
    others = []
    for identifier in content.identifiers:
        if identifier.scheme in own and not identifier.territory and not identifier.expires:
            properties.setdefault(own[identifier.scheme], []).append(identifier.value)
        else:
            others.append(identifier)
    return others


def _identification(entry_id: str, at: int, identifier: Identifier) -> Entity:
    said = {"holder": entry_id, "type": identifier.scheme, "number": identifier.value}
    said |= {"country": identifier.territory.lower(), "endDate": identifier.expires}
    properties: dict[str, list[Any]] = {name: [text] for name, text in said.items() if text}
    return Entity(f"{entry_id}-document-{at}", "Identification", "", properties)


def _address(entry_id: str, at: int, content: WatchlistContent) -> Entity:
    properties: dict[str, list[Any]] = {}
    _put_address(content, properties, at)
    return Entity(f"{entry_id}-address-{at + 1}", "Address", "", properties)


def _put_address(content: WatchlistContent, properties: dict[str, list[Any]], at: int = 0) -> None:
    if at < len(content.addresses):
        address = content.addresses[at]
        said = {
            "full": _in_words(address),
            "street": address.street,
            "city": address.city,
            "country": address.territory.lower(),
        }
        properties.update({name: [text] for name, text in said.items() if text})


def _in_words(address: Address) -> str:
    return ", ".join(filter(None, (address.street, address.city, territory_name(address.territory))))


def _sanction(entry: WatchlistEntry) -> list[Entity]:
    content = entry.content
    properties: dict[str, list[Any]] = {}
    if content.reason:
        programme = content.reason.removeprefix(PROGRAMME)
        properties["reason" if programme == content.reason else "program"] = [programme]
    if content.HasField("valid_from"):
        properties["startDate"] = [_written(content.valid_from)]
    if content.HasField("valid_until"):
        properties["endDate"] = [_written(content.valid_until, until=True)]
    return [Entity(f"{entry.id}-sanction", "Sanction", "", {"entity": [entry.id], **properties})] if properties else []


def _written(stamp: Timestamp, *, until: bool = False) -> str:
    """A day where it is one whole, else the moment."""
    if stamp.seconds % 86_400 or stamp.nanos:
        return str(stamp.ToJsonString())
    moment = stamp.ToDatetime() - (timedelta(days=1) if until else timedelta())
    return moment.date().isoformat()
