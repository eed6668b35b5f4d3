"""Finds where places are; a place that isn't known has no position, never a near one."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import NamedTuple

from gateway.formats.places import place_by_customs_office, place_by_name
from gateway.translation.messages import gettext as _
from gateway.v1.goods_pb2 import Place


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
    """Its position by name, then UN/LOCODE, then customs office, within its territory."""
    by_code, by_name = _positions()
    known = place_by_name(place.name, place.territory) if place.name else None
    if known is not None and (known.territory, known.name.casefold()) in by_name:
        return by_name[known.territory, known.name.casefold()]
    if (place.territory, place.name.casefold()) in by_name:
        return by_name[place.territory, place.name.casefold()]
    if place.unlocode in by_code:
        return by_code[place.unlocode]
    office = place_by_customs_office(place.customs_office, place.territory) if place.customs_office else None
    return by_name.get((office.territory, office.name.casefold())) if office is not None else None


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
