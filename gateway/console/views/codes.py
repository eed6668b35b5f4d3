"""Codes that a form offers as one types: places, commodity codes, substances, each with its name for the reader."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from gateway.formats.places import place_by_unlocode
from gateway.translation.messages import language, listed
from gateway.translation.substance_names import element_name, listed_substance, reference_rows, substance_name
from gateway.v1.goods_pb2 import Place

_BOUND: Final = re.compile(r"(?P<name>[^<>=,]+)(?P<sign>>=|>)\s*(?P<least>\d{1,3}(?:\.\d+)?)\s*%")
"""A control of one substance from a purity on: `antimony oxide >=99.99%`."""

_MOST_CHARS: Final = 80
"""Of what stands beside a code in a list."""


@dataclass(frozen=True, slots=True)
class SubstanceOfCode:
    """A controlled substance under a commodity code, as the announcement has it."""

    code: str
    element: str
    substance: str
    announcement: str

    @property
    def title(self) -> str:
        """In the reader's language: its name, or its element's with the announcement's words."""
        return listed_substance(self.substance, self.element)


@dataclass(frozen=True, slots=True)
class PurityBound:
    """From which purity on a substance is controlled, in percent; `more`: only above it."""

    least: float
    more: bool

    def reached_by(self, percent: float) -> bool:
        return percent > self.least if self.more else percent >= self.least

    @property
    def text(self) -> str:
        return f"{'>' if self.more else '≥'} {self.least:g} %"


def places() -> Sequence[tuple[str, str]]:
    """UN/LOCODEs and names of the places that the gateway knows, where there are any in the reader's language."""
    return _places(language())


@cache
def _places(tag: str) -> Sequence[tuple[str, str]]:
    column = {"pt": "name_pt", "en": "name_en"}.get(tag, "name_zh")
    return [
        (row["unlocode"], row[column] or row["name_en"]) for row in reference_rows("locations.csv") if row["unlocode"]
    ]


@cache
def controlled_goods() -> Sequence[SubstanceOfCode]:
    """Controlled goods by code."""
    found = (
        SubstanceOfCode(row["code"], row["element"], row["substance"], row["announcement"])
        for row in reference_rows("controlled_goods.csv")
    )
    return sorted(found, key=lambda good: (good.code, good.substance))


def substances() -> Sequence[tuple[str, str]]:
    """Names of controlled substances in the reader's language, with their elements'."""
    found = {substance_name(name) or name: element_name(element) for name, element in _offered() if element.isalpha()}
    return sorted((name, "" if element == name else element) for name, element in found.items())


@cache
def _offered() -> Sequence[tuple[str, str]]:
    """Names of controlled substances in English, with their elements."""
    listed_ones = [(good.substance, good.element) for good in controlled_goods() if good.substance]
    return [*listed_ones, *((row["names"].split("|")[0], row["elements"]) for row in _controlled_substances())]


def commodity_codes() -> Sequence[tuple[str, str]]:
    """Codes of controlled goods with what they are."""
    by_code: dict[str, list[SubstanceOfCode]] = {}
    for good in controlled_goods():
        by_code.setdefault(good.code, []).append(good)
    return [(code, titles_of(goods)[:_MOST_CHARS]) for code, goods in by_code.items()]


def titles_of(goods: Sequence[SubstanceOfCode]) -> str:
    """What controlled goods are, each once."""
    return listed(dict.fromkeys(good.title for good in goods))


def element_of(substance: str) -> str:
    """The element of a controlled substance, by any name that the gateway knows; empty for another text."""
    return _elements().get(substance.strip().casefold(), "")


@cache
def _elements() -> Mapping[str, str]:
    """Elements by names of controlled substances, in four languages."""
    found = {
        name.casefold(): row["elements"]
        for row in _controlled_substances()
        for name in (row["substance"], *row["names"].split("|"))
        if name
    }
    return found | {good.substance.casefold(): good.element for good in controlled_goods() if good.substance}


def _controlled_substances() -> Iterator[Mapping[str, str]]:
    """Rows of substances that one element puts under control."""
    for row in reference_rows("physical_data.csv"):
        if row["role"] == "controlled" and row["elements"].isalpha():
            yield row


def purity_bound(substance: str) -> PurityBound | None:
    """The purity that the control of a substance asks; None where it asks none, or isn't known."""
    return _bounds().get(_one_name(substance))


@cache
def _bounds() -> Mapping[str, PurityBound]:
    found = {}
    for good in controlled_goods():
        asked = _BOUND.fullmatch(good.substance)
        if asked is not None:
            found[_one_name(asked["name"])] = PurityBound(float(asked["least"]), asked["sign"] == ">")
    return found


@cache
def _one_name(substance: str) -> str:
    """One name for all that a substance has."""
    folded = substance.strip().casefold()
    return _names().get(folded, folded)


@cache
def _names() -> Mapping[str, str]:
    return {
        name.casefold(): row["substance"].casefold()
        for row in reference_rows("physical_data.csv")
        for name in row["names"].split("|")
    }


def place_of(code: str) -> Place | None:
    """The place of a UN/LOCODE; None where the gateway doesn't know it."""
    known = place_by_unlocode(code.strip().upper().replace(" ", ""))
    return known
