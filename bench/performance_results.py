"""Figures that docs/performance.md shows: read from docs/performance.json, added to from the files of benchmarks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One figure of one run.

    Attributes:
        unit: of the values, e.g. `/s`, `ms`, `MB`, `×`.
        median, least, greatest: over the rounds of the run; all equal where there was one.
        date: of the run, as YYYY-MM-DD.
        machine: its kind and what else it did, in a few words.
        command: what gives the figure again.
    """

    unit: str
    median: float
    least: float
    greatest: float
    date: str
    machine: str
    command: str

    @property
    def text(self) -> str:
        """The median, with the spread where there is one."""
        if self.least == self.greatest:
            return f"{number(self.median)}{_space(self.unit)}"
        return f"{number(self.median)} ({number(self.least)}–{number(self.greatest)}){_space(self.unit)}"


Results = dict[str, Figure]
"""Figures by name."""


def read(path: Path) -> Results:
    """The figures of docs/performance.json.

    Raises:
        SystemExit: the file isn't one of figures.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return {name: Figure(**figure) for name, figure in document["figures"].items()}
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SystemExit(f"{path} can't be read as figures: {error}") from None


def write(path: Path, results: Mapping[str, Figure]) -> None:
    """Writes figures in the order of their names."""
    figures = {name: asdict(results[name]) for name in sorted(results)}
    path.write_text(json.dumps({"figures": figures}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def added(results: Results, path: Path, *, machine: str) -> Results:
    """Figures with those of a benchmark's file, which replace figures of the same name.

    Args:
        path: JSON with `environment.date`, `command`, and `figures` with unit, median, min and max by name.
        machine: the machine's kind and what else it did.

    Raises:
        SystemExit: the file isn't one of a benchmark.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        date = str(document["environment"]["date"])[:10]
        command = document.get("command", "python -m bench")
        new = {
            name: Figure(
                one["unit"].removesuffix(" each"), one["median"], one["min"], one["max"], date, machine, command
            )
            for name, one in document["figures"].items()
        }
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise SystemExit(f"{path} can't be read as results of a benchmark: {error}") from None
    return results | new


def with_value(results: Results, setting: str, *, date: str, machine: str) -> Results:
    """Figures with the values of one that is known already: `NAME=MEDIAN` or `NAME=MEDIAN,LEAST,GREATEST`.

    Raises:
        SystemExit: the text isn't of this form, or no figure has the name.
    """
    name, _, text = setting.rpartition("=")
    try:
        values = [float(value) for value in text.split(",")]
        median, least, greatest = values if len(values) > 1 else values * 3
    except ValueError:
        raise SystemExit(f"not NAME=MEDIAN or NAME=MEDIAN,LEAST,GREATEST: {setting}") from None
    if name not in results:
        raise SystemExit(f"no figure is named {name!r}; add it to the file with its unit and command")
    new = replace(results[name], median=median, least=least, greatest=greatest, date=date, machine=machine)
    return results | {name: new}


def number(value: float) -> str:
    """Three digits that count, thousands apart."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _space(unit: str) -> str:
    return unit if unit.startswith("/") else f" {unit}"
