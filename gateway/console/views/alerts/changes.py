"""What differs between two revisions of an alert, field by field, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.console.filters import NOTHING, moment_text, number
from gateway.console.views.words import capitalised
from gateway.contract.enum_words import UNKNOWN, words_of
from gateway.translation.labels import label, readable
from gateway.translation.messages import gettext as _

MAX_DEPTH: Final = 12
"""Levels of messages in messages that are looked into; the contract has six."""

_FIELDS: Final[Mapping[str, Callable[[], str]]] = {
    "priority": lambda: _("Priority"),
    "typologies": lambda: _("Suspicion"),
    "subject": lambda: _("What it is about"),
    "references": lambda: _("Reference"),
    "equipment": lambda: _("Container"),
    "seals": lambda: _("Seal"),
    "means": lambda: _("Means of transport"),
    "parties": lambda: _("Party"),
    "names": lambda: _("Name"),
    "text": lambda: _("Text"),
    "goods": lambda: _("Goods"),
    "description": lambda: _("Description"),
    "declared_codes": lambda: _("Declared code"),
    "suspected_codes": lambda: _("Suspected code"),
    "net_mass_kg": lambda: _("Net mass, kg"),
    "gross_mass_kg": lambda: _("Gross mass, kg"),
    "route": lambda: _("Route"),
    "rule_hits": lambda: _("Rule"),
    "requested_action": lambda: _("Asked for"),
    "legal_basis": lambda: _("Legal basis"),
    "purpose": lambda: _("Purpose"),
    "case_reference": lambda: _("Case"),
    "handling": lambda: _("Handling"),
    "caveat": lambda: _("Caveat"),
    "reply_by": lambda: _("Reply by"),
    "valid_until": lambda: _("Valid until"),
    "evidence": lambda: _("Evidence"),
    "narratives": lambda: _("Text for officers"),
}


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
        ContentChange(_name(path), old.get(path, NOTHING), new.get(path, NOTHING))
        for path in dict.fromkeys([*old, *new])
        if old.get(path) != new.get(path)
    ]


_Path = tuple[str | int, ...]


def _values(message: Message, path: _Path) -> Iterator[tuple[_Path, str]]:
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


def _value(field: FieldDescriptor, value: Any, path: _Path) -> Iterator[tuple[_Path, str]]:
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
    if isinstance(value, bytes):
        return value.hex()
    return number(value) if isinstance(value, float) else str(value)


def _name(path: _Path) -> str:
    """`Goods 1: net mass, kg`; the number of the only one counts too, so that two revisions name it alike."""
    parts: list[str] = []
    for part in path:
        if isinstance(part, int):
            parts[-1] = f"{parts[-1]} {part + 1}"
        elif part != "subject":
            parts.append(_FIELDS[part]() if part in _FIELDS else capitalised(readable(part)))
    return " › ".join(parts)
