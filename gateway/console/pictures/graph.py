"""Draws a graph of parties and things: each kind has a shape, an edge says why it is there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from gateway.console.pictures.layout import layout
from gateway.console.pictures.placing import LabelPlacer
from gateway.console.pictures.svg import (
    NARROW,
    WIDE,
    Illustration,
    PathData,
    element,
    link,
    path,
    picture,
    shortened,
    text,
    tip,
)
from gateway.tracing.report.picture import text_width
from gateway.translation.messages import gettext as _
from gateway.translation.messages import ngettext

MAX_NODES: Final = 150
MAX_EDGES: Final = 400
MAX_LABEL: Final = 150.0

SHAPES: Final = ("circle", "diamond", "square", "triangle", "hexagon", "pentagon")
"""Of kinds, in the order in which they are named."""


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A node.

    Attributes:
        kind: what it is, as it is shown: `Company`.
        note: why to look at it, where there is a reason; such a node stands out.
        is_root: the graph began with it.
        target: path of its page; empty: none.
    """

    id: str
    label: str
    kind: str
    note: str = ""
    is_root: bool = False
    target: str = ""


@dataclass(frozen=True, slots=True)
class GraphEdge:
    """An edge between two nodes by their ids.

    Attributes:
        because: why it is there, in a sentence.
        is_sure: the two stand in one record; otherwise they were only compared, which is drawn as a broken line.
    """

    start: str
    end: str
    because: str
    is_sure: bool = True


def graph(
    nodes: Sequence[GraphNode], edges: Sequence[GraphEdge], *, title: str, kinds: Sequence[str] = ()
) -> Illustration:
    """The graph; more than `MAX_NODES` are cut, and the picture says so.

    Args:
        kinds: all kinds there are, so that each keeps its shape from graph to graph.
    """
    shown = {node.id: node for node in nodes[:MAX_NODES]}
    drawn = [edge for edge in edges if edge.start in shown and edge.end in shown and edge.start != edge.end][:MAX_EDGES]
    order = tuple(dict.fromkeys((*kinds, *(node.kind for node in shown.values()))))
    spots = layout(list(shown), [(edge.start, edge.end) for edge in drawn], [n.id for n in shown.values() if n.is_root])
    parties = ngettext("{number} party or thing", "{number} parties and things", len(shown))
    joined = ngettext("{number} connection", "{number} connections", len(drawn))
    said = _("{nodes}, {connections}", nodes=parties, connections=joined)
    notes = []
    if more := len(nodes) - len(shown):
        notes.append(ngettext("{number} more isn't drawn.", "{number} more aren't drawn.", more))
    sizes = [_GraphDrawing(shown, drawn, order, spots, width).picture(title, said) for width in (WIDE, NARROW)]
    names = {node.id: node.label for node in nodes}
    rows = tuple((names[edge.start], names[edge.end], edge.because) for edge in drawn)
    return Illustration(title, said, sizes[0], sizes[1], (_("One"), _("Other"), _("Because")), rows, tuple(notes))


@dataclass(frozen=True, slots=True)
class _GraphDrawing:
    nodes: Mapping[str, GraphNode]
    edges: Sequence[GraphEdge]
    kinds: tuple[str, ...]
    spots: Mapping[str, tuple[float, float]]
    width: int

    @property
    def _height(self) -> float:
        count = max(len(self.nodes), 1)
        return min(900.0, max(self.width * 0.55, math.sqrt(count) * self.width * 0.11))

    def picture(self, title: str, said: str) -> Markup:
        """Edges below nodes below labels, then the shapes' meaning."""
        placer = LabelPlacer(float(self.width), self._height)
        radius = 8.0 if len(self.nodes) <= 60 else 6.0
        points = {node: self._point(spot) for node, spot in self.spots.items()}
        for x, y in points.values():
            placer.take(x, y, radius + 1)
        parts = [self._edge(edge, points) for edge in self.edges]
        order = sorted(self.nodes.values(), key=lambda node: (not node.is_root, not node.note, node.label, node.id))
        marks = {node.id: self._node(node, points[node.id], radius, placer) for node in order}
        parts += [marks[node] for node in self.nodes]
        legend, bottom = self._legend(self._height + 6)
        is_linked = any(node.target for node in self.nodes.values())
        return picture("graph", (float(self.width), bottom), title, said, [*parts, *legend], interactive=is_linked)

    def _point(self, spot: tuple[float, float]) -> tuple[float, float]:
        side = 0.14 * self.width
        return side + spot[0] * (self.width - 2 * side), 28 + spot[1] * (self._height - 56)

    def _edge(self, edge: GraphEdge, points: Mapping[str, tuple[float, float]]) -> Markup:
        kind = "edge" if edge.is_sure else "edge compared"
        names = f"{self.nodes[edge.start].label} – {self.nodes[edge.end].label}: {edge.because}"
        return element("path", tip(names), class_=kind, d=path([points[edge.start], points[edge.end]]))

    def _node(self, node: GraphNode, spot: tuple[float, float], radius: float, placer: LabelPlacer) -> Markup:
        x, y = spot
        wide = MAX_LABEL if self.width >= WIDE else 84.0
        placed = placer.place(shortened(node.label, wide), x, y, radius + 1, must=node.is_root)
        number = self.kinds.index(node.kind)
        kind = f"node k{number % 6 + 1}{' marked' if node.note else ''}{' root' if node.is_root else ''}"
        parts = [
            tip(": ".join(filter(None, (node.kind, node.label, node.note)))),
            *([element("circle", class_="ring", cx=x, cy=y, r=radius + 4)] if node.note else []),
            element("path", class_="shape", d=_shape(SHAPES[number % len(SHAPES)], x, y, radius)),
            *([text("label", placed.x, placed.y, placed.text)] if placed else []),
        ]
        group = element("g", *parts, class_=kind)
        # What is seen is part of the name, also where it is shortened: who speaks to a machine says what they see.
        seen = placed.text if placed and placed.text not in node.label else ""
        name = " ".join(filter(None, (seen, node.kind, node.label)))
        return link(node.target, group, label=name) if node.target else group

    def _legend(self, top: float) -> tuple[list[Markup], float]:
        parts: list[Markup] = []
        x, y = 8.0, top + 8
        used = {node.kind for node in self.nodes.values()}
        entries = [(kind, number) for number, kind in enumerate(self.kinds) if kind in used]
        for kind, number in entries:
            name = shortened(kind, self.width - 40.0)
            if x > 8 and x + text_width(name) + 30 > self.width:
                x, y = 8.0, y + 18
            shape = element("path", class_="shape", d=_shape(SHAPES[number % len(SHAPES)], x, y, 6))
            parts.append(element("g", shape, text("legend", x + 12, y + 4, name), class_=f"node k{number % 6 + 1}"))
            x += text_width(name) + 36
        return parts, y + 16


def _shape(name: str, x: float, y: float, radius: float) -> PathData:
    if name == "circle":
        half = f"a{radius:g} {radius:g} 0 1 0"
        return PathData(f"M{x - radius:.1f} {y:.1f}{half} {2 * radius:g} 0{half} {-2 * radius:g} 0Z")
    corners, start = {
        "diamond": (4, -90),
        "square": (4, -45),
        "triangle": (3, -90),
        "hexagon": (6, 0),
        "pentagon": (5, -90),
    }[name]
    grown = radius * (1.25 if corners < 5 else 1.1)
    angles = [math.radians(start + 360 * at / corners) for at in range(corners)]
    return path([(x + grown * math.cos(angle), y + grown * math.sin(angle)) for angle in angles], closed=True)
