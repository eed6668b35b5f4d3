"""Handlers for tests of worker processes; the processes import this module."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.errors import InvalidRequestError, Violation


def refuse() -> None:
    raise InvalidRequestError([Violation("names", "max", "too many")])


def divide(number: int) -> float:
    return 1 / number


def facts() -> dict[str, Any]:
    """What the process has from its start."""
    return {
        "path": list(sys.path),
        "safe": sys.flags.safe_path,
        "environment": dict(os.environ),
        "json": sys.modules["json"].__file__ if "json" in sys.modules else "",
        "gateway": sys.modules["gateway"].__file__,
        "main": [name for name in sys.modules if name.startswith(("gateway.cli", "gateway.node", "pytest"))],
        "group": os.getpgid(0),
    }


def complain(words: bytes) -> None:
    """Writes to standard error past the log, as a library in C does."""
    os.write(2, words)


def hog(path: str) -> None:
    """Begins to write and then computes, and lets no other thread of this process run: as pickling in C does."""
    Path(path).write_bytes(b"begun")
    sys.setswitchinterval(1e6)
    while True:
        sum(range(1_000_000))


def echo(value: Any) -> Any:
    return value


@contextmanager
def toy_handlers(closed: Path | None = None) -> Iterator[dict[str, Any]]:
    import json  # noqa: F401  whichever is found first

    yield {
        "echo": echo,
        "sleep": time.sleep,
        "hog": hog,
        "refuse": refuse,
        "divide": divide,
        "facts": facts,
        "pid": os.getpid,
        "complain": complain,
    }
    if closed is not None:
        closed.write_text("closed", encoding="utf-8")


@contextmanager
def slow_to_open(seconds: float) -> Iterator[dict[str, Any]]:
    time.sleep(seconds)
    yield {}


@contextmanager
def never_open(*_: Any) -> Iterator[dict[str, Any]]:
    raise OSError("no database")
    yield {}
