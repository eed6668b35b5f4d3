"""Keys take the classes of the fields that they come from, which is read from the contract field by field."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import pytest
from google.protobuf.descriptor import FieldDescriptor

from gateway.contract.identification.shipment_keys import (
    finds_names,
    key_sets,
    keys_of,
    keys_of_addition,
    name_key,
    record_key,
    record_keys,
)
from gateway.history.service.criteria import filter_of
from gateway.history.tables.shipment_search import RecordFilter
from gateway.v1 import goods_pb2, history_pb2, options_pb2, shipment_pb2
from tests.support.contract_fields import Leaf, fill, leaves

CLASSES = frozenset(
    name.removeprefix("DISCLOSURE_CLASS_") for name, value in options_pb2.DisclosureClass.items() if value
)
SUBSETS = [frozenset(some) for size in range(len(CLASSES) + 1) for some in combinations(sorted(CLASSES), size)]
MESSAGES = {"Shipment": shipment_pb2.Shipment, "ShipmentAddition": shipment_pb2.ShipmentAddition}
FIELDS = [(name, leaf) for name, message in MESSAGES.items() for leaf in leaves(message.DESCRIPTOR)]

Criteria = history_pb2.SearchCriteria

AS_FILTER = {"declared_from": "declared_at", "declared_until": "declared_at", "procedures": "procedure"}
"""Criteria that aren't keys, and the fields that they are about."""


VALUE = "7654321098"
"""A value that each criterion may have."""


def changed(name: str, leaf: Leaf) -> set[int]:
    """The keys that a record has because VALUE, or another value than usual, stands in this field."""
    others: dict[int, object] = {FieldDescriptor.TYPE_BYTES: b"7" * 32, FieldDescriptor.TYPE_BOOL: False}
    before, after = fill(MESSAGES[name]()), fill(MESSAGES[name]())
    leaf.set(after, VALUE if leaf.is_text else others.get(leaf.field.type, 3))
    return _keys(after) - _keys(before)


def _keys(item: object) -> set[int]:
    if isinstance(item, shipment_pb2.Shipment):
        return keys_of(item)
    assert isinstance(item, shipment_pb2.ShipmentAddition)
    return keys_of_addition(item)


def every_criterion(value: str) -> Iterator[Criteria]:
    """A value in every place of the criteria, beside what the rest of the record says."""
    for field in Criteria.DESCRIPTOR.fields:
        criteria = Criteria()
        if field.name in AS_FILTER or field.name == "party_names":
            continue
        if field.name == "references":
            for kind in goods_pb2.ShipmentReferenceKind.values():
                yield Criteria(references=[history_pb2.SearchReference(kind=kind, value=value)])
        elif field.name == "party_identifiers":
            for scheme in ("", "base", value):
                for number in ("base", value):
                    yield Criteria(party_identifiers=[history_pb2.SearchIdentifier(scheme=scheme, value=number)])
        elif field.is_repeated:
            getattr(criteria, field.name).append(value)
            yield criteria
        else:
            setattr(criteria, field.name, value)
            yield criteria
    yield Criteria(vessel=value, journey="base")
    yield Criteria(vessel="base", journey=value)
    yield Criteria(vessel=value, journey=value)
    for digits in (4, 6, 8, 10):
        yield Criteria(commodity_codes=[value[:digits]])


def found_by(value: str, classes: frozenset[str]) -> set[int]:
    """Keys that somebody who may have these classes searches for, over all criteria."""
    keys = {
        key for criteria in every_criterion(value) for key_set in key_sets(criteria, classes=classes) for key in key_set
    }
    return keys | ({name_key(value)} if finds_names(classes) else set())


def test_a_value_is_found_by_those_alone_who_may_have_its_field() -> None:
    for name, leaf in FIELDS:
        keys = changed(name, leaf)
        for classes in SUBSETS:
            if not leaf.classes <= classes:
                assert keys.isdisjoint(found_by(VALUE, classes)), (name, leaf.path, classes)
        if leaf.is_text:  # nothing is indexed that no criterion finds
            assert keys <= found_by(VALUE, CLASSES), (name, leaf.path)


def test_values_of_every_class_are_found_by_those_who_may_have_them() -> None:
    indexed = {(name, leaf.path): leaf.classes for name, leaf in FIELDS if changed(name, leaf)}
    assert indexed["Shipment", "inspections.place.unlocode"] == {"INVESTIGATIVE"}
    assert indexed["ShipmentAddition", "inspections.place.customs_office"] == {"INVESTIGATIVE"}
    assert indexed["Shipment", "events.means"] == indexed["ShipmentAddition", "events.means"] == {"COMMERCIAL"}
    assert indexed["Shipment", "parties.names.text"] == {"PERSONAL"}
    assert indexed["Shipment", "equipment.id"] == frozenset()
    assert len(indexed) > 30


def test_each_criterion_is_a_key_or_about_a_field_that_everybody_may_have() -> None:
    open_fields = {leaf.path for leaf in leaves(shipment_pb2.Shipment.DESCRIPTOR) if not leaf.classes} | {"declared_at"}
    assert (
        not shipment_pb2.Shipment.DESCRIPTOR.fields_by_name["declared_at"]
        .GetOptions()
        .HasExtension(options_pb2.disclosure)
    )
    keyed = {
        field.name
        for criteria in every_criterion("base")
        for field, _ in criteria.ListFields()
        if key_sets(criteria, classes=CLASSES)
    }
    assert {field.name for field in Criteria.DESCRIPTOR.fields} == keyed | {"party_names"} | AS_FILTER.keys()
    assert set(AS_FILTER.values()) <= open_fields
    whole = Criteria(procedures=[1])
    whole.declared_from.seconds = whole.declared_until.seconds = 7
    assert filter_of(whole) == RecordFilter(7_000, 7_000, (1,))


def test_an_addition_that_shows_nothing_isnt_found_by_its_record() -> None:
    addition = shipment_pb2.ShipmentAddition(record_id="R-1", inspections=[shipment_pb2.ShipmentInspection()])
    inspected = keys_of_addition(addition)
    assert inspected.isdisjoint(record_keys("R-1", CLASSES - {"INVESTIGATIVE"}))
    assert not inspected.isdisjoint(record_keys("R-1", {"INVESTIGATIVE"}))
    addition.events.add()
    assert not keys_of_addition(addition).isdisjoint(record_keys("R-1", frozenset()))


def test_a_criterion_that_may_find_nothing_isnt_left_out() -> None:
    criteria = Criteria(references=[history_pb2.SearchReference(value="1")], containers=["CSQU3054383"])
    reference, container = key_sets(criteria, classes=frozenset())
    assert not reference
    assert container


DISGUISED = [
    pytest.param("СОSСО SНIРРING", "COSCO Shipping", id="Cyrillic capitals"),
    pytest.param("ᴄᴏꜱᴄᴏ ꜱʜɪᴘᴘɪɴɢ", "Cosco  Shipping", id="small capitals"),
    pytest.param("ΗΑΝΚΥU ΤRΑDΙΝG", "Hankyu Trading", id="Greek"),
    pytest.param("CO\u200bS\u00adCO\u202e Ship\u2060ping", "COSCO Shipping", id="characters that don't show"),
    pytest.param("中国エ商银行", "中国工商银行", id="kana among Han"),
]


@pytest.mark.parametrize(("disguised", "plain"), DISGUISED)
def test_a_value_that_is_written_to_look_like_another_has_its_key(disguised: str, plain: str) -> None:
    assert name_key(disguised) == name_key(plain)
    for make in (
        lambda text: Criteria(party_names=[text]),
        lambda text: Criteria(vessel=text),
        lambda text: Criteria(substances=[text]),
        lambda text: Criteria(seals=[text]),
        lambda text: Criteria(party_identifiers=[history_pb2.SearchIdentifier(value=text)]),
    ):
        assert key_sets(make(disguised)) == key_sets(make(plain))


def test_a_genuine_name_in_another_script_keeps_its_own_key() -> None:
    assert (
        len({name_key(name) for name in ("Анна Иванова", "Anna Ivanova", "Ιωάννης", "Роснефть", "示例", "示例公司")})
        == 6
    )


def test_stored_keys_stay_what_they_are() -> None:
    assert record_key("CN1") == 2419885950056283002
    assert name_key("ABC 公司") == 4528214750576249431
