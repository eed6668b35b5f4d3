"""Watches a browser's context: what a page of the console must never do fails the test.

That is: a violation of the content security policy, an error in the browser's console, an uncaught error of a script, a
request that fails or gets an error as its answer, a request to another origin, and a dialog that no script of ours
opens. A test that provokes an error says so: `with guard.expecting(r"status of 403"): …`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Request, Response, WebError

_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) => {
  console.error(`CSP: ${event.effectiveDirective} forbids ${event.blockedURI} in ${event.sourceFile || location.href}`);
});
"""
_LOCAL_SCHEMES = frozenset({"data", "blob", "about", "chrome-error"})


@dataclass
class PageGuard:
    """What the pages of one context did wrong.

    Args:
        origins: where requests may go, `http://host:port`.
    """

    origins: set[str]
    problems: list[str] = field(default_factory=list)
    _expected: list[re.Pattern[str]] = field(default_factory=list)

    def watch(self, context: BrowserContext) -> None:
        """Watches every page of a context from now on."""
        context.add_init_script(_VIOLATIONS)
        context.on("console", self._printed)
        context.on("weberror", self._uncaught)
        context.on("request", self._asked)
        context.on("requestfailed", self._failed)
        context.on("response", self._answered)
        context.on("dialog", self._dialog)

    @contextmanager
    def expecting(self, *patterns: str) -> Iterator[None]:
        """Problems that match one of the regular expressions are this test's intention while the block runs."""
        compiled = [re.compile(pattern) for pattern in patterns]
        self._expected += compiled
        try:
            yield
        finally:
            self.problems = [each for each in self.problems if not any(one.search(each) for one in compiled)]
            for pattern in compiled:
                self._expected.remove(pattern)

    def check(self) -> None:
        """Fails when anything went wrong."""
        assert self.problems == [], "\n".join(self.problems)

    def _note(self, problem: str) -> None:
        if not any(pattern.search(problem) for pattern in self._expected):
            self.problems.append(problem)

    def _printed(self, message: ConsoleMessage) -> None:
        if message.type == "error" or "Content Security Policy" in message.text:
            self._note(f"console: {message.text} ({message.location.get('url', '')})")

    def _uncaught(self, error: WebError) -> None:
        self._note(f"uncaught: {error.error}")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in _LOCAL_SCHEMES and f"{parts.scheme}://{parts.netloc}" not in self.origins:
            self._note(f"another origin: {request.method} {request.url}")

    def _failed(self, request: Request) -> None:
        # A page that is left ends its streams and what it was still loading.
        if request.failure != "net::ERR_ABORTED":
            self._note(f"failed: {request.method} {request.url}: {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400:
            self._note(f"answer: status of {response.status} to {response.request.method} {response.url}")

    def _dialog(self, dialog: Dialog) -> None:
        self._note(f"dialog: {dialog.type}: {dialog.message}")
        dialog.dismiss()
