"""Every page in every language: axe-core finds nothing serious, the guard nothing, and looking changes nothing."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.support.console.accessibility import violations
from tests.support.console.chromium import NARROW, WIDE
from tests.support.console.desk import LANGUAGES, Desk, Desks
from tests.support.console.trial import ConsoleTrial
from tests.support.console.walk import ADDRESSES, NOT_PAGES, Place, places, routes, unplaced

MOST_KB = 150
"""Weight of a page without pictures, over the wire."""

TRIES = 3
"""Times that a page is opened while the node has written something meanwhile: it also writes by itself."""


@pytest.mark.drift
def test_every_route_is_walked_or_no_page() -> None:
    assert unplaced() == [], "give tests/support/console/walk.py an address of them, or say why they are no pages"
    assert set(ADDRESSES) | set(NOT_PAGES) <= set(routes()), "tests/support/console/walk.py names routes that are gone"
    assert not set(ADDRESSES) & set(NOT_PAGES)


class Walk:
    """Opens places in the windows of those who may see them."""

    def __init__(self, desk: Desks, trial: ConsoleTrial, **options: object) -> None:
        self._desk, self._options = desk, options
        self.places = places(trial)
        self._windows: dict[tuple[str, str], Desk] = {}

    def open(self, place: Place) -> Page:
        who = (place.node, place.person)
        if who not in self._windows:
            self._windows[who] = self._desk(*who, **self._options)  # type: ignore[arg-type]
        return self._windows[who].open(place.path)


@pytest.mark.parametrize(("language", "scheme"), [*((language, "light") for language in LANGUAGES), ("en", "dark")])
def test_axe_finds_nothing_serious(desk: Desks, trial: ConsoleTrial, language: str, scheme: str) -> None:
    walk = Walk(desk, trial, language=language, color_scheme=scheme)
    found = []
    for place in walk.places:
        page = walk.open(place)
        assert page.locator("html").get_attribute("lang") == language, place.path
        found += violations(page)
    assert found == [], "\n".join(found)


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_nothing_has_to_be_scrolled_sideways(desk: Desks, trial: ConsoleTrial, width: int) -> None:
    walk = Walk(desk, trial, language="pt", width=width)
    wide = {}
    for place in walk.places:
        taken = walk.open(place).evaluate("document.documentElement.scrollWidth")
        if taken > width:
            wide[place.path] = taken
    assert wide == {}


def test_no_page_is_heavy(desk: Desks, trial: ConsoleTrial) -> None:
    walk = Walk(desk, trial)
    heavy = {}
    for place in walk.places:
        page = walk.open(place)
        kb = page.evaluate(
            """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
                .filter(entry => !entry.name.includes("/live/") && entry.initiatorType !== "img")
                .reduce((sum, entry) => sum + entry.encodedBodySize, 0) / 1000"""
        )
        if kb > MOST_KB:
            heavy[place.path] = kb
    assert heavy == {}


def test_without_script_every_page_says_the_same(desk: Desks, trial: ConsoleTrial) -> None:
    """What is read doesn't need scripts: the main part has the words that it has with them."""
    with_script, without = Walk(desk, trial), Walk(desk, trial, javascript=False)
    for place in with_script.places:
        words = {
            name: set(walk.open(place).locator("main").inner_text().split())
            for name, walk in (("with", with_script), ("without", without))
        }
        missing = words["with"] - words["without"]
        assert len(missing) <= len(words["with"]) // 20 + 2, (place.path, sorted(missing)[:20])


def test_looking_at_pages_changes_nothing_at_the_node(desk: Desks, trial: ConsoleTrial) -> None:
    """A page is tried several times: every few seconds a node signs the head of its audit log, which adds an entry."""

    def changes(walk: Walk, place: Place) -> bool:
        before = trial.run(position())
        walk.open(place)
        return trial.run(position()) != before

    async def position() -> list[int]:
        found = []
        for node in ("hk", "cn"):
            async with trial.federation.client(node, "operator") as operator:
                found.append((await operator.node.status()).position)
        return found

    walk = Walk(desk, trial)
    changed = [place.path for place in walk.places if all(changes(walk, place) for _ in range(TRIES))]
    assert changed == [], "these pages write something whenever they are opened"
