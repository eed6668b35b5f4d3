"""What is printed and written: tables, targets, JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.growth import SIZES, Growth
from bench.rounds import Figures, Series


@dataclass(frozen=True)
class Target:
    """What the product shall reach on two cores, client and both nodes together, SQLite FULL."""

    name: str
    at_least: float | None = None
    at_most: float | None = None
    unit: str = ""

    def met(self, value: float) -> bool:
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    @property
    def wanted(self) -> str:
        return f"≥ {self.at_least:g}{self.unit}" if self.at_least is not None else f"≤ {self.at_most:g}{self.unit}"


TARGETS = (
    Target("lone alert: processor of both nodes", at_most=2.5, unit=" ms"),
    Target("publish-1 / echo-1", at_least=0.25, unit=" ×"),
    Target("publish-64 / echo-64", at_least=0.5, unit=" ×"),
    Target("bulk / stream", at_least=1.5, unit=" ×"),
    Target("latency p50 at 100/s", at_most=10.0, unit=" ms"),
    Target("latency p99 at 100/s", at_most=40.0, unit=" ms"),
    Target("latency p99 at 300/s", at_most=80.0, unit=" ms"),
    Target("throughput at the largest size / at the smallest", at_least=0.8, unit=" ×"),
    Target("most memory of a node at the largest size", at_most=250.0, unit=" MB"),
    Target("start-up at the largest size", at_most=2.0, unit=" s"),
)


def reached(figures: Figures, growth: Growth | None) -> dict[str, float]:
    """Value of each target that was measured: medians for figures, the worst for memory and start-up."""
    values = {target.name: figures[target.name].median for target in TARGETS if target.name in figures}
    if growth is not None:
        values["throughput at the largest size / at the smallest"] = growth.sizes[-1].rate / growth.sizes[0].rate
        values["most memory of a node at the largest size"] = growth.most_memory_mb
        values["start-up at the largest size"] = max(growth.cn.start_s, growth.hk.start_s)
    return values


def show(console: Console, figures: Figures, growth: Growth | None) -> None:
    """Prints all tables."""
    if figures:
        console.print(_figures_table(figures))
    if growth is not None:
        console.print(_growth_table(growth))
    console.print(_targets_table(reached(figures, growth), growth))


def write(path: Path, facts: Mapping[str, Any], figures: Figures, growth: Growth | None) -> None:
    """Writes everything as JSON."""
    values = reached(figures, growth)
    document = {
        "environment": dict(facts),
        "figures": {name: _series(series) for name, series in figures.items()},
        "growth": _growth(growth),
        "targets": [
            {**asdict(target), "value": values[target.name], "met": target.met(values[target.name])}
            for target in TARGETS
            if target.name in values
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _series(series: Series) -> dict[str, Any]:
    values = series.values
    return {"unit": series.unit, "median": median(values), "min": min(values), "max": max(values), "values": values}


def _growth(growth: Growth | None) -> dict[str, Any] | None:
    if growth is None:
        return None
    sizes = [{**asdict(size), "rate": size.rate, "ratio_to_floor": size.ratio} for size in growth.sizes]
    return {"sizes": sizes, "restarted": {"cn": asdict(growth.cn), "hk": asdict(growth.hk)}}


def _table(title: str, *columns: str) -> Table:
    table = Table(*columns, title=title, title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def _figures_table(figures: Figures) -> Table:
    table = _table("Floors and product, interleaved", "", "median", "min", "max", "unit")
    for name, series in figures.items():
        low, high = min(series.values), max(series.values)
        table.add_row(name, _number(series.median), _number(low), _number(high), series.unit)
    return table


def _growth_table(growth: Growth) -> Table:
    table = _table("Growth", "entries before", "bulk /s", "× stream", "cn MB", "hk MB", "database MB")
    for size in growth.sizes:
        memory = f"{size.cn_rss_mb:.0f}", f"{size.hk_rss_mb:.0f}", f"{size.database_mb:.0f}"
        table.add_row(f"{size.entries:,}", _number(size.rate), f"{size.ratio:.2f}", *memory)
    table.add_section()
    for name, node in (("cn", growth.cn), ("hk", growth.hk)):
        table.add_row(
            f"{name} restarted: {node.start_s:.2f} s until SERVING",
            "",
            "",
            f"{node.rss_mb:.0f}",
            f"{node.rss_after_load_mb:.0f}",
            "",
        )
    table.caption = "restarted: memory at rest, then after load"
    return table


def _targets_table(values: Mapping[str, float], growth: Growth | None) -> Table:
    table = _table("Targets", "", "wanted", "reached", "")
    for target in TARGETS:
        if target.name in values:
            verdict = "[green]met[/]" if target.met(values[target.name]) else "[red]not met[/]"
            table.add_row(target.name, target.wanted, f"{values[target.name]:.2f}{target.unit}", verdict)
        else:
            table.add_row(target.name, target.wanted, "", "not measured")
    if growth is not None and growth.sizes[-1].entries < SIZES[-1]:
        table.caption = f"the largest size here was {growth.sizes[-1].entries:,}; the targets are for {SIZES[-1]:,}"
    return table


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
