"""Finds ports, crossings and customs offices by code or name.

Traditional and simplified characters aren't folded: they tell the two sides of one crossing apart.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources

from gateway.v1.goods_pb2 import Place

_LOCODE = re.compile(r"\b[A-Z]{2}[A-Z2-9]{3}\b")


def place_by_unlocode(code: str) -> Place | None:
    """The place with a UN/LOCODE, if known."""
    return _copy(_places()[0].get(code))


def place_by_customs_office(code: str, territory: str = "") -> Place | None:
    """The place with a customs office's code.

    Args:
        territory: whose code it is, ISO 3166-1 alpha-2; empty: any.
    """
    return _copy(_within(_places()[1].get(code), territory))


def place_by_name(name: str, territory: str = "") -> Place | None:
    """The place of a name, within a territory if given."""
    return _copy(_within(_places()[2].get(name.casefold()), territory))


def _within(place: Place | None, territory: str) -> Place | None:
    return place if place is None or territory in ("", place.territory) else None


def _copy(place: Place | None) -> Place | None:
    if place is None:
        return None
    copy = Place()
    copy.CopyFrom(place)
    return copy


@cache
def _places() -> tuple[Mapping[str, Place], Mapping[str, Place], Mapping[str, Place]]:
    text = resources.files("gateway.reference").joinpath("locations.csv").read_text("utf-8")
    by_unlocode: dict[str, Place] = {}
    by_office: dict[str, Place] = {}
    by_name: dict[str, Place] = {}
    for row in csv.DictReader(text.splitlines()):
        place = Place(
            unlocode=row["unlocode"] or _port_of(row),
            customs_office=row["customs_code"],
            territory=row["territory"],
            name=row["name_en"],
        )
        if row["unlocode"]:
            by_unlocode[row["unlocode"]] = place
        if row["customs_code"]:
            by_office[row["customs_code"]] = place
        by_name.update(dict.fromkeys(_names(row), place))
    return by_unlocode, by_office, by_name


def _port_of(row: Mapping[str, str]) -> str:
    """UN/LOCODE in the note of a control point without its own."""
    return next((code for code in _LOCODE.findall(row["note"]) if code.startswith(row["territory"])), "")


def _names(row: Mapping[str, str]) -> Iterator[str]:
    return (row[column].casefold() for column in ("name_en", "name_zh", "name_pt") if row[column])
