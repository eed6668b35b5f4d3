"""Gives the keys under which an index files a name, and those under which it looks for one.

Owns `filed` and `sought`. Doesn't own an index. What holds between the two: when a name compares as compatible or
better with another, one of the keys under which it is sought is one under which the other is filed, so an index that
looks at candidates with a common key alone misses nothing that an exhaustive comparison finds.

Filed and sought differ where a rule needs two different sides, which keeps common keys from being looked up in vain:
two Han names agree by characters, never by sound, so a Han name is sought by sound among Latin names alone; a name with
its given name written out is sought by initials among names that have initials.

Keys of Chinese names are made of Cantonese readings, for persons of the surname and both syllables, for organisations
of the core's first two: every romanisation leads to a few of them, and Han characters to one or two. Other names have
pairs of words, as consonant skeletons. Capitals mark what is filed of a Han form.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache

from gateway.screening.forms import PreparedName
from gateway.screening.organisation_keys import filed_organisation, sought_organisation
from gateway.screening.persons import PersonForm, Reading, joined, sorted_words, telling
from gateway.screening.plain import plain_keys
from gateway.screening.skeleton import skeleton
from gateway.screening.sounds import SYLLABLES, Scheme, pivots
from gateway.screening.surnames import surname_pivots

MAX_KEY_WORDS = 5
"""Words of a name that isn't Chinese whose pairs become keys; enough for two names of up to nine words with two thirds
in common, because at most three of the five can be missing in the other."""


def filed(name: PreparedName) -> set[str]:
    """Keys under which a prepared name is filed; none for a text without letters and digits."""
    if name.plain is not None:
        return set(plain_keys(name.plain)) if name.plain.exact else set()
    found: set[str] = set()
    for person in name.persons:
        found |= _filed_person(person)
    for organisation in name.organisations:
        found |= filed_organisation(organisation)
    return found


def sought(name: PreparedName) -> set[str]:
    """Keys under which names are looked for that a prepared name may agree with."""
    if name.plain is not None:
        return set(plain_keys(name.plain)) if name.plain.exact else set()
    found: set[str] = set()
    for person in name.persons:
        found |= _sought_person(person)
    for organisation in name.organisations:
        found |= sought_organisation(organisation)
    return found


def _filed_person(form: PersonForm) -> set[str]:
    found = _spelt(form)
    for reading in form.readings:
        found.update(_sounds(reading, "P" if form.han else "p"))
        if reading.given and reading.scheme >= 0:
            found.add(("i" if reading.given_masks[-1] else "j") + _initials(reading))
        found.update(_western(reading, "W" if reading.given else "w"))
    return found


def _sought_person(form: PersonForm) -> set[str]:
    found = _spelt(form)
    for reading in form.readings:
        found.update(_sounds(reading, "p"))
        if not form.han:
            found.update(_sounds(reading, "P"))
        if reading.given and reading.scheme >= 0:
            found.add("j" + _initials(reading))
            if not reading.given_masks[-1]:
                found.add("i" + _initials(reading))
        found.update(_western(reading, "w"))
        if not reading.given:
            found.update(_western(reading, "W"))
    return found


def _spelt(form: PersonForm) -> set[str]:
    """Keys of what is written, the same for both sides."""
    if form.han:
        return {"h" + form.han, *_han_variants(form)}
    found = {"=" + " ".join(sorted_words(form)), "=" + joined(form)}
    if not form.is_full:
        found.update(_word_pairs(form.words))
    return found


def _han_variants(form: PersonForm) -> Iterator[str]:
    """The same given name with a surname that can be written in two ways, or with one of two surnames."""
    for reading in form.readings:
        given = "".join(reading.given)
        for surname in surname_pivots(reading.surname_mask | reading.maiden_mask):
            yield f"v{surname}.{given}"


def _sounds(reading: Reading, prefix: str) -> Iterator[str]:
    if not reading.given or not reading.given_masks[-1]:
        return
    firsts = _firsts(reading) if len(reading.given) > 1 else ("-",)
    lasts = pivots(reading.given_masks[-1])
    for surname in surname_pivots(reading.surname_mask | reading.maiden_mask):
        for first in firsts:
            for last in lasts:
                yield f"{prefix}{surname}.{first}.{last}"


def _firsts(reading: Reading) -> tuple[str, ...]:
    mask = reading.given_masks[0]
    return pivots(mask) if mask else _by_letter().get(reading.given[0][:1], ())


@cache
def _by_letter() -> dict[str, tuple[str, ...]]:
    """Cantonese syllables of what is written with a first letter: what an initial can stand for."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for scheme in Scheme:
        for spelling, mask in SYLLABLES[scheme].items():
            found[spelling[:1]].update(pivots(mask))
    return {letter: tuple(sorted(syllables)) for letter, syllables in found.items()}


def _initials(reading: Reading) -> str:
    return f"{reading.surname}." + "".join(syllable[0] for syllable in reading.given)


def _western(reading: Reading, prefix: str) -> Iterator[str]:
    for western in reading.western:
        for surname in surname_pivots(reading.surname_mask | reading.maiden_mask):
            yield f"{prefix}{surname}.{skeleton(western)}"


def _word_pairs(words: tuple[str, ...]) -> Iterable[str]:
    chosen = sorted((skeleton(w) or w for w in telling(words)), key=lambda s: (-len(s), s))[:MAX_KEY_WORDS]
    for i, one in enumerate(chosen):
        for other in chosen[i + 1 :]:
            yield "n" + "+".join(sorted((one, other)))
