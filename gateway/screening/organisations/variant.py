"""Splits an organisation's name into parts."""

from __future__ import annotations

from typing import NamedTuple

from gateway.screening.organisations.lexicon import VocabularyTerm


class Unit(NamedTuple):
    """A word of known meaning."""

    text: str
    term: VocabularyTerm


class OrganisationVariant(NamedTuple):
    """An organisation's name in one script, split.

    `core`: Han characters (and Latin words among them), or Latin words. `names`: stretches of the core with a meaning:
    (first, end, concepts). `legal` may be empty.
    """

    text: str
    han: str
    core: tuple[str, ...]
    names: tuple[tuple[int, int, frozenset[str]], ...]
    terms: tuple[Unit, ...]
    places: frozenset[str]
    legal: frozenset[str]
    legal_text: str
    branch: bool

    @property
    def is_han(self) -> bool:
        return bool(self.han)
