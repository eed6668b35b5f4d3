r"""How lists, names and addresses stand in one cell of text, and how they come back out of it unchanged.

Owns the notation of the gateway's own CSV: `;` between members, `|` between the parts of one, `\` before what would
otherwise separate; and the looser reading of other people's cells. Doesn't own columns or mappings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.errors import MalformedError
from gateway.formats.lists.territories import territory_code

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", ";": ";", "|": "|"}
_WRITTEN = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\", ";": "\\;", "|": "\\|"}
_ESCAPE = re.compile(r"\\(u[0-9a-f]{4}|[nrt\\;|])")
_IN_CELL = re.compile(r"[\\\x00-\x1f\x7f-\x9f\u2028\u2029]")
_IN_MEMBER = re.compile(r"[\\;|\x00-\x1f\x7f-\x9f\u2028\u2029]")
_FORMULA = ("=", "+", "-", "@")
"""What a spreadsheet takes for the start of a formula, in a cell that may have come from somebody else."""


@dataclass(frozen=True, slots=True)
class Notation:
    """How a cell is taken apart.

    Attributes:
        members: between the members of a list; empty: the cell is one member.
        parts: between the parts of a member; empty: the member is its first part.
        escapes: whether `\\` takes away the meaning of what follows.
    """

    members: str = ";"
    parts: str = "|"
    escapes: bool = True


OWN = Notation()


def read_text(text: str, notation: Notation = OWN) -> str:
    """A cell that holds one text."""
    return _unescaped(text) if notation.escapes and "\\" in text else text


def read_members(text: str, notation: Notation = OWN) -> list[str]:
    """The members of a cell, still with escapes; empty ones are left out."""
    if not notation.members:
        return [text]
    pieces = _split(text, notation.members) if notation.escapes and "\\" in text else text.split(notation.members)
    return [piece for piece in map(str.strip, pieces) if piece]


def read_parts(member: str, most: int, notation: Notation = OWN) -> list[str]:
    """The parts of a member, as many as asked for; those that aren't there are empty.

    Raises:
        MalformedError: there are more.
    """
    if not notation.parts:
        parts = [member]
    elif notation.escapes and "\\" in member:
        parts = [_unescaped(part.strip()) for part in _split(member, notation.parts)]
    elif notation.parts in member:
        parts = [part.strip() for part in member.split(notation.parts)]
    else:
        parts = [member]
    if len(parts) > most:
        raise MalformedError(f"{member[:40]!r} has {len(parts)} parts, at most {most} are known; write | as \\|")
    return parts + [""] * (most - len(parts))


def write_text(text: str) -> str:
    """A text as one cell."""
    return _guarded(_escaped(text, _IN_CELL))


def write_member(parts: Iterable[str], *, keep: int = 1) -> str:
    """The parts of one member; empty parts at the end are left out down to `keep`."""
    written = [_escaped(part, _IN_MEMBER) for part in parts]
    while len(written) > keep and not written[-1]:
        written.pop()
    return "|".join(written)


def write_members(members: Iterable[str]) -> str:
    """Members as one cell."""
    return _guarded(";".join(members))


def read_time(text: str) -> Timestamp:
    """A time with its zone, RFC 3339.

    Raises:
        MalformedError: it isn't one.
    """
    stamp = Timestamp()
    try:
        stamp.FromJsonString(text)
    except (ValueError, OverflowError):
        raise MalformedError(f"{text[:40]!r} isn't a time with its zone, e.g. 2026-01-15T08:00:00+08:00") from None
    return stamp


def read_territory(text: str) -> str:
    """A territory's code from its code or English name.

    Raises:
        MalformedError: neither.
    """
    code = territory_code(text)
    if code is None:
        raise MalformedError(f"{text[:40]!r} is neither a two-letter code (ISO 3166-1) nor a known name of a territory")
    return code


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


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: _meant(found[1]), text)


def _meant(escape: str) -> str:
    if escape[0] != "u":
        return _ESCAPES[escape]
    character = chr(int(escape[1:], 16))
    return "\\" + escape if "\ud800" <= character <= "\udfff" else character


def _escaped(text: str, special: re.Pattern[str]) -> str:
    if not text:
        return text
    written = special.sub(lambda found: _WRITTEN.get(found[0]) or _by_number(found[0]), text)
    # Space at the edges would be stripped; beginning and end of a text without any keep it.
    if written[0].isspace():
        written = _by_number(written[0]) + written[1:]
    if written[-1].isspace():
        written = written[:-1] + _by_number(written[-1])
    return written


def _guarded(cell: str) -> str:
    return _by_number(cell[0]) + cell[1:] if cell.startswith(_FORMULA) else cell


def _by_number(character: str) -> str:
    return f"\\u{ord(character):04x}"
