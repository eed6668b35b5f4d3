r"""Makes foreign text harmless to show: a partner's alert can't repaint a terminal, forge a line or hide words.

Escaped are control characters (C0, DEL, C1), format characters (bidi controls, zero-width, tags), line and paragraph
separators, surrogates, and letters and marks without a glyph. Variation selectors stay: names in Han use them.
"""

from __future__ import annotations

import re
from typing import Final

UNPRINTABLE: Final = (
    r"\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u2028-\u202e"
    r"\u2060-\u206f\ufeff\ufff0-\ufffb"  # as below, by category
    r"\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\uffa0"  # letters and marks without a glyph
)
"""Characters of a regular expression's class, up to U+FFFF and without surrogates."""

_BEYOND: Final = (
    r"\ud800-\udfff\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e00ff\U000e01f0-\U000e0fff"
)
"""Surrogates, and characters above U+FFFF. Together: Unicode's Cc, Cf, Cs, Zl, Zp; a test compares Python's data."""

_IN_LINE: Final = re.compile(f"[{UNPRINTABLE}{_BEYOND}]")
_IN_TEXT: Final = re.compile(f"(?!\n)[{UNPRINTABLE}{_BEYOND}]")


def printable(text: str) -> str:
    r"""The text with what doesn't print as `\u{…}`; newlines stay, for cells and paragraphs."""
    return _IN_TEXT.sub(_escape, text)


def printable_line(text: str) -> str:
    r"""The text with what doesn't print as `\u{…}`, newlines too: it can't begin a line of its own."""
    return _IN_LINE.sub(_escape, text)


def printable_json(document: str) -> str:
    r"""A JSON document with what doesn't print as `\uXXXX`: it has the same value."""
    return _IN_TEXT.sub(_json_escape, document)


def _escape(match: re.Match[str]) -> str:
    return f"\\u{{{ord(match[0]):04x}}}"


def _json_escape(match: re.Match[str]) -> str:
    number = ord(match[0])
    if number < 0x10000:
        return f"\\u{number:04x}"
    number -= 0x10000  # a pair of surrogates
    return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"


def comma_joined(*parts: str) -> str:
    """Parts with commas between them, without empty ones; a full stop before a comma is left out."""
    said = [part for part in parts if part]
    return ", ".join([*(part.rstrip().rstrip(".。．") for part in said[:-1]), *said[-1:]])
