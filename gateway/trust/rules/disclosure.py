"""Finds and removes fields by the contract's disclosure classes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from gateway.contract.messages import is_set
from gateway.errors import Violation
from gateway.trust.rules.directory import FieldClass
from gateway.v1 import history_pb2, options_pb2

_ALL = frozenset(FieldClass)
_PREFIX = "DISCLOSURE_CLASS_"


@dataclass(frozen=True, slots=True)
class _FieldUse:
    """A set field whose class isn't allowed; `path` is from the root message."""

    owner: Message
    field: str
    path: str
    field_class: FieldClass


_Walk = Callable[[Message, str, Collection[FieldClass]], Iterator[_FieldUse]]


def undisclosable(message: Message, allowed: Collection[FieldClass], prefix: str = "") -> list[Violation]:
    """All set fields whose class isn't allowed; those without a class always are. `prefix` begins each path."""
    return [
        Violation(
            violation.path, "disclosure", f"the agreement with this partner doesn't allow {violation.field_class.value}"
        )
        for violation in _walk(message, prefix, allowed)
    ]


def redact(message: Message, allowed: Collection[FieldClass]) -> list[history_pb2.WithheldField]:
    """Removes fields whose class isn't allowed, in place, and returns them; those without a class stay.

    A field goes whole, named once by its path and class. List members keep their places, so paths stay valid.
    """
    withheld = []
    for violation in _walk(message, "", allowed):
        # Clearing during the walk would skip fields below.
        violation.owner.ClearField(violation.field)
        number = options_pb2.DisclosureClass.Value(_PREFIX + violation.field_class.value)
        withheld.append(history_pb2.WithheldField(path=violation.path, disclosure_class=number))
    return withheld


def _walk(message: Message, prefix: str, allowed: Collection[FieldClass]) -> Iterator[_FieldUse]:
    if frozenset(allowed) >= _ALL:
        return
    for walk in _walks(message.DESCRIPTOR):
        yield from walk(message, prefix, allowed)


@cache
def _walks(descriptor: Descriptor) -> tuple[_Walk, ...]:
    return tuple(_compile(descriptor, frozenset()))


def _compile(descriptor: Descriptor, above: frozenset[str]) -> Iterable[_Walk]:
    for field in descriptor.fields:
        field_class = _class_of(field)
        if field_class is not None:
            yield _classified(field, field_class)
        below = field.message_type
        if below is None or below.full_name in above or below.GetOptions().map_entry:
            continue
        walks = tuple(_compile(below, above | {descriptor.full_name}))
        if walks:
            yield _below(field, walks)


def _class_of(field: FieldDescriptor) -> FieldClass | None:
    value = field.GetOptions().Extensions[options_pb2.disclosure]
    if not value:
        return None
    return FieldClass(options_pb2.DisclosureClass.Name(value).removeprefix(_PREFIX))


def _classified(field: FieldDescriptor, field_class: FieldClass) -> _Walk:
    name = field.name

    def walk(message: Message, prefix: str, allowed: Collection[FieldClass]) -> Iterator[_FieldUse]:
        if field_class not in allowed and is_set(message, field):
            yield _FieldUse(message, name, f"{prefix}{name}", field_class)

    return walk


def _below(field: FieldDescriptor, walks: tuple[_Walk, ...]) -> _Walk:
    name = field.name

    def one(message: Message, prefix: str, allowed: Collection[FieldClass]) -> Iterator[_FieldUse]:
        if message.HasField(name):
            for walk in walks:
                yield from walk(getattr(message, name), f"{prefix}{name}.", allowed)

    def many(message: Message, prefix: str, allowed: Collection[FieldClass]) -> Iterator[_FieldUse]:
        for index, below in enumerate(getattr(message, name)):
            for walk in walks:
                yield from walk(below, f"{prefix}{name}[{index}].", allowed)

    return many if field.is_repeated else one
