"""Every page in every language: axe-core finds nothing serious, the guard nothing, and looking changes nothing.

Each page is opened in English, in Portuguese, whose words are the longest, and once without scripts; what is looked at
meanwhile is asserted afterwards. In the other languages its answer is read, and a page is opened only where a form
leads to it. axe-core looks at a page in English, on each display of tests/support/console/displays.py; in another
language only where its markup is another one, and not at its colours again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Page

from gateway.db.database import Database
from gateway.feed.tables import journal
from tests.support.console import machine_words
from tests.support.console.accessibility import COLOURS, violations
from tests.support.console.chromium import NARROW, WIDE
from tests.support.console.desk import LANGUAGES, Desk, Desks, desks
from tests.support.console.displays import DESK, DISPLAYS
from tests.support.console.markup import language_and_shape
from tests.support.console.trial import ConsoleTrial
from tests.support.console.visitor import Visitor
from tests.support.console.walk import ADDRESSES, NOT_PAGES, OK, Place, behind_forms, places, routes, unplaced
from tests.support.console.wrong_forms import PlacedForm, placed_forms, send_wrong, ways_of, without_ids

MOST_KB = 150
"""Weight of a page without pictures, over the wire."""

TRIES = 3
"""Times that a page is opened while the node has written something meanwhile: it also writes by itself."""

OTHERS = tuple(language for language in LANGUAGES if language != "en")
LONGEST = OTHERS[-1]

SHAPE = r"""() => JSON.stringify([...document.querySelectorAll("*")].filter(
  each => !each.matches("button[name=language], .bell-count")
).map(each => [
  each.localName, each.children.length === 0 && !each.textContent.trim(),
  ...[...each.attributes].flatMap(({name, value}) =>
    /^(aria-label|title|alt|placeholder|lang|content|value|datetime)$/.test(name) ? [[name, !value.trim()]]
    : name === "class" ? [value.replace(/ ?htmx-[a-z]+/g, "")].filter(Boolean)
    : /^(role|id|for|type|name|scope|tabindex|aria-.*)$/.test(name) ? [[name, value.replace(/\bp[0-9a-f]{8}-/g, "")]]
    : [name]),
]))"""
"""Everything that axe-core's rules look at except words: elements, what names them, and whether there is a word.

What differs in each language, or from one moment to the next, is left out: the buttons that choose a language, of which
the page's is marked, the digests of its words in a picture's ids, the classes by which htmx says that it asks for
something, an empty class that these leave, and the bell's count, which comes after the page.
"""

WEIGHT = """() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
    .filter(entry => !entry.name.includes("/live/") && entry.initiatorType !== "img")
    .reduce((sum, entry) => sum + entry.encodedBodySize, 0) / 1000"""


@pytest.mark.drift
def test_every_route_is_walked_or_no_page() -> None:
    assert unplaced() == [], "give tests/support/console/walk.py an address of them, or say why they are no pages"
    assert set(ADDRESSES) | set(NOT_PAGES) <= set(routes()), "tests/support/console/walk.py names routes that are gone"
    assert not set(ADDRESSES) & set(NOT_PAGES)


class Walk:
    """Opens places in the windows of those who may see them."""

    def __init__(self, desk: Desks, **options: object) -> None:
        self._desk, self._options = desk, options
        self._windows: dict[tuple[str, str], Desk] = {}

    def open(self, place: Place) -> Page:
        return place.open_in(self.window(place))

    def window(self, place: Place) -> Desk:
        who = (place.node, place.person)
        if who not in self._windows:
            self._windows[who] = self._desk(*who, **self._options)  # type: ignore[arg-type]
        return self._windows[who]


@dataclass
class Seen:
    """What a walk in English saw, by the place's title."""

    shapes: dict[str, str] = field(default_factory=dict)
    answers: dict[str, list[tuple[object, ...]]] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    unreadable_elsewhere: list[str] = field(default_factory=list)
    kb: dict[str, float] = field(default_factory=dict)
    words: dict[str, set[str]] = field(default_factory=dict)
    machine_words: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def all_places(trial: ConsoleTrial) -> list[Place]:
    return [*places(trial), *behind_forms(trial)]


@pytest.fixture(scope="module")
def desk_of_module(trial: ConsoleTrial, browser: Browser) -> Iterator[Desks]:
    """Windows of all walks; the guard looks at them at the end, too."""
    with desks(trial, browser) as made:
        yield made


@pytest.fixture(scope="module")
def english(trial: ConsoleTrial, desk_of_module: Desks, all_places: list[Place]) -> Seen:
    walk, seen = Walk(desk_of_module), Seen()
    databases = [Database(f"sqlite:///{trial.federation[name].database}") for name in ("hk", "cn")]
    for place in all_places:
        page = look(walk, place, databases, seen)
        seen.shapes[place.title] = page.evaluate(SHAPE)
        seen.words[place.title] = words_of(page)
        seen.kb[place.path] = page.evaluate(WEIGHT)
        seen.machine_words += [f"{place.title}: {text}" for text in machine_words.in_page(page)]
        if place.reach is None:
            _, seen.answers[place.title], _ = answer(trial, place, "en")
        seen.unreadable += DESK.problems(page)
        for display in DISPLAYS:
            seen.unreadable_elsewhere += display.problems(page)
        DESK.show(page)
    for database in databases:
        database.close()
    return seen


def answer(trial: ConsoleTrial, place: Place, language: str) -> tuple[str, list[tuple[object, ...]], list[str]]:
    """Language, shape and words of machines in what the console answers to a browser, before any script."""
    office = trial[place.node]
    reader = Visitor.with_session(office, trial.session(place.node, place.person)) if place.person else Visitor(office)
    answered = reader.get(place.path, Accept_Language=LANGUAGES[language])
    assert answered.status == OK, place.path
    return *language_and_shape(answered.text), machine_words.in_html(answered.text)


def positions(databases: Sequence[Database]) -> list[int]:
    """How much the nodes have written, read beside them."""
    found = []
    for database in databases:
        with database.read() as conn:
            found.append(journal.head_position(conn))
    return found


def look(walk: Walk, place: Place, databases: Sequence[Database], seen: Seen) -> Page:
    """Opens a page; again while the nodes write something meanwhile, since they also do so by themselves."""
    for _ in range(TRIES):
        before = positions(databases)
        page = walk.open(place)
        if (
            positions(databases) == before or place.reach is not None
        ):  # what a form asks for is recorded, and at partners too
            return page
    seen.written.append(place.path)
    return page


def words_of(page: Page) -> set[str]:
    """Words of the main part; not the numbers, which move with the clock."""
    words = page.locator("main").inner_text().split()
    return {word for word in words if not any(letter.isdigit() for letter in word)}


def test_axe_finds_nothing_serious(english: Seen) -> None:
    assert english.unreadable == [], "\n".join(english.unreadable)


def test_axe_finds_nothing_serious_on_other_displays(english: Seen) -> None:
    """Dark, on a wide screen, on a telephone, in forced colours; no page is wider than its window."""
    assert english.unreadable_elsewhere == [], "\n".join(english.unreadable_elsewhere)


def test_no_page_speaks_as_a_machine(english: Seen) -> None:
    assert english.machine_words == [], "\n".join(english.machine_words)


@pytest.fixture(scope="module")
def wrong_forms(trial: ConsoleTrial) -> list[PlacedForm]:
    return placed_forms(trial, [place for place in places(trial) if place.reach is None])


def test_all_forms_are_found(wrong_forms: list[PlacedForm]) -> None:
    found = {without_ids(placed.form.action or placed.path).partition("?")[0] for placed in wrong_forms}
    assert {"/alerts/new/upload", "/watchlists/new", "/history/search", "/law", "/people/new", "/why"} <= found
    assert {"/watchlists/matches/", "/watchlists/matches/alike/entry/", "/watchlists/proposals/"} <= found
    assert len(found) >= 35, sorted(found)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_error_speaks_as_a_machine(wrong_forms: list[PlacedForm], language: str) -> None:
    """Each form is sent wrong, by who may open its page: nothing is done, and what is wrong is said in words."""
    machines, taken, refused = [], [], 0
    for placed in wrong_forms:
        for way in ways_of(placed.form, placed.path):
            answered = send_wrong(placed.visitor, placed.form, way, placed.path, Accept_Language=LANGUAGES[language])
            name = f"{placed.form.action or placed.path}, {way}"
            machines += [f"{name}: {text}" for text in machine_words.in_html(answered.text)]
            taken += [f"{name}: {answered.location}"] if answered.location else []
            refused += answered.status >= 400
    assert machines == [], "\n".join(machines)
    assert taken == [], "these forms were taken: " + "\n".join(taken)
    assert refused >= 60, "most are refused"


def test_no_page_is_heavy(english: Seen) -> None:
    assert {path: kb for path, kb in english.kb.items() if kb > MOST_KB} == {}


def test_looking_at_pages_changes_nothing_at_the_node(english: Seen) -> None:
    assert english.written == [], "these pages write something whenever they are opened"


@pytest.mark.parametrize("language", OTHERS)
def test_every_page_in_every_language(
    english: Seen, trial: ConsoleTrial, desk_of_module: Desks, all_places: list[Place], language: str
) -> None:
    """In its language, as wide as the window, and axe-core finds nothing serious where the markup is another one."""
    walk, found, wide = Walk(desk_of_module, language=language), [], []
    machines: list[str] = []
    for place in all_places:
        if place.reach is None and language != LONGEST:
            answered, shape, spoken = answer(trial, place, language)
            machines += [f"{place.title}: {text}" for text in spoken]
            assert answered == language, place.path
            if shape == english.answers[place.title]:
                continue
        page = walk.open(place)
        assert page.locator("html").get_attribute("lang") == language, place.path
        machines += [f"{place.title}: {text}" for text in machine_words.in_page(page)]
        if page.evaluate(SHAPE) != english.shapes[place.title]:
            found += violations(page, without=COLOURS)
        for width in (NARROW, WIDE) if language == LONGEST else ():
            page.set_viewport_size({"width": width, "height": 900})
            taken = page.evaluate("document.documentElement.scrollWidth")
            wide += [f"{place.title} takes {taken} of {width} px"] if taken > width else []
    assert found == [], "\n".join(found)
    assert wide == [], "\n".join(wide)
    assert machines == [], "\n".join(machines)


def test_without_script_every_page_says_the_same(english: Seen, desk_of_module: Desks, all_places: list[Place]) -> None:
    """What is read doesn't need scripts: the main part has the words that it has with them."""
    plain, scripted = Walk(desk_of_module, javascript=False), Walk(desk_of_module)
    for place in all_places:
        if place.reach is None:
            words = english.words[place.title]
            missing = words - words_of(plain.open(place))
            if len(missing) > len(words) // 20 + 2:  # what a page lists has changed since, e.g. the audit log
                words = words_of(scripted.open(place))
                missing = words - words_of(plain.open(place))
            assert len(missing) <= len(words) // 20 + 2, (place.path, sorted(missing)[:20])
