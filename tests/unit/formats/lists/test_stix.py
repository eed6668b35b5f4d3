"""STIX 2.1: ids that stay, versions, markings no wider than the handling, and the standard's rules for every object."""

from __future__ import annotations

import io
import json
import re
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.formats.lists.stix import EXTENSION, NAMESPACE, TLP, TYPES, tlp_of, write_stix
from gateway.v1 import watchlist_pb2
from gateway.v1.alert_pb2 import Handling
from gateway.v1.watchlist_pb2 import WatchlistContent
from tests.support.watchlists import contents, defaults, entry, ids

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3,6}Z")
STANDARD = {
    "identity": {"name", "description", "roles", "identity_class", "sectors", "contact_information"},
    "location": {"name", "description", "region", "country", "administrative_area", "city", "street_address"},
}
COMMON = {
    *("type", "spec_version", "id", "created_by_ref", "created", "modified", "external_references"),
    *("object_marking_refs", "extensions"),
}


def bundle(entries: dict[str, WatchlistContent], first: dict[str, datetime] | None = None) -> dict[str, Any]:
    stream = io.BytesIO()
    listed = [entry(key, content) for key, content in entries.items()]
    for each in listed:
        if first and each.id in first:
            each.first_published_at.FromDatetime(first[each.id])
    export = write_stix(stream, "cn", listed)
    assert export.written == len(entries)
    found: dict[str, Any] = json.loads(stream.getvalue())
    return found


def objects_of(entries: dict[str, WatchlistContent]) -> list[dict[str, Any]]:
    return [each for each in bundle(entries)["objects"] if "object_marking_refs" in each]


def example(kind: int) -> WatchlistContent:
    content = defaults()
    content.kind = kind  # type: ignore[assignment]
    content.names.add(text="Example", kind=watchlist_pb2.LISTED_NAME_KIND_PRIMARY)
    content.addresses.add(street="1 Example Road", city="Kowloon", territory="HK")
    content.remarks = "See https://example.org/notice/1."
    content.valid_until.FromJsonString("2026-12-31T00:00:00Z")
    return content


def test_every_kind_of_entry_has_a_type() -> None:
    assert set(TYPES) == {number for number in watchlist_pb2.WatchlistKind.values() if number}


@given(st.dictionaries(ids, contents(), min_size=1, max_size=4))
def test_every_object_keeps_the_rules_of_the_standard(entries: dict[str, WatchlistContent]) -> None:
    found = bundle(entries)
    assert found["type"] == "bundle"
    objects = found["objects"]
    assert len({each["id"] for each in objects}) == len(objects)
    by_id = {each["id"]: each for each in objects}
    assert by_id[EXTENSION]["extension_types"] == ["new-sdo", "property-extension"]
    for each in [found, *objects]:
        kind, _, number = each["id"].partition("--")
        assert kind == each["type"]
        assert re.fullmatch(r"[a-z][a-z0-9-]{2,249}", kind)
        assert uuid.UUID(number).version in (4, 5)
    for each in objects:
        assert each["spec_version"] == "2.1"
        assert TIME.fullmatch(each["created"])
        assert all(reference in by_id for reference in each.get("object_marking_refs", []))
        assert each.get("created_by_ref", objects[0]["id"]) == objects[0]["id"]
        assert all(re.fullmatch(r"[a-z][a-z0-9_]{1,249}", name) for name in each)
        assert None not in each.values()
        assert [] not in each.values()
        if each["type"] == "marking-definition":
            assert "modified" not in each
            continue
        assert TIME.fullmatch(each["modified"])
        assert each["created"] <= each["modified"]
        if each["type"] in STANDARD:
            assert set(each) <= COMMON | STANDARD[each["type"]]
            if "extensions" in each:
                assert each["extensions"][EXTENSION]["extension_type"] == "property-extension"
        elif each["type"] != "extension-definition":
            assert each["extensions"] == {EXTENSION: {"extension_type": "new-sdo"}}
    assert len([each for each in objects if each["type"] in set(TYPES.values())]) == len(entries) + 1


def test_an_id_depends_on_the_entry_and_not_on_what_it_says() -> None:
    (one,) = objects_of({"A-1": example(watchlist_pb2.WATCHLIST_KIND_PERSON)})
    other = example(watchlist_pb2.WATCHLIST_KIND_PERSON)
    other.names[0].text = "Another name"
    assert objects_of({"A-1": other})[0]["id"] == one["id"]
    assert objects_of({"A-2": other})[0]["id"] != one["id"]
    assert uuid.UUID(one["id"].partition("--")[2]).version == 5
    assert uuid.uuid5(uuid.NAMESPACE_URL, "urn:customs-gateway:watchlist:stix") == NAMESPACE
    assert f"extension-definition--{uuid.uuid5(NAMESPACE, 'extension-definition')}" == EXTENSION


def test_the_same_list_is_the_same_bundle_byte_for_byte() -> None:
    entries = {"A-1": example(watchlist_pb2.WATCHLIST_KIND_VESSEL)}
    assert bundle(entries) == bundle(entries)
    assert bundle(entries)["id"] != bundle({"A-2": entries["A-1"]})["id"]


def test_versions_keep_their_creation() -> None:
    content = example(watchlist_pb2.WATCHLIST_KIND_PERSON)
    found = bundle({"A-1": content}, {"A-1": datetime(2025, 3, 1, tzinfo=UTC)})
    (each,) = [each for each in found["objects"] if "object_marking_refs" in each]
    assert (each["created"], each["modified"]) == ("2025-03-01T00:00:00.000Z", "2026-01-15T08:00:00.123Z")
    (new,) = objects_of({"A-1": content})
    assert new["created"] == new["modified"] == "2026-01-15T08:00:00.123Z"


@pytest.mark.parametrize("kind", TYPES)
def test_what_an_entry_says_is_in_its_object(kind: int) -> None:
    content = example(kind)
    (each,) = objects_of({"A-1": content})
    own = each if each["type"] not in STANDARD else each["extensions"][EXTENSION]
    assert each["type"] == TYPES[kind]
    assert each["name"] == "Example"
    assert own["valid_until"] == "2026-12-31T00:00:00.000Z"
    assert own["reason"] == content.reason
    assert own["addresses"] == [{"street": "1 Example Road", "city": "Kowloon", "territory": "HK"}]
    assert each["external_references"] == [
        {"source_name": "own", "external_id": "A-1"},
        {"source_name": "remarks", "url": "https://example.org/notice/1"},
    ]
    assert (each.get("description") or own["remarks"]) == content.remarks


def test_a_place_has_its_address_and_says_when_its_territory_is_not_known() -> None:
    content = example(watchlist_pb2.WATCHLIST_KIND_ADDRESS)
    (each,) = objects_of({"A-1": content})
    assert (each["street_address"], each["city"], each["country"]) == ("1 Example Road", "Kowloon", "HK")
    content.addresses[0].territory = ""
    assert objects_of({"A-1": content})[0]["country"] == "ZZ"


@pytest.mark.parametrize("classification", [0, 1, 2, 3])
@pytest.mark.parametrize("onward", [0, 1, 2, 3])
def test_markings_are_never_wider_than_the_handling(classification: int, onward: int) -> None:
    colour = tlp_of(Handling(classification=classification, onward_transfer=onward))  # type: ignore[arg-type]
    narrowest_allowed = {0: "red", 1: "green" if onward == 3 else "amber", 2: "amber", 3: "red"}
    assert colour == narrowest_allowed[classification]
    assert colour in TLP


def test_a_caveat_is_a_statement_beside_the_colour() -> None:
    content = example(watchlist_pb2.WATCHLIST_KIND_PERSON)
    content.handling.caveat = "Don't tell the trader"
    found = bundle({"A-1": content, "A-2": content})["objects"]
    markings = [each for each in found if each["type"] == "marking-definition"]
    assert [each["definition"] for each in markings] == [{"tlp": "amber"}, {"statement": "Don't tell the trader"}]
    assert found[-1]["object_marking_refs"] == [each["id"] for each in markings]
