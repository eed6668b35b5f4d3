"""Numbers keys: 32 bits of hash, 5 of kind, 1 of side.

Keys that differ only in side are neighbours, so one look-up finds both. A collision (some dozens among ten million)
costs one comparison.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from functools import lru_cache
from zlib import crc32

KEY_BITS = 38
LOW_BITS = 6
"""Bits of kind and side; hashes stand above them from the beginning."""
_KEY_MASK = (1 << KEY_BITS) - 1
OTHER_SIDE = 1
"""Set for index keys of a Han variant, or of a Western name beside a given name."""

FIRST, SECOND = 0x9E3779B1, 0x85EBCA77
"""Odd factors that make the order of parts count."""


class KeyKind(IntEnum):
    """Why names share a key."""

    PERSON_HAN = 0
    PERSON_VARIANT = 1
    PERSON_LETTERS = 2
    PERSON_SOUNDS = 3
    WRITTEN_INITIALS = 4
    SPOKEN_INITIALS = 5
    WESTERN = 6
    WORDS = 7
    CORE_HAN = 8
    CORE_LETTERS = 9
    CORE_SPELT = 10
    CORE_SOUNDS = 11
    CORE_NEAR = 12
    CORE_MEANING = 13
    CORE_TRANSLATED = 14
    CORE_ALIKE = 15
    CORE_SYLLABLES = 16
    LEADING_WORD = 17
    NO_CORE = 18
    PLAIN = 19
    IDENTIFIER = 20
    HAN_IN_LINE = 21
    LETTERS_IN_LINE = 22
    HAN_ONSETS = 23
    INITIALS = 24
    NAME_CODE = 25
    CORE_CODE = 26
    CORE_SLIP = 27
    OTHER_READING = 28
    CORE_READ = 29
    CORE_BRAND = 30
    WORDS_SLIP = 31


_KIND_MASK = 31


def number(kind: KeyKind, hashed: int) -> int:
    """Key number of a hash, or of a sum of hashes."""
    return hashed & _KEY_MASK | kind << 1


def sums(kind: KeyKind, firsts: Iterable[int], seconds: Sequence[int]) -> list[int]:
    """Key numbers of all sums of a hash of the firsts and one of the seconds."""
    mask, low = _KEY_MASK, kind << 1
    of_kind = [second + low for second in seconds]
    return [first + second & mask for first in firsts for second in of_kind]


def text_number(kind: KeyKind, text: str) -> int:
    """Key number of a text."""
    try:
        return crc32(text.encode()) << LOW_BITS | kind << 1
    except UnicodeEncodeError:  # half of a pair of surrogates
        return crc32(text.encode("utf-8", "replace")) << LOW_BITS | kind << 1


def kind_of(key: int) -> int:
    """Kind of a key."""
    return key >> 1 & _KIND_MASK


LOW = (1 << LOW_BITS) - 1
"""Mask of kind and side."""
ALL_HELD = -1
"""As `held_by` has it: keys of every kind on both sides."""


def held_by(key: int) -> int:
    """A bit for the kind and the side of a key, to tell which ones an index holds."""
    return 1 << (key & LOW)


def holds(held: int, kind: KeyKind, other_side: bool) -> bool:
    """Whether there are keys of a kind on a side."""
    return bool(held >> (kind << 1 | other_side) & 1)


def on_both_sides(keys: Iterable[int]) -> set[int]:
    """Keys on both sides."""
    found = set(keys)
    found.update([key | OTHER_SIDE for key in found])
    return found


def on_other_side(keys: Iterable[int]) -> set[int]:
    """Keys on the other side."""
    return {key | OTHER_SIDE for key in keys}


@lru_cache(maxsize=65_536)
def hashes(texts: tuple[str, ...]) -> tuple[int, ...]:
    """Hash of each text, above the bits of kind and side."""
    return tuple([crc32(text.encode()) << LOW_BITS for text in texts])


def as_first(hashed: Iterable[int]) -> tuple[int, ...]:
    """Hashes in the first place of a sum."""
    return tuple([digest * FIRST for digest in hashed])


def as_second(hashed: Iterable[int]) -> tuple[int, ...]:
    """Hashes in the second place of a sum."""
    return tuple([digest * SECOND for digest in hashed])
