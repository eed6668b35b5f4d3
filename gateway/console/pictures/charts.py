"""Draws figures: bars over time and bars by name, stacked or not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from gateway.console.pictures.scale import LinearScale, linear_scale
from gateway.console.pictures.svg import NARROW, WIDE, Illustration, element, path, picture, shortened, text, tip
from gateway.tracing.report.picture import text_width
from gateway.translation.messages import gettext as _

COLOURS: Final = 6
"""Series with a colour of their own; further ones begin again."""

MAX_BARS: Final = 120
_PLOT: Final = 190.0
_ROW: Final = 26.0
_LINE: Final = 17.0

Wording = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class ChartSeries:
    """Values in the order of the categories; `None` is a value that there isn't, which isn't zero."""

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class _ChartData:
    title: str
    heading: str
    categories: Sequence[str]
    series: Sequence[ChartSeries]
    wording: Wording

    @classmethod
    def capped(
        cls, title: str, heading: str, categories: Sequence[str], series: Sequence[ChartSeries], *, wording: Wording
    ) -> _ChartData:
        """The last bars that there is room for; each series has a value or none for each."""
        count = len(categories)
        padded = [ChartSeries(each.name, (*each.values, *([None] * count))[:count][-MAX_BARS:]) for each in series]
        return cls(title, heading, categories[-MAX_BARS:], padded, wording)

    @property
    def totals(self) -> list[float]:
        """The sum in each category."""
        return [sum(each.values[at] or 0.0 for each in self.series) for at in range(len(self.categories))]

    @property
    def scale(self) -> LinearScale:
        """An axis for the totals."""
        whole = all(float(value).is_integer() for each in self.series for value in each.values if value is not None)
        return linear_scale(max(self.totals, default=0.0), whole=whole)

    @property
    def description(self) -> str:
        """The extremes, for those who don't see them."""
        totals, wording = self.totals, self.wording
        if not totals or not any(value is not None for each in self.series for value in each.values):
            return _("No values yet.")
        most = max(range(len(totals)), key=totals.__getitem__)
        return _(
            "{total} together; most in {name}: {value}",
            total=wording(sum(totals)),
            name=self.categories[most],
            value=wording(totals[most]),
        )

    def values(self, at: int) -> list[float | None]:
        """Of a category, in the order of the series."""
        return [each.values[at] for each in self.series]

    def tip(self, at: int, number: int) -> Markup:
        """What a pointer shows over a part of a bar."""
        return tip(f"{self.categories[at]}, {self.series[number].name}: {self.wording(self.values(at)[number] or 0.0)}")

    def illustration(self, drawn: Callable[[int], Markup]) -> Illustration:
        """Both sizes and the table."""
        several = len(self.series) > 1
        columns = (self.heading, *(each.name for each in self.series), *((_("Together"),) if several else ()))
        rows = tuple(
            (
                name,
                *(worded(value, self.wording) for value in self.values(at)),
                *((self.wording(total),) if several else ()),
            )
            for at, (name, total) in enumerate(zip(self.categories, self.totals, strict=True))
        )
        return Illustration(self.title, self.description, drawn(WIDE), drawn(NARROW), columns, rows)


def plain_number(value: float) -> str:
    """`1,234`."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,g}"


def worded(value: float | None, wording: Wording) -> str:
    """A value in words, or that there is none."""
    return _("no value") if value is None else wording(value)


def column_chart(
    title: str,
    categories: Sequence[str],
    series: Sequence[ChartSeries],
    *,
    heading: str,
    wording: Wording = plain_number,
) -> Illustration:
    """Columns from left to right, for months; several series are stacked.

    Args:
        heading: of the categories, for the table: `Month`.
        wording: a value in words.
    """
    data = _ChartData.capped(title, heading, categories, series, wording=wording)
    scale, said = data.scale, data.description

    def drawn(width: int) -> Markup:
        legend, top = _legend(data.series, width)
        if not data.categories:
            return _empty("chart columns", title, said, width)
        left = max(text_width(wording(tick)) for tick in scale.ticks) + 12
        frame = _Frame(left, top + 20, width - left - 6, _PLOT)
        parts = [*legend, *_horizontal_grid(frame, scale, wording), *_columns(frame, scale, data)]
        return picture("chart columns", (float(width), frame.bottom + 26), title, said, parts)

    return data.illustration(drawn)


def bar_chart(
    title: str,
    categories: Sequence[str],
    series: Sequence[ChartSeries],
    *,
    heading: str,
    wording: Wording = plain_number,
) -> Illustration:
    """Bars one below the other, for names; several series are stacked.

    Args:
        heading: of the categories, for the table: `Typology`.
        wording: a value in words.
    """
    data = _ChartData.capped(title, heading, categories, series, wording=wording)
    scale, said = data.scale, data.description

    def drawn(width: int) -> Markup:
        legend, top = _legend(data.series, width)
        if not data.categories:
            return _empty("chart bars", title, said, width)
        left = 4.0 if width < WIDE else min(max(map(text_width, data.categories)), width * 0.35) + 12
        room = max(text_width(wording(total)) for total in data.totals) * 1.12 + 16
        parts, y = list(legend), top + 6
        for at, name in enumerate(data.categories):
            label, y = axis_name(name, left, y, width)
            parts.append(label)
            parts += _bar(_Frame(left, y, width - left - room, _ROW - 8), scale, data, at)
            y += _ROW
        parts.append(element("path", class_="axis", d=path([(left, top + 2), (left, y)])))
        return picture("chart bars", (float(width), y + 6), title, said, parts)

    return data.illustration(drawn)


def axis_name(name: str, left: float, y: float, width: int) -> tuple[Markup, float]:
    """A name to the left of its bar, or above it where there is little room; where the bar begins then."""
    if width < WIDE:
        return text("axis-name", 4, y + 12, shortened(name, width - 8)), y + 16
    return text("axis-name", left - 8, y + 13, shortened(name, left - 10), anchor="end"), y


def _empty(kind: str, title: str, said: str, width: int) -> Markup:
    return picture(kind, (float(width), 40.0), title, said, [text("missing-text", 2, 24, said)])


@dataclass(frozen=True, slots=True)
class _Frame:
    left: float
    top: float
    width: float
    height: float

    @property
    def bottom(self) -> float:
        return self.top + self.height


def _legend(series: Sequence[ChartSeries], width: int) -> tuple[list[Markup], float]:
    """Names of the series in the order of their stack; none for a single one."""
    if len(series) < 2:
        return [], 0.0
    parts: list[Markup] = []
    x, y = 2.0, 4.0
    for at, each in enumerate(series):
        name = shortened(each.name, width - 40.0)
        wide = text_width(name) + 34
        if x > 2 and x + wide > width:
            x, y = 2.0, y + _LINE
        parts.append(element("rect", class_=_colour(at), x=x, y=y, width=11, height=11, rx=2))
        parts.append(text("legend", x + 16, y + 10, name))
        x += wide
    return parts, y + _LINE + 2


def _colour(at: int) -> str:
    return f"s{at % COLOURS + 1}"


def _horizontal_grid(frame: _Frame, scale: LinearScale, wording: Wording) -> Iterator[Markup]:
    for tick in scale.ticks:
        y = frame.bottom - scale.share(tick) * frame.height
        kind = "grid" if tick else "axis"
        yield element("path", class_=kind, d=path([(frame.left, y), (frame.left + frame.width, y)]))
        yield text("tick", frame.left - 6, y + 4, wording(tick), anchor="end")


def _columns(frame: _Frame, scale: LinearScale, data: _ChartData) -> Iterator[Markup]:
    step = frame.width / len(data.categories)
    wide = max(1.0, min(step * 0.72, 44.0))
    labelled = _every(data.categories, step)
    totals = [data.wording(total) for total in data.totals]
    shows_values = max(map(text_width, totals)) * 1.12 <= step - 2
    for at, name in enumerate(data.categories):
        middle = frame.left + step * (at + 0.5)
        if all(value is None for value in data.values(at)):
            yield _missing(name, middle, frame.bottom, wide)
        else:
            yield from _column(_Frame(middle - wide / 2, frame.top, wide, frame.height), scale, data, at)
            if shows_values:
                top = frame.bottom - scale.share(data.totals[at]) * frame.height
                yield text("value", middle, top - 5, totals[at], anchor="middle")
        if at % labelled == (len(data.categories) - 1) % labelled:
            half = text_width(name) * 11 / 24
            within = max(half, min(middle, frame.left + frame.width + 6 - half))
            yield text("tick", within, frame.bottom + 17, shortened(name, step * labelled + 20), anchor="middle")


def _column(frame: _Frame, scale: LinearScale, data: _ChartData, at: int) -> Iterator[Markup]:
    below = 0.0
    for number, value in enumerate(data.values(at)):
        if not value or value < 0:
            continue
        start, end = (frame.bottom - scale.share(part) * frame.height for part in (below, below + value))
        size = {"width": frame.width, "height": max(start - end, 0.5)}
        yield element("rect", data.tip(at, number), class_=_colour(number), x=frame.left, y=end, **size)
        below += value


def _missing(name: str, middle: float, bottom: float, wide: float) -> Markup:
    """A value that there isn't: a dash over an open box, where zero is a number on the axis."""
    said = tip(f"{name}: {_('no value')}")
    box = element("rect", class_="missing", x=middle - wide / 2, y=bottom - 18, width=wide, height=18)
    return element("g", said, box, text("missing-text", middle, bottom - 5, "–", anchor="middle"))


def _every(names: Sequence[str], step: float) -> int:
    """Each how manieth name has room."""
    widest = max(map(text_width, names), default=0.0) + 8
    return next((every for every in (1, 2, 3, 4, 6, 12, 24) if every * step >= widest), max(1, len(names)))


def _bar(frame: _Frame, scale: LinearScale, data: _ChartData, at: int) -> Iterator[Markup]:
    values = data.values(at)
    if all(value is None for value in values):
        said = tip(f"{data.categories[at]}: {_('no value')}")
        yield element("rect", said, class_="missing", x=frame.left, y=frame.top, width=18, height=frame.height)
        yield text("missing-text", frame.left + 24, frame.top + 13, _("no value"))
        return
    x = frame.left
    for number, value in enumerate(values):
        if not value or value < 0:
            continue
        size = {"width": max(scale.share(value) * frame.width, 0.5), "height": frame.height}
        yield element("rect", data.tip(at, number), class_=_colour(number), x=x, y=frame.top, **size)
        x += size["width"]
    yield text("value", x + 6, frame.top + 13, data.wording(data.totals[at]))
