"""What every picture must be: valid XML, finite, inside its frame, clean under the content policy, small."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

MAX_BYTES = 60_000
ALLOWED = {"svg", "g", "title", "desc", "path", "rect", "circle", "line", "text", "a"}
NUMERIC = {"x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "width", "height", "rx"}


def check_svg(svg: str, most: int = MAX_BYTES) -> ET.Element:
    """Fails unless the picture keeps the rules; gives its root."""
    assert len(svg.encode()) <= most
    root = ET.fromstring(svg)  # noqa: S314 made here
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    assert root.find("title") is not None
    assert root.find("desc") is not None
    for mark in root.attrib["aria-labelledby"].split():
        assert root.find(f"*[@id='{mark}']") is not None
    _check(root, width, height)
    return root


def _check(parent: ET.Element, width: float, height: float) -> None:
    for child in parent:
        assert child.tag in ALLOWED, child.tag
        assert not {name for name in child.attrib if name == "style" or name.startswith("on")}
        numbers = {name: float(value) for name, value in child.attrib.items() if name in NUMERIC}
        for name, value in numbers.items():
            limit = (
                height if name in ("y", "y1", "y2", "cy", "height") else max(width, height) if name == "r" else width
            )
            assert -1 <= value <= limit + 1, (child.tag, child.attrib)
        if child.tag in ("rect", "svg"):
            assert numbers["x"] + numbers["width"] <= width + 1
            assert numbers["y"] + numbers["height"] <= height + 1
        if child.tag == "path":
            assert re.fullmatch(r"[MLQCZAamlhvHVz0-9eE., -]+", child.attrib["d"]), child.attrib["d"][:80]
        if child.tag == "svg":
            _check(child, *map(float, child.attrib["viewBox"].split()[2:]))
        else:
            _check(child, width, height)


def texts_of(svg: str) -> list[str]:
    """Texts of a picture in order."""
    return [element.text or "" for element in ET.fromstring(svg).iter("text")]  # noqa: S314 made here
