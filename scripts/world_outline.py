"""Makes gateway/reference/outline.json of npm's world-atlas 2.0.2: what the console's maps are drawn on.

    npm pack world-atlas@2.0.2 && tar xzf world-atlas-2.0.2.tgz
    .venv/bin/python scripts/world_outline.py package

Land alone and no borders of states, which authorities see differently; Hong Kong and Macao as the customs territories
that they are. Three levels: the world, eastern Asia, the Pearl River Delta.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
SUMS: Final = ROOT / "third_party" / "world-atlas" / "SHA256SUMS"
OUTLINE: Final = ROOT / "gateway" / "reference" / "outline.json"

Point = tuple[float, float]
Ring = list[Point]
Window = tuple[float, float, float, float]

WORLD: Final[Window] = (-180.0, -90.0, 180.0, 90.0)
ASIA: Final[Window] = (60.0, -15.0, 155.0, 56.0)
DELTA: Final[Window] = (112.2, 21.4, 115.4, 23.7)
"""West, south, east, north in degrees."""

TERRITORIES: Final = {"HK": "344", "MO": "446"}
"""Customs territories of the delta, by ISO 3166-1 numeric code."""


def main(package: str) -> None:
    """Writes the outline of the unpacked package."""
    folder = Path(package)
    files = {name: _read(folder / name, digest) for name, digest in _sums()}
    small, medium, large = (files[name] for name in ("land-110m.json", "land-50m.json", "countries-10m.json"))
    delta = {"land": _level(_rings(large, "land"), DELTA, 0.002, 1000)}
    for territory, number in TERRITORIES.items():
        delta[territory] = _level(_rings(large, "countries", number), DELTA, 0.001, 1000)
    levels = [
        {"window": WORLD, "scale": 100, "land": _level(_rings(small, "land"), WORLD, 0.0, 100)},
        {"window": ASIA, "scale": 100, "land": _level(_rings(medium, "land"), ASIA, 0.03, 100)},
        {"window": DELTA, "scale": 1000, **delta},
    ]
    document = {"source": "world-atlas 2.0.2 (Natural Earth 4.1.0, public domain)", "levels": levels}
    OUTLINE.write_text(json.dumps(document, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{OUTLINE.relative_to(ROOT)}: {OUTLINE.stat().st_size} bytes")


def _sums() -> Iterator[tuple[str, str]]:
    for row in SUMS.read_text(encoding="ascii").splitlines():
        digest, name = row.split()
        yield name, digest


def _read(path: Path, digest: str) -> dict[str, Any]:
    content = path.read_bytes()
    if sha256(content).hexdigest() != digest:
        sys.exit(f"{path}: not the file of {SUMS.relative_to(ROOT)}")
    topology: dict[str, Any] = json.loads(content)
    return topology


def _rings(topology: dict[str, Any], name: str, number: str = "") -> Iterator[Ring]:
    """Outer rings and holes of an object, or of one country of it, in degrees."""
    arcs = [_arc(arc, topology["transform"]) for arc in topology["arcs"]]
    for geometry in topology["objects"][name]["geometries"]:
        if number and geometry.get("id") != number:
            continue
        polygons = [geometry["arcs"]] if geometry["type"] == "Polygon" else geometry["arcs"]
        for ring in (ring for polygon in polygons for ring in polygon):
            points: Ring = []
            for index in ring:
                part = arcs[index] if index >= 0 else arcs[~index][::-1]
                points += part[1:] if points else part
            yield points


def _arc(arc: Sequence[Sequence[int]], transform: dict[str, Any]) -> Ring:
    (kx, ky), (tx, ty) = transform["scale"], transform["translate"]
    x = y = 0
    points: Ring = []
    for dx, dy in arc:
        x, y = x + dx, y + dy
        points.append((x * kx + tx, y * ky + ty))
    return points


def _level(rings: Iterable[Ring], window: Window, tolerance: float, scale: int) -> list[list[int]]:
    """Rings within a window, each as its first point and then steps, in parts of a degree."""
    written = []
    for ring in rings:
        points = simplified(clipped(ring, window), tolerance)
        whole = [(round(x * scale), round(y * scale)) for x, y in points]
        whole = [point for at, point in enumerate(whole) if at == 0 or point != whole[at - 1]]
        if len(whole) < 4:
            continue
        steps = [(bx - ax, by - ay) for (ax, ay), (bx, by) in pairwise(whole)]
        written.append([number for pair in [whole[0], *steps] for number in pair])
    return written


def clipped(ring: Ring, window: Window) -> Ring:
    """The ring within a window (Sutherland and Hodgman, 1974)."""
    west, south, east, north = window
    for axis, bound, sign in ((0, west, 1), (0, east, -1), (1, south, 1), (1, north, -1)):
        kept: Ring = []
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


def simplified(ring: Ring, tolerance: float) -> Ring:
    """The ring without points nearer than the tolerance to its line (Douglas and Peucker, 1973)."""
    if not tolerance or len(ring) < 4:
        return ring
    keep = {0, len(ring) - 1}
    pending = [(0, len(ring) - 1)]
    while pending:
        start, end = pending.pop()
        far, at = max(((_distance(ring[n], ring[start], ring[end]), n) for n in range(start + 1, end)), default=(0, 0))
        if far > tolerance:
            keep.add(at)
            pending += [(start, at), (at, end)]
    return [ring[n] for n in sorted(keep)]


def _distance(point: Point, start: Point, end: Point) -> float:
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = (dx * dx + dy * dy) ** 0.5
    if not length:
        return float(((point[0] - start[0]) ** 2 + (point[1] - start[1]) ** 2) ** 0.5)
    return float(abs(dy * (point[0] - start[0]) - dx * (point[1] - start[1])) / length)


if __name__ == "__main__":
    main(*sys.argv[1:])
