"""For tests of the console in a browser; README.md says how one is written."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.support.console.case import Case
from tests.support.console.chromium import PATIENCE_MS, running_browser
from tests.support.console.desk import Desks, desks
from tests.support.console.trial import ConsoleTrial
from tests.support.programs import CHROMIUM

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="session")
def chromium() -> Iterator[tuple[Browser, asyncio.AbstractEventLoop]]:
    """A browser for all tests of a worker, and the event loop of Playwright."""
    with running_browser() as browser:
        loop = asyncio.get_running_loop()
        yield browser, loop
        asyncio._set_running_loop(loop)


@pytest.fixture(scope="module")
def browser(chromium: tuple[Browser, asyncio.AbstractEventLoop]) -> Iterator[Browser]:
    """The browser, for a module: others of the same worker run event loops in the thread where Playwright has its."""
    browser, loop = chromium
    asyncio._set_running_loop(loop)
    yield browser
    asyncio._set_running_loop(None)


@pytest.fixture(scope="session")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleTrial]:
    """Three gateways with a console each, for all tests of a worker: they must not disturb each other."""
    CHROMIUM.require()
    with ConsoleTrial(tmp_path_factory.mktemp("consoles")) as made:
        made.start()
        yield made


@pytest.fixture
def desk(trial: ConsoleTrial, browser: Browser) -> Iterator[Desks]:
    """Opens windows: `desk("hk", "officer")`."""
    with desks(trial, browser) as made:
        yield made


@pytest.fixture
def case(trial: ConsoleTrial) -> Case:
    """The demo's case, which the three nodes have lived through; take no steps on its alerts that others would miss."""
    return trial.play_case()
