"""Says in a few bytes what an organisation's name is made of, so that hopeless candidates needn't be read.

1. Each has a place of its own that has nothing to do with the other's.
2. In one script, each has words beside its core, one of them telling, and they have none in common.
3. The cores only sound near each other, and no line of business is common to both (`in_line`).
4. A line of business stands in one alone, or they have none in common: in one script always, and of a Han name and a
   Latin one where the cores have the same length, so that no word of one can stand for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import NamedTuple
from zlib import crc32

from gateway.screening.organisations.cores import NEAR_ROMANISED
from gateway.screening.organisations.lexicon import PLACES, Weight
from gateway.screening.organisations.rules import (
    CORE_WEIGHT,
    LEGAL_WEIGHT,
    OTHER_PLACE_WEIGHT,
    PLACE_WEIGHT,
    are_other_places,
)
from gateway.screening.organisations.terms import ACTIVITY_WEIGHT
from gateway.screening.organisations.variant import OrganisationVariant
from gateway.screening.prepared_name import PreparedName
from gateway.screening.text.sounds import SYLLABLES, RomanisationScheme

_WHOLE = CORE_WEIGHT + ACTIVITY_WEIGHT + LEGAL_WEIGHT
HOPELESS_BELOW = max(
    (CORE_WEIGHT * NEAR_ROMANISED + PLACE_WEIGHT + LEGAL_WEIGHT) / (CORE_WEIGHT + PLACE_WEIGHT + LEGAL_WEIGHT),
    _WHOLE / (_WHOLE + OTHER_PLACE_WEIGHT),
    (CORE_WEIGHT + PLACE_WEIGHT + LEGAL_WEIGHT) / (_WHOLE + PLACE_WEIGHT),
)
"""The highest score of a pair that is called hopeless: two names that differ in nothing but their places."""

MAX_SYLLABLES = 15
_LINES = 16
_HAN, _LATIN = 1, 2
_WORDS = 24
_CODES = {place: code for code, place in enumerate(PLACES, 1)}
_SCHEMES = (RomanisationScheme.MAINLAND, RomanisationScheme.HONG_KONG, RomanisationScheme.MACAO)


class OrganisationFeatures(NamedTuple):
    """Marks of a name.

    `place` is a number, 0 where the name has none or may have several. `words` has a bit for each meaning of its words,
    0 where it has none or may have none, and `telling` says that some carry identity; `lines` has a bit for each line
    of business, and `in_business` says that it surely has one. `script` is 1 for Han, 2 for Latin, 0 where the name is
    in both. `least` and `begun`: of a Han core its length, the least and the greatest where it can be read in several
    ways; of a Latin one the syllables it has at least, and those it may have without its last word.
    """

    place: int = 0
    words: int = 0
    telling: bool = False
    lines: int = 0
    script: int = 0
    least: int = 0
    begun: int = MAX_SYLLABLES
    in_business: bool = False

    def packed(self) -> int:
        """All in 60 bits."""
        low = self.place | self.script << 8 | self.least << 10 | self.begun << 14
        low |= self.telling << 18 | self.in_business << 19
        return low | self.words << _WORDS_AT | self.lines << _LINES_AT


NO_FEATURES = OrganisationFeatures()
_WORDS_AT, _LINES_AT = 20, 20 + _WORDS
_WORDS_MASK = (1 << _WORDS) - 1


def organisation_features(name: PreparedName) -> OrganisationFeatures:
    """Marks of a name; none for what isn't an organisation."""
    variants = name.organisations
    if not variants:
        return NO_FEATURES
    words = [_bits(variant, Weight.NONE, _WORDS) for variant in variants]
    telling = all(_bits(variant, Weight.WEAK, _WORDS) for variant in variants)
    lines = [_bits(variant, Weight.ACTIVITY, _LINES) for variant in variants]
    scripts = {_HAN if variant.is_han else _LATIN for variant in variants}
    spans = [_span(variant) for variant in variants]
    return OrganisationFeatures(
        _place(variants),
        _union(words) if all(words) else 0,
        telling,
        _union(lines),
        scripts.pop() if len(scripts) == 1 else 0,
        min(span[0] for span in spans),
        max(span[1] for span in spans),
        all(lines),
    )


def _union(masks: list[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found


def _bits(variant: OrganisationVariant, weight: Weight, width: int) -> int:
    return _union([_bit(c, width) for unit in variant.terms if unit.term.weight >= weight for c in unit.term.concepts])


@lru_cache(maxsize=1_024)
def _bit(concept: str, width: int) -> int:
    return 1 << crc32(concept.encode()) % width


def _place(variants: tuple[OrganisationVariant, ...]) -> int:
    places = {variant.places for variant in variants}
    only = next(iter(places))
    return _CODES.get(next(iter(only)), 0) if len(places) == len(only) == 1 else 0


def _span(variant: OrganisationVariant) -> tuple[int, int]:
    if variant.names or not variant.core:
        return 0, MAX_SYLLABLES
    if variant.is_han:
        length = min(len(variant.core), MAX_SYLLABLES)
        return length, length
    counted = [
        _syllables("".join(variant.core[:end]), scheme) for end in range(1, len(variant.core)) for scheme in _SCHEMES
    ]
    whole = [_syllables("".join(variant.core), scheme)[0] for scheme in _SCHEMES]
    return min(whole), max((most for _, most in counted), default=0)


@lru_cache(maxsize=32_768)
def _syllables(word: str, scheme: RomanisationScheme) -> tuple[int, int]:
    """Fewest and most syllables of a scheme that a word can be read as; `MAX_SYLLABLES` and 0 where it can't."""
    if not word:
        return 0, 0
    least, most = MAX_SYLLABLES, -1
    table = SYLLABLES[scheme]
    for cut in range(1, min(len(word), 6) + 1):
        if word[:cut] in table:
            few, many = _syllables(word[cut:], scheme)
            if few < MAX_SYLLABLES:
                least, most = min(least, few + 1), max(most, many + 1)
    return least, min(max(most, 0), MAX_SYLLABLES)


@lru_cache(maxsize=512)
def _elsewhere(place: int) -> bytes:
    """For each place whether it is another one than this."""
    if not place:
        return bytes(256)
    mine = frozenset({PLACES[place - 1]})
    others = [are_other_places(mine, frozenset({other})) for other in PLACES]
    return bytes([0, *others]).ljust(256, b"\0")


class OrganisationFilter:
    """Tells hopeless candidates of one name by their packed marks; without a name none is hopeless."""

    def __init__(self, name: PreparedName | None) -> None:
        self._name = name

    @cached_property  # made when there is a candidate; most names have none
    def _features(self) -> OrganisationFeatures:
        return NO_FEATURES if self._name is None else organisation_features(self._name)

    def plausible(self, rows: list[int], packed: Sequence[int]) -> list[int]:
        """Rows that may agree."""
        if self._features == NO_FEATURES:
            return rows
        elsewhere, hopeless = _elsewhere(self._features.place), self._is_implausible
        return [row for row in rows if not (elsewhere[(mark := packed[row]) & 0xFF] or hopeless(mark))]

    def in_line(self, rows: list[int], packed: Sequence[int]) -> list[int]:
        """Rows whose line of business may agree, and that may agree otherwise."""
        mine = self._features.lines << _LINES_AT
        return self.plausible([row for row in rows if packed[row] & mine], packed) if mine else []

    def in_length(self, rows: list[int], packed: Sequence[int]) -> list[int]:
        """Rows whose core may be a writing of this one's, of those that share no other key than one of sounds."""
        return [row for row in self.plausible(rows, packed) if self._may_align(packed[row])]

    def _is_implausible(self, packed: int) -> bool:
        mine, script = self._features, packed >> 8 & 3
        if not script or not mine.script:
            return False
        lines = packed >> _LINES_AT
        in_business = bool(mine.in_business or packed >> 19 & 1)
        if script == mine.script:
            if in_business and not lines & mine.lines:
                return True
            words = packed >> _WORDS_AT & _WORDS_MASK
            apart = words and mine.words and not words & mine.words
            return bool(apart and (mine.telling or packed >> 18 & 1))
        if lines & mine.lines or not in_business:
            return False
        shortest, longest, least, begun = self._spans(packed)
        return begun < shortest and longest <= least

    def _may_align(self, packed: int) -> bool:
        """Whether all of a Han core or its beginning may be all of a Latin one or its beginning.

        What is left over needs a counterpart: a line of business of the other, or a rest of the other and a line of
        business in common.
        """
        mine, script = self._features, packed >> 8 & 3
        if not script or not mine.script or script == mine.script:
            return True
        shortest, longest, least, begun = self._spans(packed)
        han, latin = (mine.lines, packed >> _LINES_AT) if script == _LATIN else (packed >> _LINES_AT, mine.lines)
        common = han & latin
        whole = least <= longest and (common or not (mine.in_business or packed >> 19 & 1))
        rest = (latin and least < longest) or (han and begun >= shortest) or (common and begun)
        return bool(whole or rest)

    def _spans(self, packed: int) -> tuple[int, int, int, int]:
        """Of a Han core the least and greatest length; of a Latin one `least` and `begun`. One of the two is this."""
        mine, theirs = (self._features.least, self._features.begun), (packed >> 10 & 0xF, packed >> 14 & 0xF)
        return (*theirs, *mine) if packed >> 8 & 3 == _HAN else (*mine, *theirs)
