"""Maps Chinese surnames, compound ones included, from Han to spellings and back.

Surnames are narrower than sounds: Ng is 吳 or 伍 alone.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from gateway.screening.text import romanisation
from gateway.screening.text.normalisation import simplified, words
from gateway.screening.text.sounds import RomanisationScheme, cantonese, pivot


@dataclass(frozen=True, slots=True)
class Surname:
    """A surname: canonical Han forms (萧 and 肖 are one), the sound of its keys, spellings by scheme."""

    han: tuple[str, ...]
    key: str
    spellings: tuple[frozenset[str], ...]


def _listed(cell: str) -> frozenset[str]:
    return frozenset("".join(words(spelling)) for spelling in cell.split("|") if spelling)


def _surname(row: dict[str, str]) -> Surname:
    han = tuple(dict.fromkeys(simplified(variant) for variant in row["hans"].split("|")))
    spoken = ["".join(words(p)).replace("ü", "v") for p in row["pinyin"].split("|")]
    spoken_south = "".join((cantonese(c) or (c,))[0] for c in row["hant"])
    single = len(han[0]) == 1
    wade_giles = frozenset[str]().union(*(romanisation.wade_giles(p) for p in spoken)) if single else frozenset[str]()
    hong_kong = _listed(row["hk"]) or (romanisation.hong_kong(spoken_south) if single else frozenset())
    macao = _listed(row["macao"]) or (romanisation.macao(spoken_south) if single else frozenset())
    by_scheme = {
        RomanisationScheme.MAINLAND: frozenset(spoken),
        RomanisationScheme.HONG_KONG: hong_kong,
        RomanisationScheme.MACAO: macao,
        RomanisationScheme.WADE_GILES: wade_giles,
        RomanisationScheme.CANTONESE: hong_kong | macao,
    }
    return Surname(han, pivot(spoken_south), tuple(by_scheme[scheme] for scheme in RomanisationScheme))


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
    return tuple(sorted({surname.key for bit, surname in enumerate(SURNAMES) if mask >> bit & 1}))
