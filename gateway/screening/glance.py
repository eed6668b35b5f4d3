"""Looks at a listed name as it is written, to see whether an organisation's core can sound in it at all.

Owns this quick look, a tenth of the cost of reading the name, at candidates that share a key of sounds: such a key is
of Cantonese syllables without what isn't written, so 宏达 and 王达 share one while Hongda is no writing of the latter.
Doesn't own the comparison: what passes is compared, and in doubt a name passes.
"""

from __future__ import annotations

import re
from functools import cached_property

from gateway.screening.forms import PreparedName
from gateway.screening.organisation_form import OrganisationForm
from gateway.screening.organisation_keys import MAX_PREFIX_WORDS, openings, spellings_of
from gateway.screening.sounds import SYLLABLES, Scheme, sounds_of
from gateway.screening.text import has_han

_SCHEMES = (Scheme.MAINLAND, Scheme.CANTONESE)
_ANYTHING = re.compile("")


class Glance:
    """What to look for in listed names, from one name of a party."""

    def __init__(self, name: PreparedName) -> None:
        self._forms = name.organisations

    @cached_property  # made when there is something to look at; most names have nothing
    def _spelt(self) -> re.Pattern[str] | None:
        return _in_letters([form for form in self._forms if form.is_han])

    @cached_property
    def _sounds(self) -> list[tuple[int, int]]:
        return _in_sounds([form for form in self._forms if not form.is_han])

    def may_be(self, text: str) -> bool:
        """Whether the core's first two syllables can stand in a text."""
        if text.isascii():
            return self._spelt is None or self._spelt.search(text.casefold()) is not None
        if not has_han(text) or not self._sounds:
            return True
        masks = [sounds_of(character) for character in text]
        for first, second in self._sounds:
            before = 0
            for mask in masks:
                if before & first and mask & second:
                    return True
                before = mask
        return False


def _in_letters(forms: list[OrganisationForm]) -> re.Pattern[str] | None:
    """The first two characters of Han cores as a pattern of Latin letters; None where there is no such core."""
    patterns = []
    for form in forms:
        if len(form.core) < 2 or not has_han(form.core[0]) or not has_han(form.core[1]):
            return _ANYTHING
        for scheme in _SCHEMES:
            first, second = ("|".join(spellings_of(unit, scheme)) for unit in form.core[:2])
            if first and second:
                patterns.append(f"(?:{first})[^a-z]*(?:{second})")
    return re.compile("|".join(patterns)) if patterns else None


def _in_sounds(forms: list[OrganisationForm]) -> list[tuple[int, int]]:
    """The first two syllables of Latin cores as masks of sounds, in every way to read them; empty where unsure."""
    found: set[tuple[int, int]] = set()
    for form in forms:
        for end in range(1, min(len(form.core), MAX_PREFIX_WORDS) + 1):
            letters = "".join(form.core[:end])
            for scheme in _SCHEMES:
                for first, second in openings(letters, scheme):
                    if second:
                        found.add((SYLLABLES[scheme][first], SYLLABLES[scheme][second]))
                    elif end == len(form.core):
                        return []
    return list(found)
