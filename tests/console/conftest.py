"""For tests of the console in a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.support.console.chromium import running_browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium for the tests of a module: other modules of the same worker run event loops where Playwright has its."""
    with running_browser() as running:
        yield running
