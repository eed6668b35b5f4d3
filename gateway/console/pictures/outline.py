"""Projects the outline of land into a window of a map: equirectangular, true to scale at its middle latitude."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from gateway.formats.positions import Position

KM_PER_DEGREE: Final = 111.2
MARGIN: Final = 48.0
"""Pixels around the outermost positions."""

SOUTHERNMOST: Final = -60.0
"""Degrees: Antarctica, which goes around the pole, isn't drawn."""

MIN_SPAN: Final = 0.18
"""Degrees of latitude that a map shows at least, 20 km: positions are known to about one."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class OutlineLevel:
    """Land within a window (west, south, east, north in degrees), and the customs territories drawn on it."""

    window: tuple[float, float, float, float]
    land: tuple[tuple[Point, ...], ...]
    territories: tuple[tuple[Point, ...], ...]


@dataclass(frozen=True, slots=True)
class MapView:
    """What a map shows: its middle in degrees, and pixels.

    Attributes:
        scale: pixels for a degree of latitude.
    """

    latitude: float
    longitude: float
    scale: float
    width: float
    height: float

    def point(self, position: Position) -> Point:
        """Pixels from the left and the top."""
        return self._pixels(position.latitude, _near(position.longitude, self.longitude))

    @property
    def km(self) -> float:
        """Kilometres from its left to its right."""
        return self.width / self.scale * KM_PER_DEGREE

    def _pixels(self, latitude: float, longitude: float) -> Point:
        east = (longitude - self.longitude) * math.cos(math.radians(self.latitude))
        return self.width / 2 + east * self.scale, self.height / 2 - (latitude - self.latitude) * self.scale

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees; east may lie beyond 180."""
        across = self.width / 2 / self.scale / math.cos(math.radians(self.latitude))
        along = self.height / 2 / self.scale
        return self.longitude - across, self.latitude - along, self.longitude + across, self.latitude + along

    def rings(self, rings: Sequence[Sequence[Point]]) -> Iterator[list[Point]]:
        """Rings of longitudes and latitudes within the view, in pixels; the world goes on at both sides."""
        west, south, east, north = self.bounds
        for ring in rings:
            for turn in (-360.0, 0.0, 360.0):
                if _apart(ring, turn, (west, south, east, north)):
                    continue
                drawn = _thinned([self._pixels(y, x + turn) for x, y in ring])
                clipped = _clipped(drawn, self.width, self.height)
                if len(clipped) > 2:
                    yield clipped


def view_of(positions: Sequence[Position], width: float, height: float) -> MapView:
    """A view with all these positions in it, a margin around them, across the antimeridian where that is nearer."""
    middle, span = _arc([position.longitude for position in positions])
    south = min(position.latitude for position in positions)
    north = max(position.latitude for position in positions)
    latitude = (south + north) / 2
    along = max(north - south, MIN_SPAN)
    across = max(span * math.cos(math.radians(latitude)), MIN_SPAN)
    scale = min((height - 2 * MARGIN) / along, (width - 2 * MARGIN) / across)
    return MapView(latitude, middle, scale, width, height)


def level_for(view: MapView) -> OutlineLevel:
    """The finest outline that covers the view."""
    west, south, east, north = view.bounds
    for level in reversed(_levels()):
        left, bottom, right, top = level.window
        if left <= west and bottom <= south and east <= right and north <= top:
            return level
    return _levels()[0]


def in_delta(position: Position) -> bool:
    """Whether it lies in the Pearl River Delta, which has an outline of its own."""
    left, bottom, right, top = _levels()[-1].window
    return left <= position.longitude <= right and bottom <= position.latitude <= top


def _arc(longitudes: Sequence[float]) -> tuple[float, float]:
    """Middle and width of the shortest arc with all of these."""
    ordered = sorted({round(longitude, 4) % 360 for longitude in longitudes})
    gaps = [(ordered[(at + 1) % len(ordered)] - here) % 360 or 360.0 for at, here in enumerate(ordered)]
    widest = max(range(len(gaps)), key=gaps.__getitem__)
    span = 360 - gaps[widest]
    start = ordered[(widest + 1) % len(ordered)]
    middle = (start + span / 2 + 180) % 360 - 180
    return middle, span


def _near(longitude: float, middle: float) -> float:
    return middle + (longitude - middle + 180) % 360 - 180


def _apart(ring: Sequence[Point], turn: float, bounds: tuple[float, float, float, float]) -> bool:
    west, south, east, north = bounds
    longitudes = [x + turn for x, _y in ring]
    latitudes = [y for _x, y in ring]
    return max(longitudes) < west or min(longitudes) > east or max(latitudes) < south or min(latitudes) > north


def _thinned(points: Sequence[Point]) -> list[Point]:
    """Points at least 0.7 pixels apart."""
    kept = [points[0]]
    for point in points[1:]:
        if abs(point[0] - kept[-1][0]) + abs(point[1] - kept[-1][1]) >= 0.7:
            kept.append(point)
    return kept


def _clipped(ring: list[Point], width: float, height: float) -> list[Point]:
    """The ring within the picture (Sutherland and Hodgman, 1974), its cut edges a little outside."""
    for axis, bound, sign in ((0, -4.0, 1), (0, width + 4, -1), (1, -4.0, 1), (1, height + 4, -1)):
        kept: list[Point] = []
        for at, point in enumerate(ring):
            before = ring[at - 1]
            inside, was_inside = (sign * (each[axis] - bound) >= 0 for each in (point, before))
            if inside != was_inside:
                share = (bound - before[axis]) / (point[axis] - before[axis])
                kept.append((before[0] + share * (point[0] - before[0]), before[1] + share * (point[1] - before[1])))
            if inside:
                kept.append(point)
        ring = kept
    return ring


@cache
def _levels() -> tuple[OutlineLevel, ...]:
    content = json.loads(resources.files("gateway.reference").joinpath("outline.json").read_text("utf-8"))
    return tuple(
        OutlineLevel(
            window=tuple(level["window"]),
            land=_decoded(level["land"], level["scale"]),
            territories=tuple(ring for name in ("HK", "MO") for ring in _decoded(level.get(name, ()), level["scale"])),
        )
        for level in content["levels"]
    )


def _decoded(rings: Sequence[Sequence[int]], scale: int) -> tuple[tuple[Point, ...], ...]:
    """Rings from their first points and steps, see `scripts/world_outline.py`."""
    decoded = (tuple(_points(ring, scale)) for ring in rings)
    return tuple(ring for ring in decoded if max(y for _x, y in ring) > SOUTHERNMOST)


def _points(ring: Sequence[int], scale: int) -> Iterator[Point]:
    x = y = 0
    turn = 360 * scale
    for dx, dy in zip(ring[::2], ring[1::2], strict=True):
        x += dx - round(dx / turn) * turn if x or y else dx  # a step around the world is one across the antimeridian
        y += dy
        yield x / scale, y / scale
