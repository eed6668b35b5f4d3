"""Reads a person's name: surname, given name and Western names, in every way the text allows.

Owns the readings of one name. Doesn't compare (`person_rules`). A Latin name rarely says which part is the surname or
by which scheme it was spelt, so a name has several readings; a comma, one part in capitals and hyphens rule some out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from gateway.screening.given_names import WESTERN
from gateway.screening.sounds import SYLLABLES, Scheme, segment, sounds_of
from gateway.screening.surnames import ANY_SPELLING, BY_HAN, BY_SPELLING
from gateway.screening.text import latin_letters, latin_part, words

HAN = -1
"""In place of a scheme: the reading is of Han characters."""

MAX_READINGS = 16
"""Readings kept of one name. Names have one to eight; a text of random syllables could have hundreds."""

MAX_WORDS = 12
"""Words of a Latin name that are looked at."""

MAX_GIVEN = 2
"""Characters of a given name."""


_SCHEMES: tuple[tuple[Scheme, frozenset[int]], ...] = (
    (Scheme.MAINLAND, frozenset()),
    (Scheme.HONG_KONG, frozenset()),
    (Scheme.MACAO, frozenset()),
    (Scheme.CANTONESE, frozenset({Scheme.HONG_KONG, Scheme.MACAO})),
    (Scheme.WADE_GILES, frozenset({Scheme.HONG_KONG, Scheme.MACAO, Scheme.CANTONESE})),
)
"""Schemes in the order they are tried, each with those that make it superfluous once they have given a full reading."""


class Reading(NamedTuple):
    """One way to read a name.

    `scheme` is `HAN` or a `Scheme`. `surname_mask` has a bit for each surname it may be; `maiden` is the own surname
    behind a husband's (陳方安生). `given` are syllables or characters with their sounds; mask 0 is an initial.
    """

    scheme: int
    surname: str
    surname_mask: int
    maiden: str
    maiden_mask: int
    given: tuple[str, ...]
    given_masks: tuple[int, ...]
    western: tuple[str, ...]


class PersonForm(NamedTuple):
    """A person's name in one script, read. `han` is empty for a Latin form, `words` for a Han form."""

    text: str
    han: str
    words: tuple[str, ...]
    readings: tuple[Reading, ...]

    @property
    def is_full(self) -> bool:
        """Whether a reading has a surname and a Chinese given name."""
        return any(reading.given for reading in self.readings)


def read_person(text: str, han: str) -> tuple[PersonForm, ...]:
    """Forms of a person's name: its Han part, its Latin part, or both; `han` is the text's canonical Han part.

    A Western name beside a Han name (Jackie 陳港生) belongs to the Han form; a whole Latin name is a form of its own.
    """
    latin = latin_part(text) if han else text
    written = words(latin)[:MAX_WORDS]
    readings = tuple(_latin_readings(latin)) if written else ()
    characters = "".join(c for c in han if c not in "()&")
    if not characters:
        return (PersonForm(" ".join(written), "", written, readings),) if written else ()
    beside = () if readings else written
    form = PersonForm(characters, characters, (), tuple(_han_readings(characters, beside)))
    return (form, PersonForm(" ".join(written), "", written, readings)) if readings else (form,)


def _han_readings(name: str, western: tuple[str, ...]) -> Iterator[Reading]:
    lengths = [2, 1] if name[:2] in BY_HAN and len(name) > 2 else [1]
    for length in lengths:
        surname, rest = name[:length], name[length:]
        if surname not in BY_HAN:
            continue
        if 1 <= len(rest) <= MAX_GIVEN:
            yield _han_reading(surname, "", rest, western)
        for own in (rest[:2], rest[:1]):
            if own in BY_HAN and len(rest) - len(own) == 2 and len(name) >= 4:
                yield _han_reading(surname, own, rest[len(own) :], western)


def _han_reading(surname: str, maiden: str, given: str, western: tuple[str, ...]) -> Reading:
    masks = tuple(sounds_of(c) for c in given)
    return Reading(HAN, surname, BY_HAN[surname], maiden, BY_HAN.get(maiden, 0), tuple(given), masks, western)


class _Word(NamedTuple):
    text: str
    group: int  # words joined by hyphens are one group
    may_be_surname: bool


def _latin_words(text: str) -> list[_Word]:
    before_comma, comma, _ = text.partition(",")
    groups = re.split(r"[\s,.;/·•()]+", text.strip())
    groups = [g for g in groups if any(c.isalpha() for c in g)][:MAX_WORDS]
    surname_words = set(words(before_comma)) if comma else None
    capitals = [g for g in groups if g.isupper() and max(map(len, words(g)), default=0) > 1]
    marked = capitals if 0 < len(capitals) <= 2 and len(capitals) < len(groups) else groups
    found = []
    for number, group in enumerate(groups):
        for word in words(group):
            allowed = word in surname_words if surname_words else group in marked
            found.append(_Word(word, number, allowed))
    return found[:MAX_WORDS]


def _latin_readings(text: str) -> list[Reading]:
    found: dict[Reading, None] = {}
    if text.isascii() and not any(c in text for c in " ,-"):
        return []
    parts = _latin_words(text)
    for scheme, superseding in _SCHEMES:
        if any(reading.scheme in superseding and reading.given and not reading.maiden for reading in found):
            continue
        for start, end, surname in _surname_spans(parts, BY_SPELLING[scheme]):
            before, after = parts[:start], parts[end:]
            for maiden, given, western in _rest(before, after, scheme):
                found[_latin_reading(scheme, surname, maiden, given, western)] = None
    return list(found)[:MAX_READINGS]


def _latin_reading(
    scheme: Scheme, surname: str, maiden: str, given: tuple[str, ...], western: tuple[str, ...]
) -> Reading:
    spellings = BY_SPELLING[scheme]
    masks = tuple(SYLLABLES[scheme].get(syllable, 0) for syllable in given)
    return Reading(scheme, surname, spellings[surname], maiden, ANY_SPELLING.get(maiden, 0), given, masks, western)


def _surname_spans(parts: Sequence[_Word], surnames: dict[str, int]) -> Iterator[tuple[int, int, str]]:
    for start, first in enumerate(parts):
        if not first.may_be_surname:
            continue
        if start + 1 < len(parts):
            second = parts[start + 1]
            joined = first.text + second.text
            if joined in surnames and len(joined) > 3 and second.may_be_surname:
                yield start, start + 2, joined
        alone = sum(word.group == first.group for word in parts) == 1
        if alone and first.text in surnames:
            yield start, start + 1, first.text


_Rest = tuple[str, tuple[str, ...], tuple[str, ...]]


def _rest(before: Sequence[_Word], after: Sequence[_Word], scheme: Scheme) -> Iterator[_Rest]:
    """What stands around a surname: (own surname, given syllables, Western names), in every way it can be read."""
    for front, back in product(_kinds(before), _kinds(after)):
        western = tuple(w.text for w, is_western in zip((*before, *after), (*front, *back), strict=True) if is_western)
        syllables_before = [w for w, is_western in zip(before, front, strict=True) if not is_western]
        syllables_after = [w for w, is_western in zip(after, back, strict=True) if not is_western]
        if syllables_before and syllables_after:
            continue
        chosen = syllables_before or syllables_after
        if not chosen:
            if western:
                yield "", (), western
            continue
        for given in _given(chosen, scheme):
            yield "", given, western
        if syllables_after:
            yield from _married(syllables_after, western, scheme)


def _married(chosen: Sequence[_Word], western: tuple[str, ...], scheme: Scheme) -> Iterator[_Rest]:
    for length in (2, 1):
        own, rest = "".join(w.text for w in chosen[:length]), chosen[length:]
        if rest and rest[0].group != chosen[length - 1].group and own in ANY_SPELLING and (length == 1 or len(own) > 3):
            for given in _given(rest, scheme):
                if len(given) == 2:
                    yield own, given, western


def _kinds(parts: Sequence[_Word]) -> Iterator[tuple[bool, ...]]:
    """For each word whether it is a Western name; words that can be either are tried as both."""
    options: list[tuple[bool, ...]] = []
    for part in parts:
        can_be_syllables = len(part.text) == 1 or _is_syllabic(part.text)
        if part.text in WESTERN and can_be_syllables:
            options.append((True, False))
        else:
            options.append((not can_be_syllables,))
    if len(options) > 6:
        return iter(())
    return product(*options)


@lru_cache(maxsize=65_536)
def _is_syllabic(word: str) -> bool:
    return any(segment(word, scheme, MAX_GIVEN) for scheme in Scheme)


def _given(chosen: Sequence[_Word], scheme: Scheme) -> Iterator[tuple[str, ...]]:
    if len(chosen) > MAX_GIVEN:
        return
    for split in product(*(_syllables(w.text, scheme) for w in chosen)):
        syllables = tuple(syllable for word in split for syllable in word)
        if len(syllables) <= MAX_GIVEN:
            yield syllables


def _syllables(word: str, scheme: Scheme) -> tuple[tuple[str, ...], ...]:
    return segment(word, scheme, MAX_GIVEN) or (((word,),) if len(word) == 1 else ())


_PARTICLES = frozenset({"al", "el", "ul", "bin", "ibn", "bint", "de", "da", "do", "dos", "das", "van", "von", "abu"})


def telling(words: tuple[str, ...]) -> tuple[str, ...]:
    """Words without articles and particles, which come and go between writings of one name."""
    kept = tuple(word for word in words if word not in _PARTICLES)
    return kept if len(kept) > 1 else words


def sorted_words(form: PersonForm) -> tuple[str, ...]:
    """Words of a Latin form in alphabetical order: names that differ in order alone are equal here."""
    return tuple(sorted(form.words))


def joined(form: PersonForm) -> str:
    """Letters of a Latin form without any gap."""
    return latin_letters("".join(form.words))
