"""Compares a Han core with a Latin one that only sounds like it: a brand spelt at will (富瀚, Fullhan; 博世科, Bossco).

What sounds near is worth something beside a common line of business or a common place, and nothing where the Latin
letters are Chinese syllables: those that differ are other characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple
from zlib import crc32

from rapidfuzz.distance import Indel

from gateway.screening.organisations.keys import MIN_PHONETIC_KEY
from gateway.screening.organisations.lexicon import Weight, province
from gateway.screening.organisations.syllables import is_syllables, pinyin_letters, syllabic
from gateway.screening.organisations.terms import TermPairs, pair_terms
from gateway.screening.organisations.variant import OrganisationVariant
from gateway.screening.text.normalisation import has_han
from gateway.screening.text.phonetic_key import phonetic_key
from gateway.screening.text.sounds import RomanisationScheme

MIN_NEAR = 0.6
MIN_BRAND_LETTERS = 5
LEAST_BY_LINE = 0.62
"""Likeness of brands whose line of business is the same."""
LEAST_BY_BOTH = 0.5
"""Where the province is the same too."""
LEAST_IN_PLACE = 0.65
"""Where neither name has a line of business."""
MIN_CHARACTERS = 2
_FIRST_LETTERS = 4
"""Enough for a first sound."""
_PINYIN = 1 << RomanisationScheme.MAINLAND
_CHINESE = _PINYIN | 1 << RomanisationScheme.CANTONESE

_FOLDS = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        ("sh|[xs]", "S"), ("tch|ch|zh|ts|[qjz]", "C"), ("[gkc]", "k"), ("[bp]", "p"), ("[dt]", "t"), ("[rl]", "l"),
        ("[vw]", "w"), ("ng", "n"), ("[iy]", "i"), ("[uo]", "o"), (r"(.)\1+", r"\1"),
    )
)  # fmt: skip


@lru_cache(maxsize=65_536)
def _folded(letters: str) -> str:
    """Letters with sounds that foreigners confuse taken for one."""
    for pattern, instead in _FOLDS:
        letters = pattern.sub(instead, letters)
    return letters


def sounds_near(han: tuple[str, ...], latin: tuple[str, ...]) -> bool:
    """Whether consonants are those of the pinyin, unless the Latin letters are pinyin."""
    spoken, letters = pinyin_letters(han), "".join(latin)
    code = phonetic_key(spoken)
    if (
        code != phonetic_key(letters)
        or len(code) < MIN_PHONETIC_KEY
        or is_syllables(letters, RomanisationScheme.MAINLAND)
    ):
        return False
    return Indel.normalized_similarity(spoken, letters) >= MIN_NEAR


def is_brand(han: OrganisationVariant, latin: OrganisationVariant) -> bool:
    """Whether the Latin core may be the Han one's brand, by its sound and by what else both names say."""
    begins = beginning(latin)
    if not begins or begins != beginning(han):
        return False
    place = province(han.places) if province(han.places) == province(latin.places) else ""
    if bool(han.places and latin.places) != bool(place):
        return False
    paired = pair_terms(han.terms, latin.terms)
    if common_lines(paired):
        least = LEAST_BY_BOTH if place else LEAST_BY_LINE
    elif place and not _has_line(paired):
        least = LEAST_IN_PLACE
    else:
        return False
    return _likeness(han.core, latin.core) >= least


def common_lines(paired: TermPairs) -> frozenset[str]:
    """Lines of business that both names have; none if one has another besides."""
    if _has_line(paired):
        return frozenset()
    return frozenset(c for a, b in paired.pairs if a.term.weight == Weight.ACTIVITY for c in a.term.concepts)


def _has_line(paired: TermPairs) -> bool:
    return any(unit.term.weight == Weight.ACTIVITY for unit in (*paired.ours, *paired.theirs))


def beginning(variant: OrganisationVariant) -> str:
    """The first sound of a core that may be a brand; empty for others.

    Latin letters that are pinyin aren't, nor Cantonese syllables outside the mainland's provinces.
    """
    return _beginning(variant.core, province(variant.places).startswith("CN-"))


@lru_cache(maxsize=16_384)
def _beginning(core: tuple[str, ...], in_mainland: bool) -> str:
    if has_han(core[0]):
        return _folded(pinyin_letters(core)[:_FIRST_LETTERS])[:1] if len(core) >= MIN_CHARACTERS else ""
    letters = "".join(core)
    if len(letters) < MIN_BRAND_LETTERS or syllabic(letters) & (_PINYIN if in_mainland else _CHINESE):
        return ""
    return _folded(letters[:_FIRST_LETTERS])[:1]


@lru_cache(maxsize=16_384)
def _likeness(han: tuple[str, ...], latin: tuple[str, ...]) -> float:
    return Indel.normalized_similarity(_folded(pinyin_letters(han)), _folded("".join(latin)))


class BrandSound(NamedTuple):
    """What `is_brand` compares of a variant: its folded letters, and where it is.

    `place`: `_NOWHERE`, `_ANYWHERE` for places of no one province, or a number that equal provinces share.
    """

    is_han: bool
    place: int
    letters: str


_NOWHERE, _ANYWHERE, _FIRST_PLACE = range(3)
_PLACES = 30
_FIRST_CODE = ord("!")


def brand_sounds(variants: Iterable[OrganisationVariant]) -> list[BrandSound]:
    """Of the variants that may be brands, or be written as one."""
    return list(dict.fromkeys(_brand_sound(variant) for variant in variants if variant.core and beginning(variant)))


def _brand_sound(variant: OrganisationVariant) -> BrandSound:
    place = _ANYWHERE if variant.places else _NOWHERE
    if named := province(variant.places):
        place = _FIRST_PLACE + crc32(named.encode()) % _PLACES
    letters = pinyin_letters(variant.core) if variant.is_han else "".join(variant.core)
    return BrandSound(variant.is_han, place, _folded(letters))


def packed(sounds: Iterable[BrandSound]) -> str:
    """As text, for an index: a character for script and place before the letters."""
    return "\n".join(f"{chr(_FIRST_CODE + 2 * sound.place + sound.is_han)}{sound.letters}" for sound in sounds)


def may_be_brands(one: BrandSound, others: Iterable[tuple[int, str]]) -> set[int]:
    """Of packed sounds by number, those with which `is_brand` may hold, whatever else the names say."""
    likeness, mine, leasts = Indel.normalized_similarity, one.letters, _leasts(one.is_han, one.place)
    return {
        number
        for number, text in others
        for sound in text.split("\n")
        if (least := leasts.get(sound[0])) and likeness(mine, sound[1:], score_cutoff=least) >= least
    }


@lru_cache(maxsize=2 * (_FIRST_PLACE + _PLACES))
def _leasts(is_han: bool, place: int) -> dict[str, float]:
    """Least likeness to a sound of the other script, by the first character of that as it is packed."""
    found = {}
    for other in range(_FIRST_PLACE + _PLACES):
        character = chr(_FIRST_CODE + 2 * other + (not is_han))
        if not other or not place:
            found[character] = LEAST_BY_LINE
        elif other == place != _ANYWHERE:
            found[character] = LEAST_BY_BOTH
    return found


def brand_keys(variant: OrganisationVariant) -> set[str]:
    """What `is_brand` needs to have in common: the first sound, with a line of business or the province."""
    begins = beginning(variant)
    if not begins:
        return set()
    lines = {c for unit in variant.terms if unit.term.weight == Weight.ACTIVITY for c in unit.term.concepts}
    return {f"{begins}/{beside}" for beside in lines or {province(variant.places)} - {""}}
