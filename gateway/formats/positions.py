"""Finds where places are; a place that isn't known has no position, never a near one."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib import resources
from typing import Final, NamedTuple

from gateway.contract.identification.code_lists import WHOLE_TERRITORIES
from gateway.formats.places import place_by_customs_office, place_by_name
from gateway.v1.goods_pb2 import Place

EARTH_RADIUS_KM: Final = 6371.0
"""Mean radius (IUGG)."""


MAX_REMEMBERED: Final = 4_096
"""Most cached places."""


class Position(NamedTuple):
    """Degrees, north and east positive."""

    latitude: float
    longitude: float


def kilometres_between(one: Position, other: Position) -> float:
    """Great-circle distance by the haversine formula: no way between them is shorter."""
    (north, east), (north_2, east_2) = (tuple(map(math.radians, position)) for position in (one, other))
    half = math.sin((north_2 - north) / 2) ** 2
    half += math.cos(north) * math.cos(north_2) * math.sin((east_2 - east) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(half))


def position_of(place: Place) -> Position | None:
    """Its position by name, then UN/LOCODE, then customs office, within its territory.

    A name may have several scripts: `HZMB Hong Kong Port 港珠澳大橋香港口岸`. One that isn't known isn't drawn at the
    code of a whole territory.
    """
    return _position_of(place.name, place.unlocode, place.customs_office, place.territory)


@lru_cache(MAX_REMEMBERED)  # records repeat their places
def _position_of(name: str, unlocode: str, customs_office: str, territory: str) -> Position | None:
    by_code, by_name = _positions()
    for written in _written(name):
        known = place_by_name(written, territory)
        position = by_name.get((territory, (known.name if known else written).casefold()))
        if position is not None:
            return position
    if unlocode in by_code and not (name and unlocode in WHOLE_TERRITORIES):
        return by_code[unlocode]
    office = place_by_customs_office(customs_office, territory) if customs_office else None
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
