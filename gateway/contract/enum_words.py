"""Words for the contract's enum values: FLAG_REASON_NOT_FOUND is `not_found`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

UNKNOWN: Final = "—"
"""Word for unspecified and unknown values."""


def words(enum: Any) -> Mapping[str, Any]:
    """An enum's values by word, without unspecified."""
    names = dict(enum.items())
    prefix = next(name for name, number in names.items() if number == 0).removesuffix("UNSPECIFIED")
    return {name.removeprefix(prefix).lower(): number for name, number in names.items() if number != 0}


def word_of(enum: Any, value: int) -> str:
    """The word for an enum's value, or UNKNOWN."""
    return next((word for word, number in words(enum).items() if number == value), UNKNOWN)


def choices(enum: Any) -> str:
    """All words of an enum, for an option's help."""
    return ", ".join(words(enum))
