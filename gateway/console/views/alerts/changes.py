"""What differs between two revisions of an alert, field by field, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.console.filters import NOTHING, moment_text, number
from gateway.console.views.alerts.field_names import field_name
from gateway.console.views.words import capitalised
from gateway.contract.enum_words import UNKNOWN, words_of
from gateway.translation.labels import METHOD, PURPOSE, TYPOLOGY, label
from gateway.translation.substance_names import element_name

_VOCABULARIES: Final[Mapping[str, str]] = {"typologies": TYPOLOGY, "purpose": PURPOSE, "methods": METHOD}
"""Fields whose text is a word of the contract, with the context of its translation."""

MAX_DEPTH: Final = 12
"""Levels of messages in messages that are looked into; the contract has six."""


@dataclass(frozen=True, slots=True)
class ContentChange:
    """One field that differs: its name, and its value before and after, `—` where it wasn't or isn't there."""

    name: str
    before: str
    after: str


def content_changes(before: Message, after: Message) -> list[ContentChange]:
    """Every field that differs, in the order of the contract."""
    old, new = dict(_values(before, ())), dict(_values(after, ()))
    return [
        ContentChange(path_name(path), old.get(path, NOTHING), new.get(path, NOTHING))
        for path in dict.fromkeys([*old, *new])
        if old.get(path) != new.get(path)
    ]


FieldPath = tuple[str | int, ...]
"""Names of fields, with numbers of list members, from 0, and keys of maps."""


def leaf_values(message: Message) -> Iterator[tuple[FieldPath, str]]:
    """Every field that is set, with its value in words, in the order of the contract."""
    yield from _values(message, ())


def _values(message: Message, path: FieldPath) -> Iterator[tuple[FieldPath, str]]:
    if len(path) > 2 * MAX_DEPTH:
        return
    for field, value in message.ListFields():
        if not field.is_repeated:
            yield from _value(field, value, (*path, field.name))
        elif hasattr(value, "items"):
            yield from (((*path, field.name, key), str(each)) for key, each in sorted(value.items()))
        else:
            for place, each in enumerate(value):
                yield from _value(field, each, (*path, field.name, place))


def _value(field: FieldDescriptor, value: Any, path: FieldPath) -> Iterator[tuple[FieldPath, str]]:
    if isinstance(value, Timestamp):
        yield path, moment_text(value)
    elif isinstance(value, Message):
        yield from _values(value, path)
    else:
        yield path, _text(field, value)


def _text(field: FieldDescriptor, value: Any) -> str:
    if field.enum_type is not None:
        word = next((word for word, known in words_of(field.enum_type).items() if known == value), UNKNOWN)
        return word if word == UNKNOWN else capitalised(label(field.enum_type.name, word))
    if field.name in _VOCABULARIES:
        return capitalised(label(_VOCABULARIES[field.name], str(value)))
    if field.name == "element":
        name = element_name(value)
        return value if name == value else f"{name} ({value})"
    if isinstance(value, bytes):
        return value.hex()
    return number(value) if isinstance(value, float) else str(value)


def path_name(path: FieldPath) -> str:
    """`Goods 1: net mass, kg`; the number of the only one counts too, so that two revisions name it alike."""
    parts: list[str] = []
    for part in path:
        if isinstance(part, int):
            parts[-1] = f"{parts[-1]} {part + 1}"
        elif part != "subject":
            parts.append(field_name(part))
    return " › ".join(parts)
