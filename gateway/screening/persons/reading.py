"""Reads a person's name in every way the text allows: surname, given name, Western names.

A Latin name rarely shows surname or scheme; a comma, capitals and hyphens exclude some readings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from gateway.screening.persons.cultures import may_be_chinese
from gateway.screening.persons.given_names import WESTERN
from gateway.screening.persons.surnames import ANY_SPELLING, BY_HAN, BY_SPELLING
from gateway.screening.text.normalisation import latin_letters, latin_part, words
from gateway.screening.text.scripts import Script
from gateway.screening.text.sounds import SYLLABLES, RomanisationScheme, sounds_of, splits

HAN = -1
"""Instead of a scheme: Han characters."""

MAX_READINGS = 16
"""Most readings of a name: names have one to eight, random syllables could have hundreds."""

MAX_WORDS = 12

MAX_GIVEN = 2

MAX_AROUND = 6
"""Words read on each side of a surname."""


_SCHEMES: tuple[tuple[RomanisationScheme, frozenset[int]], ...] = (
    (RomanisationScheme.MAINLAND, frozenset()),
    (RomanisationScheme.HONG_KONG, frozenset()),
    (RomanisationScheme.MACAO, frozenset()),
    (RomanisationScheme.CANTONESE, frozenset({RomanisationScheme.HONG_KONG, RomanisationScheme.MACAO})),
    (
        RomanisationScheme.WADE_GILES,
        frozenset({RomanisationScheme.HONG_KONG, RomanisationScheme.MACAO, RomanisationScheme.CANTONESE}),
    ),
)
"""In order of trial, each with those whose full readings make it superfluous."""


class NameReading(NamedTuple):
    """One reading of a name.

    `scheme` is `HAN` or a scheme. `surname_mask` has a bit for each possible surname; `maiden` is the surname behind a
    husband's (陳方安生). `given`: syllables or characters with their sounds; mask 0 is an initial.
    """

    scheme: int
    surname: str
    surname_mask: int
    maiden: str
    maiden_mask: int
    given: tuple[str, ...]
    given_masks: tuple[int, ...]
    western: tuple[str, ...]


class PersonVariant(NamedTuple):
    """A person's name in one script. `han` is empty for Latin, `words` for Han.

    `script`: the one that `words` were romanised from; `surnames`: spellings that bearers use of the first word.
    """

    text: str
    han: str
    words: tuple[str, ...]
    readings: tuple[NameReading, ...]
    script: Script | None = None
    surnames: tuple[str, ...] = ()

    @property
    def is_full(self) -> bool:
        """Whether a reading has surname and Chinese given name."""
        return any(reading.given for reading in self.readings)


def read_person(text: str, han: str) -> tuple[PersonVariant, ...]:
    """Variants of a name: its Han part, its Latin part, or both; `han` is canonical.

    A Western name beside a Han name (Jackie 陳港生) belongs to it; a whole Latin name is a separate variant.
    """
    latin = latin_part(text) if han else text
    written = words(latin)[:MAX_WORDS]
    readings = tuple(_latin_readings(latin)) if written else ()
    characters = "".join(c for c in han if c not in "()&")
    if not characters:
        return (PersonVariant(" ".join(written), "", written, readings),) if written else ()
    beside = () if readings else written
    variant = PersonVariant(characters, characters, (), tuple(_han_readings(characters, beside)))
    return (variant, PersonVariant(" ".join(written), "", written, readings)) if readings else (variant,)


def _han_readings(name: str, western: tuple[str, ...]) -> Iterator[NameReading]:
    length = 2 if name[:2] in BY_HAN and len(name) > 2 else 1  # 欧阳锋 isn't 欧 with a given name
    surname, rest = name[:length], name[length:]
    if surname in BY_HAN:
        if 1 <= len(rest) <= MAX_GIVEN:
            yield han_reading(surname, "", tuple(rest), western)
        for own in (rest[:2], rest[:1]):
            if own in BY_HAN and len(rest) - len(own) == 2 and len(name) >= 4:
                yield han_reading(surname, own, tuple(rest[len(own) :]), western)


def han_reading(surname: str, maiden: str, given: tuple[str, ...], western: tuple[str, ...]) -> NameReading:
    """A reading of a Han name, with its sounds."""
    masks = tuple(sounds_of(c) for c in given)
    return NameReading(HAN, surname, BY_HAN[surname], maiden, BY_HAN.get(maiden, 0), given, masks, western)


class _Word(NamedTuple):
    text: str
    group: int  # hyphenated words are one group
    is_alone: bool  # in its group
    may_be_surname: bool
    kinds: tuple[bool, ...]  # True: perhaps Western; False: perhaps syllables


_HYPHENATED = re.compile(r"[A-Z][a-z]+-[a-z]")
"""A given name as Taiwan writes it (Chung-mou): read in Wade-Giles also where it may be Cantonese."""

_GAPS = re.compile(r"[\s,.;/·•()]+")


def _latin_words(text: str) -> list[_Word]:
    groups = [g for g in _GAPS.split(text) if g.isalpha() or any(map(str.isalpha, g))][:MAX_WORDS]
    before_comma, comma, _ = text.partition(",")
    surname_words = frozenset(words(before_comma)) if comma else frozenset[str]()
    marked = _marked(groups)
    kept = []
    for number, group in enumerate(groups):
        of_group = _initials(group) or _words_of(group)
        for word, kinds in of_group:
            allowed = word in surname_words if surname_words else group in marked
            kept.append(_Word(word, number, len(of_group) == 1, allowed, kinds))
    return kept[:MAX_WORDS]


def _marked(groups: list[str]) -> list[str]:
    """One or two among others."""
    capitals = [g for g in groups if g.isupper() and not _initials(g) and any(len(w) > 1 for w, _ in _words_of(g))]
    return capitals if 0 < len(capitals) <= 2 and len(capitals) < len(groups) else groups


_TITLES = frozenset({"dr", "jr", "md", "mr", "ms", "sr", "st"})


@lru_cache(maxsize=65_536)
def _initials(group: str) -> tuple[tuple[str, tuple[bool, ...]], ...]:
    """Two initials joined (CK, T.W), each as a word; none if the letters are a word."""
    letters = latin_letters(group)
    if len(letters) != 2 or not letters.isalpha() or not group.isupper():
        return ()
    if letters in ANY_SPELLING or letters in _TITLES or letters in WESTERN or splits(letters):
        return ()
    return tuple((letter, _kinds(letter)) for letter in letters)


@lru_cache(maxsize=65_536)
def _words_of(group: str) -> tuple[tuple[str, tuple[bool, ...]], ...]:
    return tuple((word, _kinds(word)) for word in words(group))


def _kinds(word: str) -> tuple[bool, ...]:
    """Western, syllables, or both."""
    can_be_syllables = len(word) == 1 or bool(splits(word))
    return (True, False) if word in WESTERN and can_be_syllables else (not can_be_syllables,)


_Rest = tuple[str, tuple[str, ...], tuple[str, ...]]


def _latin_readings(text: str) -> list[NameReading]:
    if text.isascii() and " " not in text and "," not in text and "-" not in text:
        return []
    if not may_be_chinese(words(text)[:MAX_WORDS]):
        return []
    spans = list(_surname_spans(_latin_words(text)))
    found: dict[tuple[RomanisationScheme, str, _Rest], None] = {}
    full: set[int] = set()
    for scheme, superseding in _SCHEMES if spans else ():
        if not full.isdisjoint(superseding) and not (
            scheme == RomanisationScheme.WADE_GILES and _HYPHENATED.search(text)
        ):
            continue
        surnames = BY_SPELLING[scheme]
        for surname, arrangements in spans:
            if surname in surnames:
                for rest in _rests(arrangements, scheme):
                    found[scheme, surname, rest] = None
                    if rest[1] and not rest[0]:
                        full.add(scheme)
    return [latin_reading(scheme, surname, *rest) for scheme, surname, rest in list(found)[:MAX_READINGS]]


def latin_reading(
    scheme: RomanisationScheme, surname: str, maiden: str, given: tuple[str, ...], western: tuple[str, ...]
) -> NameReading:
    """A reading of a Latin name by a scheme, with its sounds."""
    syllables = SYLLABLES[scheme]
    masks = tuple([syllables.get(syllable, 0) for syllable in given])
    surname_mask = BY_SPELLING[scheme][surname]
    return NameReading(scheme, surname, surname_mask, maiden, ANY_SPELLING.get(maiden, 0), given, masks, western)


class _Arrangement(NamedTuple):
    """Western names and syllables around a surname."""

    western: tuple[str, ...]
    syllables: tuple[_Word, ...]
    are_behind: bool


def _surname_spans(parts: Sequence[_Word]) -> Iterator[tuple[str, list[_Arrangement]]]:
    """Possible surnames, with arrangements of the other words."""
    for start, first in enumerate(parts):
        if not first.may_be_surname:
            continue
        if start + 1 < len(parts):
            second = parts[start + 1]
            joined = first.text + second.text
            if joined in ANY_SPELLING and len(joined) > 3 and second.may_be_surname:
                yield joined, _arrangements(parts[:start], parts[start + 2 :])
        if first.is_alone and first.text in ANY_SPELLING:
            yield first.text, _arrangements(parts[:start], parts[start + 1 :])


def _arrangements(before: Sequence[_Word], after: Sequence[_Word]) -> list[_Arrangement]:
    if len(before) > MAX_AROUND or len(after) > MAX_AROUND:
        return []
    backs = _parted(after)
    return [
        _Arrangement(western + more, leading or behind, bool(behind))
        for western, leading in _parted(before)
        for more, behind in backs
        if not (leading and behind)
    ]


def _parted(words: Sequence[_Word]) -> list[tuple[tuple[str, ...], tuple[_Word, ...]]]:
    """Western names, and syllables, for each choice of what the words are."""
    ways: list[tuple[tuple[str, ...], tuple[_Word, ...]]] = [((), ())]
    for word in words:
        ways = [
            ((*western, word.text), syllables) if is_western else (western, (*syllables, word))
            for western, syllables in ways
            for is_western in word.kinds
        ]
    return ways


def _rests(arrangements: Sequence[_Arrangement], scheme: RomanisationScheme) -> Iterator[_Rest]:
    """(maiden name, given syllables, Western names)."""
    for western, chosen, are_behind in arrangements:
        if not chosen:
            if western:
                yield "", (), western
            continue
        for given in _given(chosen, scheme):
            yield "", given, western
        if are_behind and len(chosen) > 1:
            yield from _married(chosen, western, scheme)


def _married(chosen: Sequence[_Word], western: tuple[str, ...], scheme: RomanisationScheme) -> Iterator[_Rest]:
    for length in (2, 1):
        own, rest = "".join(w.text for w in chosen[:length]), chosen[length:]
        if rest and rest[0].group != chosen[length - 1].group and own in ANY_SPELLING and (length == 1 or len(own) > 3):
            for given in _given(rest, scheme):
                if len(given) == 2:
                    yield own, given, western


def _given(chosen: Sequence[_Word], scheme: RomanisationScheme) -> Iterator[tuple[str, ...]]:
    """One word of one or two syllables, or two words."""
    if len(chosen) == 1:
        word = chosen[0].text
        spoken = [syllables for schemes, syllables in splits(word) if schemes >> scheme & 1]
        yield from spoken or ([(word,)] if len(word) == 1 else [])
    elif len(chosen) == MAX_GIVEN:
        syllables = SYLLABLES[scheme]
        if all(len(word.text) == 1 or word.text in syllables for word in chosen):
            yield tuple([word.text for word in chosen])


def sorted_words(variant: PersonVariant) -> tuple[str, ...]:
    """Words of a Latin variant, sorted."""
    return tuple(sorted(variant.words))


def joined(variant: PersonVariant) -> str:
    """Letters of a Latin variant, joined."""
    return latin_letters("".join(variant.words))
