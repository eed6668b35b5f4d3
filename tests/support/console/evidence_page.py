"""The page that verifies evidence, open in a window: what is chosen in it, and what it says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect

from gateway.evidence.codec.bundle import Bundle, encode_zip
from gateway.evidence.page.writer import evidence_page
from tests.support.console.accessibility import assert_accessible
from tests.support.console.chromium import new_context, settle
from tests.support.console.guard import PageGuard

FILES = "file://"
"""The origin of what may be asked for."""

Results = list[tuple[int, str]]

_STEPS = "steps => steps.map(step => [step.querySelector('strong').textContent, step.querySelector('.tag').className])"
_FIELDS = """leaves => leaves.map(leaf => {
  const path = [];
  for (let at = leaf; at.closest(".entry"); at = at.parentElement) {
    if (at.matches(".fields > div")) path.unshift(at.querySelector("dt").textContent);
  }
  return [path.join("."), leaf.querySelector("dd").textContent];
})"""


@dataclass
class ExpertDesk:
    """A window without network that has a page of evidence open."""

    page: Page
    _judged_by: tuple[bytes | None, Sequence[str], int | str] = (None, (), "")

    @property
    def verdict(self) -> str:
        """What the page comes to, when it has."""
        verdict = self.page.locator("#verdict[aria-busy=false]")
        verdict.wait_for()
        return verdict.inner_text()

    @property
    def results(self) -> Results:
        """Number and result of each step that was taken."""
        assert self.verdict
        lines = self.page.locator("#steps > li").evaluate_all(_STEPS)
        return [(int(title.partition(".")[0]), classes.split()[1]) for title, classes in lines]

    @property
    def failing(self) -> int:
        """The number of the step that fails; 0 where none does."""
        return next((number for number, result in self.results if result == "failed"), 0)

    def fields(self) -> list[tuple[str, str]]:
        """Path and value of each field that is shown of the last entry."""
        found: list[list[str]] = (
            self.page.locator("#content .entry").last.locator(".fields > div:not(.nested)").evaluate_all(_FIELDS)
        )
        return [(path, value) for path, value in found]

    def choose(self, bundle: Bundle | bytes) -> ExpertDesk:
        """Another bundle, as a file."""
        packed = bundle if isinstance(bundle, bytes) else encode_zip(bundle)
        self._choose("bundle", packed)
        return self

    def trust(
        self, *, directory: bytes | None = None, vkeys: Sequence[str] = (), threshold: int | str = ""
    ) -> ExpertDesk:
        """Keys by which it is judged from now on; the page checks again where they are others than before."""
        if self._judged_by == (directory, [*vkeys], threshold):
            return self
        self._judged_by = (directory, [*vkeys], threshold)
        self.page.locator("#anchors").fill("\n".join(vkeys))
        self.page.locator("#threshold").fill(str(threshold))
        self._choose("directory", directory)
        self.page.get_by_role("button", name="Check", exact=True).click()
        return self

    def _choose(self, field: str, content: bytes | None) -> None:
        file: Any = [] if content is None else {"name": field, "mimeType": "", "buffer": content}
        self.page.locator(f"#{field}").set_input_files(file)

    def assert_accessible(self) -> None:
        assert_accessible(self.page)


@contextmanager
def expert_desk(
    browser: Browser, folder: Path, written: bytes, *, script: str = "", **options: Any
) -> Iterator[ExpertDesk]:
    """Opens a written page from its file, and at the end holds it against the guard.

    Args:
        script: runs before the page's own.
        options: of Playwright's `new_context`.
    """
    file = folder / "page.html"
    file.write_bytes(written)
    with new_context(browser, **options) as context:
        context.set_offline(True)
        if script:
            context.add_init_script(script)
        guard = PageGuard({FILES})
        guard.watch(context)
        page = context.new_page()
        page.goto(file.as_uri())
        yield ExpertDesk(page)
        settle(page)
        guard.check()


def verifier(browser: Browser, folder: Path, **options: Any) -> Any:
    """A page without evidence."""
    return expert_desk(browser, folder, evidence_page(), **options)


def expect_text(page: Page, text: str) -> None:
    expect(page.get_by_text(text).first).to_be_visible()
