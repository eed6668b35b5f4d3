"""How the inbox looks to a person: its tabs with counts, the chosen density and parts of a row, and who has what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.console.filters import number
from gateway.console.views.inbox_query import ME, NOBODY, PERSON, InboxQuery
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
from gateway.v1.casework_service_pb2 import Colleague, InboxCount, InboxFilter, SavedView

BUILT_IN: Final[Sequence[tuple[str, InboxQuery]]] = (
    (N_("To do"), InboxQuery()),
    (N_("Mine"), InboxQuery(assignee=ME)),
    (N_("Nobody's"), InboxQuery(assignee=NOBODY)),
    (N_("Overdue"), InboxQuery(due="overdue")),
    (N_("Open alerts"), InboxQuery(scope="open")),
    (N_("All"), InboxQuery(scope="all", order="newest")),
)
"""Tabs that everybody has."""

MOST_TABS: Final = 32
"""Tabs with a count: as many lists are counted at once."""

COOKIE: Final = "worklist"
"""What the browser keeps: a wall and a laptop want different rows."""

COMPACT: Final = "compact"

PARTS: Final[Mapping[str, str]] = {
    "things": N_("Containers, vehicles, parties"),
    "mass": N_("Mass"),
    "route": N_("Route"),
    "case": N_("Case number"),
    "suspicion": N_("Suspicion"),
    "sent": N_("When it was sent"),
    "notes": N_("Notes of colleagues"),
}
"""Parts of a row that may be left out, in its order; priority, what is asked, deadline and person may not."""

NOT_AT_FIRST: Final = frozenset({"suspicion"})


@dataclass(frozen=True, slots=True)
class RowLayout:
    """How rows look; `parts`: of PARTS."""

    compact: bool
    parts: frozenset[str]

    @classmethod
    def of(cls, text: str | None) -> RowLayout:
        """As a browser kept it; None: nobody has chosen yet."""
        if text is None:
            return cls(compact=False, parts=frozenset(PARTS) - NOT_AT_FIRST)
        return cls.chosen(text[:200].split("."))

    @classmethod
    def chosen(cls, names: Iterable[str]) -> RowLayout:
        """As a form names it; unknown names are left out."""
        given = set(names)
        return cls(compact=COMPACT in given, parts=frozenset(PARTS) & given)

    @property
    def text(self) -> str:
        """For the browser to keep."""
        return ".".join([*([COMPACT] if self.compact else []), *sorted(self.parts)]) or "none"

    @property
    def choices(self) -> list[tuple[str, str, bool]]:
        """Each part with its name, and whether it is shown."""
        return [(name, _(text), name in self.parts) for name, text in PARTS.items()]


@dataclass(frozen=True, slots=True)
class ListTab:
    """A list that can be opened."""

    text: str
    href: str
    asked: InboxFilter


def list_tabs(views: Iterable[SavedView]) -> list[ListTab]:
    """The tabs of a person: those that everybody has, then the views that it sees."""
    built_in = [ListTab(_(text), f"/inbox?{query.text}".rstrip("?"), query.filter) for text, query in BUILT_IN]
    return [*built_in, *(ListTab(view.name, f"/inbox?view={view.view_id}", view.filter) for view in views)]


def counted(tabs: Sequence[ListTab], counts: Sequence[InboxCount]) -> list[tuple[str, str, str | None]]:
    """Address, text and count of each tab; those beyond the counts have none."""
    texts = [number(one.total) + ("+" if one.more_than_total else "") for one in counts]
    return [(tab.href, tab.text, text) for tab, text in zip(tabs, [*texts, *[None] * len(tabs)], strict=False)]


LOADS: Final[Sequence[tuple[str, InboxQuery]]] = (
    ("wanted", InboxQuery()),
    ("urgent", InboxQuery(priority=("1",))),
    ("overdue", InboxQuery(due="overdue")),
    ("due_within_hour", InboxQuery(due="60")),
)
"""What is counted of each person, by the fields of Colleague, and the list of it."""


@dataclass(frozen=True, slots=True)
class PersonLoad:
    """How much somebody has: for each of LOADS the number, and the path of the list."""

    name: str
    loads: Sequence[tuple[int, str]]


def loads_of(colleagues: Iterable[Colleague], nobody: Sequence[InboxCount]) -> list[PersonLoad]:
    """What is nobody's first, then the persons, who has most overdue first."""
    rows = sorted(colleagues, key=lambda one: (-one.overdue, -one.due_within_hour, -one.wanted))
    persons = [
        PersonLoad(one.display_name, [_load(query, PERSON + one.person, getattr(one, name)) for name, query in LOADS])
        for one in rows
    ]
    counts = [_load(query, NOBODY, one.total) for (_name, query), one in zip(LOADS, nobody, strict=True)]
    return [PersonLoad(_("Nobody"), counts), *persons]


def nobodys() -> list[InboxFilter]:
    """The lists that count what is nobody's, in the order of LOADS."""
    return [query.of_assignee(NOBODY).filter for _name, query in LOADS]


def _load(query: InboxQuery, assignee: str, count: int) -> tuple[int, str]:
    return count, f"/inbox?{query.of_assignee(assignee).text}"
