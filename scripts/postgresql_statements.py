"""Names statements that tests run on PostgreSQL only without their mark `both_databases`; a plugin of pytest.

    .venv/bin/python -m pytest -p scripts.postgresql_statements --numprocesses auto --dist loadfile tests/unit

Every test with a database runs on both, whether it is marked or not. A statement is the product's text for the driver,
however many values a list of it has, along with the SQLSTATE with which it ended.
"""

from __future__ import annotations

import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Generator
from types import FrameType
from typing import Any

import psycopg
import pytest

_run: dict[tuple[str, str], tuple[bool, float, str]] = {}
"""By statement and SQLSTATE: whether a marked test runs it, else the quickest one's seconds, and that test."""

_seen: set[tuple[str, str]] = set()


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Marks all tests, for the choice of databases alone."""
    if not any("databases" in mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")):
        metafunc.definition.add_marker("both_databases")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Notes what a test runs."""
    _seen.clear()
    began = time.monotonic()
    result = yield
    parameters = getattr(getattr(item, "callspec", None), "params", {})
    marked = "databases" not in parameters or item.get_closest_marker("both_databases") is not None
    _add({statement: (marked, time.monotonic() - began, item.nodeid) for statement in _seen})
    return result


def _add(run: dict[tuple[str, str], tuple[bool, float, str]]) -> None:
    for statement, (marked, seconds, test) in run.items():
        known = _run.get(statement, (False, float("inf"), ""))
        _run[statement] = min(known, (marked, seconds, test), key=lambda one: (not one[0], one[1]))


def _watched(method: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: Any, statement: Any, *values: Any, **options: Any) -> Any:
        text, state = statement.decode() if isinstance(statement, bytes) else str(statement), ""
        try:
            return method(self, statement, *values, **options)
        except psycopg.Error as error:
            state = error.sqlstate or type(error).__name__
            raise
        finally:
            _note(text, state)

    return call


def _note(text: str, state: str) -> None:
    frame: FrameType | None = sys._getframe(2)
    while frame and frame.f_globals["__name__"].partition(".")[0] not in ("gateway", "tests"):
        frame = frame.f_back
    if frame and frame.f_globals["__name__"].startswith("gateway"):
        text = re.sub(r"%\((\w+?)(?:_\d+)*\)s", r"%(\1)s", " ".join(text.split()))
        text = re.sub(r"(%\(\w+\)s(?:::[\w ]+)?)(?:, \1)+|(\([^()]*%\(\w+\)s[^()]*\))(?:, \2)+", r"\1\2, …", text)
        _seen.add((text, state))


for _name in ("execute", "executemany", "copy"):
    setattr(psycopg.Cursor, _name, _watched(getattr(psycopg.Cursor, _name)))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hands a worker's statements over."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["statements"] = [[*key, *value] for key, value in _run.items()]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Takes a worker's statements."""
    _add({(text, state): (*rest,) for text, state, *rest in getattr(node, "workeroutput", {}).get("statements", [])})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Names what only tests without the mark run, by the quickest of them."""
    missing = defaultdict(list)
    for (text, state), (marked, seconds, test) in _run.items():
        if not marked:
            missing[f"{test} ({seconds:.1f} s)"].append(f"{text} {state}")
    terminalreporter.write_line(f"PostgreSQL: {len(_run)} statements, without mark {sum(map(len, missing.values()))}")
    for test, statements in sorted(missing.items()):
        terminalreporter.write_line("\n  ".join([test, *sorted(statements)]))
