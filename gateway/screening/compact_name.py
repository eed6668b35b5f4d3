"""Writes what a name was read as into a short text, from which it is restored in a sixth of the time of reading it.

An index keeps this form beside the name, and reads it when the name is compared. Names that are read in an unusual way
(other scripts, letters that look alike, plates) have none and are read anew.

Variants are separated by `_NEXT`, fields by `_FIELD`. What follows from words alone isn't written: meanings, sounds.
Restoring needs the vocabulary by which it was written: an index with other rules isn't used (`tables.RULES`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from gateway.screening.organisations.lexicon import HAN_TERMS, LATIN_TERMS, VocabularyTerm, folded
from gateway.screening.organisations.variant import OrganisationVariant, Unit
from gateway.screening.persons.reading import HAN, NameReading, PersonVariant, han_reading, latin_reading
from gateway.screening.prepared_name import PreparedName
from gateway.screening.result import NameKind
from gateway.screening.text.sounds import RomanisationScheme

_NEXT, _FIELD = "\x1e", "\x1f"
"""Neither is printable, so no name has them."""

_HAN, _LATIN = "H", "L"


def compact(name: PreparedName) -> str:
    """A prepared name as text; empty if it has no short form."""
    if name.notes or name.plains:
        return ""
    parties = [*map(_person, name.persons), *map(_organisation, name.organisations)]
    return _NEXT.join(parties) if all(parties) else ""


def restored(text: str, kind: NameKind, form: str) -> PreparedName:
    """What `compact` wrote of a name of this kind."""
    if kind == NameKind.PERSON:
        return PreparedName(text, kind, persons=tuple(map(_restored_person, form.split(_NEXT))))
    return PreparedName(text, kind, organisations=tuple(map(_restored_organisation, form.split(_NEXT))))


# Persons


def _person(variant: PersonVariant) -> str:
    if variant.script or variant.surnames:
        return ""
    readings = [
        ",".join((str(r.scheme), r.surname, r.maiden, ".".join(r.given), ".".join(r.western))) for r in variant.readings
    ]
    return _FIELD.join((_HAN if variant.han else _LATIN, variant.text, *readings))


def _restored_person(form: str) -> PersonVariant:
    script, text, *readings = form.split(_FIELD)
    if script == _HAN:
        return PersonVariant(text, text, (), tuple(map(_reading, readings)))
    return PersonVariant(text, "", tuple(text.split(" ")), tuple(map(_reading, readings)))


def _reading(form: str) -> NameReading:
    scheme, surname, maiden, given, western = form.split(",")
    syllables = tuple(given.split(".")) if given else ()
    beside = tuple(western.split(".")) if western else ()
    if (number := int(scheme)) == HAN:
        return han_reading(surname, maiden, syllables, beside)
    return latin_reading(RomanisationScheme(number), surname, maiden, syllables, beside)


# Organisations


class _CommonParts(NamedTuple):
    """What many organisations have in common: all but text and core."""

    terms: tuple[Unit, ...]
    places: frozenset[str]
    legal: frozenset[str]
    legal_text: str
    branch: bool
    numbers: frozenset[int]


def _organisation(variant: OrganisationVariant) -> str:
    script = _HAN if variant.han else _LATIN
    names = [(start, end, _term(script, _joined(script, variant.core[start:end]))) for start, end, _ in variant.names]
    terms = [unit for unit in variant.terms if _term(script, unit.text) == unit.term]
    meant = [span for span in names if span[2] is not None]
    if variant.script or len(terms) < len(variant.terms) or len(meant) < len(names):
        return ""
    if tuple([(start, end, term.concepts) for start, end, term in meant if term]) != variant.names:
        return ""
    rest = (
        "|".join(unit.text for unit in terms),
        "|".join(sorted(variant.places)),
        "|".join(sorted(variant.legal)),
        variant.legal_text,
        "b" if variant.branch else "",
        "|".join(map(str, sorted(variant.numbers))),
    )
    spans = ",".join(f"{start}-{end}" for start, end, _ in names)
    return _FIELD.join((script, variant.text, " ".join(variant.core), spans, "\t".join(rest)))


def _restored_organisation(form: str) -> OrganisationVariant:
    script, text, written, spans, rest = form.split(_FIELD)
    core = tuple(written.split(" ")) if written else ()
    names = tuple([_span(script, core, span) for span in spans.split(",")]) if spans else ()
    return OrganisationVariant(text, text if script == _HAN else "", core, names, *_rest(script, rest))


def _span(script: str, core: tuple[str, ...], span: str) -> tuple[int, int, frozenset[str]]:
    start, end = map(int, span.split("-"))
    term = _term(script, _joined(script, core[start:end]))
    return start, end, term.concepts if term else frozenset()


@lru_cache(maxsize=8_192)
def _rest(script: str, form: str) -> _CommonParts:
    terms, places, legal, legal_text, branch, numbers = form.split("\t")
    units = tuple([Unit(text, term) for text in terms.split("|") if text and (term := _term(script, text))])
    return _CommonParts(
        units,
        frozenset(places.split("|") if places else ()),
        frozenset(legal.split("|") if legal else ()),
        legal_text,
        bool(branch),
        frozenset(map(int, numbers.split("|")) if numbers else ()),
    )


def _joined(script: str, words: tuple[str, ...]) -> str:
    return ("" if script == _HAN else " ").join(words)


@lru_cache(maxsize=8_192)
def _term(script: str, text: str) -> VocabularyTerm | None:
    if script == _HAN:
        return HAN_TERMS.exactly(text)
    return LATIN_TERMS.exactly(tuple([folded(word) for word in text.split(" ")]))
