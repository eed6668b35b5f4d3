"""Draws how times are spread: a line from a tenth to nine tenths, a box around the middle half, the median."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from gateway.console.pictures.charts import MAX_BARS, Wording, axis_name, plain_number, worded
from gateway.console.pictures.scale import duration_scale
from gateway.console.pictures.svg import NARROW, WIDE, Illustration, element, path, picture, text, tip
from gateway.tracing.report.picture import text_width
from gateway.translation.messages import gettext as _
from gateway.translation.messages import listed


@dataclass(frozen=True, slots=True)
class Spread:
    """How times of one group are spread, in seconds; `None` where the group has too few."""

    name: str
    count: int
    low: float | None
    quarter: float | None
    median: float | None
    three_quarters: float | None
    high: float | None

    @property
    def values(self) -> list[float]:
        """Those that there are."""
        return [value for value in self.five if value is not None]

    @property
    def five(self) -> tuple[float | None, ...]:
        """From the lowest to the highest."""
        return self.low, self.quarter, self.median, self.three_quarters, self.high


def spread_chart(title: str, spreads: Sequence[Spread], *, heading: str, wording: Wording) -> Illustration:
    """How times are spread in each group, on an axis where twice as long is the same step everywhere.

    Args:
        heading: of the groups, for the table.
        wording: a number of seconds in words.
    """
    spreads = spreads[:MAX_BARS]
    scale = duration_scale([value for spread in spreads for value in spread.values])
    medians = [
        _("{name}: median {median}", name=spread.name, median=wording(spread.median))
        for spread in spreads
        if spread.median is not None
    ]
    said = listed(medians) or _("No values yet.")

    def drawn(width: int) -> Markup:
        left = 10.0 if width < WIDE else min(max((text_width(s.name) for s in spreads), default=0.0), width * 0.35) + 14
        right = width - 24.0
        parts: list[Markup] = []
        y = 8.0
        for spread in spreads:
            label, y = axis_name(spread.name, left, y, width)
            parts.append(label)
            ends = [None if each is None else left + scale.share(each) * (right - left) for each in spread.five]
            parts += _spread_marks(spread, ends, (left, y + 9), wording)
            y += 32
        ticks = [(left + scale.share(tick) * (right - left), wording(tick)) for tick in scale.ticks]
        return picture("chart spread", (float(width), y + 22), title, said, [*_vertical_grid(ticks, y, width), *parts])

    columns = (
        heading,
        _("Count"),
        _("A tenth within"),
        _("A quarter within"),
        _("Half within (median)"),
        _("Three quarters within"),
        _("Nine tenths within"),
    )
    rows = tuple(
        (spread.name, plain_number(spread.count), *(worded(value, wording) for value in spread.five))
        for spread in spreads
    )
    return Illustration(title, said, drawn(WIDE), drawn(NARROW), columns, rows)


def _spread_marks(
    spread: Spread, ends: Sequence[float | None], corner: tuple[float, float], wording: Wording
) -> Iterator[Markup]:
    low, quarter, median, three_quarters, high = ends
    left, middle = corner
    if median is None or spread.median is None:
        yield text("missing-text", left + 4, middle + 4, _("no value"))
        return
    said = tip(f"{spread.name}: {_('median {median}', median=wording(spread.median))}")
    if low is not None and high is not None:
        yield element("path", class_="whisker", d=path([(low, middle), (high, middle)]))
    if quarter is not None and three_quarters is not None:
        wide = max(three_quarters - quarter, 2.0)
        yield element("rect", said, class_="half", x=quarter, y=middle - 8, width=wide, height=16, rx=2)
    yield element("rect", said, class_="median", x=median - 1.5, y=middle - 10, width=3, height=20)


def _vertical_grid(ticks: Sequence[tuple[float, str]], bottom: float, width: int) -> Iterator[Markup]:
    """Lines at the ticks; a name that has no room is left out."""
    end = -1.0
    for x, name in ticks:
        yield element("path", class_="grid", d=path([(x, 4), (x, bottom)]))
        half = text_width(name) / 2
        middle = min(max(x, half + 1), width - half - 1)
        if middle - half > end + 6:
            yield text("tick", middle, bottom + 16, name, anchor="middle")
            end = middle + half
