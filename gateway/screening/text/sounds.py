"""Represents sounds of Han characters and romanised syllables as bit masks.

A sound is a (Mandarin, Cantonese) pair of some character, e.g. (guo, gwok), and has a bit. A character's mask has its
readings, a spelling's mask every sound spelt so in a scheme. Two tokens may be one character exactly if their masks
share a bit: 國 & kuok, but not 何 & kuok. First readings of GB 2312 define the sounds, which omits readings not in
names.
"""

from __future__ import annotations

import re
from collections import defaultdict
from enum import IntEnum
from functools import cache, lru_cache
from importlib import resources

from gateway.screening.text import romanisation
from gateway.screening.text.normalisation import simplified


class RomanisationScheme(IntEnum):
    """A romanisation, in order of preference."""

    MAINLAND = 0
    HONG_KONG = 1
    MACAO = 2
    WADE_GILES = 3
    CANTONESE = 4
    """Hong Kong and Macao mixed (Hang Seng), tried where neither fits."""


SCHEME_NAMES = {
    RomanisationScheme.MAINLAND: "pinyin",
    RomanisationScheme.HONG_KONG: "Hong Kong romanisation",
    RomanisationScheme.MACAO: "Macao romanisation",
    RomanisationScheme.WADE_GILES: "Wade-Giles or a later Taiwanese romanisation",
    RomanisationScheme.CANTONESE: "Hong Kong or Macao romanisation",
}

_MAX_READINGS = 3
"""Later ones are rare."""


_VOWEL = re.compile(r"[aeiou]|^t?sz$|^[ln]v$")
_ONSET = re.compile(r"(ng(?=[aeiou])|gw|kw|[bpdtgkzc]?)(.+)")
_UNWRITTEN = {"ng": "", "gw": "kw", "g": "k", "d": "t", "b": "p", "z": "c"}


def _read_readings() -> dict[str, str]:
    text = resources.files("gateway.reference").joinpath("readings.csv").read_text(encoding="utf-8")
    return {line[0]: line[2:] for line in text.splitlines()[1:]}


_READINGS = _read_readings()
"""Mandarin and Cantonese readings, separated by a comma."""


@cache
def mandarin(character: str) -> tuple[str, ...]:
    """Toneless pinyin readings, v for ü, usual one first."""
    return _split(_READINGS.get(character, ",").partition(",")[0])


@cache
def cantonese(character: str) -> tuple[str, ...]:
    """Toneless Jyutping readings, usual one first."""
    return _split(_READINGS.get(character, ",").partition(",")[2])


def _split(readings: str) -> tuple[str, ...]:
    return tuple(readings.split("/")) if readings else ()


def _common_characters() -> list[str]:
    raw = (bytes((row, cell)) for row in range(0xB0, 0xF8) for cell in range(0xA1, 0xFF))
    return [text for code in raw if (text := code.decode("gb2312", "ignore"))]


def _define_sounds() -> dict[tuple[str, str], int]:
    pairs: dict[tuple[str, str], int] = {}
    for character in _common_characters():
        for spoken in mandarin(character)[:1]:
            for cantonese_reading in cantonese(character)[:1]:
                pairs.setdefault((spoken, cantonese_reading), len(pairs))
    return pairs


_SOUNDS = _define_sounds()
SOUND_PAIRS: tuple[tuple[str, str], ...] = tuple(_SOUNDS)
"""Sounds by bit: (pinyin, Jyutping)."""


def spellings(pair: tuple[str, str], scheme: RomanisationScheme) -> frozenset[str]:
    """Spellings of a sound (pinyin, Jyutping)."""
    spoken, cantonese_reading = pair
    match scheme:
        case RomanisationScheme.MAINLAND:
            return romanisation.mainland(spoken)
        case RomanisationScheme.HONG_KONG:
            return romanisation.hong_kong(cantonese_reading)
        case RomanisationScheme.MACAO:
            return romanisation.macao(cantonese_reading)
        case RomanisationScheme.WADE_GILES:
            return romanisation.wade_giles(spoken)
        case RomanisationScheme.CANTONESE:
            return romanisation.hong_kong(cantonese_reading) | romanisation.macao(cantonese_reading)


def _define_masks() -> dict[RomanisationScheme, dict[str, int]]:
    masks: dict[RomanisationScheme, dict[str, int]] = {}
    for scheme in RomanisationScheme:
        by_spelling: defaultdict[str, int] = defaultdict(int)
        for pair, bit in _SOUNDS.items():
            for spelling in filter(_VOWEL.search, spellings(pair, scheme)):
                by_spelling[spelling] |= 1 << bit
        masks[scheme] = dict(by_spelling)
    return masks


SYLLABLES = _define_masks()
"""By scheme: spelling → mask."""


ANY_SYLLABLE: dict[str, int] = defaultdict(int)
"""Spelling in any scheme → mask."""
for _table in SYLLABLES.values():
    for _spelling, _mask in _table.items():
        ANY_SYLLABLE[_spelling] |= _mask
ANY_SYLLABLE = dict(ANY_SYLLABLE)


_MERGED = {"干": "乾", "着": "著", "征": "徵"}
"""Simplified characters that also stand for a traditional one of another sound."""


@cache
def sounds_of(character: str) -> int:
    """Mask of a Han character; 0 if unknown."""
    writings = (character, simplified(character), _MERGED.get(character, ""))
    spoken = dict.fromkeys(reading for writing in writings for reading in mandarin(writing)[:_MAX_READINGS])
    cantonese_readings = dict.fromkeys(r for writing in writings for r in cantonese(writing)[:_MAX_READINGS])
    mask = 0
    for pinyin in spoken:
        for jyutping in cantonese_readings:
            bit = _SOUNDS.get((pinyin, jyutping))
            if bit is not None:
                mask |= 1 << bit
    return mask


@lru_cache(maxsize=16_384)
def pivots(mask: int) -> tuple[str, ...]:
    """Sorted; masks that share a bit share one."""
    masks = set()
    while mask:
        lowest = mask & -mask
        masks.add(pivot(SOUND_PAIRS[lowest.bit_length() - 1][1]))
        mask ^= lowest
    return tuple(sorted(masks))


@cache
def pivot(jyutping: str) -> str:
    """A Cantonese syllable without aspiration, long a and initial ng, which Hong Kong and Macao don't write."""
    initial, rest = _ONSET.match(jyutping + "-").groups()  # type: ignore[union-attr]
    return _UNWRITTEN.get(initial, initial) + rest.rstrip("-").replace("aa", "a")


def _schemes_by_spelling() -> dict[str, int]:
    schemes: defaultdict[str, int] = defaultdict(int)
    for scheme, table in SYLLABLES.items():
        for spelling in table:
            schemes[spelling] |= 1 << scheme
    return dict(schemes)


SCHEMES_OF = _schemes_by_spelling()
"""Spelling → schemes (bits)."""
MAX_SYLLABLE = 6
"""Letters of the longest syllable."""


@cache
def letter_mask(scheme: RomanisationScheme, letter: str) -> int:
    """Mask of an initial: every sound that a scheme spells with this first letter."""
    mask = 0
    for spelling, sounds in SYLLABLES[scheme].items():
        if spelling[0] == letter:
            mask |= sounds
    return mask


@lru_cache(maxsize=16_384)
def onsets(mask: int) -> tuple[str, ...]:
    """How the sounds of a mask begin in Mandarin and Cantonese, in a few classes: those of an initial's mask have one
    in common with those of every character that it may stand for."""
    found = set()
    while mask:
        lowest = mask & -mask
        spoken, cantonese_reading = SOUND_PAIRS[lowest.bit_length() - 1]
        found.add(f"{spoken[0]}{pivot(cantonese_reading)[0]}")
        mask ^= lowest
    return tuple(sorted(found))


@lru_cache(maxsize=65_536)
def splits(word: str) -> tuple[tuple[int, tuple[str, ...]], ...]:
    """Ways to read a word as one or two syllables, with schemes as bits: `jiayin` → (1, (jia, yin)).

    The single syllable first, then the shortest first syllable.
    """
    whole = SCHEMES_OF.get(word, 0)
    ways: list[tuple[int, tuple[str, ...]]] = [(whole, (word,))] if whole else []
    for cut in range(1, min(len(word), MAX_SYLLABLE + 1)):
        schemes = SCHEMES_OF.get(word[:cut], 0) & SCHEMES_OF.get(word[cut:], 0)
        if schemes:
            ways.append((schemes, (word[:cut], word[cut:])))
    return tuple(ways)
