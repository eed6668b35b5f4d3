"""The classes of information that a file's content is of: in the contract, in a column, and in an agreement."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.contract.disclosure_classes import value_of
from gateway.trust.rules.directory import FieldClass
from gateway.v1 import options_pb2

ALL = frozenset(FieldClass)
"""What a file may be of that says nothing of it."""

_BY_VALUE = {value_of(one.value): one for one in FieldClass}


def text_of(classes: Iterable[options_pb2.DisclosureClass.ValueType]) -> str:
    """As a column has them: names in order, empty for none; values that this version doesn't know stand for all."""
    values = list(classes)
    known = {_BY_VALUE[value] for value in values if value in _BY_VALUE}
    if len(set(values)) > len(known):
        known = set(ALL)
    return " ".join(sorted(one.value for one in known))


def values_of(text: str) -> list[options_pb2.DisclosureClass.ValueType]:
    """The contract's values."""
    return [value_of(name) for name in text.split()]


def needed(*texts: str) -> frozenset[FieldClass]:
    """The classes that somebody must be allowed who gets a file that was described so; all where one says nothing."""
    if not texts or not all(texts):
        return ALL
    return frozenset(FieldClass(name) for text in texts for name in text.split())
