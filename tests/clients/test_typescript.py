"""The client in TypeScript, generated from the contract, talks to a real gateway."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.programs import NODE_PACKAGES, NPM

EXAMPLES = Path(__file__).parents[2] / "examples"
PATIENCE_S = 300


def test_it_publishes_lists_watches_and_names_a_refusal() -> None:
    NPM.require()
    NODE_PACKAGES.require()
    command = [sys.executable, str(EXAMPLES / "check.py"), "typescript"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "typescript: publishes, lists, watches, and names a refusal" in done.stdout
