"""The blocks of README and pages that are marked `sh` run as they stand, pasted one after the other."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.cli.trial.federation import AUTHORITIES
from gateway.cli.trial.processes import TrialNode
from tests.support.forked_commands import forked_commands
from tests.support.shown_commands import PASTED

ROOT = Path(__file__).parents[2]
INSTALLED = Path(sys.prefix) / "bin"
PATIENCE_S = 1_200
"""Seconds after which a shell that runs the commands of a dozen pages is taken for stuck, also on a busy machine."""


def blocks(page: str) -> list[str]:
    """The contents of a page's blocks for a shell."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(r"^```sh\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty folder; what runs in it ends."""
    yield tmp_path
    for name in AUTHORITIES:
        with suppress(OSError):
            TrialNode(tmp_path / "nodes" / name).stop()


def paste(script: str, folder: Path, programs: Path) -> str:
    """What a shell prints for it where `make setup` has installed these programs; every command must succeed."""
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(programs)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    environment |= {"COLUMNS": "80", "CONTRACT": str(ROOT), "PATH": f"{programs}:{INSTALLED}:{os.environ['PATH']}"}
    shell = subprocess.Popen(
        ["bash", "-eu", "-o", "pipefail"], cwd=folder, env=environment, text=True, start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        output, _ = shell.communicate(script, timeout=PATIENCE_S)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGTERM)
    assert shell.returncode == 0, output
    assert isinstance(output, str)
    return output


def test_the_readme_runs_as_it_stands(folder: Path) -> None:
    first, *others = blocks("README.md")
    setup, *commands = first.splitlines()
    assert setup == "make setup"  # this environment is made
    assert len(commands) == 2, "two more commands lead to the first alert"
    output = paste("\n".join([*commands, *others]), folder, forked_commands())
    for expected in ("acknowledged", "M-1", "Identical", "CN-1", "complete", "Stopped: cn, hk, mo."):
        assert expected in output, output
    assert (folder / "nodes" / "case.html").stat().st_size


def test_the_tutorial_and_the_pages_by_task_run_as_they_stand(folder: Path) -> None:
    pages = [page for page in PASTED if page.startswith("docs/how-to/")]
    assert len(pages) >= 5
    last = "docs/how-to/renew-keys.md"  # stops the nodes
    pages.remove(last)
    script = "\n".join(block for page in ("docs/tutorial.md", *pages, last) for block in blocks(page))
    output = paste(script.replace("make setup\n", "", 1), folder, forked_commands())
    for expected in ("CN-2026-0118", "CSV-1", "withdrawn", "M-2", "Stopped: cn, hk, mo."):
        assert expected in output, output


def test_three_nodes_are_made_by_hand_as_the_page_says(folder: Path) -> None:
    output = paste("\n".join(blocks("docs/by-hand.md")), folder, forked_commands())
    assert "Partner mo" in output
