"""Builds SVG text under the console's content policy: classes and presentation attributes, every text escaped."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final
from zlib import crc32

from markupsafe import Markup, escape

from gateway.tracing.report.lines import clean, folded
from gateway.tracing.report.picture import text_width

MAX_TEXT: Final = 400
"""Characters of one text in a picture: a partner's text can't make it large."""

WIDE: Final = 720
NARROW: Final = 328
"""Widths in CSS pixels that pictures are drawn for: a column of a page, and a page of 360 px."""

_FORBIDDEN: Final = frozenset({"style", "href", "script", "foreignObject"})
_ATTRIBUTES: Final = {"class_": "class", "text_anchor": "text-anchor", "view_box": "viewBox"}


@dataclass(frozen=True, slots=True)
class Illustration:
    """A picture with what it says as a table.

    Attributes:
        title: what it shows, a line.
        description: what one sees in it, a sentence or two.
        wide, narrow: SVG for a column of a page, and for a page of 360 px; a style sheet shows one of them.
        columns, rows: the same as a table.
        notes: what the picture can't show, a sentence each.
    """

    title: str
    description: str
    wide: Markup
    narrow: Markup
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = field(default=())


class PathData(str):
    """Data of a path, longer than a text may be."""

    __slots__ = ()


def element(name: str, *children: object, **attributes: object) -> Markup:
    """One element; `None` and empty attributes are left out.

    Args:
        children: markup, or text that is escaped.
        attributes: `class_`, `text_anchor`; `_` stands for `-` elsewhere.

    Raises:
        ValueError: an element or attribute that the content policy doesn't let through.
    """
    if name in _FORBIDDEN or not _FORBIDDEN.isdisjoint(attributes):
        raise ValueError(f"not allowed in a picture: {name} {sorted(attributes)}")
    written = "".join(
        f' {_ATTRIBUTES.get(key) or key.replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None and value != ""
    )
    inside = "".join(str(escape(child)) for child in children)
    return Markup(f"<{name}{written}>{inside}</{name}>" if inside else f"<{name}{written}/>")  # noqa: S704 escaped


def link(target: str, *children: object, label: str = "") -> Markup:
    """A link to a page of the console, or to a place on this page (`#node-1`).

    Raises:
        ValueError: the target isn't a path of the console itself.
    """
    if not target.startswith(("/", "#")) or target.startswith(("//", "/\\")):
        raise ValueError(f"not a path of the console: {target}")
    inside = "".join(str(escape(child)) for child in children)
    name = f' aria-label="{escape(line(label))}"' if label else ""
    return Markup(f'<a href="{escape(target)}"{name}>{inside}</a>')  # noqa: S704 escaped


def text(kind: str, x: float, y: float, content: str, *, anchor: str | None = None) -> Markup:
    """A line of text; `y` is its baseline."""
    return element("text", line(content), class_=kind, x=x, y=y, text_anchor=anchor)


def tip(content: str) -> Markup:
    """What a pointer shows over its parent."""
    return element("title", line(content))


def picture(
    kind: str,
    size: tuple[float, float],
    title: str,
    description: str,
    parts: Iterable[Markup],
    *,
    interactive: bool = False,
) -> Markup:
    """The outermost element.

    Args:
        kind: class for its style.
        size: width and height in CSS pixels.
        parts: drawn in this order.
        interactive: it has links, which a screen reader must find.
    """
    width, height = size
    body = Markup("").join(parts)
    mark = f"p{crc32(f'{kind}{width}{height}{title}{body}'.encode('utf-8', 'surrogatepass')):08x}"
    return element(
        "svg",
        element("title", line(title), id=f"{mark}-t"),
        element("desc", line(description), id=f"{mark}-d"),
        body,
        class_=f"picture {kind}",
        view_box=f"0 0 {_number(width)} {_number(height)}",
        width=width,
        height=height,
        role="group" if interactive else "img",
        aria_labelledby=f"{mark}-t {mark}-d",
    )


def line(content: str) -> str:
    """Text on one line, with visible control characters, cut to `MAX_TEXT`."""
    shown = clean(content[: MAX_TEXT + 1])
    return shown if len(shown) <= MAX_TEXT else f"{shown[: MAX_TEXT - 1]}…"


def wrapped(content: str, width: float, most: int = 3) -> list[str]:
    """Lines of at most this many pixels at 12 px; the last ends in an ellipsis where lines are left out."""
    lines: Iterator[str] = folded(line(content), width, measure=text_width)
    shown: list[str] = []
    for part in lines:
        if len(shown) == most:
            shown[-1] = shortened(f"{shown[-1]} {part}", width)
            break
        shown.append(part)
    return shown


def shortened(content: str, width: float) -> str:
    """Text of at most this many pixels at 12 px, with an ellipsis where it is cut."""
    shown = line(content)
    if text_width(shown) <= width:
        return shown
    used, kept = text_width("…"), ""
    for char in shown:
        used += text_width(char)
        if used > width:
            break
        kept += char
    return f"{kept.rstrip()}…"


def path(points: Sequence[tuple[float, float]], *, closed: bool = False) -> PathData:
    """The data of a path through these points, in whole pixels and tenths."""
    if not points:
        return PathData()
    steps = " ".join(f"{_number(x)} {_number(y)}" for x, y in points[1:])
    start = f"M{_number(points[0][0])} {_number(points[0][1])}"
    return PathData(f"{start}{f'L{steps}' if steps else ''}{'Z' if closed else ''}")


def _value(value: object) -> object:
    if isinstance(value, float):
        return _number(value)
    return escape(value if isinstance(value, PathData) else line(str(value)))


def _number(value: float) -> str:
    if not math.isfinite(value):
        raise ValueError("a picture has finite coordinates")
    return f"{round(value, 1):g}" if abs(value) < 1e5 else f"{value:.0f}"
