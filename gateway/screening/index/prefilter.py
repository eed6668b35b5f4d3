"""Skips listed names in which an organisation's core can't sound, or that can't be its brand."""

from __future__ import annotations

from functools import cached_property

from gateway.screening.organisations.near import BrandSound, brand_sounds, may_be_brands
from gateway.screening.organisations.syllables import OPENING_SCHEMES, core_openings
from gateway.screening.prepared_name import PreparedName
from gateway.screening.text.normalisation import has_han
from gateway.screening.text.sounds import SYLLABLES, sounds_of


class CorePrefilter:
    """Looks in listed names for a core."""

    def __init__(self, name: PreparedName) -> None:
        self._variants = name.organisations

    @cached_property  # on first use
    def _sounds(self) -> list[tuple[int, int]]:
        """Masks of a Latin core's first two syllables; 0 for none."""
        found: set[tuple[int, int]] = set()
        for variant in self._variants:
            for first, second, schemes in () if variant.is_han else core_openings(variant.core):
                for scheme in OPENING_SCHEMES:
                    if schemes >> scheme & 1:
                        found.add((SYLLABLES[scheme][first], SYLLABLES[scheme][second] if second else 0))
        return list(found)

    def may_contain(self, text: str) -> bool:
        if not self._sounds or not has_han(text):
            return True
        masks = [sounds_of(character) for character in text]
        for first, second in self._sounds:
            if not second:
                if any(mask & first for mask in masks):
                    return True
                continue
            before = 0
            for mask in masks:
                if before & first and mask & second:
                    return True
                before = mask
        return False

    @cached_property
    def _brands(self) -> list[BrandSound]:
        return brand_sounds(self._variants)

    def as_brands(self, theirs: list[tuple[int, str]]) -> list[int]:
        """Rows that may be a brand of this name, or it one of theirs, of rows with what they sound like, packed."""
        if not theirs or not self._brands:
            return []
        found: set[int] = set()
        for mine in self._brands:
            found |= may_be_brands(mine, theirs)
        return [row for row, _ in theirs if row in found]
