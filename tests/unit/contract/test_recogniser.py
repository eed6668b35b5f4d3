"""The short way of validation against protovalidate itself: whatever is done to a message, it breaks no rule unseen."""

from __future__ import annotations

import random
import re
import uuid
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given, settings
from hypothesis import strategies as st

from buf.validate import validate_pb2
from gateway.contract import recogniser, validation
from gateway.contract.messages import to_timestamp
from gateway.contract.recogniser import recognised
from gateway.v1 import alert_service_pb2, history_service_pb2, party_pb2, watchlist_pb2
from tests.support.nodes import alert_content, listed_content
from tests.support.shipments import shipment as recorded

PROTOS = Path(__file__).parents[3] / "protos" / "gateway" / "v1"
NOW = 1_768_464_000_000
TEXTS = (
    *("", " ", "\n", "a", "a\n", "\na", "A", "hk", "hk\n", "9", "hs", "tariff", "zh-Hant", "Hant", "é", "漢字", "\x00"),
    *("A" * 600, "a" * 9000, "2026-01-15", "2026-01-15\n", "2026/2027", "1963~", "a|b", "a-", "-a", "A.b", "CNSZX"),
    *(str(uuid.UUID(int=7)), str(uuid.UUID(int=7)) + "\n", str(uuid.UUID(int=7)).upper(), uuid.UUID(int=7).hex),
)
NUMBERS = (0, 1, -1, 5, 840, 841, -841, 2**31 - 1, 9999)
VALUES: dict[int, tuple[Any, ...]] = {
    FieldDescriptor.CPPTYPE_STRING: TEXTS,
    FieldDescriptor.CPPTYPE_INT32: NUMBERS,
    FieldDescriptor.CPPTYPE_INT64: (*NUMBERS, 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT32: tuple(abs(number) for number in NUMBERS),
    FieldDescriptor.CPPTYPE_UINT64: (*(abs(number) for number in NUMBERS), 2**64 - 1),
    FieldDescriptor.CPPTYPE_DOUBLE: (0.0, -0.0, 0.5, 1.0, 1.5, -1.0, float("nan"), float("inf"), 1e300),
    FieldDescriptor.CPPTYPE_FLOAT: (0.0, 0.5, 1.5, float("nan"), float("inf")),
    FieldDescriptor.CPPTYPE_BOOL: (False, True),
    FieldDescriptor.CPPTYPE_ENUM: (0, 1, 2, 9, 9999, -1),
}
BYTES = (b"", b"x", bytes(31), bytes(32), bytes(33), bytes(9000))


def event() -> watchlist_pb2.WatchlistEvent:
    entry = watchlist_pb2.WatchlistEntry(
        list="minerals", id="A", revision=1, published_at=to_timestamp(NOW), content=listed_content()
    )
    end = watchlist_pb2.WatchlistTombstone(list="minerals", id="B", revision=2, end=1, ended_at=to_timestamp(NOW))
    changes = [watchlist_pb2.WatchlistChange(entered=entry), watchlist_pb2.WatchlistChange(ended=end)]
    update = watchlist_pb2.WatchlistUpdate(changes=changes)
    return watchlist_pb2.WatchlistEvent(occurred_at=to_timestamp(NOW), update=update)


def alert() -> alert_service_pb2.PublishAlertRequest:
    return alert_service_pb2.PublishAlertRequest(
        request_id=str(uuid.UUID(int=7)), recipients=["hk"], content=alert_content(NOW)
    )


def shipment() -> history_service_pb2.RecordItem:
    return history_service_pb2.RecordItem(shipment=recorded())


def broken(message: Message) -> list[Any]:
    """What the evaluation of the rules finds, without the short way."""
    found: list[Any] = list(validation._validator().collect_violations(message))
    for rule in validation._own_rules(message.DESCRIPTOR):
        found += rule(message)
    return found


@pytest.mark.parametrize("make", [event, alert, shipment])
def test_messages_as_they_come_are_recognised(make: Any) -> None:
    """Otherwise there would be no short way."""
    message = make()
    assert broken(message) == []
    assert recognised(message)


def changed(message: Any, rng: random.Random) -> None:
    """Puts a value somewhere: into what is there, or into a part that is new."""
    field = rng.choice(message.DESCRIPTOR.fields)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        return
    if field.message_type is not None:
        if field.is_repeated:
            items = getattr(message, field.name)
            changed(rng.choice(items) if items and rng.random() < 0.8 else items.add(), rng)
        elif message.HasField(field.name) or rng.random() < 0.3:
            if rng.random() < 0.15:
                message.ClearField(field.name)
            else:
                changed(getattr(message, field.name), rng)
        return
    value = rng.choice(BYTES if field.type == FieldDescriptor.TYPE_BYTES else VALUES[field.cpp_type])
    if field.is_repeated:
        getattr(message, field.name).extend([value] * rng.choice((1, 1, 2, 70)))
    else:
        setattr(message, field.name, value)


@settings(max_examples=1_500, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from((event, alert, shipment)), st.integers(1, 6))
def test_what_is_recognised_breaks_no_rule(rng: random.Random, make: Any, times: int) -> None:
    message = make()
    for _ in range(times):
        changed(message, rng)
    if recognised(message):
        assert broken(message) == []


def test_what_was_recognised_is_judged_anew_once_it_is_another() -> None:
    """Parties are remembered by their bytes."""
    item = shipment()
    party = item.shipment.parties[0]
    for _ in range(2):
        assert recognised(item)
        party.names[0].script = "no script"
        assert not recognised(item)
        party.names[0].script = "Latn"


def test_no_more_parties_are_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recogniser, "_REMEMBERED_MESSAGES", 3)
    remembering = recogniser._MessageMemory(recogniser._recogniser(party_pb2.Party.DESCRIPTOR))
    for number in range(20):
        party = party_pb2.Party(names=[party_pb2.Name(text=f"Trader {number}")])
        assert remembering(party)
        assert remembering(party)
        assert len(remembering._known) <= 3
    assert remembering(party_pb2.Party(names=[party_pb2.Name(text="x" * 512)]))
    assert all(len(known) <= 512 for known in remembering._known)


def _messages(descriptors: Any) -> Iterator[Descriptor]:
    for descriptor in descriptors:
        if not descriptor.GetOptions().map_entry:
            yield descriptor
            yield from _messages(descriptor.nested_types)


MODULES = [import_module(f"gateway.v1.{path.stem}_pb2") for path in sorted(PROTOS.glob("*.proto"))]
FIELDS = [
    field
    for module in MODULES
    for message in _messages(module.DESCRIPTOR.message_types_by_name.values())
    for field in message.fields
]


def _patterns(field: FieldDescriptor) -> str:
    rules = field.GetOptions().Extensions[validate_pb2.field]
    return str(rules.repeated.items.string.pattern or rules.string.pattern)


@pytest.mark.parametrize("field", [field for field in FIELDS if _patterns(field)], ids=lambda field: field.full_name)
def test_a_text_that_a_pattern_refuses_is_never_recognised(field: FieldDescriptor) -> None:
    inside = re.sub(r"[\^$]", "", _patterns(field))
    likely = [
        inside,
        inside + "\n",
        "ab",
        "a" * 40,
        "AB",
        "AB123",
        "Ab",
        "0",
        "2026-01",
        "2026/2027-01-02~",
        "ab-c_d.e/f",
    ]
    for text in (*TEXTS, *likely):
        holder: Any = GetMessageClass(field.containing_type)()
        if field.is_repeated:
            getattr(holder, field.name).append(text)
        else:
            setattr(holder, field.name, text)
        if recognised(holder):
            assert broken(holder) == [], text
