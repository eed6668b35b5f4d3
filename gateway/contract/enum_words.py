"""Words for the contract's enum values: FLAG_REASON_NOT_FOUND is `not_found`, PRIORITY_A is `A`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from google.protobuf.descriptor import EnumDescriptor

UNKNOWN: Final = "—"
"""Word for unspecified and unknown values."""


def words(enum: Any) -> Mapping[str, Any]:
    """An enum's values by word, without unspecified."""
    return words_of(enum.DESCRIPTOR)


@cache
def words_of(enum: EnumDescriptor) -> Mapping[str, int]:
    """The same of an enum's descriptor."""
    named = ((word_for(enum, value.name), value.number) for value in enum.values)
    return {word: number for word, number in named if word is not None}


def word_for(enum: EnumDescriptor, name: str) -> str | None:
    """The word for a value's name in the contract; None for unspecified."""
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    word = name.removeprefix(prefix)
    if enum.values_by_name[name].number == 0:
        return None
    return word if len(word) == 1 else word.lower()  # a letter is a name


def word_of(enum: Any, value: int) -> str:
    """The word for an enum's value, or UNKNOWN."""
    return next((word for word, number in words(enum).items() if number == value), UNKNOWN)


def number_of(enum: EnumDescriptor, text: str) -> int | None:
    """The value for a word, in any case and with hyphens, or for its name in the contract; None where there is none."""
    wanted = text.replace("-", "_").lower()
    known = words_of(enum)
    named = {value.name.lower(): value.number for value in enum.values}
    return next((number for word, number in known.items() if word.lower() == wanted), named.get(wanted))


def choices(enum: Any) -> str:
    """All words of an enum, for an option's help."""
    return ", ".join(words(enum))
