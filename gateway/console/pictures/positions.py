"""Finds where places are; a place that isn't known has no position, never a near one."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final, NamedTuple

from gateway.formats.places import place_by_customs_office, place_by_name
from gateway.translation.messages import gettext as _
from gateway.v1.goods_pb2 import Place

WHOLE_TERRITORIES: Final = frozenset({"HKHKG", "MOMFM"})
"""UN/LOCODEs that stand for all places of a territory."""


class Position(NamedTuple):
    """Degrees, north and east positive."""

    latitude: float
    longitude: float


class MapPlace(NamedTuple):
    """A place as a map shows it; without a position it stands in the legend alone."""

    name: str
    position: Position | None


def map_place(place: Place) -> MapPlace:
    """A place of the contract: its name, or its code, and where it is if that is known."""
    name = place.name or place.unlocode or place.customs_office or place.territory or _("place not given")
    return MapPlace(name, position_of(place))


def position_of(place: Place) -> Position | None:
    """Its position by name, then UN/LOCODE, then customs office, within its territory.

    A name may have several scripts: `HZMB Hong Kong Port 港珠澳大橋香港口岸`. One that isn't known isn't drawn at the
    code of a whole territory.
    """
    by_code, by_name = _positions()
    for name in _written(place.name):
        known = place_by_name(name, place.territory)
        position = by_name.get((place.territory, (known.name if known else name).casefold()))
        if position is not None:
            return position
    if place.unlocode in by_code and not (place.name and place.unlocode in WHOLE_TERRITORIES):
        return by_code[place.unlocode]
    office = place_by_customs_office(place.customs_office, place.territory) if place.customs_office else None
    return by_name.get((office.territory, office.name.casefold())) if office is not None else None


def _written(name: str) -> list[str]:
    """A name, and its parts in Latin and in Han characters."""
    parts = (part.strip(" ,()/-") for part in re.split(r"([\u3400-\u9fff（）]+)", name))
    return list(dict.fromkeys(filter(None, (name.strip(), *parts))))


@cache
def _positions() -> tuple[Mapping[str, Position], Mapping[tuple[str, str], Position]]:
    content = resources.files("gateway.reference").joinpath("positions.csv").read_text("utf-8")
    by_code: dict[str, Position] = {}
    by_name: dict[tuple[str, str], Position] = {}
    for row in csv.DictReader(content.splitlines()):
        position = Position(float(row["latitude"]), float(row["longitude"]))
        if row["unlocode"]:
            by_code[row["unlocode"]] = position
        by_name[row["territory"], row["name"].casefold()] = position
    return by_code, by_name
