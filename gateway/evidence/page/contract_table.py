"""The contract's fields as a table for the page's decoder: what the signed bytes of an alert's step may hold."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from gateway.contract.enum_words import word_for
from gateway.translation.labels import label
from gateway.v1 import alert_pb2

_TYPES: Final = {
    FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_BYTES: "bytes",
    FieldDescriptor.TYPE_DOUBLE: "double",
    FieldDescriptor.TYPE_ENUM: "enum",
    FieldDescriptor.TYPE_INT32: "int32",
    FieldDescriptor.TYPE_INT64: "int64",
    FieldDescriptor.TYPE_MESSAGE: "message",
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_UINT32: "uint32",
    FieldDescriptor.TYPE_UINT64: "uint64",
}
"""Types that the page's decoder knows (`decodeValue` in assets/protobuf.js)."""


def contract_table() -> dict[str, Any]:
    """Messages that an AlertEvent may hold, and their enums with words in the current language.

    `{"messages": {name: [{"number", "name", "type", "of"?, "repeated"?, "oneof"?}, …]},
    "enums": {name: {number: [name in the contract, word]}}}`

    Raises:
        KeyError: a field of a type that the decoder doesn't know: a defect.
    """
    messages, enums = _reachable(alert_pb2.AlertEvent.DESCRIPTOR)
    return {
        "messages": {_name(kind): [_field(field) for field in kind.fields] for kind in messages},
        "enums": {
            _name(kind): {str(value.number): [value.name, _word(kind, value.name)] for value in kind.values}
            for kind in enums
        },
    }


@cache
def _reachable(root: Descriptor) -> tuple[tuple[Descriptor, ...], tuple[EnumDescriptor, ...]]:
    """Messages and enums below a message, in order of name."""
    messages, enums, left = dict[str, Descriptor](), dict[str, EnumDescriptor](), [root]
    while left:
        kind = left.pop()
        messages[_name(kind)] = kind
        left += [
            field.message_type
            for field in kind.fields
            if field.message_type is not None and _name(field.message_type) not in messages
        ]
        enums |= {_name(field.enum_type): field.enum_type for field in kind.fields if field.enum_type is not None}
    return tuple(messages[name] for name in sorted(messages)), tuple(enums[name] for name in sorted(enums))


def _field(field: FieldDescriptor) -> dict[str, Any]:
    below = field.message_type or field.enum_type
    oneof = field.containing_oneof
    return {
        "number": field.number,
        "name": field.name,
        "type": _TYPES[field.type],
        **({"of": _name(below)} if below is not None else {}),
        **({"repeated": True} if field.is_repeated else {}),
        **({"oneof": oneof.name} if oneof is not None and not oneof.name.startswith("_") else {}),
    }


def _name(kind: Descriptor | EnumDescriptor) -> str:
    """The name without its package: `Alert`, `TransportMeans.Identifier`, `Timestamp`."""
    return str(kind.full_name).removeprefix(f"{kind.file.package}.")


def _word(kind: EnumDescriptor, name: str) -> str:
    word = word_for(kind, name)
    return "—" if word is None else label(kind.name, word)
