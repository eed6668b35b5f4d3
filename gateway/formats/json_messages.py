"""Reads the contract's messages from protobuf's JSON form, quickly.

Protobuf's reader takes longer than all other work on a message, so tables made from the contract read the usual shapes.
Protobuf's reader takes the others, and decides on errors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.errors import MalformedError

MessageT = TypeVar("MessageT", bound=Message)

_Convert = Callable[[Any], Any]
_DOUBLE = FieldDescriptor.TYPE_DOUBLE
_INT32S = (FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_UINT32)
_INT64S = (FieldDescriptor.TYPE_INT64, FieldDescriptor.TYPE_UINT64)
_DIGITS = re.compile(r"-?(?:0|[1-9][0-9]{0,17})", re.ASCII)


class _NotUsualError(Exception):
    """Protobuf's reader must decide on this shape."""


def parse_object(text: str, *, example: str) -> dict[str, Any]:
    """A JSON object from a line.

    Raises:
        MalformedError: none, or a member stands twice; the message shows the example.
    """
    try:
        document = json.loads(text.removeprefix("\ufeff"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise not_json(error, example=example) from None
    if not isinstance(document, dict):
        raise MalformedError(f"the line is not a JSON object like {example}")
    return document


def not_json(error: Exception, *, example: str) -> MalformedError:
    """The error of a line that `json.loads` refuses."""
    problem = f"{error.msg} at character {error.colno}" if isinstance(error, json.JSONDecodeError) else error
    return MalformedError(f"the line is not JSON: {problem}; a line is an object like {example}")


def read_message(document: Mapping[str, Any], kind: type[MessageT]) -> MessageT:
    """A message from an object of `parse_object`.

    Raises:
        MalformedError: not of this kind.
    """
    try:
        return kind(**_message(kind.DESCRIPTOR)(document))
    except (_NotUsualError, TypeError, ValueError, OverflowError):
        pass
    try:
        return ParseDict(dict(document), kind())
    except (ParseError, ValueError, TypeError, RecursionError, OverflowError, AttributeError) as error:
        raise MalformedError(f"not a {kind.DESCRIPTOR.name} as JSON: {error}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands twice in one object")
    return found


@cache
def _message(descriptor: Descriptor) -> _Convert:
    """Turns a JSON object into arguments of a message's constructor, which refuses most errors."""
    fields: dict[str, tuple[str, _Convert]] = {}
    for field in descriptor.fields:
        fields[field.json_name] = fields[field.name] = (field.name, _field(field))

    def convert(document: Any) -> dict[str, Any]:
        if type(document) is not dict:
            raise _NotUsualError
        made = {}
        for key, value in document.items():
            known = fields.get(key)
            if known is None or value is None:
                raise _NotUsualError
            name, convert_field = known
            if name in made:
                raise _NotUsualError
            made[name] = convert_field(value)
        return made

    return convert


def _field(field: FieldDescriptor) -> _Convert:
    convert = _value(field)
    if not field.is_repeated:
        return convert

    def many(value: Any) -> list[Any]:
        if type(value) is not list or None in value:
            raise _NotUsualError
        return value if convert is _as_it_is else [convert(item) for item in value]

    return many


def _value(field: FieldDescriptor) -> _Convert:
    if field.message_type is not None:
        if field.message_type.full_name == Timestamp.DESCRIPTOR.full_name:
            return _time
        return _as_it_is if _is_plain(field.message_type) else _message(field.message_type)
    if field.enum_type is not None or field.type == FieldDescriptor.TYPE_STRING:
        return _text
    if field.type == _DOUBLE:
        return _number
    if field.type in _INT64S:
        return _long
    return _whole if field.type in _INT32S else _other


def _is_plain(descriptor: Descriptor) -> bool:
    """Whether constructor and JSON agree: single texts and enums spelled the same in both."""
    return all(
        field.name == field.json_name
        and not field.is_repeated
        and (field.enum_type is not None or field.type == FieldDescriptor.TYPE_STRING)
        for field in descriptor.fields
    )


def _as_it_is(value: Any) -> Any:
    if type(value) is not dict:
        raise _NotUsualError
    return value


def _text(value: Any) -> str:
    if type(value) is not str:
        raise _NotUsualError
    return value


def _number(value: Any) -> float:
    if type(value) not in (int, float):
        raise _NotUsualError
    return float(value)


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise _NotUsualError
    return value


def _long(value: Any) -> int:
    """JSON has 64-bit integers as text, since many readers' numbers are less precise."""
    if type(value) is str and _DIGITS.fullmatch(value):
        return int(value)
    return _whole(value)


def _time(value: Any) -> Timestamp:
    stamp = Timestamp()
    stamp.FromJsonString(_text(value))
    return stamp


def _other(_: Any) -> Any:
    raise _NotUsualError
