r"""Writes lists, names and addresses into one cell, and reads them back unchanged.

Own columns have `;` between members, `|` between the parts of one, and `\` before a literal separator.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gateway.errors import MalformedError
from gateway.translation.plain_text import UNPRINTABLE

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", ";": ";", "|": "|"}
_WRITTEN = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", ";": "\\;", "|": "\\|"}
_ESCAPE = re.compile(r"\\(u[0-9a-f]{4}|[nrt\\;|])")
_IN_CELL = re.compile(rf"[\\{UNPRINTABLE}]")
_IN_MEMBER = re.compile(rf"[\\;|{UNPRINTABLE}]")
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r")
"""Starts of formulas in spreadsheets, which take full-width characters for the others, and skip tabs and returns."""


@dataclass(frozen=True, slots=True)
class Notation:
    """How a cell is split.

    Attributes:
        members: between members; empty: the cell is one.
        parts: between the parts of a member; empty: it has one.
        escapes: whether `\\` makes the next character literal.
    """

    members: str = ";"
    parts: str = "|"
    escapes: bool = True


OWN = Notation()
PARTED = Notation(members="")
"""One member, in parts."""
TEXT = Notation(members="", parts="")
"""One text."""


def read_members(text: str, notation: Notation = OWN) -> list[str]:
    """The members of a cell, still with escapes; empty ones are left out."""
    if not notation.members:
        return [text]
    pieces = _split(text, notation.members) if notation.escapes and "\\" in text else text.split(notation.members)
    return [piece for piece in map(str.strip, pieces) if piece]


def read_parts(member: str, most: int, notation: Notation = OWN) -> list[str]:
    """`most` parts of a member; missing ones are empty.

    Raises:
        MalformedError: there are more.
    """
    if not notation.parts or notation.parts not in member:
        parts = [unescaped(member) if notation.escapes else member]
    elif notation.escapes and "\\" in member:
        parts = [unescaped(part.strip()) for part in _split(member, notation.parts)]
    else:
        parts = [part.strip() for part in member.split(notation.parts)]
    if len(parts) > most:
        raise MalformedError(f"{member[:40]!r} has {len(parts)} parts, at most {most} are known; write | as \\|")
    return parts + [""] * (most - len(parts))


def write_text(text: str) -> str:
    """A text as one cell."""
    return guarded(_escaped(text, _IN_CELL))


def write_member(parts: Iterable[str], *, keep: int = 1) -> str:
    """The parts of one member; empty parts at the end are left out down to `keep`."""
    written = [_escaped(part, _IN_MEMBER) for part in parts]
    while len(written) > keep and not written[-1]:
        written.pop()
    return "|".join(written)


def write_members(members: Iterable[str]) -> str:
    """Members as one cell."""
    return guarded(";".join(members))


def _split(text: str, separator: str) -> list[str]:
    pieces, start, at = [], 0, 0
    while at < len(text):
        if text[at] == "\\":
            at += 2
        elif text.startswith(separator, at):
            pieces.append(text[start:at])
            at += len(separator)
            start = at
        else:
            at += 1
    pieces.append(text[start:])
    return pieces


def unescaped(text: str) -> str:
    """A text without escapes."""
    return _ESCAPE.sub(lambda match: _meant(match[1]), text) if "\\" in text else text


def _meant(escape: str) -> str:
    if escape[0] != "u":
        return _ESCAPES[escape]
    character = chr(int(escape[1:], 16))
    return "\\" + escape if "\ud800" <= character <= "\udfff" else character


def _escaped(text: str, special: re.Pattern[str]) -> str:
    if not text:
        return text
    written = special.sub(lambda match: _WRITTEN.get(match[0]) or _by_number(match[0]), text)
    # Readers strip space at the edges, so it is escaped.
    if written[0].isspace():
        written = _by_number(written[0]) + written[1:]
    if written[-1].isspace():
        written = written[:-1] + _by_number(written[-1])
    return written


def guarded(cell: str) -> str:
    """A cell that a spreadsheet takes for no formula."""
    return _by_number(cell[0]) + cell[1:] if cell.startswith(_FORMULA) else cell


def _by_number(character: str) -> str:
    return f"\\u{ord(character):04x}"
