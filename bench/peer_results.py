"""Prints figures of several rounds and writes them in the form that `bench.charts --add` reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

Rates = dict[str, list[float]]
"""Values of each figure, round by round."""


def write(path: Path | None, values: Mapping[str, Sequence[float]], *, command: str, unit: str = "/s") -> None:
    """Prints median, least and greatest of each figure; writes them as JSON where a file is given."""
    for name, series in values.items():
        print(f"{name:<56}{median(series):>10,.1f} {unit}   ({min(series):,.1f} – {max(series):,.1f})")
    if path is None:
        return
    figures = {
        name: {"unit": unit, "median": median(series), "min": min(series), "max": max(series), "values": list(series)}
        for name, series in values.items()
    }
    environment = {"date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
    document = {"environment": environment, "command": command, "figures": figures}
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
