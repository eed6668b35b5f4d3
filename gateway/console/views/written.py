"""Reads numbers, codes and lists as people write them: 12,500.5 or 12 500,5; 8110-10 or 8110.10; a, b and lines."""

from __future__ import annotations

import re
from typing import Final

from gateway.translation.messages import language

MOST: Final = 10.0**12
"""Numbers from here on are refused: no mass or value of a consignment has as many digits."""

_PLAIN: Final = re.compile(r"\d{1,12}(?:\.\d{1,6})?", re.ASCII)
_GROUPED: Final = {
    ",": re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d{1,6})?", re.ASCII),
    ".": re.compile(r"\d{1,3}(?:\.\d{3})+(?:,\d{1,6})?", re.ASCII),
}
"""Numbers whose thousands are parted by this sign; the other is that of decimals."""

_SPACES: Final = re.compile(r"[\s'’\u00a0\u202f]")
_BETWEEN_VALUES: Final = re.compile(r"[,;，；、\n]")
_CODE_SIGNS: Final = re.compile(r"[\s.\-\u2010-\u2013]")


def number_in(text: str) -> float | None:
    """The number that a text is, at least 0; None for anything else.

    `12,500` and `12.500` mean what they do in the reader's language; `12,5` is decimal in all of them.
    """
    packed = _SPACES.sub("", text)
    own = "." if language() == "pt" else ","
    for thousands in (own, "." if own == "," else ","):
        is_sure = packed.count(thousands) > 1 or len(set(packed) & {",", "."}) == 2
        if (thousands == own or is_sure) and _GROUPED[thousands].fullmatch(packed):
            packed = packed.replace(thousands, "")
            break
    packed = packed.replace(",", ".")
    return float(packed) if _PLAIN.fullmatch(packed) and float(packed) < MOST else None


def code_in(text: str) -> str:
    """A commodity code without the signs that people part it by."""
    return _CODE_SIGNS.sub("", text)


def values_in(text: str) -> list[str]:
    """Values on lines, or between commas and semicolons of any script."""
    return [value.strip() for value in _BETWEEN_VALUES.split(text) if value.strip()]
