"""Packs features of an organisation's name into 60 bits, to skip implausible candidates unread.

1. Unrelated places.
2. In one script, words beside the core, one of them distinctive, and none in common.
3. Cores that only sound similar, without a common line of business (`in_line`).
4. A line of business in one name alone, or none in common: always in one script; between Han and Latin where no words
   have a meaning in common, or the cores are equally long, so that no word can stand for it.
5. A Han core with more characters than the Latin letters have syllables, unless words are left over in both.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import NamedTuple
from zlib import crc32

from gateway.screening.organisations.cores import NEAR_ROMANISED
from gateway.screening.organisations.lexicon import PLACES, Weight
from gateway.screening.organisations.rules import (
    CORE_WEIGHT,
    LEGAL_WEIGHT,
    NUMBER_WEIGHT,
    OTHER_PLACE_WEIGHT,
    PLACE_WEIGHT,
    are_other_places,
)
from gateway.screening.organisations.syllables import beginnings
from gateway.screening.organisations.terms import ACTIVITY_WEIGHT
from gateway.screening.organisations.variant import OrganisationVariant, Unit
from gateway.screening.prepared_name import PreparedName
from gateway.screening.text.sounds import MAX_SYLLABLE, SCHEMES_OF, RomanisationScheme

_BESIDE = LEGAL_WEIGHT + NUMBER_WEIGHT
_WHOLE = CORE_WEIGHT + ACTIVITY_WEIGHT + _BESIDE
HOPELESS_BELOW = max(
    (CORE_WEIGHT * NEAR_ROMANISED + PLACE_WEIGHT + _BESIDE) / (CORE_WEIGHT + PLACE_WEIGHT + _BESIDE),
    _WHOLE / (_WHOLE + OTHER_PLACE_WEIGHT),
    (CORE_WEIGHT + PLACE_WEIGHT + _BESIDE) / (_WHOLE + PLACE_WEIGHT),
)
"""The highest score of a skipped pair: names that differ only in places."""

MAX_SYLLABLES = 15
_LINES = 16
_HAN, _LATIN = 1, 2
_WORDS = 24
_CODES = {place: code for code, place in enumerate(PLACES, 1)}
_SCHEMES = (RomanisationScheme.MAINLAND, RomanisationScheme.HONG_KONG, RomanisationScheme.MACAO)
_ALL_SCHEMES = sum(1 << scheme for scheme in _SCHEMES)


class OrganisationFeatures(NamedTuple):
    """Features of a name.

    `place`: number, 0 for none or several. `words`: a bit for each meaning, 0 for none or maybe none; `telling`: some
    are distinctive. `lines`: a bit for each line of business; `in_business`: it surely has one. `script`: 1 Han, 2
    Latin, 0 both. `least`, `begun`: least and greatest length of a Han core; least syllables of a Latin core, and most
    without its last word.
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
        """60 bits."""
        low = self.place | self.script << 8 | self.least << 10 | self.begun << 14
        low |= self.telling << 18 | self.in_business << 19
        return low | self.words << _WORDS_AT | self.lines << _LINES_AT


NO_FEATURES = OrganisationFeatures()
_SCRIPT_AT, _WORDS_AT, _LINES_AT = 8, 20, 20 + _WORDS
_TELLING, _IN_BUSINESS = 1 << 18, 1 << 19
_WORDS_MASK = ((1 << _WORDS) - 1) << _WORDS_AT
_PLACE_MASK, _SCRIPT_MASK = 0xFF, 3 << _SCRIPT_AT


def organisation_features(name: PreparedName) -> OrganisationFeatures:
    """No features unless it is an organisation."""
    if not name.organisations:
        return NO_FEATURES
    least, begun = _spans_of(name.organisations)
    return _without_spans(name)._replace(least=least, begun=begun)


def _without_spans(name: PreparedName) -> OrganisationFeatures:
    """All features but `least` and `begun`, which few candidates need."""
    variants = name.organisations
    if not variants:
        return NO_FEATURES
    masks = [_masks(variant.terms) for variant in variants]
    words, lines = [mask.words for mask in masks], [mask.lines for mask in masks]
    telling = all(mask.telling for mask in masks)
    scripts = {_HAN if variant.is_han else _LATIN for variant in variants}
    return OrganisationFeatures(
        place=_place(variants),
        words=_union(words) if all(words) else 0,
        telling=telling,
        lines=_union(lines),
        script=scripts.pop() if len(scripts) == 1 else 0,
        in_business=all(lines),
    )


def _spans_of(variants: Iterable[OrganisationVariant]) -> tuple[int, int]:
    """`least` and `begun`."""
    spans = [_span(variant) for variant in variants]
    return min(span[0] for span in spans), max(span[1] for span in spans)


def _union(masks: list[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found


class _Masks(NamedTuple):
    """Bits of the meanings of all terms, of lines of business, and whether a term is distinctive."""

    words: int
    lines: int
    telling: bool


@lru_cache(maxsize=16_384)
def _masks(terms: tuple[Unit, ...]) -> _Masks:
    words = lines = 0
    telling = False
    for _, term in terms:
        for concept in term.concepts:
            words |= _bit(concept, _WORDS)
            if term.weight >= Weight.WEAK:
                telling = True
            if term.weight >= Weight.ACTIVITY:
                lines |= _bit(concept, _LINES)
    return _Masks(words, lines, telling)


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
    return _latin_span(variant.core)


@lru_cache(maxsize=16_384)
def _latin_span(core: tuple[str, ...]) -> tuple[int, int]:
    """Least syllables of a core under one scheme, and most of it without its last word.

    `MAX_SYLLABLES` and 0 if it has none.
    """
    letters = "".join(core)
    length = len(letters)
    ends = list(accumulate(map(len, core)))
    if not any(beginnings(letters)[end] & _ALL_SCHEMES for end in ends):
        return MAX_SYLLABLES, 0
    least = [[0] + [MAX_SYLLABLES] * length for _ in _SCHEMES]
    most = [[0] * (length + 1) for _ in _SCHEMES]
    reached = [_ALL_SCHEMES] + [0] * length
    for start, schemes in enumerate(reached):
        for end in range(start + 1, min(start + MAX_SYLLABLE, length) + 1) if schemes else ():
            spelt = SCHEMES_OF.get(letters[start:end], 0) & schemes
            if spelt:
                reached[end] |= spelt
                for number, scheme in enumerate(_SCHEMES):
                    if spelt >> scheme & 1:
                        least[number][end] = min(least[number][end], least[number][start] + 1)
                        most[number][end] = max(most[number][end], most[number][start] + 1)
    begun = max([by_scheme[end] for by_scheme in most for end in ends[:-1]], default=0)
    return min([by_scheme[length] for by_scheme in least]), min(begun, MAX_SYLLABLES)


def _most(variant: OrganisationVariant) -> int:
    """Most syllables of a Latin core, however it is read; `MAX_SYLLABLES` if it can't be, or has words of a meaning."""
    if variant.is_han or variant.names or not variant.core:
        return MAX_SYLLABLES
    letters = "".join(variant.core)
    length = len(letters)
    most = [0] * (length + 1)
    for start, syllables in enumerate(most):
        if syllables or not start:
            for end in range(start + 1, min(start + MAX_SYLLABLE, length) + 1):
                if letters[start:end] in SCHEMES_OF:
                    most[end] = max(most[end], syllables + 1)
    return most[length] or MAX_SYLLABLES


@lru_cache(maxsize=512)
def _elsewhere(place: int) -> bytes:
    if not place:
        return bytes(256)
    mine = frozenset({PLACES[place - 1]})
    others = [are_other_places(mine, frozenset({other})) for other in PLACES]
    return bytes([0, *others]).ljust(256, b"\0")


def _all_of(rows: list[int], _: Mapping[int, int]) -> list[int]:
    return rows


class OrganisationFilter:
    """Skips implausible candidates of one name; without a name, none."""

    def __init__(self, name: PreparedName | None) -> None:
        self._name = name

    @cached_property  # most names have no candidate
    def _features(self) -> OrganisationFeatures:
        return NO_FEATURES if self._name is None else _without_spans(self._name)

    @cached_property
    def _own_spans(self) -> tuple[int, int]:
        return (0, MAX_SYLLABLES) if self._name is None else _spans_of(self._name.organisations)

    @cached_property
    def plausible(self) -> Callable[[list[int], Mapping[int, int]], list[int]]:
        """Of rows and the features of all rows, gives those rows that may agree.

        One expression without calls, since a name may have thousands of rows.
        """
        mine = self._features
        if mine == NO_FEATURES:
            return _all_of
        elsewhere, script = _elsewhere(mine.place), mine.script << _SCRIPT_AT
        if not script:
            return lambda rows, packed: [row for row in rows if not elsewhere[packed[row] & _PLACE_MASK]]
        lines, words = mine.lines << _LINES_AT, mine.words << _WORDS_AT
        any_words = _WORDS_MASK if words else 0
        in_business, telling = -1 if mine.in_business else _IN_BUSINESS, -1 if mine.telling else _TELLING
        is_distant = self._is_distant
        return lambda rows, packed: [
            row
            for row in rows
            if not elsewhere[(mark := packed[row]) & _PLACE_MASK]
            and (
                (mark & lines or not mark & in_business) and (mark & words or not (mark & any_words and mark & telling))
                if mark & _SCRIPT_MASK == script
                else mark & lines or not mark & in_business or not mark & _SCRIPT_MASK or not is_distant(mark)
            )
        ]

    def in_line(self, rows: list[int], packed: Mapping[int, int]) -> list[int]:
        mine = self._features.lines << _LINES_AT
        return self.plausible([row for row in rows if packed[row] & mine], packed) if mine else []

    def in_length(self, rows: list[int], packed: Mapping[int, int]) -> list[int]:
        """Plausible rows whose core may be a spelling of this one."""
        return [row for row in self.plausible(rows, packed) if self._may_align(packed[row])]

    def _is_distant(self, packed: int) -> bool:
        """Of a row in the other script, whether no word can stand for a missing line of business."""
        if not self._may_pair(packed):
            return True
        shortest, longest, least, begun = self._spans(packed)
        return begun < shortest and longest <= least

    def _may_pair(self, packed: int) -> bool:
        """Whether words of both names may have one meaning."""
        mine, theirs = self._features.words << _WORDS_AT, packed & _WORDS_MASK
        return not (mine and theirs) or bool(mine & theirs)

    @cached_property
    def _most_syllables(self) -> int:
        variants = () if self._name is None else self._name.organisations
        return max([_most(variant) for variant in variants], default=MAX_SYLLABLES)

    def _may_align(self, packed: int) -> bool:
        """A rest needs a counterpart: the other's line of business, or another rest with a common line."""
        mine, script = self._features, packed >> 8 & 3
        if not script or not mine.script or script == mine.script:
            return True
        shortest, longest, least, begun = self._spans(packed)
        if script == _HAN and shortest > self._most_syllables and not (begun and self._may_pair(packed)):
            return False
        han, latin = (mine.lines, packed >> _LINES_AT) if script == _LATIN else (packed >> _LINES_AT, mine.lines)
        common = han & latin
        whole = least <= longest and (common or not (mine.in_business or packed >> 19 & 1))
        rest = (latin and least < longest) or (han and begun >= shortest) or (common and begun)
        return bool(whole or rest)

    def _spans(self, packed: int) -> tuple[int, int, int, int]:
        """Least and greatest length of the Han core, then `least` and `begun` of the Latin one."""
        mine, theirs = self._own_spans, (packed >> 10 & 0xF, packed >> 14 & 0xF)
        return (*theirs, *mine) if packed >> 8 & 3 == _HAN else (*mine, *theirs)
