"""Finds and removes fields by the contract's disclosure classes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from gateway.contract.disclosure_classes import class_of, value_of
from gateway.contract.messages import is_set
from gateway.errors import Violation
from gateway.trust.rules.directory import FieldClass
from gateway.v1 import history_pb2

_ALL = frozenset(FieldClass)


@dataclass(frozen=True, slots=True)
class Redaction:
    """What was done to a message.

    Attributes:
        removed: number of fields that were set; it tells what the message held, so it stays here.
        withheld: the fields that the message as it is left may have had, named without the numbers of list members.
            Every message that is left so has the same, whatever it held.
    """

    removed: int
    withheld: tuple[history_pb2.WithheldField, ...]


@dataclass(frozen=True, slots=True)
class _FieldUse:
    """A field whose class isn't allowed; `path` is from the root message."""

    owner: Message
    field: str
    path: str
    field_class: FieldClass
    is_set: bool


_Walk = Callable[[Message, str, Collection[FieldClass], bool], Iterator[_FieldUse]]


def undisclosable(message: Message, allowed: Collection[FieldClass], prefix: str = "") -> list[Violation]:
    """All set fields whose class isn't allowed; those without a class always are. `prefix` begins each path."""
    return [
        Violation(use.path, "disclosure", f"the agreement with this partner doesn't allow {use.field_class.value}")
        for use in _walk(message, prefix, allowed, numbered=True)
        if use.is_set
    ]


def classified(message: Message) -> list[tuple[str, FieldClass]]:
    """All set fields that have a class, by path with the numbers of list members; those below such a field too."""
    return [(use.path, use.field_class) for use in _walk(message, "", frozenset(), numbered=True) if use.is_set]


def redact(message: Message, allowed: Collection[FieldClass]) -> Redaction:
    """Removes fields whose class isn't allowed, in place; those without a class stay.

    A field goes whole. List members keep their places.
    """
    removed = 0
    withheld: dict[str, FieldClass] = {}
    for use in _walk(message, "", allowed, numbered=False):
        withheld[use.path] = use.field_class
        if use.is_set:
            removed += 1
            use.owner.ClearField(use.field)  # now: the walk names nothing below it
    return Redaction(
        removed,
        tuple(
            history_pb2.WithheldField(path=path, disclosure_class=value_of(field_class))
            for path, field_class in withheld.items()
        ),
    )


def _walk(message: Message, prefix: str, allowed: Collection[FieldClass], *, numbered: bool) -> Iterator[_FieldUse]:
    """Uses of fields in the message, set or not; `numbered`: with the numbers of list members in their paths."""
    if frozenset(allowed) >= _ALL:
        return
    for walk in _walks(message.DESCRIPTOR):
        yield from walk(message, prefix, allowed, numbered)


@cache
def _walks(descriptor: Descriptor) -> tuple[_Walk, ...]:
    return tuple(_compile(descriptor, frozenset()))


def _compile(descriptor: Descriptor, above: frozenset[str]) -> Iterable[_Walk]:
    for field in descriptor.fields:
        name = class_of(field)
        if name is not None:
            yield _classified(field, FieldClass(name))
        below = field.message_type
        if below is None or below.full_name in above or below.GetOptions().map_entry:
            continue
        walks = tuple(_compile(below, above | {descriptor.full_name}))
        if walks:
            yield _below(field, walks)


def _classified(field: FieldDescriptor, field_class: FieldClass) -> _Walk:
    name = field.name

    def walk(message: Message, prefix: str, allowed: Collection[FieldClass], numbered: bool) -> Iterator[_FieldUse]:
        if field_class not in allowed:
            yield _FieldUse(message, name, f"{prefix}{name}", field_class, is_set(message, field))

    return walk


def _below(field: FieldDescriptor, walks: tuple[_Walk, ...]) -> _Walk:
    name = field.name

    def single(message: Message, prefix: str, allowed: Collection[FieldClass], numbered: bool) -> Iterator[_FieldUse]:
        if message.HasField(name):
            for walk in walks:
                yield from walk(getattr(message, name), f"{prefix}{name}.", allowed, numbered)

    def members(message: Message, prefix: str, allowed: Collection[FieldClass], numbered: bool) -> Iterator[_FieldUse]:
        for index, below in enumerate(getattr(message, name)):
            where = f"{prefix}{name}[{index}]." if numbered else f"{prefix}{name}."
            for walk in walks:
                yield from walk(below, where, allowed, numbered)

    return members if field.is_repeated else single
