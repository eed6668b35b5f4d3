"""Writes numbers with the reader's separators."""

from __future__ import annotations

from typing import Final

from gateway.translation.messages import language

_SEPARATORS: Final = {"pt": str.maketrans(",.", "\u00a0,")}
"""Where they aren't those of English; by CLDR for Portugal."""


def in_readers_form(number: str) -> str:
    """A number as English writes it, e.g. `20,000.5`: in Portuguese that would be twenty."""
    separators = _SEPARATORS.get(language())
    return number.translate(separators) if separators else number
