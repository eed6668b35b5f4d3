"""Decides what of a closed alert may be published.

1. Of each message only the fields in PUBLISHABLE are taken: a field that the contract gets later isn't, until it is
   listed.
2. A field of class PERSONAL or COMMERCIAL, or below one, is never taken, listed or not.
3. A field of class INVESTIGATIVE, or below one, is taken only if the decision names it.
4. In the texts that are left, what repeats the value of a field that names somebody or something and was left out is
   blacked out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from gateway.contract.disclosure_classes import class_of, classes_on
from gateway.contract.messages import is_set
from gateway.v1 import alert_pb2

BLACKED_OUT = "▇▇▇"
"""What stands in place of a value."""

DECIDED_CLASS = "INVESTIGATIVE"
"""The class of which a supervisor decides."""

_NEVER = frozenset({"PERSONAL", "COMMERCIAL"})

LEAST_CHARS = 4
"""Letters or digits of a value that is looked for in texts: shorter ones are common. A judgement."""

LEAST_HAN_CHARS = 2
"""The same for values in Han characters: a name has two."""

_GOODS = (
    *("declared_codes.code", "declared_codes.scheme", "declared_codes.territory"),
    *("suspected_codes.code", "suspected_codes.scheme", "suspected_codes.territory"),
    *("description", "substance", "element", "purity_percent", "form"),
    *("net_mass_kg", "gross_mass_kg", "package_count", "origin_territory"),
)
_PLACES = ("from.unlocode", "from.territory", "to.unlocode", "to.territory", "means.mode")
_MEASURES = ("kind", "element", "net_mass_kg", "package_count")


def _below(path: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{path}.{name}" for name in names)


PUBLISHABLE: Mapping[str, tuple[type[Any], frozenset[str]]] = {
    "content": (
        alert_pb2.AlertContent,
        frozenset(
            {
                *("priority", "typologies", "requested_action", "legal_basis", "purpose"),
                *_below("goods", _GOODS),
                *_below("route", _PLACES),
                *_below("rule_hits", ("rule_id", "explanation")),
                *_below("narratives", ("language", "text")),
            }
        ),
    ),
    "findings": (
        alert_pb2.AlertFinding,
        frozenset(
            {
                *("result", "methods", "remarks", "place.unlocode", "place.territory"),
                *_below("goods_found", _GOODS),
                *_below("measures", _MEASURES),
            }
        ),
    ),
    "closing": (
        alert_pb2.AlertClosed,
        frozenset({"outcome", "remarks", *_below("measures", _MEASURES)}),
    ),
}
"""By part of the sheet: its message, and the paths of values that may be in it."""

_NAMING = frozenset(
    {
        *("gateway.v1.Equipment.id", "gateway.v1.Equipment.seals", "gateway.v1.Equipment.e_lock"),
        *("gateway.v1.TransportMeans.name", "gateway.v1.TransportMeans.journey"),
        *("gateway.v1.TransportMeans.Identifier.value", "gateway.v1.AlertContent.case_reference"),
        "gateway.v1.AlertAcknowledged.case_reference",
    }
)
"""Fields without a class that name something, so that they are blacked out too; those of _NEVER always are."""


@dataclass(slots=True)
class ReducedPart:
    """What may be published of one message.

    Attributes:
        message: it, reduced.
        withheld: class by path of fields that the message may have had and that were left out for it.
        blacked_out: paths of texts in which something was blacked out.
    """

    message: Any
    withheld: dict[str, str] = field(default_factory=dict)
    blacked_out: set[str] = field(default_factory=set)


def decidable() -> list[str]:
    """Paths of fields that a decision may name, each the topmost of its class, in order."""
    paths = {
        f"{part}.{topmost}"
        for part, (message, leaves) in PUBLISHABLE.items()
        for leaf in leaves
        if (topmost := _classified(message.DESCRIPTOR, leaf))
        and classes_on(message.DESCRIPTOR, leaf) == {DECIDED_CLASS}
    }
    return sorted(paths)


def reduced(part: str, source: Message, disclosed: Collection[str], values: Collection[str]) -> ReducedPart:
    """What may be published of a message.

    Args:
        part: key of PUBLISHABLE.
        source: the message; it stays as it is.
        disclosed: paths that the decision names, of `decidable`.
        values: what to black out in texts, of `naming_values`.
    """
    message, leaves = PUBLISHABLE[part]
    result = ReducedPart(message())
    patterns = [
        pattern for value in sorted(values, key=lambda text: (-len(text), text)) if (pattern := _pattern(value))
    ]
    _take(source, result.message, _Walk(part, message.DESCRIPTOR, leaves, frozenset(disclosed), patterns, result))
    result.withheld.update(_withheld(part, message.DESCRIPTOR, frozenset(disclosed)))
    return result


@dataclass(frozen=True, slots=True)
class _Walk:
    part: str
    root: Descriptor
    leaves: frozenset[str]
    disclosed: frozenset[str]
    patterns: list[re.Pattern[str]]
    result: ReducedPart

    def may_take(self, path: str) -> bool:
        return path in self.leaves and _is_allowed(self.part, self.root, path, self.disclosed)


def _is_allowed(part: str, root: Descriptor, path: str, disclosed: frozenset[str]) -> bool:
    """Steps 2 and 3."""
    classes = classes_on(root, path)
    if classes - {DECIDED_CLASS}:
        return False
    return not classes or f"{part}.{_classified(root, path)}" in disclosed


def _classified(root: Descriptor, path: str) -> str:
    """The part of a path down to its first field with a class; empty without one."""
    below: Descriptor | None = root
    names = path.split(".")
    for at, name in enumerate(names):
        assert below is not None  # noqa: S101  the path is the contract's
        own = below.fields_by_name[name]
        if class_of(own) is not None:
            return ".".join(names[: at + 1])
        below = own.message_type
    return ""


def _take(source: Message, target: Message, walk: _Walk, prefix: str = "") -> None:
    of_source: Any = source.DESCRIPTOR
    for descriptor in of_source.fields:
        if not is_set(source, descriptor):
            continue
        path = f"{prefix}{descriptor.name}"
        if descriptor.message_type is None:
            if walk.may_take(path):
                _copy(source, target, descriptor, walk, path)
        elif any(leaf.startswith(f"{path}.") and walk.may_take(leaf) for leaf in walk.leaves):
            _take_below(source, target, descriptor, walk, path)


def _take_below(source: Message, target: Message, descriptor: FieldDescriptor, walk: _Walk, path: str) -> None:
    inner = getattr(source, descriptor.name)
    if not descriptor.is_repeated:
        _take(inner, getattr(target, descriptor.name), walk, f"{path}.")
        return
    for member in inner:
        _take(member, getattr(target, descriptor.name).add(), walk, f"{path}.")


def _copy(source: Message, target: Message, descriptor: FieldDescriptor, walk: _Walk, path: str) -> None:
    value = getattr(source, descriptor.name)
    if descriptor.type != FieldDescriptor.TYPE_STRING:
        if descriptor.is_repeated:
            getattr(target, descriptor.name).extend(value)
        else:
            setattr(target, descriptor.name, value)
    elif descriptor.is_repeated:
        getattr(target, descriptor.name).extend(_blacked_out(text, walk, path) for text in value)
    else:
        setattr(target, descriptor.name, _blacked_out(value, walk, path))


def _blacked_out(text: str, walk: _Walk, path: str) -> str:
    """Step 4."""
    shown = unicodedata.normalize("NFKC", text)
    changed = False
    for pattern in walk.patterns:
        shown, count = pattern.subn(BLACKED_OUT, shown)
        changed = changed or count > 0
    if changed:
        walk.result.blacked_out.add(f"{walk.part}.{path}")
    return shown if changed else text


def _pattern(value: str) -> re.Pattern[str] | None:
    """Finds a value whatever its case, width, spaces and punctuation; None for one too short to look for."""
    chars = [char for char in unicodedata.normalize("NFKC", value) if char.isalnum()]
    han = sum("\u4e00" <= char <= "\u9fff" for char in chars)
    if len(chars) < LEAST_CHARS and han < LEAST_HAN_CHARS:
        return None
    text = r"[\W_]*".join(map(re.escape, chars))
    if not han:  # whole words
        text = rf"(?<![^\W_]){text}(?![^\W_])"
    return re.compile(text, re.IGNORECASE)


def naming_values(messages: Iterable[Message]) -> set[str]:
    """Values of all fields that name somebody or something: those of class PERSONAL or COMMERCIAL, and _NAMING."""
    return {value for message in messages for value in _values(message, inside=False) if value}


def _values(message: Message, *, inside: bool) -> Iterator[str]:
    for descriptor, value in message.ListFields():
        names = inside or class_of(descriptor) in _NEVER or descriptor.full_name in _NAMING
        members = value if descriptor.is_repeated else [value]
        if descriptor.message_type is not None and descriptor.message_type.GetOptions().map_entry:
            continue
        if descriptor.message_type is not None:
            for member in members:
                yield from _values(member, inside=names)
        elif names and descriptor.type == FieldDescriptor.TYPE_STRING and descriptor.name not in _CODES:
            yield from members


_CODES = frozenset({"currency_code", "script", "language", "territory", "scheme"})
"""Codes that stand in fields of these classes and name nobody."""


def _withheld(
    part: str,
    message: Descriptor,
    disclosed: frozenset[str],
    *,
    prefix: str = "",
    above: frozenset[str] = frozenset(),
    decided: bool = False,
) -> Iterator[tuple[str, str]]:
    """Fields that the part leaves out for their class, whether the message has them or not."""
    for descriptor in message.fields:
        path, name, below = f"{prefix}{descriptor.name}", class_of(descriptor), descriptor.message_type
        is_decided = decided or f"{part}.{path}" in disclosed
        if name in _NEVER or (name == DECIDED_CLASS and not is_decided):
            yield f"{part}.{path}", name
        elif below is not None and below.full_name not in above:
            inner = above | {message.full_name}
            yield from _withheld(part, below, disclosed, prefix=f"{path}.", above=inner, decided=is_decided)
