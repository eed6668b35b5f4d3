"""Reads the contract's messages from JSON, quickly: enums as words or by their names, members in either spelling.

Protobuf's reader takes longer than all other work on a message, so tables made from the contract read the usual shapes.
Protobuf's reader takes the others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from itertools import islice
from typing import Any, TypeVar, cast

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.json_format import ParseDict, ParseError
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.contract.enum_words import words_of
from gateway.errors import MalformedError, Violation
from gateway.formats.json_problems import MOST_PROBLEMS, TWICE, as_named, problems, sound_part

MessageT = TypeVar("MessageT", bound=Message)

WAY_OUT = "Correct what is named; docs/integrating.md shows the form, docs/schema has all of it."

_Convert = Callable[[Any], Any]
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


def parse_json_text(data: bytes) -> Any:
    """The value of a JSON document in UTF-8, with or without a byte order mark; raises MalformedError."""
    try:
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=_once)
    except UnicodeDecodeError:
        raise MalformedError("not UTF-8", way_out="Save the file as UTF-8.") from None
    except json.JSONDecodeError as error:
        at = f"line {error.lineno}, character {error.colno}"
        raise MalformedError(f"not JSON: {error.msg} at {at}", way_out="Correct the JSON at that place.") from None
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"not JSON: {error}", way_out="Correct the JSON.") from None


def not_json(error: Exception, *, example: str) -> MalformedError:
    """The error of a line that `json.loads` refuses."""
    problem = f"{error.msg} at character {error.colno}" if isinstance(error, json.JSONDecodeError) else error
    return MalformedError(f"the line is not JSON: {problem}; a line is an object like {example}")


def read_message(document: Mapping[str, Any], kind: type[MessageT]) -> MessageT:
    """A message from an object of `parse_object`.

    Raises:
        MalformedError: not of this kind.
    """
    descriptor = cast(Descriptor, kind.DESCRIPTOR)
    try:
        return kind(**_message(descriptor)(document))
    except (_NotUsualError, TypeError, ValueError, OverflowError):
        pass
    if any(problem.rule == TWICE for problem in problems(document, descriptor)):
        raise _not_a(descriptor, document)
    try:
        return ParseDict(cast(dict[str, Any], as_named(document, descriptor)), kind())
    except (ParseError, ValueError, TypeError, RecursionError, OverflowError, AttributeError) as error:
        raise _not_a(descriptor, document, error) from None


def read_sound_part(document: Mapping[str, Any], kind: type[MessageT]) -> tuple[MessageT, list[Violation]]:
    """What can be read of a document, and what is wrong with the rest: nothing where it is a whole message.

    Raises:
        MalformedError: nothing can be said of what is wrong.
    """
    try:
        return read_message(document, kind), []
    except MalformedError:
        descriptor = cast(Descriptor, kind.DESCRIPTOR)
        try:
            found = list(islice(problems(document, descriptor), MOST_PROBLEMS))
            part = as_named(sound_part(document, descriptor), descriptor)
        except RecursionError:
            found = []
        if not found:
            raise
    try:
        return ParseDict(cast(dict[str, Any], part), kind()), found
    except (ParseError, ValueError, TypeError, RecursionError, OverflowError, AttributeError):
        return kind(), found


def _not_a(descriptor: Descriptor, document: object, error: Exception | None = None) -> MalformedError:
    """The error of a document that is no such message, with each place that is wrong."""
    try:
        found = list(islice(problems(document, descriptor), MOST_PROBLEMS))
    except RecursionError:
        found = []
    said = "; ".join(f"{each.field}: {each.message}" for each in found) or _first_line(error)
    article = "an" if descriptor.name[0] in "AEIOU" else "a"
    return MalformedError(f"not {article} {descriptor.name}: {said}", way_out=WAY_OUT)


def _first_line(error: Exception | None) -> str:
    return " ".join(str(error).partition("\n")[0].split())


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
            if known is None:
                raise _NotUsualError
            if value is None:
                continue
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
    if field.enum_type is not None:
        return _enum(field.enum_type)
    return _BY_TYPE.get(field.type, _other)


def _is_plain(descriptor: Descriptor) -> bool:
    """Whether constructor and JSON agree: single texts spelled the same in both."""
    return all(
        field.name == field.json_name and not field.is_repeated and field.type == FieldDescriptor.TYPE_STRING
        for field in descriptor.fields
    )


def _enum(enum: EnumDescriptor) -> _Convert:
    known = {**{value.name: value.number for value in enum.values}, **words_of(enum)}

    def number(value: Any) -> int:
        if type(value) is not str or value not in known:
            raise _NotUsualError
        return known[value]

    return number


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise _NotUsualError
    return value


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


_BY_TYPE: Mapping[int, _Convert] = {
    FieldDescriptor.TYPE_STRING: _text,
    FieldDescriptor.TYPE_BOOL: _flag,
    FieldDescriptor.TYPE_DOUBLE: _number,
    FieldDescriptor.TYPE_INT32: _whole,
    FieldDescriptor.TYPE_UINT32: _whole,
    FieldDescriptor.TYPE_INT64: _long,
    FieldDescriptor.TYPE_UINT64: _long,
}
