"""Messages as JSON: every field is there, in one spelling, and what is written can be read again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from gateway.contract.enum_words import number_of, word_of, words
from gateway.contract.json_form import in_real_oneof, is_map, json_name, json_of
from gateway.errors import MalformedError
from gateway.formats.json_messages import read_message
from gateway.v1 import (
    alert_pb2,
    alert_service_pb2,
    history_service_pb2,
    node_service_pb2,
    shipment_pb2,
    trace_pb2,
    watchlist_pb2,
    watchlist_service_pb2,
)

KINDS = (
    alert_pb2.AlertContent,
    alert_pb2.AlertFinding,
    watchlist_pb2.WatchlistEntry,
    shipment_pb2.Shipment,
    shipment_pb2.ShipmentAddition,
    trace_pb2.Trace,
)


def filled(message: Message, depth: int = 0) -> Message:
    """The message with a value in every field; of a oneof the last."""
    for field in message.DESCRIPTOR.fields:
        if depth > 8 or is_map(field):
            continue
        if field.message_type is not None:
            below = getattr(message, field.name)
            made = below.add() if field.is_repeated else below
            made.SetInParent() if not field.is_repeated else None
            if field.message_type.full_name == "google.protobuf.Timestamp":
                made.FromJsonString("2026-01-15T00:00:00.250Z")
            else:
                filled(made, depth + 1)
            continue
        value = sample(field)
        if field.is_repeated:
            getattr(message, field.name).append(value)
        else:
            setattr(message, field.name, value)
    return message


def sample(field: FieldDescriptor) -> Any:
    if field.enum_type is not None:
        return field.enum_type.values[-1].number
    kinds = {
        FieldDescriptor.TYPE_STRING: "锑",
        FieldDescriptor.TYPE_BYTES: b"\xff\x00",
        FieldDescriptor.TYPE_BOOL: True,
    }
    return kinds.get(field.type, 3)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("empty", [True, False])
def test_what_is_written_is_read_again(kind: type[Message], empty: bool) -> None:
    message = kind() if empty else filled(kind())
    document = json.loads(json.dumps(json_of(message)))
    assert read_message(document, kind) == message
    assert read_message(MessageToDict(message), kind) == message, "protobuf's own form is read as well"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_field_is_there_when_nothing_is_set(kind: type[Message]) -> None:
    fields = [field for field in kind.DESCRIPTOR.fields if not in_real_oneof(field)]
    assert json_of(kind()).keys() == {json_name(field) for field in fields}


def test_numbers_are_numbers_where_all_readers_hold_them() -> None:
    link = node_service_pb2.Link(size=2**53 - 1, backlog=2**53)
    assert json_of(link)["size"] == 9007199254740991
    assert json_of(link)["backlog"] == "9007199254740992"
    assert json_of(link)["receipted_size"] == 0


def test_absent_is_null_and_of_several_events_only_the_one_there_is() -> None:
    summary = json_of(alert_service_pb2.AlertSummary(status=alert_pb2.ALERT_STATUS_PUBLISHED))
    assert (summary["status"], summary["alert"], summary["receipted_at"]) == ("published", None, None)
    revision = history_service_pb2.ShipmentRevision(revision=1)
    revision.item.shipment.record_id = "A"
    assert json_of(revision)["item"].keys() == {"shipment"}


def test_times_have_one_form() -> None:
    copy = watchlist_service_pb2.PartnerCopy(receipted_at_unix_ms=1_768_435_200_250)
    assert json_of(copy)["receipted_at"] == "2026-01-15T00:00:00.250Z"
    assert json_of(watchlist_service_pb2.PartnerCopy())["receipted_at"] is None


@pytest.mark.parametrize("text", ["A", "a", "PRIORITY_A", "priority-a"])
def test_a_value_has_one_spelling_and_any_is_read(text: str) -> None:
    assert word_of(alert_pb2.Priority, number_of(alert_pb2.Priority.DESCRIPTOR, text) or 0) == "A"
    assert read_message({"priority": text}, alert_pb2.AlertContent).priority == alert_pb2.PRIORITY_A
    assert json_of(alert_pb2.AlertContent(priority=alert_pb2.PRIORITY_A))["priority"] == "A"


def test_words_are_those_of_filters_and_options() -> None:
    assert list(words(alert_pb2.Priority)) == ["A", "B", "C"]
    assert "not_found" in words(alert_pb2.FlagReason)
    assert number_of(alert_pb2.FlagReason.DESCRIPTOR, "colour") is None


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"priorty": "A"}, "priorty: there is no such field; did you mean 'priority'?"),
        ({"xyz": 1}, "xyz: there is no such field; there are priority, typologies,"),
        ({"priority": "D"}, "priority: must be one of A, B, C, not 'D'"),
        ({"valid_until": "tomorrow"}, "valid_until: must be a time with its zone like 2026-01-15T08:00:00+08:00"),
        ({"valid_until": "2026-01-15T08:00:00"}, "valid_until: must be a time with its zone"),
        ({"validUntil": 5}, "validUntil: must be a time"),
        ({"typologies": "smuggling"}, "typologies: must be a list […], not 'smuggling'"),
        ({"goods": [{"net_mass_kg": "heavy"}]}, "goods[0].net_mass_kg: must be a number, not 'heavy'"),
        ({"subject": "a ship"}, "subject: must be an object, not 'a ship'"),
        ({"case_reference": 7}, "case_reference: must be a text in quotes, not 7"),
        ({"legal_basis": "x", "legalBasis": "y"}, "legalBasis: stands beside legal_basis; one of them is enough"),
        (["A"], "(document): must be an object, not a list"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(document: Any, said: str) -> None:
    with pytest.raises(MalformedError) as caught:
        read_message(document, alert_pb2.AlertContent)
    assert said in caught.value.message
    assert "\n" not in caught.value.message
    assert "docs/schema" in caught.value.way_out
