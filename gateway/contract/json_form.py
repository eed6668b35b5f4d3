"""The contract's messages as JSON for programs: every field present, enums as words, numbers as numbers."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final, cast

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.contract.enum_words import word_for
from gateway.contract.json_document import MAX_INTEGER

UNIX_MS: Final = "_unix_ms"
"""Ends the name of a time in milliseconds since 1970; JSON has a time without it, as all others are."""

TIMESTAMP: Final = Timestamp.DESCRIPTOR.full_name

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_Convert = Callable[[Any], Any]


def json_of(message: Message) -> dict[str, Any]:
    """A message as JSON members, named as in the contract.

    Absent messages, times and optional values are null, enums without a value too; of a `oneof` only the member that is
    set is there. Integers beyond ±(2^53 - 1) are strings, bytes are base64, times RFC 3339 in UTC.
    """
    return _written(message.DESCRIPTOR)(message)


def json_name(field: FieldDescriptor) -> str:
    """The member of a field: its name in the contract."""
    return field.name.removesuffix(UNIX_MS)


def is_time(field: FieldDescriptor) -> bool:
    """Whether a field is written as a time."""
    message = field.message_type
    return field.name.endswith(UNIX_MS) or (message is not None and message.full_name == TIMESTAMP)


def in_real_oneof(field: FieldDescriptor) -> bool:
    """Whether a field is one of several of which one is set; `optional` is a oneof of protobuf's own."""
    oneof = field.containing_oneof
    return oneof is not None and len(oneof.fields) > 1


def is_map(field: FieldDescriptor) -> bool:
    """Whether a field maps keys to values."""
    message = field.message_type
    return message is not None and message.GetOptions().map_entry


@cache
def _written(descriptor: Descriptor) -> Callable[[Message], dict[str, Any]]:
    fields = [(field, json_name(field), _field(field)) for field in descriptor.fields]

    def write(message: Message) -> dict[str, Any]:
        members: dict[str, Any] = {}
        for field, name, convert in fields:
            if not field.has_presence or message.HasField(field.name):
                members[name] = convert(getattr(message, field.name))
            elif not in_real_oneof(field):
                members[name] = None
        return members

    return write


def _field(field: FieldDescriptor) -> _Convert:
    if is_map(field):
        convert = _value(cast(Descriptor, field.message_type).fields_by_name["value"])
        return lambda values: {str(key): convert(values[key]) for key in sorted(values)}
    convert = _value(field)
    return (lambda values: [convert(value) for value in values]) if field.is_repeated else convert


def _value(field: FieldDescriptor) -> _Convert:
    if field.name.endswith(UNIX_MS):
        return _time_of_ms
    if field.message_type is not None:
        return _time if field.message_type.full_name == TIMESTAMP else _nested(field.message_type)
    if field.enum_type is not None:
        return _word(field.enum_type)
    return _BY_TYPE.get(field.type, _as_it_is)


def _nested(descriptor: Descriptor) -> _Convert:
    def write(message: Message) -> dict[str, Any]:
        return _written(descriptor)(message)  # looked up when it is called: a message may contain itself

    return write


def _word(enum: EnumDescriptor) -> _Convert:
    words: Mapping[int, str | None] = {value.number: word_for(enum, value.name) for value in enum.values}
    return lambda number: words.get(number, str(number))


def _time(stamp: Timestamp) -> str:
    return stamp.ToJsonString()


def _time_of_ms(unix_ms: int) -> str | None:
    if not unix_ms:
        return None
    return (_EPOCH + timedelta(milliseconds=unix_ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _integer(value: int) -> int | str:
    return value if abs(value) <= MAX_INTEGER else str(value)


def _as_it_is(value: Any) -> Any:
    return value


_BY_TYPE: Final[Mapping[int, _Convert]] = {
    **dict.fromkeys(
        (
            FieldDescriptor.TYPE_INT64,
            FieldDescriptor.TYPE_UINT64,
            FieldDescriptor.TYPE_SINT64,
            FieldDescriptor.TYPE_FIXED64,
            FieldDescriptor.TYPE_SFIXED64,
        ),
        _integer,
    ),
    FieldDescriptor.TYPE_BYTES: lambda value: base64.b64encode(value).decode("ascii"),
}
