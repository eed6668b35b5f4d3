"""Figures of a run: taken round by round, printed beside their targets, and written for `bench.charts --add`."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.performance_results import number
from bench.performance_targets import TARGETS

Tell = Callable[[str], None]
"""Told what is being done."""


@dataclass
class Series:
    """One figure over the rounds."""

    unit: str
    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return median(self.values)

    def over(self, floor: Series) -> Series:
        """This figure divided by another within each round."""
        return Series("×", [upper / lower for upper, lower in zip(self.values, floor.values, strict=True)])


class Figures(dict[str, Series]):
    """Figures by name, in the order in which they were first noted."""

    def note(self, name: str, unit: str, value: float) -> None:
        """Adds a round's value."""
        self.setdefault(name, Series(unit)).values.append(value)


def show(figures: Mapping[str, Series], title: str, console: Console | None = None) -> None:
    """Prints all figures, and as met or not each target of docs/performance.md that has its figure among them."""
    console = console or Console()
    table = _table(title, "", "median", "least", "greatest", "unit")
    for name, series in figures.items():
        table.add_row(name, *map(number, (series.median, min(series.values), max(series.values))), series.unit)
    console.print(table)
    targets = _table("Targets", "", "wanted", "reached", "")
    for limit in (limit for target in TARGETS for limit in target.limits if limit.figure in figures):
        series = figures[limit.figure]
        verdict = "[green]met[/]" if limit.met(series.median) else "[red]not met[/]"
        targets.add_row(limit.figure, limit.wanted(series.unit), number(series.median), verdict)
    if targets.row_count:
        console.print(targets)


def write(
    path: Path | None, figures: Mapping[str, Series], *, command: str, facts: Mapping[str, Any] | None = None
) -> None:
    """Writes figures as JSON where a file is given.

    Args:
        command: what gives them again.
        facts: about the machine.
    """
    if path is None:
        return
    series = {
        name: {
            "unit": one.unit,
            "median": one.median,
            "min": min(one.values),
            "max": max(one.values),
            "values": one.values,
        }
        for name, one in figures.items()
    }
    environment = {"date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", **(facts or {})}
    document = {"environment": environment, "command": command, "figures": series}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def quantile(values: Sequence[float], share: float) -> float:
    """The least of some values, one at least, that a share of them doesn't exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * share) - 1)]


def _table(title: str, *columns: str) -> Table:
    table = Table(*columns, title=title, title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    return table
