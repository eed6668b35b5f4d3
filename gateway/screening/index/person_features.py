"""Packs features of a person's name into 60 bits, to skip implausible candidates unread.

1. Non-Chinese name: number of distinctive words, and a bit for each by spelling and phonetic key. The longer name must
   have all words of the shorter.
2. Romanised Chinese name: its syllables, if equal in every reading, and its schemes. Each syllable must share a sound
   with the other's under one scheme.
3. Han name: its characters, likewise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property, lru_cache
from zlib import crc32

from gateway.screening.persons.reading import PersonVariant
from gateway.screening.persons.words import CUSTOMARY, MIN_COVERAGE, unit_key, units_of
from gateway.screening.prepared_name import PreparedName
from gateway.screening.text.sounds import SOUND_PAIRS, SYLLABLES, RomanisationScheme, sounds_of, spellings

_NOTHING, _WORDS, _LATIN, _HAN = range(4)
_WORD_BITS = 28
_MAX_COUNT = 15
_TWO_OF_THREE = 5
HOPELESS_BELOW = 0.4 * (1 + CUSTOMARY) / 2 + 0.6 * 2 / 3
"""The highest score of a skipped pair: two of three words, one only spelt alike."""
_ID_BITS = 12
_ID_MASK = (1 << _ID_BITS) - 1
_CHARACTER_MASK = 0xFFFF
_SCHEME_MASK = (1 << len(RomanisationScheme)) - 1

Rows = Callable[[list[int], Mapping[int, int]], list[int]]


@cache
def _ids() -> dict[str, int]:
    found = (
        spelling
        for pair in SOUND_PAIRS
        for scheme in RomanisationScheme
        for spelling in sorted(spellings(pair, scheme))
    )
    return {spelling: number for number, spelling in enumerate(dict.fromkeys(found), 1)}


def person_features(name: PreparedName) -> int:
    """0 for none."""
    if len(name.persons) != 1:
        return _NOTHING
    variant = name.persons[0]
    if variant.script:
        return _NOTHING
    given = {reading.given for reading in variant.readings if reading.given}
    if variant.han:
        return _han_marks(given)
    if given:
        return _latin_marks(variant, given)
    return _word_marks(variant)


def _word_marks(variant: PersonVariant) -> int:
    words = units_of(variant.words).units
    return _WORDS | min(len(words), _MAX_COUNT) << 2 | _bits(words) << 6


def _bits(words: Sequence[str]) -> int:
    """Spellings in the lower bits, phonetic keys above."""
    found, seen = 0, set[int]()
    for word in words:
        spelt, code = _bit(word)
        while code in seen:
            code += 1
        seen.add(code)
        found |= 1 << spelt % _WORD_BITS | 1 << (_WORD_BITS + code % _WORD_BITS)
    return found


@lru_cache(maxsize=16_384)
def _bit(word: str) -> tuple[int, int]:
    return crc32(word.encode()), crc32(unit_key(word).encode())


def _latin_marks(variant: PersonVariant, given: set[tuple[str, ...]]) -> int:
    if len(given) > 1 or any(reading.given and 0 in reading.given_masks for reading in variant.readings):
        return _NOTHING
    schemes = 0
    for reading in variant.readings:
        schemes |= 1 << reading.scheme if reading.given else 0
    first, last = _ends(next(iter(given)))
    ids = _ids()
    return _LATIN | schemes << 2 | ids.get(last, 0) << 8 | (ids.get(first, 0) if first else 0) << (8 + _ID_BITS)


def _han_marks(given: set[tuple[str, ...]]) -> int:
    if len(given) != 1:
        return _NOTHING
    first, last = (ord(end) if end else 0 for end in _ends(next(iter(given))))
    return _NOTHING if max(first, last) > _CHARACTER_MASK else _HAN | last << 2 | first << 18


def _ends(given: tuple[str, ...]) -> tuple[str, str]:
    return (given[0] if len(given) > 1 else ""), given[-1]


@cache
def _sounds_by_id() -> list[tuple[int, ...]]:
    """By number of a spelling: its sounds in each scheme."""
    return [(0,) * len(RomanisationScheme)] + [
        tuple([SYLLABLES[scheme].get(spelling, 0) for scheme in RomanisationScheme]) for spelling in _ids()
    ]


class PersonFilter:
    """Skips implausible candidates of one person."""

    def __init__(self, name: PreparedName) -> None:
        self._variants = name.persons

    @cached_property  # on first use
    def _words(self) -> tuple[int, int]:
        if any(variant.script for variant in self._variants):
            return 0, 0
        latin = [variant for variant in self._variants if not variant.han]
        words = units_of(latin[0].words).units if len(latin) == 1 else ()
        return len(words), _bits(words)

    @cached_property
    def _sounds(self) -> list[tuple[int, int]]:
        """Of first and last syllable; -1 (any) for an initial or none."""
        found = {
            ((r.given_masks[0] or -1) if len(r.given) > 1 else -1, r.given_masks[-1] or -1)
            for variant in self._variants
            for r in variant.readings
            if r.given
        }
        return list(found)

    def by_words(self, rows: list[int], packed: Mapping[int, int]) -> list[int]:
        """Rows with this name's words, or more, or fewer.

        With one of three words left over, the other two must be equal.
        """
        count, both = self._words
        if not 0 < count < _MAX_COUNT:
            return rows
        found = []
        for row in rows:
            mark = packed[row]
            if mark & 3 == _WORDS and (theirs_count := mark >> 2 & _MAX_COUNT) < _MAX_COUNT:
                shift = 0 if count + theirs_count == _TWO_OF_THREE else _WORD_BITS
                mine, theirs = both >> shift, mark >> 6 + shift
                if count <= theirs_count:
                    if mine & ~theirs or count < MIN_COVERAGE * theirs_count:
                        continue
                elif theirs & ~mine or theirs_count < MIN_COVERAGE * count:
                    continue
            found.append(row)
        return found

    def by_sound(self, rows: list[int], packed: Mapping[int, int]) -> list[int]:
        """Rows that may sound like this name; those with the same syllables have the same features."""
        if not self._sounds:
            return rows
        known: dict[int, bool] = {}
        found = []
        for row in rows:
            mark = packed[row]
            may_sound = known.get(mark)
            if may_sound is None:
                may_sound = known[mark] = self._may_sound(mark)
            if may_sound:
                found.append(row)
        return found

    def _may_sound(self, mark: int) -> bool:
        if mark & 3 == _LATIN:
            schemes, spelt, by_id = mark >> 2 & _SCHEME_MASK, mark >> 8, _sounds_by_id()
            lasts, firsts = by_id[spelt & _ID_MASK], by_id[spelt >> _ID_BITS]
            return any(
                (ours < 0 or ours & last) and (before < 0 or not spelt >> _ID_BITS or before & first)
                for scheme, (last, first) in enumerate(zip(lasts, firsts, strict=True))
                if schemes >> scheme & 1
                for before, ours in self._sounds
            )
        if mark & 3 == _HAN:
            last, first = _sounds_at(mark >> 2 & _CHARACTER_MASK), _sounds_at(mark >> 18)
            return any(ours & last and (not first or before & first) for before, ours in self._sounds)
        return True


@lru_cache(maxsize=16_384)
def _sounds_at(code: int) -> int:
    return sounds_of(chr(code)) if code else 0
