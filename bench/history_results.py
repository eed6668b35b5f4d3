"""Figures of bench.history, and their file for `bench.charts --add`."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from pathlib import Path

from bench.history_recording import Recorded
from bench.history_searches import Sized

FIVE_MILLION = 5_000_000
"""Records at which the targets for searches hold."""


def search_name(count: int) -> str:
    """What figures of searches among so many records begin with: those of five million and more have no number."""
    return "search" if count >= FIVE_MILLION else f"search among {count:,}"


def write_results(path: Path, size: int, at: Sized, recorded: Recorded | None, *, command: str) -> None:
    """Writes the figures among so many filled records, and of recording."""
    name = search_name(size)
    of_searches = {
        "bare call p99": at.floor_p99,
        "own node p99": at.local_p99,
        "three nodes p99": at.federated_p99,
        "trace p99": at.trace_p99,
        "GIN p99": at.gin_p99,
    }
    ratios = {
        "own node p99 / call": at.local_p99 / at.floor_p99,
        "three nodes p99 / call": at.federated_p99 / at.floor_p99,
        "trace p99 / call": at.trace_p99 / at.floor_p99,
    }
    values = {f"{name}: {what}": (value, "ms") for what, value in of_searches.items()}
    values |= {f"{name}: {what}": (value, "×") for what, value in ratios.items()}
    if recorded is not None:
        values["history: durable"] = (recorded.durable, "/s")
        values["history: findable"] = (recorded.indexed, "/s")
        values["history: judged"] = (recorded.judged, "/s")
    figures = {
        name: {"unit": unit, "median": value, "min": value, "max": value}
        for name, (value, unit) in values.items()
        if not math.isnan(value)
    }
    environment = {"date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
    document = {"environment": environment, "command": command, "figures": figures}
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
