"""The second try of tests: what fails once is named, what fails twice fails the run, many failures get none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.run_tests import MOST

ROOT = Path(__file__).parents[2]

UNSTEADY = """
from pathlib import Path
import pytest

@pytest.mark.parametrize("which", ["a b"])
def test_unsteady(which):
    mark = Path(__file__).with_suffix(".tried")
    tried = mark.exists()
    mark.touch()
    assert tried

def test_good():
    pass
"""

BROKEN = """
import pytest

@pytest.mark.parametrize("number", range({count}))
def test_broken(number):
    assert number < 0
"""


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and output of a run in a folder of its own; no test of this project is near."""
    (folder / "pytest.ini").write_text("[pytest]\n", "utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, "-m", "scripts.run_tests", *arguments],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("workers", [(), ("--numprocesses", "2")], ids=["one process", "workers"])
def test_what_fails_once_is_named_and_doesnt_fail_the_run(tmp_path: Path, workers: tuple[str, ...]) -> None:
    (tmp_path / "test_it.py").write_text(UNSTEADY, "utf-8")
    code, said = run(tmp_path, *workers)
    assert code == 0, said
    assert "UNSTEADY: test_it.py::test_unsteady[a b]" in said
    assert "test_good" not in said


def test_what_fails_twice_fails_the_run(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(BROKEN.format(count=MOST), "utf-8")
    code, said = run(tmp_path)
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "Once more, alone" in said
    assert "UNSTEADY" not in said


def test_many_failures_get_no_second_try(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(BROKEN.format(count=MOST + 1), "utf-8")
    code, said = run(tmp_path)
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "Once more" not in said


def test_no_test_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(UNSTEADY, "utf-8")
    assert run(tmp_path, "-k", "nothing")[0] == pytest.ExitCode.NO_TESTS_COLLECTED
