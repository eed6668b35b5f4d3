"""Reads Latin words as joined syllables of romanised Chinese, and writes Han characters as such."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from gateway.screening.text.normalisation import has_han
from gateway.screening.text.sounds import (
    MAX_SYLLABLE,
    SCHEMES_OF,
    SOUND_PAIRS,
    RomanisationScheme,
    mandarin,
    sounds_of,
    spellings,
)

MAX_PREFIX_WORDS = 4
"""First words of a Latin core read as syllables."""


@cache
def spellings_of(character: str, scheme: RomanisationScheme) -> tuple[str, ...]:
    """Longest first; a Latin word stays as it is."""
    if not has_han(character):
        return (character,)
    texts: set[str] = set()
    mask = sounds_of(character)
    while mask:
        lowest = mask & -mask
        texts |= spellings(SOUND_PAIRS[lowest.bit_length() - 1], scheme)
        mask ^= lowest
    return tuple(sorted(texts, key=lambda s: (-len(s), s)))


@lru_cache(maxsize=65_536)
def pinyin_letters(core: tuple[str, ...]) -> str:
    """A Han core in pinyin, first readings, joined."""
    return "".join((mandarin(unit) or (unit,))[0].replace("v", "u") if has_han(unit) else unit for unit in core)


_ALL = (1 << len(RomanisationScheme)) - 1


@lru_cache(maxsize=131_072)
def syllabic(letters: str) -> int:
    """Schemes (bits) by which a word, perhaps empty, is joined syllables."""
    return beginnings(letters)[-1]


@lru_cache(maxsize=1_024)  # asked for several times by keys
def beginnings(letters: str) -> tuple[int, ...]:
    """Schemes (bits) by which so many first letters of a word are joined syllables; most words end early."""
    length = len(letters)
    found = [_ALL] + [0] * length
    for at, begun in enumerate(found):
        if begun:
            for end in range(at + 1, min(at + MAX_SYLLABLE, length) + 1):
                spelt = letters[at:end]
                if spelt in SCHEMES_OF:
                    found[end] |= begun & SCHEMES_OF[spelt]
    return tuple(found)


def _endings(letters: str, begun: Sequence[int]) -> list[int]:
    """By position, for the rest of a word; only of positions that its beginnings reach."""
    length = len(letters)
    found = [0] * length + [_ALL]
    for at in range(length - 1, 0, -1):
        if begun[at]:
            for end in range(at + 1, min(at + MAX_SYLLABLE, length) + 1):
                if found[end]:
                    found[at] |= found[end] & SCHEMES_OF.get(letters[at:end], 0)
    return found


def is_syllables(word: str, scheme: RomanisationScheme) -> bool:
    """As `syllabic`, for one scheme."""
    return bool(syllabic(word) >> scheme & 1)


class Opening(NamedTuple):
    """First two syllables of a word, the second perhaps empty, and schemes (bits)."""

    first: str
    second: str
    schemes: int


def _openings(word: str, reached: Sequence[int]) -> list[Opening]:
    """Of each reading of a word; `reached`: its beginnings, the last of which isn't 0."""
    endings, length = _endings(word, reached), len(word)
    found: list[Opening] = []
    for cut in range(1, min(length, MAX_SYLLABLE) + 1):
        begun = SCHEMES_OF.get(word[:cut], 0)
        if not begun:
            continue
        if cut == length:
            found.append(Opening(word, "", begun))
        for end in range(cut + 1, min(length, cut + MAX_SYLLABLE) + 1):
            schemes = begun & endings[end]
            if schemes and (schemes := schemes & SCHEMES_OF.get(word[cut:end], 0)):
                found.append(Opening(word[:cut], word[cut:end], schemes))
    return found


def core_openings(core: Sequence[str]) -> Iterator[Opening]:
    """Openings of a Latin core; its words may be joined."""
    letters = "".join(core)
    reached = beginnings(letters)
    length = 0
    for end, word in enumerate(core[:MAX_PREFIX_WORDS], 1):
        length += len(word)
        if not reached[length]:
            continue
        for opening in _openings(letters[:length], reached):
            if opening.second or end == len(core):
                yield opening


OPENING_SCHEMES = (RomanisationScheme.MAINLAND, RomanisationScheme.CANTONESE)
"""The mixed scheme contains Hong Kong's and Macao's."""
