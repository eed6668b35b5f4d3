"""Reads an organisation's name: legal form, places, line of business and core."""

from __future__ import annotations

from functools import lru_cache

from gateway.screening.organisations.han import read_han
from gateway.screening.organisations.latin import latin_words, read_latin
from gateway.screening.organisations.lexicon import Weight
from gateway.screening.organisations.variant import OrganisationVariant
from gateway.screening.persons.surnames import BY_HAN
from gateway.screening.text.normalisation import has_han, latin_part

MAX_PERSON_CHARACTERS = 4
"""Most Han characters, unless something shows an organisation."""


@lru_cache(maxsize=64)  # a name is read to guess its kind, then for its variants
def read_organisation(text: str, han: str) -> tuple[OrganisationVariant, ...]:
    """Variants of a name: its Han part, its Latin part, or both; `han` is canonical.

    One or two Latin words without legal form belong to the Han name (TCL科技); more make a variant of their own.
    """
    if not han:
        return read_latin(text)
    beside = latin_words(latin_part(text))
    latin = read_latin(latin_part(text)) if len(beside) > 1 else ()
    if latin and (latin[0].legal or latin[0].terms or len(beside) > 2):
        return (*read_han(han, ()), *latin)
    return read_han(han, beside, leads=not has_han(text[:1]))


def is_business(variants: tuple[OrganisationVariant, ...]) -> bool:
    """Whether the likeliest variant has a legal form, a branch or a word of business."""
    return any(
        variant.legal or variant.branch or any(unit.term.weight <= Weight.ACTIVITY for unit in variant.terms)
        for variant in variants[:1]
    )


def looks_like_organisation(text: str, han: str) -> bool:
    """By legal form, line of business or length."""
    variants = read_organisation(text, han)
    if is_business(variants):
        return True
    for variant in variants[:1]:
        characters = sum(has_han(c) for c in variant.han)
        if characters > MAX_PERSON_CHARACTERS and variant.han[:2] not in BY_HAN:
            return True
    return False
