"""Splits an organisation's name into parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gateway.screening.organisations.lexicon import VocabularyTerm
from gateway.screening.text.scripts import Script


class Unit(NamedTuple):
    """A word of known meaning."""

    text: str
    term: VocabularyTerm


class NameParts(NamedTuple):
    """Core, its stretches with a meaning, and terms; of an organisation's name in one script."""

    core: tuple[str, ...]
    names: tuple[tuple[int, int, frozenset[str]], ...]
    terms: tuple[Unit, ...]

    def branded(self, units: Sequence[str]) -> NameParts | None:
        """With the first term as core: a brand that is a word of business too (环球贸易, Global Trading).

        Only of a name without a core.
        """
        if self.core or not self.terms or not self.terms[0].term.may_be_name:
            return None
        first = self.terms[0].term
        return NameParts(tuple(units), ((0, len(units), first.concepts),), self.terms[1:])


class OrganisationVariant(NamedTuple):
    """An organisation's name in one script, split.

    `core`: Han characters (and Latin words among them), or Latin words. `names`: stretches of the core with a meaning:
    (first, end, concepts). `legal` may be empty. `numbers`: 第三, No. 3.
    `script`: the one that a Latin variant was romanised from.
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
    numbers: frozenset[int] = frozenset()
    script: Script | None = None

    @property
    def is_han(self) -> bool:
        return bool(self.han)
