"""Every row of the planted defects still fits the code; scripts/planted_defects itself runs the tests."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CAPABILITIES = {"feed", "trust", "alerts", "screening", "history", "persons", "console"}
MORE_CAPABILITIES = {
    "attachments",
    "cli",
    "client",
    "deploy",
    "docs",
    "evidence",
    "node",
    "rpc",
    "telemetry",
    "tracing",
    "watchlists",
}
"""Of rows that bring a mended defect back, which are called `promise-` and what was promised."""
FEWEST = 7
"""Fewest defects of each capability."""


@pytest.mark.drift
def test_each_row_can_be_planted() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts/planted_defects", "--list"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.drift
def test_the_table_is_spread_over_the_capabilities() -> None:
    rows = tomllib.loads((ROOT / "scripts/planted_defects.toml").read_text("utf-8"))["defect"]
    counts = Counter(row["capability"] for row in rows if not row["id"].startswith("promise-"))
    assert counts.keys() == CAPABILITIES
    assert {row["capability"] for row in rows} <= CAPABILITIES | MORE_CAPABILITIES
    assert min(counts.values()) >= FEWEST, counts
    assert all(row["id"].startswith((f"{row['capability']}-", "promise-")) for row in rows)
