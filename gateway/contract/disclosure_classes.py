"""Reads the disclosure classes of the contract's fields."""

from __future__ import annotations

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.v1 import options_pb2

_PREFIX = "DISCLOSURE_CLASS_"

ALL_CLASSES = frozenset(name.removeprefix(_PREFIX) for name, value in options_pb2.DisclosureClass.items() if value)
"""All classes."""


def class_of(field: FieldDescriptor) -> str | None:
    """The class that a field is marked with, e.g. "PERSONAL"; None: it has none itself."""
    value = field.GetOptions().Extensions[options_pb2.disclosure]
    return options_pb2.DisclosureClass.Name(value).removeprefix(_PREFIX) if value else None


def value_of(name: str) -> options_pb2.DisclosureClass.ValueType:
    """The contract's value of a class."""
    return options_pb2.DisclosureClass.Value(_PREFIX + name)


def classes_on(message: Descriptor, path: str) -> frozenset[str]:
    """All classes that somebody needs to see a field: its own and those of the fields above it.

    Args:
        path: names from the message on, e.g. "parties.names.text".

    Raises:
        KeyError: the contract has no such field.
    """
    classes = set()
    below: Descriptor | None = message
    for name in path.split("."):
        if below is None:
            raise KeyError(path)
        field = below.fields_by_name[name]
        own = class_of(field)
        if own is not None:
            classes.add(own)
        below = field.message_type
    return frozenset(classes)
