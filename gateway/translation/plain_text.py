"""Makes foreign text harmless to show: a partner's alert can't repaint a terminal or hide words in a report."""

from __future__ import annotations

import unicodedata
from typing import Final

_UNPRINTABLE: Final = frozenset({"Cc", "Cf", "Cs"})
"""Unicode categories control, format and surrogate."""


def printable(text: str) -> str:
    """The text with control, format and surrogate characters as `\\u{…}`; newlines stay."""
    return "".join(c if c == "\n" or unicodedata.category(c) not in _UNPRINTABLE else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    return f"\\u{{{ord(character):04x}}}"
