"""For all tests."""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from hypothesis import HealthCheck, settings
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

# Before any test module imports gRPC: it reads the TLS floor while it is imported.
import gateway  # noqa: F401
from tests.support.databases import (
    DIALECTS,
    database,
    databases,
    make_database,
    make_empty_database,
    postgres_server,
    postgres_url,
    pytest_generate_tests,
)
from tests.support.folders import use_memory
from tests.support.keywords import Keywords
from tests.support.programs import left_out
from tests.support.public_files import sampled
from tests.support.shared_dialects import share_dialects

# A poller of gRPC may speak of an earlier test's event loop while a command's output is captured: not part of that.
logging.raiseExceptions = False

__all__ = [
    "database",
    "databases",
    "make_database",
    "make_empty_database",
    "postgres_server",
    "postgres_url",
    "pytest_generate_tests",
]

# What is printed is compared as in a plain terminal of the usual width in the source language, also from processes that
# tests start.
os.environ["LANGUAGE"] = "en"
os.environ["COLUMNS"] = "80"
for name in ("LINES", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "LC_ALL"):
    os.environ.pop(name, None)
os.environ["LANG"] = "C.UTF-8"

use_memory()
share_dialects()

# By default, 700, tests' many modules and items are searched for garbage over and over.
gc.set_threshold(20_000)

# How fast a machine makes examples, or takes one, says nothing about the product. Examples are the same in each run, so
# that a change is judged by what it changes; HYPOTHESIS_PROFILE=deep draws others each time.
_PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "same")
for name in ("same", "deep"):
    settings.register_profile(
        name, derandomize=name == "same", deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
settings.load_profile(_PROFILE)

if TYPE_CHECKING:
    from tests.support.federation import Federation


@pytest.fixture(scope="session", autouse=True)
def json_problems() -> Iterator[list[str]]:
    """What in JSON that commands have printed isn't as docs/schema says; empty where no test imports commands."""
    if "gateway.cli.output" not in sys.modules:
        yield []
        return
    from tests.support.shapes import examined_outputs  # the command line: not for tests of other parts

    with examined_outputs() as found:
        yield found


@pytest.fixture(autouse=True)
def _json_is_as_documented(json_problems: list[str]) -> Iterator[None]:
    json_problems.clear()
    if "gateway.cli.help" in sys.modules:
        sys.modules["gateway.cli.help"].current_command.set("")  # of the test before
    yield
    assert json_problems == []


_KEYWORDS = pytest.StashKey[Keywords]()


def pytest_configure(config: pytest.Config) -> None:
    if config.option.keyword:
        with suppress(SyntaxError):  # pytest says what is wrong with it
            config.stash[_KEYWORDS] = Keywords(config.option.keyword, Path(__file__).parent, everywhere=DIALECTS)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With `-k`, leaves out files without its words, unless the command names them."""
    keywords = config.stash.get(_KEYWORDS, None)
    if keywords is None or not keywords.leaves_out(collection_path):
        return None
    named = [Path(argument.partition("::")[0]).absolute() for argument in config.args]
    return not any(path == collection_path or (path.is_file() and collection_path in path.parents) for path in named)


CONSOLE = "tests/console/"
CONSOLES_OTHER_HALF = ("tests/console/attacks/", "tests/console/test_walk.py")

WORKER_BYTES = 3 << 29
"""Memory of a worker with its nodes, databases and files: one gibibyte, with room to spare."""


class _Scheduling(LoadFileScheduling):
    """A file at a time for each worker, but the console in two halves: its gateways take a minute to start."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(CONSOLES_OTHER_HALF):
            return CONSOLES_OTHER_HALF[0]
        return CONSOLE if nodeid.startswith(CONSOLE) else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Twice as many as cores, where memory has room: tests with whole nodes wait for them half of the time."""
    cores = len(os.sched_getaffinity(0))
    return max(cores, min(2 * cores, psutil.virtual_memory().available // WORKER_BYTES))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    return _Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is there afterwards stays to the end: no collection of garbage needs to look at it, now or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says loudly which tests a missing program left out, and which files samples stood in for."""
    if (keywords := config.stash.get(_KEYWORDS, None)) and keywords.read < keywords.total:
        words = f"{keywords.read} of {keywords.total} test files have its words; others weren't read."
        terminalreporter.write_line(f"-k: {words}")
    skipped = terminalreporter.stats.get("skipped", [])
    if line := left_out(str(report.longrepr[2]) for report in skipped if isinstance(report.longrepr, tuple)):
        terminalreporter.write_line(line, yellow=True, bold=True)
    if line := sampled():
        terminalreporter.write_line(line, yellow=True)


@pytest.fixture
def federation(tmp_path: Path) -> Iterator[Federation]:
    """A federation of real processes for one test; nothing of it runs yet."""
    from tests.support.federation import with_logs  # the whole product: not for tests of its parts

    yield from with_logs(tmp_path)


@pytest.fixture(scope="module")
def running_federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """Three running nodes that the tests of a module share; they must not disturb each other."""
    from tests.support.federation import with_logs

    for made in with_logs(tmp_path_factory.mktemp("federation")):
        made.start()
        yield made
