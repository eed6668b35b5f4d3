"""The documentation site builds without a warning, and nothing of it is fetched from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.drift

ROOT = Path(__file__).parents[2]
FETCHED = re.compile(r"<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=\"(https?:[^\"]+)\"")


def test_it_builds_strictly_and_needs_no_network(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(tmp_path / "site")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    pages = sorted((tmp_path / "site").rglob("*.html"))
    assert {"tutorial.html", "commands.html", "contract.html", "settings.html"} <= {page.name for page in pages}
    fetched = {each for page in pages for each in FETCHED.findall(page.read_text(encoding="utf-8"))}
    assert fetched == set()
    contract = (tmp_path / "site" / "reference" / "contract.html").read_text(encoding="utf-8")
    assert "AcknowledgeAlert" in contract
    assert "May call: officer, supervisor." in contract
