"""Writes a watchlist as a STIX 2.1 bundle.

Persons and organisations are `identity` objects, addresses `location` objects. An extension definition in the bundle
adds types for the other kinds, and properties that identities and locations lack.

Source: STIX Version 2.1, OASIS Standard (10 June 2021), sections 2.9 (identifiers), 3.2 to 3.6 (common properties,
versioning), 4.5, 4.6 (identity, location), 7.2 (markings), 7.3 (extension definitions).
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC
from hashlib import sha256
from types import MappingProxyType
from typing import Any, BinaryIO

from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.formats.lists.columns import enum_name
from gateway.formats.lists.export import Export, Tally
from gateway.translation.plain_text import printable_json
from gateway.v1.alert_pb2 import (
    CLASSIFICATION_OFFICIAL,
    CLASSIFICATION_RESTRICTED,
    ONWARD_TRANSFER_FEDERATION,
    Handling,
    RequestedAction,
)
from gateway.v1.watchlist_pb2 import (
    WATCHLIST_KIND_ADDRESS,
    WATCHLIST_KIND_AIRCRAFT,
    WATCHLIST_KIND_COMMODITY,
    WATCHLIST_KIND_CONTAINER,
    WATCHLIST_KIND_ORGANISATION,
    WATCHLIST_KIND_PERSON,
    WATCHLIST_KIND_ROUTE,
    WATCHLIST_KIND_VEHICLE,
    WATCHLIST_KIND_VESSEL,
    WatchlistEntry,
)

NAMESPACE = uuid.UUID("855a3881-f1bc-555b-82ca-05b996054d78")
"""Namespace of version 5 UUIDs: that of the URL `urn:customs-gateway:watchlist:stix`."""

EXTENSION = "extension-definition--6ce07a4d-7fee-5adb-9273-984446fac5c9"
"""The same in every bundle: "extension-definition" in NAMESPACE."""

EXTENSION_CREATED = "2026-11-24T00:00:00.000Z"

TYPES: Mapping[int, str] = MappingProxyType(
    {
        WATCHLIST_KIND_PERSON: "identity",
        WATCHLIST_KIND_ORGANISATION: "identity",
        WATCHLIST_KIND_ADDRESS: "location",
        WATCHLIST_KIND_VESSEL: "customs-listed-vessel",
        WATCHLIST_KIND_VEHICLE: "customs-listed-vehicle",
        WATCHLIST_KIND_AIRCRAFT: "customs-listed-aircraft",
        WATCHLIST_KIND_CONTAINER: "customs-listed-container",
        WATCHLIST_KIND_COMMODITY: "customs-listed-commodity",
        WATCHLIST_KIND_ROUTE: "customs-listed-route",
    }
)
"""Kind of entry to type of object."""

TLP: Mapping[str, str] = MappingProxyType(
    {
        "green": "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da",
        "amber": "marking-definition--f88d31f6-486f-44da-b317-01333bde0b82",
        "red": "marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed",
    }
)
"""The standard's own TLP marking definitions (section 7.2.1.4)."""

TLP_CREATED = "2017-01-20T00:00:00.000Z"
_CLASSES = {WATCHLIST_KIND_PERSON: "individual", WATCHLIST_KIND_ORGANISATION: "organization"}
_LINK = re.compile(r"https?://[^\s;,()<>\"]+[^\s;,()<>\".]")
_SCHEMA = "protos/gateway/v1/watchlist.proto, message WatchlistContent, in protobuf's JSON form with snake_case names"


def tlp_of(handling: Handling) -> str:
    """The TLP colour of a handling, never wider: red if unspecified."""
    if handling.classification == CLASSIFICATION_OFFICIAL and handling.onward_transfer == ONWARD_TRANSFER_FEDERATION:
        return "green"
    if handling.classification in (CLASSIFICATION_OFFICIAL, CLASSIFICATION_RESTRICTED):
        return "amber"
    return "red"


def object_id(kind: str, publisher: str, name: str, entry_id: str = "") -> str:
    """An object's id, the same in every export of an entry."""
    return f"{kind}--{uuid.uuid5(NAMESPACE, json.dumps([kind, publisher, name, entry_id], ensure_ascii=False))}"


def write_stix(stream: BinaryIO, publisher: str, entries: Iterable[WatchlistEntry]) -> Export:
    """Writes a bundle, object by object.

    Args:
        publisher: node whose list it is, and creator of all objects.
        entries: STIX's `created` is the publication of the first revision, else of this one.
    """
    tally = Tally()
    digest = sha256()
    stream.write(b'{"type": "bundle", "objects": [\n')
    marked: set[str] = set()
    separator = b""
    for each in _objects(publisher, entries, marked, tally):
        text = printable_json(json.dumps(each, ensure_ascii=False)).encode()
        digest.update(text)
        stream.write(separator + text)
        separator = b",\n"
    bundle = uuid.uuid5(NAMESPACE, digest.hexdigest())
    stream.write(f'\n], "id": "bundle--{bundle}"}}\n'.encode())
    return tally.export()


def _objects(
    publisher: str,
    entries: Iterable[WatchlistEntry],
    marked: set[str],
    tally: Tally,
) -> Iterator[dict[str, Any]]:
    creator = object_id("identity", publisher, "")
    yield _creator(creator, publisher)
    yield _extension(creator)
    for entry in entries:
        kind = TYPES.get(entry.content.kind)
        if kind is None:
            tally.refused(entry.id, "its kind isn't known")
            continue
        markings = list(_markings(entry.content.handling, creator))
        for marking in markings:
            if marking["id"] not in marked:
                marked.add(marking["id"])
                yield marking
        yield _object(entry, kind, publisher, [marking["id"] for marking in markings])
        tally.wrote()


def _creator(creator: str, publisher: str) -> dict[str, Any]:
    return {
        "type": "identity",
        "spec_version": "2.1",
        "id": creator,
        "created": EXTENSION_CREATED,
        "modified": EXTENSION_CREATED,
        "name": publisher,
        "identity_class": "organization",
    }


def _extension(creator: str) -> dict[str, Any]:
    return {
        "type": "extension-definition",
        "spec_version": "2.1",
        "id": EXTENSION,
        "created_by_ref": creator,
        "created": EXTENSION_CREATED,
        "modified": EXTENSION_CREATED,
        "name": "Customs watchlist entry",
        "description": "What a customs authority lists, with names in several scripts, identifiers, and its handling.",
        "schema": _SCHEMA,
        "version": "1.0.0",
        "extension_types": ["new-sdo", "property-extension"],
    }


def _markings(handling: Handling, creator: str) -> Iterator[dict[str, Any]]:
    colour = tlp_of(handling)
    yield {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": TLP[colour],
        "created": TLP_CREATED,
        "definition_type": "tlp",
        "name": f"TLP:{colour.upper()}",
        "definition": {"tlp": colour},
    }
    if handling.caveat:
        yield {
            "type": "marking-definition",
            "spec_version": "2.1",
            "id": object_id("marking-definition", creator, handling.caveat),
            "created_by_ref": creator,
            "created": EXTENSION_CREATED,
            "definition_type": "statement",
            "definition": {"statement": handling.caveat},
        }


def _object(entry: WatchlistEntry, kind: str, publisher: str, markings: list[str]) -> dict[str, Any]:
    content = entry.content
    modified = _milliseconds(entry.published_at)
    first = _milliseconds(entry.first_published_at) if entry.HasField("first_published_at") else modified
    made: dict[str, Any] = {
        "type": kind,
        "spec_version": "2.1",
        "id": object_id(kind, publisher, entry.list, entry.id),
        "created_by_ref": object_id("identity", publisher, ""),
        "created": min(first, modified),
        "modified": modified,
        "external_references": list(_references(entry)),
        "object_marking_refs": markings,
    }
    own = _own_properties(entry)
    if kind == "identity":
        made |= {"name": _name(entry), "identity_class": _CLASSES[content.kind]}
    elif kind == "location":
        made |= _location(entry)
    if content.remarks and kind in ("identity", "location"):
        made["description"] = content.remarks
        own.pop("remarks")
    if kind in ("identity", "location"):
        made["extensions"] = {EXTENSION: {"extension_type": "property-extension", **own}}
    else:
        made |= {"name": _name(entry), **own, "extensions": {EXTENSION: {"extension_type": "new-sdo"}}}
    return made


def _own_properties(entry: WatchlistEntry) -> dict[str, Any]:
    content = entry.content
    own: dict[str, Any] = MessageToDict(content, preserving_proto_field_name=True)
    own["requested_action"] = enum_name(content.requested_action, RequestedAction, "REQUESTED_ACTION_")
    own.pop("kind", None)
    for name, value in (("valid_from", content.valid_from), ("valid_until", content.valid_until)):
        if name in own:
            own[name] = _milliseconds(value)
    return {"list": entry.list, "entry_id": entry.id, "revision": entry.revision, **own}


def _name(entry: WatchlistEntry) -> str:
    return next((name.text for name in entry.content.names), entry.id)


def _location(entry: WatchlistEntry) -> dict[str, Any]:
    """A location needs a country, region or coordinates: ZZ for an unknown territory."""
    address = next(iter(entry.content.addresses), None)
    said = {
        "name": _name(entry),
        "street_address": address.street if address else "",
        "city": address.city if address else "",
        "country": (address.territory if address else "") or "ZZ",
    }
    return {name: text for name, text in said.items() if text}


def _references(entry: WatchlistEntry) -> Iterator[dict[str, str]]:
    yield {"source_name": entry.list or "watchlist", "external_id": entry.id}
    for link in dict.fromkeys(_LINK.findall(entry.content.remarks)):
        yield {"source_name": "remarks", "url": link}


def _milliseconds(stamp: Timestamp) -> str:
    """RFC 3339 in UTC with milliseconds, STIX's minimum for `created` and `modified`."""
    return stamp.ToDatetime(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
