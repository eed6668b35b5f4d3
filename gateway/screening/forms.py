"""Prepares a name for comparison and gives the keys under which an index files it.

Owns `prepare` and `keys`. Doesn't own an index. What holds between the two: names that compare as compatible or better
share at least one key, so an index that looks only at candidates with a common key misses nothing that an exhaustive
comparison finds.

Keys of Chinese names are made of Cantonese readings, for persons of surname and last syllable, for organisations of the
core's first two: every romanisation leads to a few of them, and Han characters to one or two. Other names have pairs of
words, as consonant skeletons.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gateway.screening.organisation_form import OrganisationForm
from gateway.screening.organisation_keys import organisation_keys
from gateway.screening.organisations import looks_like_organisation, read_organisation
from gateway.screening.persons import PersonForm, Reading, joined, read_person, sorted_words, telling
from gateway.screening.plain import PlainForm, plain_keys, read_plain
from gateway.screening.result import NameKind
from gateway.screening.skeleton import skeleton
from gateway.screening.sounds import pivots
from gateway.screening.surnames import surname_pivots
from gateway.screening.text import clean, han_part, has_han

MAX_KEY_WORDS = 5
"""Words of a name that isn't Chinese whose pairs become keys; enough for two names of up to nine words with two thirds
in common, because at most three of the five can be missing in the other."""

PARTY_KINDS = (NameKind.PERSON, NameKind.ORGANISATION)


class PreparedName(NamedTuple):
    """A name read once, to be compared many times. Forms are by script; masks and words in it are shared objects."""

    text: str
    kind: NameKind
    persons: tuple[PersonForm, ...]
    organisations: tuple[OrganisationForm, ...]
    plain: PlainForm | None


def prepare(text: str, kind: NameKind = NameKind.UNKNOWN) -> PreparedName:
    """Reads a name. An unknown kind is guessed: what carries a legal form or a line of business is an organisation."""
    cleaned = clean(text)
    if kind not in (*PARTY_KINDS, NameKind.UNKNOWN):
        return PreparedName(text, kind, (), (), read_plain(cleaned, kind))
    han = han_part(cleaned) if has_han(cleaned) else ""
    if kind == NameKind.UNKNOWN:
        kind = NameKind.ORGANISATION if looks_like_organisation(cleaned, han) else NameKind.PERSON
    if kind == NameKind.PERSON:
        return PreparedName(text, kind, read_person(cleaned, han), (), None)
    return PreparedName(text, kind, (), read_organisation(cleaned, han), None)


def keys(name: PreparedName) -> frozenset[str]:
    """Keys of a prepared name; empty for a text without letters and digits."""
    if name.plain is not None:
        return plain_keys(name.plain) if name.plain.exact else frozenset()
    found: set[str] = set()
    for person in name.persons:
        found |= _person_keys(person)
    for organisation in name.organisations:
        found |= organisation_keys(organisation)
    return frozenset(found)


def _person_keys(form: PersonForm) -> set[str]:
    found = {"h:" + form.han} if form.han else {"=" + " ".join(sorted_words(form)), "=" + joined(form)}
    for reading in form.readings:
        found.update(_reading_keys(reading))
    if not form.han and not form.is_full:
        found.update(_word_pairs(form.words))
    return found


def _reading_keys(reading: Reading) -> Iterable[str]:
    surnames = surname_pivots(reading.surname_mask | reading.maiden_mask)
    if reading.given:
        count = len(reading.given)
        if reading.given_masks[-1]:
            for last in pivots(reading.given_masks[-1]):
                for surname in surnames:
                    yield f"p:{surname}.{last}{count}"
        if reading.scheme >= 0:
            initials = "".join(syllable[0] for syllable in reading.given)
            yield f"i:{reading.surname}.{initials}"
    for western in reading.western:
        for surname in surnames:
            yield f"w:{surname}.{skeleton(western)}"


def _word_pairs(words: tuple[str, ...]) -> Iterable[str]:
    chosen = sorted((skeleton(w) or w for w in telling(words)), key=lambda s: (-len(s), s))[:MAX_KEY_WORDS]
    for i, one in enumerate(chosen):
        for other in chosen[i + 1 :]:
            yield "n:" + "+".join(sorted((one, other)))
