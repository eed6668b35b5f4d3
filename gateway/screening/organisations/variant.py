"""Splits an organisation's name into parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gateway.screening.organisations.lexicon import VocabularyTerm, Weight


class Unit(NamedTuple):
    """A word of known meaning."""

    text: str
    term: VocabularyTerm


class NameParts(NamedTuple):
    """Core, its stretches with a meaning, and terms; of an organisation's name in one script."""

    core: tuple[str, ...]
    names: tuple[tuple[int, int, frozenset[str]], ...]
    terms: tuple[Unit, ...]

    def branded(self, has_place: bool, units: Sequence[str]) -> NameParts | None:
        """With the first term as core: a brand that is a word of business too (环球贸易, Global Trading).

        Only of a name without a core. A word without a meaning as a name needs another behind, and no place before.
        """
        if self.core or not self.terms or (first := self.terms[0].term).weight == Weight.NONE:
            return None
        if not first.may_be_name and (has_place or len(self.terms) < 2):
            return None
        return NameParts(tuple(units), ((0, len(units), first.concepts),), self.terms[1:])


class OrganisationVariant(NamedTuple):
    """An organisation's name in one script, split.

    `core`: Han characters (and Latin words among them), or Latin words. `names`: stretches of the core with a meaning:
    (first, end, concepts). `legal` may be empty. `numbers`: 第三, No. 3.
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

    @property
    def is_han(self) -> bool:
        return bool(self.han)
