"""Codes that a form offers and checks as one types: places, commodity codes, substances, containers, vehicles."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from gateway.console.views.words import capitalised
from gateway.contract.identification.identifiers import Scheme, check_identifier, compact
from gateway.formats.places import place_by_unlocode
from gateway.translation.messages import gettext as _
from gateway.v1.goods_pb2 import Place

MOST_CHARS: Final = 64
"""Longest value that is checked."""


@dataclass(frozen=True, slots=True)
class SubstanceOfCode:
    """A controlled substance under a commodity code."""

    code: str
    element: str
    substance: str
    announcement: str


@dataclass(frozen=True, slots=True)
class Remark:
    """What is said of a value beside its field; `kind` is good, warn or quiet."""

    kind: str
    text: str


@cache
def places() -> Sequence[tuple[str, str]]:
    """UN/LOCODEs and names of the places that the gateway knows."""
    return [(row["unlocode"], row["name_en"]) for row in _rows("locations.csv") if row["unlocode"]]


@cache
def controlled_goods() -> Sequence[SubstanceOfCode]:
    """Controlled goods by code."""
    found = (
        SubstanceOfCode(row["code"], row["element"], row["substance"], row["announcement"])
        for row in _rows("controlled_goods.csv")
    )
    return sorted(found, key=lambda good: (good.code, good.substance))


@cache
def substances() -> Sequence[tuple[str, str]]:
    """Names of controlled substances with their element."""
    return sorted({(good.substance, good.element) for good in controlled_goods() if good.substance})


@cache
def commodity_codes() -> Sequence[tuple[str, str]]:
    """Codes of controlled goods with what they are."""
    by_code: dict[str, list[str]] = {}
    for good in controlled_goods():
        by_code.setdefault(good.code, []).append(good.substance)
    return [(code, ", ".join(dict.fromkeys(names))[:80]) for code, names in by_code.items()]


def element_of(substance: str) -> str:
    """The element of a controlled substance, by any name that the gateway knows; empty for another text."""
    return _elements().get(substance.strip().casefold(), "")


@cache
def _elements() -> Mapping[str, str]:
    """Elements by names of controlled substances, in four languages."""
    found = {
        name.casefold(): row["elements"]
        for row in _rows("physical_data.csv")
        if row["role"] == "controlled" and row["elements"].isalpha()
        for name in (row["substance"], *row["names"].split("|"))
        if name
    }
    return found | {name.casefold(): element for name, element in substances()}


def place_of(code: str) -> Place | None:
    """The place of a UN/LOCODE; None where the gateway doesn't know it."""
    known = place_by_unlocode(code.strip().upper().replace(" ", ""))
    return known


def remark_on(what: str, value: str) -> Remark | None:
    """What to say beside a field; None for an empty value or an unknown kind of field."""
    value = value.strip()[:MOST_CHARS]
    if not value:
        return None
    match what:
        case "place":
            return _on_place(value)
        case "code":
            return _on_code(value)
        case "substance":
            return _on_substance(value)
        case _ if what in _SCHEMES:
            return _on_identifier(_SCHEMES[what], value)
    return None


_SCHEMES: Final[Mapping[str, str]] = {
    "container": Scheme.CONTAINER,
    **{scheme.value: scheme.value for scheme in Scheme},
}


def _on_identifier(scheme: str, value: str) -> Remark:
    doubt = check_identifier(scheme, value)
    if doubt is not None:
        return Remark("warn", _("{problem}. It can be sent as it is.", problem=capitalised(doubt.message)))
    return Remark("good", _("{value}: form and check digit are right.", value=compact(scheme, value)))


def _on_place(value: str) -> Remark:
    place = place_of(value)
    if place is None:
        return Remark("warn", _("The gateway doesn't know this place; it is sent as its name."))
    return Remark("good", f"{place.name}, {place.territory}")


def _on_code(value: str) -> Remark:
    digits = "".join(filter(str.isdigit, value))
    doubt = check_identifier(Scheme.HS, digits)
    if doubt is not None:
        return Remark("warn", _("{problem}. It can be sent as it is.", problem=capitalised(doubt.message)))
    under = [good for good in controlled_goods() if good.code.startswith(digits[:6]) and len(digits) >= 6]
    if not under:
        return Remark("quiet", _("No controlled goods are listed under this code."))
    names = ", ".join(dict.fromkeys(good.substance for good in under))[:160]
    return Remark("warn", _("Controlled goods may stand under it: {names}", names=names))


def _on_substance(value: str) -> Remark:
    element = element_of(value)
    if not element:
        return Remark("quiet", _("This isn't one of the controlled substances."))
    return Remark("warn", _("Controlled: {element}", element=element))


def _rows(file: str) -> list[dict[str, str]]:
    content = resources.files("gateway.reference").joinpath(file).read_text("utf-8")
    return list(csv.DictReader(content.splitlines()))
