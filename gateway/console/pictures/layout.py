"""Lays out a graph in rings around where it began, pushed apart where it is crowded; equal graphs look the same."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

STEPS: Final = 60
"""Rounds of pushing and pulling; more change little."""

_REACH: Final = 1.6
"""Nodes further apart than this, where 1 is the length of an edge, don't push each other."""

Spot = tuple[float, float]


def layout(nodes: Sequence[str], edges: Iterable[tuple[str, str]], roots: Sequence[str] = ()) -> dict[str, Spot]:
    """A place for each node, 0 to 1 in both directions.

    Args:
        nodes: their names, each once.
        edges: pairs of them; others are left out.
        roots: nodes in the middle.
    """
    neighbours = _neighbours(nodes, edges)
    rings = _rings(nodes, neighbours, roots)
    spots = _pushed(_radial(rings), neighbours)
    return _fitted(spots)


def _neighbours(nodes: Sequence[str], edges: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    known: dict[str, dict[str, None]] = {node: {} for node in nodes}
    for start, end in edges:
        if start in known and end in known and start != end:
            known[start][end] = known[end][start] = None
    return {node: list(others) for node, others in known.items()}


def _rings(
    nodes: Sequence[str], neighbours: Mapping[str, Sequence[str]], roots: Sequence[str]
) -> list[list[tuple[str, str]]]:
    """Nodes by their distance from a root, each with the node that leads to it; each part of the graph has a root."""
    rings: list[list[tuple[str, str]]] = []
    seen: set[str] = set()
    by_degree = sorted(nodes, key=lambda node: -len(neighbours[node]))
    for root in (*(node for node in roots if node in neighbours), *by_degree):
        if root in seen:
            continue
        seen.add(root)
        pending = deque([(root, "", 0)])
        while pending:
            node, parent, depth = pending.popleft()
            while len(rings) <= depth:
                rings.append([])
            rings[depth].append((node, parent))
            for other in neighbours[node]:
                if other not in seen:
                    seen.add(other)
                    pending.append((other, node, depth + 1))
    return rings


def _radial(rings: Sequence[Sequence[tuple[str, str]]]) -> dict[str, Spot]:
    """Rings of nodes, each near the node that leads to it."""
    angles: dict[str, float] = {}
    spots: dict[str, Spot] = {}
    for depth, ring in enumerate(rings):
        ordered = sorted(ring, key=lambda pair: angles.get(pair[1], 0.0))
        radius = 0.0 if depth == 0 and len(ring) == 1 else max(depth + (len(rings[0]) > 1) * 0.8, len(ring) / 7)
        for at, (node, parent) in enumerate(ordered):
            turn = 2 * math.pi * (at + 0.5) / len(ordered)
            wanted = angles.get(parent, turn)
            angles[node] = turn if depth <= 1 else (turn + wanted) / 2
            spots[node] = (radius * math.cos(angles[node]) * 1.3, radius * math.sin(angles[node]))
    return spots


def _pushed(spots: dict[str, Spot], neighbours: Mapping[str, Sequence[str]]) -> dict[str, Spot]:
    """Nodes push each other away when they are near, edges pull (Fruchterman and Reingold, 1991)."""
    for step in range(STEPS):
        moves = {node: [0.0, 0.0] for node in spots}
        for node, other, (dx, dy), distance in _near(spots):
            force = 0.35 * max(0.0, 1 / distance**2 - 1 / _REACH**2)
            _move(moves, node, other, (dx * force, dy * force))
        for node, others in neighbours.items():
            for other in others:
                if node < other:
                    dx, dy = (spots[node][axis] - spots[other][axis] for axis in (0, 1))
                    pull = -0.06 * max(0.0, math.hypot(dx, dy) - 1.0)
                    _move(moves, node, other, (dx * pull, dy * pull))
        most = 0.4 * (1 - step / STEPS) + 0.02
        spots = {node: _moved(spot, moves[node], most) for node, spot in spots.items()}
    return spots


def _near(spots: Mapping[str, Spot]) -> Iterable[tuple[str, str, Spot, float]]:
    """Pairs of nodes that are near, each once, with the way from the second to the first."""
    cells: dict[tuple[int, int], list[str]] = defaultdict(list)
    for node, (x, y) in spots.items():
        cells[math.floor(x / _REACH), math.floor(y / _REACH)].append(node)
    for (column, row), members in list(cells.items()):
        around = [
            other
            for across in (-1, 0, 1)
            for along in (-1, 0, 1)
            for other in cells.get((column + across, row + along), ())
        ]
        for node in members:
            for other in around:
                if node < other:
                    dx, dy = (spots[node][axis] - spots[other][axis] for axis in (0, 1))
                    distance = math.hypot(dx, dy)
                    if distance < 1e-6:
                        dx, dy, distance = 0.01, 0.01, 0.015
                    yield node, other, (dx, dy), max(distance, 0.15)


def _move(moves: Mapping[str, list[float]], node: str, other: str, way: Spot) -> None:
    for axis in (0, 1):
        moves[node][axis] += way[axis]
        moves[other][axis] -= way[axis]


def _moved(spot: Spot, move: Sequence[float], most: float) -> Spot:
    length = math.hypot(*move)
    share = min(1.0, most / length) if length else 0.0
    return spot[0] + move[0] * share, spot[1] + move[1] * share


def _fitted(spots: Mapping[str, Spot]) -> dict[str, Spot]:
    """Within 0 to 1; what has no extent lies in the middle."""
    if not spots:
        return {}
    fitted: dict[str, list[float]] = {node: [] for node in spots}
    for axis in (0, 1):
        values = [spot[axis] for spot in spots.values()]
        low, span = min(values), max(values) - min(values)
        for node, spot in spots.items():
            fitted[node].append((spot[axis] - low) / span if span > 1e-9 else 0.5)
    return {node: (x, y) for node, (x, y) in fitted.items()}
