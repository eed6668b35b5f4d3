"""Places labels beside marks so that none covers another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway.tracing.report.picture import bold_width

HEIGHT: Final = 15.0
"""Pixels of a line of text at 12 px."""

GAP: Final = 4.0


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: Rectangle) -> float:
        """Area in both, in square pixels."""
        across = min(self.right, other.right) - max(self.left, other.left)
        along = min(self.bottom, other.bottom) - max(self.top, other.top)
        return across * along if across > 0 and along > 0 else 0.0


@dataclass(frozen=True, slots=True)
class PlacedLabel:
    """A label: `x` and `y` of its baseline's start."""

    text: str
    x: float
    y: float


@dataclass(slots=True)
class LabelPlacer:
    """Keeps what is taken in a frame of `width` × `height` pixels."""

    width: float
    height: float
    taken: list[Rectangle] = field(default_factory=list)

    def take(self, x: float, y: float, radius: float) -> None:
        """Keeps labels away from a mark."""
        self.taken.append(Rectangle(x - radius, y - radius, x + radius, y + radius))

    def take_line(self, points: Sequence[tuple[float, float]]) -> None:
        """Keeps labels away from a line, given by points on it."""
        for x, y in points:
            self.take(x, y, 2)

    def place(self, text: str, x: float, y: float, radius: float, *, must: bool = False) -> PlacedLabel | None:
        """A free place beside a mark for a bold label; without one none, or the least covered one if it `must` be."""
        options = list(self._options(bold_width(text), x, y, radius))
        if not options:
            return None
        costs = [sum(option.overlap(other) for other in self.taken) for option in options]
        best = min(range(len(options)), key=lambda at: (costs[at], at))
        if costs[best] > 0 and not must:
            return None
        option = options[best]
        self.taken.append(option)
        return PlacedLabel(text, option.left, option.bottom - 3.5)

    def _options(self, wide: float, x: float, y: float, radius: float) -> Iterator[Rectangle]:
        away, half = radius + GAP, HEIGHT / 2
        corners = (
            (x + away, y - half),
            (x - away - wide, y - half),
            (x - wide / 2, y - away - HEIGHT),
            (x - wide / 2, y + away),
            (x + away * 0.7, y - away - half),
            (x + away * 0.7, y + away - half),
            (x - away * 0.7 - wide, y - away - half),
            (x - away * 0.7 - wide, y + away - half),
            (x + away, y - away - HEIGHT - half),
            (x + away, y + away + half),
        )
        for left, top in corners:
            option = Rectangle(left, top, left + wide, top + HEIGHT)
            if left >= 1 and top >= 1 and option.right <= self.width - 1 and option.bottom <= self.height - 1:
                yield option
