"""Runs the command that looks for viruses: it gets a file's path and says by its exit code what it found."""

from __future__ import annotations

import os
import signal
import subprocess  # the operator's command, without a shell
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

MOST_OUTPUT_CHARS = 300
"""Characters of the command's last line that are kept as the reason."""

PATH = "{path}"
"""Stands for the file's path in the command; without it the path is its last argument."""

_CLEAN, _FOUND = 0, 1


class ScanVerdict(Enum):
    """What the scanner said."""

    CLEAN = "clean"
    FOUND = "found"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ScanResult:
    """A verdict, and what the command printed of it."""

    verdict: ScanVerdict
    text: str


@dataclass(frozen=True, slots=True)
class Scanner:
    """A command: exit 0 says clean, 1 says that something was found; anything else, or too much time, says nothing."""

    command: Sequence[str]
    timeout_s: float

    def scan(self, path: Path) -> ScanResult:
        """Runs the command in a process group of its own, which is killed after the time; blocks."""
        named = any(PATH in word for word in self.command)
        words = [word.replace(PATH, str(path)) for word in self.command] + ([] if named else [str(path)])
        try:
            process = subprocess.Popen(  # noqa: S603
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8"},
                start_new_session=True,
            )
        except OSError as error:
            return ScanResult(ScanVerdict.FAILED, f"{self.command[0]}: {error.strerror}")
        with process:
            return self._result(process, path)

    def _result(self, process: subprocess.Popen[bytes], path: Path) -> ScanResult:
        try:
            output, _ = process.communicate(timeout=self.timeout_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return ScanResult(ScanVerdict.FAILED, f"{self.command[0]} hasn't ended in {self.timeout_s:g} s")
        text = _last_line(output, path)
        if process.returncode == _CLEAN:
            return ScanResult(ScanVerdict.CLEAN, text)
        if process.returncode == _FOUND:
            return ScanResult(ScanVerdict.FOUND, text or "the virus scanner found something in it")
        return ScanResult(ScanVerdict.FAILED, f"{self.command[0]} ended with {process.returncode}: {text}")


def _last_line(output: bytes, path: Path) -> str:
    """The last line that says something, without the path and what a terminal would obey."""
    lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
    text = lines[-1] if lines else ""
    text = text.replace(str(path), "file")
    return "".join(character for character in text if character.isprintable())[:MOST_OUTPUT_CHARS]
