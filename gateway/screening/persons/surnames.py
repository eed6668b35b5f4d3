"""Maps Chinese surnames, compound ones included, from Han to spellings and back.

Surnames are narrower than sounds: Ng is 吳 or 伍 alone.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from itertools import product

from gateway.screening.text import romanisation
from gateway.screening.text.normalisation import simplified, words
from gateway.screening.text.sounds import RomanisationScheme, cantonese, mandarin, pivot


@dataclass(frozen=True, slots=True)
class Surname:
    """A surname: canonical Han forms (萧 and 肖 are one), the sound of its keys, spellings by scheme."""

    han: tuple[str, ...]
    key: str
    spellings: tuple[frozenset[str], ...]


def _listed(cell: str) -> frozenset[str]:
    return frozenset("".join(words(spelling)) for spelling in cell.split("|") if spelling)


def _pinyin(spelling: str) -> str:
    """Toneless, v for ü."""
    return "".join(words(spelling.lower().replace("ü", "v")))


def _compound(scheme: Callable[[str], frozenset[str]], syllables: list[str]) -> frozenset[str]:
    return frozenset(map("".join, product(*map(scheme, syllables))))


def _surname(row: dict[str, str]) -> Surname:
    han = tuple(dict.fromkeys(simplified(variant) for variant in row["hans"].split("|")))
    spoken = [_pinyin(spelling) for spelling in row["pinyin"].split("|")]
    spoken_south = [(cantonese(c) or (c,))[0] for c in row["hant"]]
    if len(han[0]) == 1:
        wade_giles = frozenset[str]().union(*map(romanisation.wade_giles, spoken))
    else:
        wade_giles = _compound(romanisation.wade_giles, [(mandarin(c) or (c,))[0] for c in row["hant"]])
    hong_kong = _listed(row["hk"]) or _compound(romanisation.hong_kong, spoken_south)
    macao = _listed(row["macao"]) or _compound(romanisation.macao, spoken_south)
    by_scheme = {
        RomanisationScheme.MAINLAND: frozenset[str]().union(*map(romanisation.mainland, spoken)),
        RomanisationScheme.HONG_KONG: hong_kong,
        RomanisationScheme.MACAO: macao,
        RomanisationScheme.WADE_GILES: wade_giles,
        RomanisationScheme.CANTONESE: hong_kong | macao,
    }
    return Surname(han, pivot("".join(spoken_south)), tuple(by_scheme[scheme] for scheme in RomanisationScheme))


def _load() -> tuple[Surname, ...]:
    text = resources.files("gateway.reference").joinpath("surnames.csv").read_text(encoding="utf-8")
    return tuple(_surname(row) for row in csv.DictReader(text.splitlines()))


SURNAMES = _load()


def _masks_by_spelling() -> tuple[dict[str, int], ...]:
    tables: tuple[dict[str, int], ...] = tuple({} for _ in RomanisationScheme)
    for bit, surname in enumerate(SURNAMES):
        for table, spellings in zip(tables, surname.spellings, strict=True):
            for spelling in spellings:
                table[spelling] = table.get(spelling, 0) | 1 << bit
    return tables


BY_SPELLING = _masks_by_spelling()
"""By scheme: joined lower-case spelling → mask of surnames."""

ANY_SPELLING: dict[str, int] = {}
"""Spelling → mask; a married woman's surnames may follow two schemes."""
for _table in BY_SPELLING:
    for _spelling, _mask in _table.items():
        ANY_SPELLING[_spelling] = ANY_SPELLING.get(_spelling, 0) | _mask

BY_HAN: dict[str, int] = {}
for _bit, _entry in enumerate(SURNAMES):
    for _form in _entry.han:
        BY_HAN[_form] = BY_HAN.get(_form, 0) | 1 << _bit


@lru_cache(maxsize=8_192)
def surname_pivots(mask: int) -> tuple[str, ...]:
    """Sorted Cantonese readings; one for homophones."""
    keys = set()
    while mask:
        lowest = mask & -mask
        keys.add(SURNAMES[lowest.bit_length() - 1].key)
        mask ^= lowest
    return tuple(sorted(keys))
