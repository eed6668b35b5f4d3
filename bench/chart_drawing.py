"""Draws bars as SVG that can be read on light and dark pages: text in, text out, no library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from bench.performance_results import Figure, number

WIDTH = 760
LABELS = 250
"""Where bars begin, in the picture's units; labels end before."""
BARS = 360
"""Length of the longest bar."""
ROW, BAR, HEAD = 28, 16, 58

_STYLE = """
 svg { color-scheme: light dark }
 .page { fill: #ffffff; stroke: #d0d7de } text { fill: #1f2328; font: 13px system-ui, sans-serif }
 .title { font-weight: 600; font-size: 15px } .note, .absent { fill: #59636e; font-size: 12px }
 .product { fill: #3f51b5 } .floor { fill: #8c959f } .peer { fill: #b35900 }
 .spread { stroke: #1f2328; stroke-width: 1.5 } .wanted { stroke: #1a7f37; stroke-width: 2; stroke-dasharray: 4 2 }
 @media (prefers-color-scheme: dark) {
  .page { fill: #1e2129; stroke: #3d444d } text { fill: #e6edf3 } .note, .absent { fill: #9198a1 }
  .product { fill: #8c9eff } .floor { fill: #6e7681 } .peer { fill: #ffa657 }
  .spread { stroke: #e6edf3 } .wanted { stroke: #3fb950 }
 }
"""


@dataclass(frozen=True)
class Bar:
    """A figure by its name, whose it is (`product`, `floor` or `peer`), and what is wanted of it, if anything."""

    figure: str
    label: str
    whose: str = "product"
    wanted: float | None = None


@dataclass(frozen=True)
class Chart:
    """One picture: its file's name without ending, and bars of one unit."""

    name: str
    title: str
    unit: str
    bars: Sequence[Bar]


def drawn(chart: Chart, results: dict[str, Figure]) -> str:
    """The chart as SVG. A figure that isn't known has a row that says so."""
    known = [results[bar.figure] for bar in chart.bars if bar.figure in results]
    wanted = [bar.wanted for bar in chart.bars if bar.wanted is not None]
    longest = max([*(figure.greatest for figure in known), *wanted, 0.0]) or 1.0
    height = HEAD + ROW * len(chart.bars) + 34
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-labelledby="title">',
        f'<title id="title">{escape(chart.title)}, {escape(chart.unit)}: {escape(_summary(chart, results))}</title>',
        f"<style>{_STYLE}</style>",
        f'<rect class="page" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="6"/>',
        f'<text class="title" x="16" y="28">{escape(chart.title)}</text>',
        f'<text class="note" x="16" y="46">{escape(chart.unit)}; median, a line from least to greatest</text>',
    ]
    for at, bar in enumerate(chart.bars):
        lines += _row(bar, results.get(bar.figure), HEAD + ROW * at, BARS / longest)
    lines += [*_legend(chart, height - 14), "</svg>"]
    return "\n".join(lines) + "\n"


def _summary(chart: Chart, results: dict[str, Figure]) -> str:
    return "; ".join(
        f"{bar.label} {number(results[bar.figure].median) if bar.figure in results else 'not measured'}"
        for bar in chart.bars
    )


def _row(bar: Bar, figure: Figure | None, top: int, scale: float) -> list[str]:
    middle = top + ROW / 2
    lines = [f'<text x="{LABELS - 10}" y="{middle + 4.5:.1f}" text-anchor="end">{escape(bar.label)}</text>']
    end = 0.0
    if figure is not None:
        length = max(figure.median * scale, 1.0)
        place = f'x="{LABELS}" y="{middle - BAR / 2:.1f}" width="{length:.1f}" height="{BAR}"'
        lines.append(f'<rect class="{bar.whose}" {place} rx="2"/>')
        end = figure.greatest * scale
        if figure.least != figure.greatest:
            least = LABELS + figure.least * scale
            lines.append(f'<path class="spread" d="M{least:.1f} {middle:.1f}H{LABELS + end:.1f}"/>')
        end = max(end, length)
    if bar.wanted is not None:
        x = LABELS + bar.wanted * scale
        lines.append(f'<path class="wanted" d="M{x:.1f} {top + 2}V{top + ROW - 2}"/>')
        end = max(end, bar.wanted * scale) if figure is None or abs(bar.wanted * scale - end) < 60 else end
    text = number(figure.median) if figure is not None else "not measured"
    style = ' class="absent"' if figure is None else ""
    return [*lines, f'<text{style} x="{LABELS + end + 8:.1f}" y="{middle + 4.5:.1f}">{text}</text>']


def _legend(chart: Chart, y: int) -> list[str]:
    names = {"product": "this gateway", "floor": "floor: nothing but transport or memory", "peer": "another product"}
    used = [whose for whose in names if any(bar.whose == whose for bar in chart.bars)]
    lines, x = [], 16
    for whose in used:
        lines.append(f'<rect class="{whose}" x="{x}" y="{y - 10}" width="12" height="12" rx="2"/>')
        lines.append(f'<text class="note" x="{x + 18}" y="{y}">{names[whose]}</text>')
        x += 40 + 7 * len(names[whose])
    if any(bar.wanted is not None for bar in chart.bars):
        lines.append(f'<path class="wanted" d="M{x + 6} {y - 12}V{y + 2}"/>')
        lines.append(f'<text class="note" x="{x + 18}" y="{y}">wanted</text>')
    return lines
