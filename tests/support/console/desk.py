"""A person at a console: one window of the browser, signed in, in a language, watched by the guard."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page

from tests.support.console.accessibility import assert_accessible
from tests.support.console.chromium import new_context, settle
from tests.support.console.guard import PageGuard
from tests.support.console.trial import ConsoleTrial, Office

LANGUAGES = {"en": "en-GB", "zh-Hans": "zh-CN", "zh-Hant": "zh-HK", "pt": "pt-PT"}
"""What a browser asks for, by language of the console."""


@dataclass
class Desk:
    """One window. `page` is its first page."""

    office: Office
    context: BrowserContext
    guard: PageGuard
    page: Page

    def open(self, path: str) -> Page:
        """Goes to a path of the console; returns the page when it is loaded."""
        self.page.goto(self.office.origin + path)
        return self.page

    def assert_accessible(self) -> None:
        """Lets axe-core look at the page as it is now."""
        assert_accessible(self.page)

    def expecting(self, *patterns: str) -> Any:
        """As `PageGuard.expecting`; an answer of 4xx is a line of the answer and one of the browser's console."""
        return self.guard.expecting(*patterns, "Failed to load resource")


@dataclass
class Desks:
    """Makes the windows of one test, and at its end holds every page against the guard.

        def test_an_officer_reads_an_alert(desk: Desks) -> None:
            officer = desk("hk", "officer")
            page = officer.open("/inbox")
            expect(page.get_by_role("heading", level=1)).to_have_text("Inbox")
            officer.assert_accessible()

    Args:
        trial: the consoles, running.
        browser: opens the windows.
    """

    trial: ConsoleTrial
    browser: Browser
    _made: list[Desk] = field(default_factory=list)

    def __call__(
        self,
        node: str,
        person: str = "",
        *,
        language: str = "en",
        width: int = 1280,
        height: int = 900,
        javascript: bool = True,
        **options: Any,
    ) -> Desk:
        """A window at a node's console; `person` is signed in, nobody without one.

        Args:
            person: a name of `trial.PERSONS`, or of a newcomer.
            language: en, zh-Hans, zh-Hant or pt.
            javascript: without it scripts don't run.
            options: of Playwright's `new_context`, e.g. color_scheme.
        """
        office = self.trial[node]
        context = new_context(
            self.browser,
            width=width,
            height=height,
            locale=LANGUAGES[language],
            java_script_enabled=javascript,
            **options,
        )
        guard = PageGuard({office.origin})
        guard.watch(context)
        if person:
            context.add_cookies([session_cookie(office, self.trial.session(node, person))])
        made = Desk(office, context, guard, context.new_page())
        self._made.append(made)
        return made

    def check(self) -> None:
        """Fails when any page did what it must not."""
        for desk in self._made:
            for page in desk.context.pages:
                settle(page)
            desk.guard.check()

    def close(self) -> None:
        """Closes all windows."""
        for desk in self._made:
            desk.context.close()


def session_cookie(office: Office, token: str) -> Any:
    """The cookie that the console would have set."""
    return {
        "name": office.cookie,
        "value": token,
        "domain": office.host,
        "path": "/",
        "secure": True,
        "httpOnly": True,
        "sameSite": "Lax",
    }


@contextmanager
def desks(trial: ConsoleTrial, browser: Browser) -> Iterator[Desks]:
    """The windows of one test. What the consoles log meanwhile is printed; a traceback in it fails the test."""
    before = {name: len(office.log) for name, office in trial.offices.items()}
    made = Desks(trial, browser)
    try:
        yield made
        made.check()
    finally:
        made.close()
        logged = {name: office.log[before[name] :] for name, office in trial.offices.items()}
        for name, text in logged.items():
            if text:
                print(f"--- console of {name}\n{text[-8_000:]}")
    for name, text in logged.items():
        assert "Traceback" not in text, f"the console of {name} has a defect"
