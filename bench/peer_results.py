"""Prints figures of several rounds and writes them in the form that `bench.charts --add` reads."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
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


def run_from_command_line(description: str, run: Callable[[Path, Path | None], None]) -> None:
    """Calls `run` with a folder for the environment, by default a temporary one, and the file for the figures."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--dir", type=Path, help="where environment and data are made; otherwise a temporary folder")
    parser.add_argument("--json", type=Path, help="file for the figures, for bench.charts --add")
    options = parser.parse_args()
    if options.dir:
        options.dir.mkdir(parents=True, exist_ok=True)
        run(options.dir, options.json)
        return
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), options.json)
