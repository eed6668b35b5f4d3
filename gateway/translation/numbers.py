"""Writes numbers with the reader's separators."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from gateway.translation.messages import language

_SEPARATORS: Final = {"pt": str.maketrans(",.", "\u00a0,")}
"""Where they aren't those of English; by CLDR for Portugal."""

NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?")
"""As rules write them: what `grouped` takes."""

_GROUPED_FROM: Final = 10_000
"""Numbers from here on have separators for thousands."""


def in_readers_form(number: str) -> str:
    """A number as English writes it, e.g. `20,000.5`: in Portuguese that would be twenty."""
    separators = _SEPARATORS.get(language())
    return number.translate(separators) if separators else number


def grouped(number: str) -> str:
    """A number with the reader's separators, for thousands too: `20000.5` as `20,000.5`."""
    value = Decimal(number)
    return in_readers_form(f"{value:,f}" if abs(value) >= _GROUPED_FROM else number)
