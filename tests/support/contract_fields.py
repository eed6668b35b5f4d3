"""Walks the contract's fields: every leaf of a message, its classes, and messages in which all of them are set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from gateway.v1 import options_pb2

_TEXTS = {
    "record_id": "BASE-1",
    "unlocode": "CNSZX",
    "territory": "CN",
    "export_territory": "CN",
    "destination_territory": "CN",
    "origin_territory": "CN",
    "currency_code": "USD",
    "incoterms": "FOB",
    "element": "Sb",
    "code": "81101000",
    "script": "Latn",
    "language": "en",
    "expires": "2030",
    "publisher": "hk",
    "alert_id": "0190f3d4-5a3c-7c00-8000-000000000001",
    "methods": "x_ray",
    "retention_class": "",
    "type": "BX",
    "query_id": "0190f3d4-5a3c-7c00-8000-000000000002",
    "birth_dates": "1970-01",
    "birth_periods": "1970/1975",
    "territories": "CN",
}
"""Valid values of texts with a form, by the field's name."""

_SCHEMES = {"gateway.v1.CommodityCode": "hs"}


@dataclass(frozen=True)
class Leaf:
    """A field that holds no message; `classes` are its own and those above it."""

    path: str
    field: FieldDescriptor
    classes: frozenset[str]

    @property
    def is_text(self) -> bool:
        return self.field.type == FieldDescriptor.TYPE_STRING

    def set(self, message: Message, value: Any) -> None:
        """Sets it in the first member of each list."""
        *above, name = self.path.split(".")
        for part in above:
            if is_map(message.DESCRIPTOR.fields_by_name[part]):
                entries = getattr(message, part)
                entries.clear()
                entries.update({value: "base"} if name == "key" else {"base": value})
                return
            below = getattr(message, part)
            message = below[0] if message.DESCRIPTOR.fields_by_name[part].is_repeated else below
        if self.field.is_repeated:
            getattr(message, name)[:] = [value]
        else:
            setattr(message, name, value)


def is_map(field: FieldDescriptor) -> bool:
    """Whether a field is a map; of texts to texts, as all of the contract's are."""
    return bool(field.message_type is not None and field.message_type.GetOptions().map_entry)


def leaves(descriptor: Descriptor, prefix: str = "", classes: frozenset[str] = frozenset()) -> Iterator[Leaf]:
    """All leaves, times left out."""
    for field in descriptor.fields:
        value = field.GetOptions().Extensions[options_pb2.disclosure]
        name = options_pb2.DisclosureClass.Name(value).removeprefix("DISCLOSURE_CLASS_")
        needed = classes | ({name} if value else frozenset())
        path = f"{prefix}{field.name}"
        if field.message_type is None:
            yield Leaf(path, field, needed)
        elif field.message_type.full_name != "google.protobuf.Timestamp":
            yield from leaves(field.message_type, f"{path}.", needed)


def fill(message: Message) -> Message:
    """Sets every field, one member in each list, to values that the contract allows."""
    for field in message.DESCRIPTOR.fields:
        target = getattr(message, field.name)
        if is_map(field):
            target["base"] = "base"
        elif field.message_type is not None:
            below = target.add() if field.is_repeated else target
            if field.message_type.full_name == "google.protobuf.Timestamp":
                below.seconds = 1_768_000_000
            else:
                fill(below)
        elif field.type == FieldDescriptor.TYPE_STRING:
            value = _TEXTS.get(field.name, "base")
            if field.name == "scheme":
                value = _SCHEMES.get(message.DESCRIPTOR.full_name, "base")
            if message.DESCRIPTOR.full_name == "gateway.v1.CommodityCode" and field.name == "territory":
                value = ""
            target.append(value) if field.is_repeated else setattr(message, field.name, value)
        else:
            value = {FieldDescriptor.TYPE_BYTES: bytes(32), FieldDescriptor.TYPE_BOOL: True}.get(field.type, 1)
            target.append(value) if field.is_repeated else setattr(message, field.name, value)
    return message
