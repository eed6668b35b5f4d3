"""Environments of other products, where this project isn't installed, and processes in them that speak JSON lines."""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import venv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

INSTALL_S = 900


def environment(folder: Path, requirements: Sequence[str]) -> Path:
    """The interpreter of an environment with these packages, made where there is none.

    Raises:
        SystemExit: it can't be made, so the peer isn't measured; the message says why.
    """
    python = folder / "bin" / "python"
    try:
        if not python.exists():
            venv.create(folder, with_pip=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
        done = subprocess.run(install, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise SystemExit(f"{requirements[0]} was not measured: its environment can't be made: {error}") from None
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        raise SystemExit(f"{requirements[0]} was not measured: its environment can't be made: {why}")
    return python


class PeerProcess:
    """A program in an environment; it answers each line of JSON with one."""

    def __init__(self, python: Path, program: str) -> None:
        self._process = subprocess.Popen(
            [python, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def ask(self, question: object) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def end(self) -> None:
        self._process.communicate()


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
