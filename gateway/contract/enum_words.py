"""Names the values of the contract's enums in words: FLAG_REASON_NOT_FOUND is `not_found`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

UNKNOWN: Final = "—"
"""Stands for unspecified, and for values that this version doesn't know."""


def words(enum: Any) -> Mapping[str, Any]:
    """An enum's values by their words; unspecified isn't among them."""
    names = dict(enum.items())
    prefix = next(name for name, number in names.items() if number == 0).removesuffix("UNSPECIFIED")
    return {name.removeprefix(prefix).lower(): number for name, number in names.items() if number != 0}


def word_of(enum: Any, value: int) -> str:
    """The word for an enum's value, or UNKNOWN."""
    return next((word for word, number in words(enum).items() if number == value), UNKNOWN)
