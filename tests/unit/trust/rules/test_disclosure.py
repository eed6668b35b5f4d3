"""Disclosure follows the contract: every marked field is found wherever it stands, and none that isn't."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from gateway.trust.rules.directory import FieldClass
from gateway.trust.rules.disclosure import Redaction, redact, undisclosable
from gateway.v1 import alert_pb2, goods_pb2, options_pb2, party_pb2, shipment_pb2
from tests.support.nodes import alert_content

NOW = 1_768_464_000_000
ALL = frozenset(FieldClass)
SUBSETS = [frozenset(some) for size in range(len(ALL) + 1) for some in combinations(sorted(ALL), size)]


def _class(field: FieldDescriptor) -> str:
    value = field.GetOptions().Extensions[options_pb2.disclosure]
    return options_pb2.DisclosureClass.Name(value).removeprefix("DISCLOSURE_CLASS_")


def _fill(message: Message) -> None:
    """Sets every field, one element in each list."""
    for field in message.DESCRIPTOR.fields:
        target = getattr(message, field.name)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            target["key"] = "value"
        elif field.message_type is not None:
            below = target.add() if field.is_repeated else target
            below.SetInParent()
            _fill(below)
        elif field.containing_oneof is None or not message.WhichOneof(field.containing_oneof.name):
            value = {9: "x", 12: b"x", 8: True, 1: 1.5}.get(field.type, 1)
            target.append(value) if field.is_repeated else setattr(message, field.name, value)


def _marked(message: Message, prefix: str = "") -> Iterator[tuple[str, str]]:
    """The oracle: walks the message, not the contract."""
    for field, value in message.ListFields():
        if _class(field) != "UNSPECIFIED":
            yield f"{prefix}{field.name}", _class(field)
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        if field.is_repeated:
            for index, below in enumerate(value):
                yield from _marked(below, f"{prefix}{field.name}[{index}].")
        else:
            yield from _marked(value, f"{prefix}{field.name}.")


STEPS = [field.name for field in alert_pb2.AlertEvent.DESCRIPTOR.oneofs_by_name["event"].fields]


@pytest.mark.parametrize("allowed", SUBSETS, ids=lambda allowed: "+".join(sorted(allowed)) or "nothing")
@pytest.mark.parametrize("step", STEPS)
def test_exactly_the_marked_fields_are_found(step: str, allowed: frozenset[FieldClass]) -> None:
    event = alert_pb2.AlertEvent()
    _fill(getattr(event, step))
    getattr(event, step).SetInParent()
    expected = sorted(path for path, marked in _marked(event) if marked not in allowed)
    assert sorted(one.field for one in undisclosable(event, allowed)) == expected


def test_the_contract_marks_something_of_every_class_in_an_alert() -> None:
    content = alert_pb2.AlertContent()
    _fill(content)
    assert {marked for _, marked in _marked(content)} == set(ALL)
    assert {path for path, marked in _marked(content) if marked == "PERSONAL"} == {
        "subject.parties[0].names[0].text",
        "subject.parties[0].identifiers[0].value",
        "subject.parties[0].addresses[0].street",
    }


@given(st.sets(st.sampled_from(sorted(ALL))), st.text(alphabet="abc.", max_size=8))
def test_the_prefix_stands_before_every_path(allowed: set[FieldClass], prefix: str) -> None:
    content = alert_content(NOW)
    content.subject.parties.add(role=1).names.add(text="Chan Tai Man")
    plain = [one.field for one in undisclosable(content, allowed)]
    assert [one.field for one in undisclosable(content, allowed, prefix)] == [prefix + path for path in plain]


def test_what_isnt_set_discloses_nothing() -> None:
    assert undisclosable(alert_pb2.AlertContent(), frozenset()) == []
    assert undisclosable(alert_pb2.AlertEvent(), frozenset()) == []


def test_each_class_of_the_contract_is_one_of_the_model() -> None:
    names = {name.removeprefix("DISCLOSURE_CLASS_") for name in options_pb2.DisclosureClass.keys()}  # noqa: SIM118
    assert names == {"UNSPECIFIED", *ALL}


def _depth(descriptor: Descriptor, above: frozenset[str] = frozenset()) -> int:
    assert descriptor.full_name not in above, "a message that holds itself would hide its fields from the walk"
    below = [field.message_type for field in descriptor.fields if field.message_type is not None]
    return 1 + max((_depth(each, above | {descriptor.full_name}) for each in below), default=0)


def test_no_message_holds_itself() -> None:
    assert _depth(alert_pb2.AlertEvent.DESCRIPTOR) < 10


@pytest.mark.parametrize("allowed", SUBSETS)
def test_redaction_takes_every_field_that_is_not_allowed_and_no_other(allowed: frozenset[FieldClass]) -> None:
    filled = shipment_pb2.Shipment()
    _fill(filled)
    marked = {path: name for path, name in _marked(filled) if name not in allowed}
    topmost = {
        path: name
        for path, name in marked.items()
        if not any(path.startswith(f"{one}") and path != one and path[len(one)] in ".[" for one in marked)
    }
    kept = [
        (path, name)
        for path, name in _marked(filled)
        if name in allowed and not any(path.startswith((f"{one}.", f"{one}[")) for one in topmost)
    ]
    redaction = redact(filled, allowed)
    said = {one.path: options_pb2.DisclosureClass.Name(one.disclosure_class) for one in redaction.withheld}
    assert len(said) == len(redaction.withheld)
    assert said == {path.replace("[0]", ""): f"DISCLOSURE_CLASS_{name}" for path, name in topmost.items()}
    assert redaction.removed == len(topmost)
    assert not undisclosable(filled, allowed)
    assert list(_marked(filled)) == kept
    assert redact(filled, allowed) == Redaction(0, redaction.withheld)  # it says the same of what is left


def test_list_members_keep_their_places_and_what_is_withheld_is_named_for_all_of_them() -> None:
    shipment = shipment_pb2.Shipment(
        record_id="R-1",
        parties=[
            party_pb2.Party(role=party_pb2.PARTY_ROLE_EXPORTER),
            party_pb2.Party(
                role=party_pb2.PARTY_ROLE_CONSIGNEE,
                names=[party_pb2.Name(text="A"), party_pb2.Name(text="B")],
            ),
        ],
        goods=[
            shipment_pb2.ShipmentGoods(sequence=1),
            shipment_pb2.ShipmentGoods(
                sequence=2,
                customs_value=goods_pb2.Money(currency_code="USD", units=10),
                packages=[shipment_pb2.Packaging(count=1), shipment_pb2.Packaging(count=2, marks="M")],
            ),
        ],
        inspections=[shipment_pb2.ShipmentInspection(remarks="found")],
    )
    redaction = redact(shipment, {FieldClass.PERSONAL})
    assert redaction.removed == 3
    assert [(one.path, one.disclosure_class) for one in redaction.withheld] == [
        ("goods.customs_value", options_pb2.DISCLOSURE_CLASS_COMMERCIAL),
        ("goods.value_usd", options_pb2.DISCLOSURE_CLASS_COMMERCIAL),
        ("goods.packages.marks", options_pb2.DISCLOSURE_CLASS_COMMERCIAL),
        ("total_value", options_pb2.DISCLOSURE_CLASS_COMMERCIAL),
        ("freight", options_pb2.DISCLOSURE_CLASS_COMMERCIAL),
        ("incoterms", options_pb2.DISCLOSURE_CLASS_COMMERCIAL),
        ("inspections", options_pb2.DISCLOSURE_CLASS_INVESTIGATIVE),
    ]
    assert [name.text for name in shipment.parties[1].names] == ["A", "B"]
    assert [one.count for one in shipment.goods[1].packages] == [1, 2]
    assert not shipment.goods[1].HasField("customs_value")
    assert not shipment.inspections
