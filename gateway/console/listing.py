"""Finds a list of the inbox by its address line: filters, or a saved view; and what stands around an alert in it.

A page that is opened from a list carries the list's address line along, so that the console keeps nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from gateway.client import AlertReference, GatewayClient
from gateway.console.views.alerts.alert import title_of
from gateway.console.views.inbox import mark_of
from gateway.console.views.inbox_query import LIST, PLACE, InboxQuery, in_list
from gateway.v1.casework_service_pb2 import InboxRow, ListInboxResponse, SavedView

MOST_CHARS: Final = 4_000
"""Longest address line of a list."""

MOST_ROWS: Final = 200
"""Rows that are looked through, from the beginning of the page of the list."""


NUMBER: Final = "page"
TRAIL: Final = "before"
"""Names in a page's address line: its number, and where each of the pages before it began, "-" for the first."""

MOST_TRAIL: Final = 6
MOST_PAGES: Final = 100_000


@dataclass(frozen=True, slots=True)
class AskedList:
    """A list as it is asked for.

    Attributes:
        views: all that the person sees.
        current: the saved view that is asked for; None for filters.
        after: where the page begins; empty for the first.
    """

    query: InboxQuery
    views: Sequence[SavedView]
    current: SavedView | None
    after: str

    def text(self, *, after: str = "") -> str:
        """The address line's query."""
        pairs = [("view", self.current.view_id)] if self.current is not None else self.query.pairs
        return urlencode([*pairs, *([("after", after)] if after else [])])

    def href(self, *, after: str = "") -> str:
        """The list's path."""
        text = self.text(after=after)
        return f"/inbox?{text}" if text else "/inbox"

    async def page(self, client: GatewayClient, *, size: int, with_facets: bool = True) -> ListInboxResponse:
        """The page of the list."""
        return await client.casework.inbox_page(
            self.query.filter,
            order=self.query.ordering,
            with_facets=with_facets,
            page_size=size,
            page_token=self.after,
        )


async def asked_list(client: GatewayClient, params: QueryParams) -> AskedList:
    """The list that an address line asks for."""
    views = await client.casework.views()
    named = params.get("view", "")
    current = next((view for view in views if view.view_id == named), None)
    query = InboxQuery.of(params.getlist) if current is None else InboxQuery.of_view(current.filter, current.order)
    return AskedList(query, views, current, params.get("after", ""))


@dataclass(frozen=True, slots=True)
class ListPages:
    """Where a page stands in its list, and the pages around it; the address line has where the last pages began."""

    first: str
    previous: str
    following: str
    begin: int
    end: int

    @classmethod
    def of(cls, asked: AskedList, params: QueryParams, page: ListInboxResponse, *, size: int) -> ListPages:
        """By the address line of a page; `size`: rows of a full page."""
        number = max(1, _number(params.get(NUMBER, "1"), MOST_PAGES))
        trail = params.getlist(TRAIL)[-MOST_TRAIL:] if asked.after else []
        following, begin = page.next_page_token, (number - 1) * size + 1

        def href(after: str, number: int, trail: Sequence[str]) -> str:
            pairs = [(NUMBER, str(number)), *((TRAIL, one) for one in trail)]
            return f"{asked.href(after=after)}&{urlencode(pairs)}" if after else asked.href()

        return cls(
            first=asked.href() if asked.after else "",
            previous=href(trail[-1].strip("-"), number - 1, trail[:-1]) if trail else "",
            following=href(following, number + 1, [*trail, asked.after or "-"]) if following else "",
            begin=begin,
            end=begin + len(page.rows) - 1,
        )


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An alert beside another in a list."""

    href: str
    title: str


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Where an alert stands in the list that it was opened from.

    Attributes:
        back: path of the list, where the alert stands in it or stood.
        query: of the alert's own page, with `?`, to stay in the list.
    """

    back: str
    query: str
    before: Neighbour | None
    after: Neighbour | None


async def neighbours(client: GatewayClient, params: QueryParams, alert: AlertReference) -> Neighbours | None:
    """What stands around an alert; None where its page wasn't opened from a list."""
    text = params.get(LIST)
    if text is None or len(text) > MOST_CHARS:
        return None
    asked = await asked_list(client, QueryParams(text))
    page = await asked.page(client, size=MOST_ROWS, with_facets=False)
    rows = list({key_of(row): row for row in page.rows}.items())
    keys = [key for key, _row in rows]
    own = alert.publisher, alert.alert_id
    place = keys.index(own) if own in keys else _number(params.get(PLACE, ""), len(keys))
    following = place + 1 if own in keys else place  # what came after it has moved up
    back = asked.text(after=asked.after)
    beside = f"#{row_id(rows[min(place, len(rows) - 1)][1])}" if rows else ""

    def at(number: int) -> Neighbour | None:
        if not 0 <= number < len(rows):
            return None
        (publisher, alert_id), row = rows[number]
        return Neighbour(f"/alerts/{publisher}/{alert_id}{in_list(back, number)}", title_of(row.summary.alert))

    return Neighbours(asked.href(after=asked.after) + beside, in_list(back, place), at(place - 1), at(following))


def list_query(params: QueryParams) -> str:
    """The query that names the list which an alert's page or a step was opened from, with `?`; empty for none."""
    text, place = params.get(LIST), params.get(PLACE, "")
    if text is None or len(text) > MOST_CHARS or not (place.isascii() and place.isdecimal() and len(place) < 10):
        return ""
    return in_list(text, int(place))


def with_done(path: str, done: str) -> str:
    """A page that is to say what was done."""
    return f"{path}{'&' if '?' in path else '?'}{urlencode({'done': done})}"


def row_id(row: InboxRow) -> str:
    """Id of a row's element on the page of the list."""
    return f"row-{mark_of(row)}"


def key_of(row: InboxRow) -> tuple[str, str]:
    """Publisher and id of a row's alert."""
    return row.summary.alert.publisher, row.summary.alert.id


def _number(text: str, most: int) -> int:
    return min(int(text), most) if text.isascii() and text.isdecimal() and len(text) < 10 else most
