"""Debian's Chromium under Playwright: how it is started, and what a window of a test is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.support.programs import CHROMIUM

ARGUMENTS = (
    "--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--disable-gpu",
)  # fmt: skip
"""A browser that asks nobody outside for anything."""

WIDE, NARROW = 1280, 360
"""Widths in pixels of a desk and of a telephone."""

PATIENCE_MS = 30_000
"""Milliseconds after which what a page must show is taken for missing; what is to be quick has a Stopwatch."""


@contextmanager
def running_browser() -> Iterator[Browser]:
    """A browser for some tests; skips them where there is none.

    While it runs, this thread has an event loop of Playwright's: `asyncio.run` belongs into another thread then
    (`ConsoleTrial.run`).
    """
    executable = CHROMIUM.require()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


def new_context(browser: Browser, *, width: int = WIDE, height: int = 900, **options: Any) -> BrowserContext:
    """A window's context as an officer's machine has it; `options` are Playwright's."""
    options = {"locale": "en-GB", "timezone_id": "Asia/Hong_Kong", "reduced_motion": "reduce"} | options
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    context.set_default_timeout(PATIENCE_MS)
    return context


def settle(page: Page) -> None:
    """Lets the browser tell what it has seen so far on a page."""
    page.wait_for_load_state("load")
    page.wait_for_timeout(20)
