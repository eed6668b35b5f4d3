"""`make test` installs nothing outside the environment, and what takes its time says so."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SCRIPTS = REPOSITORY / "scripts"
INSTALLERS = ("apt-get", "npm", "dpkg", "pip", "curl")


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """An environment without the programs that tests run, whose installers do nothing but note how they were called."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in INSTALLERS:
        (programs / name).write_text(f'#!/bin/sh\necho "{name} $*" >>{tmp_path}/called\n')
        (programs / name).chmod(0o755)
    # `command -v` then finds the tools that scripts use, and neither node nor a server of NATS.
    for name in (
        "bash",
        "sh",
        "env",
        "dirname",
        "mktemp",
        "rm",
        "tail",
        "tr",
        "cut",
        "grep",
        "sleep",
        "timeout",
        "cat",
    ):
        (programs / name).symlink_to(next(p for p in (Path("/usr/bin"), Path("/bin")) if (p / name).exists()) / name)
    return {"PATH": str(programs), "GATEWAY_TEST_BROWSER": "/nowhere/chromium", "HOME": str(tmp_path)}


def called(machine: dict[str, str]) -> list[str]:
    path = Path(machine["HOME"]) / "called"
    return path.read_text().splitlines() if path.exists() else []


def run(*command: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=REPOSITORY, env=env or dict(os.environ), capture_output=True, text=True, check=False, timeout=60
    )


def test_a_run_of_the_tests_installs_nothing() -> None:
    steps = run("make", "--dry-run", "--always-make", "PYTHON=python3", "test").stdout
    # The environment is made once, of packages pinned by hash; beyond it nothing is touched.
    beyond = [line for line in steps.splitlines() if "install" in line and ".venv" not in line]
    assert not beyond
    assert "scripts/test-packages --check" in steps
    assert not any(installer in steps for installer in ("apt-get", "npm"))


def test_what_is_missing_is_said_in_one_line_and_the_run_goes_on(machine: dict[str, str]) -> None:
    done = run(str(SCRIPTS / "test-packages"), "--check", env=machine)
    assert done.returncode == 0
    assert done.stdout.count("\n") == 1
    assert "left out: chromium" in done.stdout
    assert "make test-packages installs" in done.stdout
    assert called(machine) == []


@pytest.mark.skipif(os.geteuid() != 0 or not Path("/etc/debian_version").exists(), reason="installs as root on Debian")
def test_what_is_missing_is_installed_when_asked_for(machine: dict[str, str]) -> None:
    done = run(str(SCRIPTS / "test-packages"), env=machine)
    assert done.returncode == 0, done.stderr
    (installed,) = [line for line in called(machine) if line.startswith("apt-get")]
    assert installed.startswith("apt-get install --yes --no-install-recommends chromium")
    assert "ceph" not in installed
    assert done.stdout.startswith("Installing chromium")


def test_a_step_that_takes_its_time_says_what_it_does(tmp_path: Path) -> None:
    waits = f"echo Collecting a package; until [ -e {tmp_path}/go ]; do sleep 0.05; done; echo Done"
    with subprocess.Popen(
        [str(SCRIPTS / "progress"), "Installing it", "sh", "-c", waits],
        env={**os.environ, "PROGRESS_EVERY_S": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "Installing it …\n"
        assert process.stdout.readline().endswith(" s: Collecting a package\n")
        (tmp_path / "go").touch()
        assert process.wait(60) == 0


def test_a_step_that_fails_shows_its_end_and_keeps_its_exit_code() -> None:
    done = run(str(SCRIPTS / "progress"), "Installing it", "sh", "-c", "echo no matching version; exit 7")
    assert done.returncode == 7
    assert "no matching version" in done.stderr
