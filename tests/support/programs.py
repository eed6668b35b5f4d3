"""Programs of the system that some tests need: where they lie, and what a run says at its end without them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

_NEEDS = "needs "
_TYPESCRIPT = Path(__file__).parents[2] / "examples" / "typescript"


@dataclass(frozen=True)
class Program:
    """A program, where else than in PATH it may lie, and the variable that names another one."""

    name: str
    places: tuple[str, ...] = ()
    variable: str = ""

    def path(self) -> Path | None:
        """Where it is; None where it isn't."""
        if self.variable and (given := os.environ.get(self.variable)):
            return Path(given) if os.access(given, os.X_OK) else None
        for place in (*self.places, shutil.which(self.name)):
            if place and os.access(place, os.X_OK):
                return Path(place)
        return None

    def require(self) -> Path:
        """Where it is; the test is skipped where it isn't, which the end of the run tells."""
        path = self.path()
        if path is None:
            pytest.skip(f"{_NEEDS}{self.name}")
        return path


CHROMIUM = Program("chromium", ("/usr/bin/chromium-headless-shell", "/usr/bin/chromium"), "GATEWAY_TEST_BROWSER")
"""Chromium without windows, where it is: it takes a third of the processor time."""

NATS_SERVER = Program("nats-server", ("/usr/sbin/nats-server",))
NPM = Program("npm")
NODE_PACKAGES = Program("packages of examples/typescript", (str(_TYPESCRIPT / "node_modules" / ".bin" / "tsc"),))
OPENSSL = Program("openssl")
HAPROXY = Program("haproxy", ("/usr/sbin/haproxy",))


def left_out(reasons: Iterable[str]) -> str:
    """One line on the tests that were skipped for want of a program; empty when none was.

    Args:
        reasons: why tests were skipped, one for each test.
    """
    counts: dict[str, int] = {}
    for reason in reasons:
        if _NEEDS in reason:
            name = reason.rpartition(_NEEDS)[2]
            counts[name] = counts.get(name, 0) + 1
    if not counts:
        return ""
    what = ", ".join(f"{count} for want of {name}" for name, count in sorted(counts.items()))
    return (
        f"NOT TESTED: {what}. make test-packages installs it as root on Debian; GATEWAY_TEST_BROWSER names a browser."
    )
