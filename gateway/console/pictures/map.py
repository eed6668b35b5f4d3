"""Draws a route on a map: its stops in order, the way between them, the delta in detail where it is needed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from markupsafe import Markup

from gateway.console.pictures.outline import MapView, in_delta, level_for, view_of
from gateway.console.pictures.placing import LabelPlacer, Rectangle
from gateway.console.pictures.svg import (
    NARROW,
    WIDE,
    Illustration,
    PathData,
    element,
    path,
    picture,
    shortened,
    text,
    tip,
    wrapped,
)
from gateway.formats.positions import Position, position_of
from gateway.translation.messages import gettext as _
from gateway.translation.messages import listed, ngettext
from gateway.v1.goods_pb2 import Place

RADIUS: Final = 9.0
MAX_LABEL: Final = 190.0
MAX_LEGS: Final = 60
"""More are left to the table: nobody follows them on a map."""

MAX_GROUNDS: Final = 256
"""Views whose coasts are kept, of some 10 kB each."""

MODES: Final = ("sea", "air", "road", "rail")
"""Modes of transport that have a style."""

_LINE: Final = 17.0
_CLUSTER: Final = 46.0
"""Pixels: stops of the delta within them get a map of their own."""


class MapPlace(NamedTuple):
    """A place as a map shows it; without a position it stands in the legend alone."""

    name: str
    position: Position | None


def map_place(place: Place) -> MapPlace:
    """A place of the contract: its name, or its code, and where it is if that is known."""
    name = place.name or place.unlocode or place.customs_office or place.territory or _("place not given")
    return MapPlace(name, position_of(place))


@dataclass(frozen=True, slots=True)
class MapLeg:
    """A part of a route.

    Attributes:
        mode: style: sea, air, road, rail, or empty.
        means: in words: `Sea, COSCO STAR, 045E`.
        when: in words, with zone.
    """

    start: MapPlace
    end: MapPlace
    mode: str = ""
    means: str = ""
    when: str = ""


@dataclass(frozen=True, slots=True)
class _Stop:
    numbers: tuple[int, ...]
    names: tuple[str, ...]
    position: Position

    @property
    def label(self) -> str:
        return " / ".join(dict.fromkeys(self.names))


def route_map(legs: Sequence[MapLeg], *, title: str = "") -> Illustration | None:
    """The route on a map; none where no place of it has a known position.

    Args:
        legs: in order of travel.
        title: what it is the route of.
    """
    shown = list(legs[:MAX_LEGS])
    order = _order(shown)
    positions = [place.position for place in order if place.position]
    if not positions:
        return None
    heading = title or _("The route on a map")
    way = " → ".join(place.name for place in order)
    lost = [place.name for place in order if place.position is None]
    notes = [_("Lines join places; they don't show the way taken.")]
    if lost:
        notes.insert(0, _("Not on the map, since their position isn't known: {places}.", places=listed(lost)))
    if more := len(legs) - len(shown):
        said = ngettext("{number} more leg is in the table alone.", "{number} more legs are in the table alone.", more)
        notes.insert(0, said)
    return Illustration(
        title=heading,
        description=way,
        wide=_drawn(shown, order, heading, way, WIDE),
        narrow=_drawn(shown, order, heading, way, NARROW),
        columns=(_("Leg"), _("From"), _("To"), _("Means"), _("When")),
        rows=tuple(
            (str(number), leg.start.name, leg.end.name, leg.means, leg.when or _("not known"))
            for number, leg in enumerate(legs, start=1)
        ),
        notes=tuple(notes),
    )


def _order(legs: Iterable[MapLeg]) -> list[MapPlace]:
    """Stops in order of travel; where one leg ends and the next begins is one stop."""
    order: list[MapPlace] = []
    for leg in legs:
        for place in (leg.start, leg.end):
            if not order or order[-1] != place:
                order.append(place)
    return order


def _drawn(legs: Sequence[MapLeg], order: Sequence[MapPlace], title: str, way: str, width: int) -> Markup:
    positions = [place.position for place in order if place.position]
    height = round(width * (0.5 if width >= WIDE else 0.8))
    main = view_of(positions, float(width), float(height))
    detail = _detail(main, positions)
    parts: list[Markup] = []
    bottom = float(height)
    if detail and width >= WIDE:
        main = view_of(positions, width * 0.6 - 8, float(height))
        inset = view_of(detail, width * 0.4, float(height))
        parts += [_panel(main, legs, order, (0.0, 0.0), detail), _panel(inset, legs, order, (width * 0.6, 0.0), ())]
    elif detail:
        inset = view_of(detail, float(width), float(height))
        parts += [_panel(main, legs, order, (0.0, 0.0), detail), _panel(inset, legs, order, (0.0, height + 8.0), ())]
        bottom = 2.0 * height + 8
    else:
        parts.append(_panel(main, legs, order, (0.0, 0.0), ()))
    legend, bottom = _legend(order, width, bottom + 6)
    return picture("map", (float(width), bottom), title, way, [*parts, *legend])


def _detail(view: MapView, positions: Sequence[Position]) -> list[Position]:
    """Positions of the delta that the view shows on one spot."""
    near = list(dict.fromkeys(position for position in positions if in_delta(position)))
    if len(near) < 2 or len(near) == len(set(positions)):
        return []
    points = [view.point(position) for position in near]
    spread = max(
        max(x for x, y in points) - min(x for x, y in points), max(y for x, y in points) - min(y for x, y in points)
    )
    return near if spread < _CLUSTER * len(near) else []


def _panel(
    view: MapView,
    legs: Sequence[MapLeg],
    order: Sequence[MapPlace],
    corner: tuple[float, float],
    gathered: Sequence[Position],
) -> Markup:
    """One map of the picture; `gathered` positions are one mark on it."""
    stops = _stops(view, order, gathered)
    placer = LabelPlacer(view.width, view.height)
    for stop in stops:
        placer.take(*view.point(stop.position), _pill(stop) / 2)
    placer.taken.append(_scale_room(view))
    curves = list(_curves(view, legs, gathered))
    for curve in curves:
        placer.take_line(curve.points)
    return element(
        "svg",
        element("rect", class_="water", x=0, y=0, width=view.width, height=view.height),
        _ground(view),
        *map(_drawn_leg, curves),
        *(_mark(view, stop, placer) for stop in stops),
        *_scale(view),
        element("rect", class_="frame", x=0.5, y=0.5, width=view.width - 1, height=view.height - 1),
        x=corner[0],
        y=corner[1],
        width=view.width,
        height=view.height,
        view_box=f"0 0 {view.width:g} {view.height:g}",
    )


@lru_cache(maxsize=MAX_GROUNDS)
def _ground(view: MapView) -> Markup:
    """Coasts and territories: 10 ms of work, and most alerts are of a few routes."""
    level = level_for(view)
    parts = (("land", level.land), ("territory", level.territories))
    drawn = ((kind, ring) for kind, rings in parts for ring in view.rings(rings))
    return Markup("").join(element("path", class_=kind, d=path(ring, closed=True)) for kind, ring in drawn)


def _stops(view: MapView, order: Sequence[MapPlace], gathered: Sequence[Position]) -> list[_Stop]:
    """Stops that the view shows, those on one spot together."""
    stops: list[_Stop] = []
    for number, place in enumerate(order, start=1):
        if place.position is None or not _inside(view, place.position):
            continue
        at = next((at for at, stop in enumerate(stops) if _together(view, stop.position, place.position, gathered)), -1)
        if at < 0:
            stops.append(_Stop((number,), (place.name,), place.position))
        else:
            stop = stops[at]
            stops[at] = _Stop((*stop.numbers, number), (*stop.names, place.name), stop.position)
    return stops


def _together(view: MapView, one: Position, other: Position, gathered: Sequence[Position]) -> bool:
    if one in gathered and other in gathered:
        return True
    (ax, ay), (bx, by) = view.point(one), view.point(other)
    return abs(ax - bx) < 2 * RADIUS and abs(ay - by) < 2 * RADIUS


def _inside(view: MapView, position: Position) -> bool:
    x, y = view.point(position)
    return 0 <= x <= view.width and 0 <= y <= view.height


def _mark(view: MapView, stop: _Stop, placer: LabelPlacer) -> Markup:
    x, y = view.point(stop.position)
    wide = _pill(stop)
    x = min(max(x, wide / 2), view.width - wide / 2)  # a stop at the edge with many numbers
    shape = element("rect", class_="stop", x=x - wide / 2, y=y - RADIUS, width=wide, height=2 * RADIUS, rx=RADIUS)
    number = text("stop-number", x, y + 4, _numbers(stop.numbers), anchor="middle")
    placed = placer.place(shortened(stop.label, MAX_LABEL), x, y, wide / 2)
    label = text("place", placed.x, placed.y, placed.text) if placed else ""
    return element("g", tip(f"{_numbers(stop.numbers)} {stop.label}"), shape, number, label)


def _pill(stop: _Stop) -> float:
    return max(2 * RADIUS, 7.5 * len(_numbers(stop.numbers)) + 8)


def _numbers(numbers: Sequence[int]) -> str:
    """`1`, `1–3`, `1, 4`."""
    unique = sorted(set(numbers))
    if len(unique) > 2 and unique[-1] - unique[0] == len(unique) - 1:
        return f"{unique[0]}–{unique[-1]}"
    return ", ".join(map(str, unique[:4])) + ("…" if len(unique) > 4 else "")


@dataclass(frozen=True, slots=True)
class _Curve:
    """A leg as a quadratic curve, in pixels; it ends before its stop."""

    number: int
    leg: MapLeg
    start: tuple[float, float]
    bend: tuple[float, float]
    end: tuple[float, float]

    @property
    def points(self) -> list[tuple[float, float]]:
        """Some points on it."""
        (ax, ay), (bx, by), (cx, cy) = self.start, self.bend, self.end
        count = max(2, int(math.hypot(cx - ax, cy - ay) / 14))
        shares = [at / count for at in range(1, count)]
        return [
            (
                (1 - t) ** 2 * ax + 2 * t * (1 - t) * bx + t * t * cx,
                (1 - t) ** 2 * ay + 2 * t * (1 - t) * by + t * t * cy,
            )
            for t in shares
        ]


def _curves(view: MapView, legs: Sequence[MapLeg], gathered: Sequence[Position]) -> Iterator[_Curve]:
    """Each leg to the right of its straight line, so that a way back doesn't cover the way there."""
    seen: dict[tuple[Position, Position], int] = {}
    for number, leg in enumerate(legs, start=1):
        start, end = leg.start.position, leg.end.position
        if start is None or end is None or _together(view, start, end, gathered):
            continue
        seen[start, end] = seen.get((start, end), 0) + 1
        yield _curve(view.point(start), view.point(end), 0.12 + 0.1 * (seen[start, end] - 1), number, leg)


def _curve(start: tuple[float, float], end: tuple[float, float], bend: float, number: int, leg: MapLeg) -> _Curve:
    (ax, ay), (bx, by) = start, end
    dx, dy = bx - ax, by - ay
    length = math.hypot(dx, dy)
    side = min(bend * length, 60.0) / length
    middle = ((ax + bx) / 2 - dy * side, (ay + by) / 2 + dx * side)
    ex, ey = bx - middle[0], by - middle[1]
    near = math.hypot(ex, ey) or 1.0
    return _Curve(number, leg, start, middle, (bx - ex / near * (RADIUS + 1), by - ey / near * (RADIUS + 1)))


def _drawn_leg(curve: _Curve) -> Markup:
    leg, (mx, my), (tx, ty) = curve.leg, curve.bend, curve.end
    near = math.hypot(tx - mx, ty - my) or 1.0
    ux, uy = (tx - mx) / near, (ty - my) / near
    sx, sy = tx - ux * 9, ty - uy * 9
    head = path([(tx, ty), (sx - uy * 4.5, sy + ux * 4.5), (sx + uy * 4.5, sy - ux * 4.5)], closed=True)
    said = f"{curve.number}: {leg.start.name} → {leg.end.name} {leg.means} {leg.when}"
    return element(
        "g",
        tip(said),
        element("path", class_="way", d=PathData(f"{path([curve.start])}Q{mx:.1f} {my:.1f} {sx:.1f} {sy:.1f}")),
        element("path", class_="tip", d=head),
        class_=f"leg {leg.mode if leg.mode in MODES else 'other'}",
    )


def _scale_km(view: MapView) -> float:
    """A round number of kilometres that is at most a fifth of the map."""
    most = view.km / 5
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (5, 2, 1) if step * power <= most)


def _scale_room(view: MapView) -> Rectangle:
    return Rectangle(0, view.height - 28, _scale_km(view) / view.km * view.width + 16, view.height)


def _scale(view: MapView) -> Iterator[Markup]:
    km = _scale_km(view)
    long, y = km / view.km * view.width, view.height - 9
    yield element("path", class_="scale", d=path([(8, y - 4), (8, y), (8 + long, y), (8 + long, y - 4)]))
    yield text("scale-text", 10, y - 5, _("{number} km", number=f"{km:g}"))


def _legend(order: Sequence[MapPlace], width: int, top: float) -> tuple[list[Markup], float]:
    """All stops with their numbers, under the map."""
    names = " · ".join(
        f"{number} {place.name}"
        if place.position
        else _("{number} {place} (not on the map)", number=number, place=place.name)
        for number, place in enumerate(order, start=1)
    )
    lines = wrapped(names, width - 4, most=8)
    return [text("legend", 2, top + 11 + _LINE * at, line) for at, line in enumerate(lines)], top + _LINE * len(
        lines
    ) + 4
