"""The inbox: what wants this authority's action, the most urgent first, and the search over all alerts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from gateway.client import GatewayClient, new_request_id
from gateway.client.casework import ME, NOBODY
from gateway.console.form import Form
from gateway.console.live import ANYTHING, Change
from gateway.console.navigation import NavigationEntry
from gateway.console.page import (
    client,
    console_of,
    form,
    has_role,
    own_path,
    page_route,
    redirect,
    render,
    session,
)
from gateway.console.views.inbox import filters_of, inbox_lines, mark_of, sections_of
from gateway.console.views.inbox_query import InboxQuery
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import AlertReference
from gateway.v1.casework_service_pb2 import Colleague, InboxRow, ListInboxResponse, SavedView

PAGE_SIZE: Final = 30

LIVE_SIZE: Final = 200
"""Rows that are looked through for those of an open page: what came meanwhile stands before them."""

MAX_SELECTED: Final = 100

READERS: Final = frozenset({"publisher", "officer", "analyst", "supervisor", "auditor"})
DESKS: Final = frozenset({"publisher", "officer", "analyst", "supervisor"})
"""Roles that have an inbox, and that change something in it."""

SHARED_WITH: Final = {
    "publisher": N_("All publishers"),
    "officer": N_("All officers"),
    "analyst": N_("All analysts"),
    "supervisor": N_("All supervisors"),
    "auditor": N_("All auditors"),
}

DONE: Final = {
    "assigned": N_("Assigned."),
    "unchanged": N_("Nothing had to be changed."),
    "saved": N_("The view is saved."),
    "deleted": N_("The view is deleted."),
    "none": N_("Choose at least one alert first."),
}


async def show(request: Request) -> Response:
    """The page."""
    query, views, current = await _asked(request)
    after = request.query_params.get("after", "")
    page, colleagues = await asyncio.gather(
        client(request).casework.inbox_page(
            query.filter, order=query.ordering, with_facets=not after, page_size=PAGE_SIZE, page_token=after
        ),
        client(request).casework.colleagues(),
    )
    done = request.query_params.get("done", "")
    title = current.name if current is not None else _("Inbox")
    return render(
        request,
        "inbox/show.html",
        title=title,
        views=views,
        shared_with=[(role, _(text)) for role, text in SHARED_WITH.items() if has_role(request, role)],
        current=current,
        filters=filters_of(query, page, colleagues, person=_person(request), node=console_of(request).client.node_name),
        searching=bool(query.q),
        done=_(DONE[done]) if done in DONE else "",
        done_kind="warn" if done == "none" else "good",
        next_href=_href(query, current, after=page.next_page_token) if page.next_page_token else "",
        first_href=_href(query, current) if after else "",
        after=after,
        shown=",".join(mark_of(row) for row in page.rows),
        form=Form.with_values({"request_id": new_request_id()}),
        **_rows(request, query, current, rows=page.rows, page=page, colleagues=colleagues),
        new=0,
    )


async def body(request: Request) -> Response:
    """The rows of an open page as they are now, in their places, and how many others have come."""
    query, _views, current = await _asked(request)
    shown = [one for one in request.query_params.get("shown", "").split(",") if one][:PAGE_SIZE]
    after = request.query_params.get("after", "")
    page, colleagues = await asyncio.gather(
        client(request).casework.inbox_page(query.filter, order=query.ordering, page_size=LIVE_SIZE, page_token=after),
        client(request).casework.colleagues(),
    )
    rows = {mark_of(row): row for row in page.rows}
    kept = [rows[mark] for mark in shown if mark in rows]
    return render(
        request,
        "inbox/body.html",
        title="",
        new=_new(list(rows), shown),
        **_rows(request, query, current, rows=kept, page=page, colleagues=colleagues),
    )


def _new(marks: Sequence[str], shown: Sequence[str]) -> int:
    """How many rows an open page lacks: those before its last one, and after it where the page has room."""
    places = [at for at, mark in enumerate(marks) if mark in shown]
    end = places[-1] + 1 if places and len(shown) >= PAGE_SIZE else len(marks)
    return sum(mark not in shown for mark in marks[:end])


def _rows(
    request: Request,
    query: InboxQuery,
    current: SavedView | None,
    *,
    rows: Sequence[InboxRow],
    page: ListInboxResponse,
    colleagues: Sequence[Colleague],
) -> dict[str, Any]:
    """What the rows' template uses."""
    names = {one.person: one.display_name for one in colleagues}
    lines = inbox_lines(rows, person=_person(request), names=names, now=datetime.now(UTC))
    return {
        "lines": lines,
        "sections": sections_of(lines, by_urgency=not query.order),
        "query": query,
        "page_of": page,
        "colleagues": [one for one in colleagues if one.person != _person(request)],
        "may_change": has_role(request, *DESKS),
        "back": _href(query, current),
    }


async def assign(request: Request) -> Response:
    """Assigns the chosen alerts, or the one whose button was pressed."""
    sent = form(request)
    back = own_path(sent.text("back"), "/inbox")
    taken = sent.text("take")
    keys = [taken] if taken else sent.all("alert")[:MAX_SELECTED]
    alerts = [AlertReference(publisher=publisher, alert_id=alert_id) for publisher, alert_id in map(_parts, keys)]
    if not alerts:
        return redirect(_with(back, "none"))
    chosen = ME if taken else sent.text("assignee")
    response = await client(request).casework.assign(alerts, NOBODY if chosen == "nobody" else chosen)
    return redirect(_with(back, "assigned" if response.changed else "unchanged"))


async def save_view(request: Request) -> Response:
    """Saves the present filters under a name."""
    sent = form(request)
    query = InboxQuery.of(sent.all)
    name = sent.required("name", _("Give the view a name."))
    if sent.problems:
        return redirect(_with(f"/inbox?{query.text}", ""))
    view = SavedView(
        view_id=sent.text("request_id") or new_request_id(),
        name=name[:64],
        shared_with=sent.text("shared_with"),
        filter=query.filter,
        order=query.ordering,
    )
    saved = await client(request).casework.save_view(view)
    return redirect(f"/inbox?view={saved.view_id}&done=saved")


async def delete_view(request: Request) -> Response:
    """Deletes a view."""
    await client(request).casework.delete_view(request.path_params["view_id"])
    return redirect("/inbox?done=deleted")


async def live(request: Request) -> Response:
    """Says that alerts changed, or what colleagues do with them."""
    return console_of(request).live.response(request, "inbox")


async def inbox_changes(client: GatewayClient) -> AsyncGenerator[Change, None]:
    """What changes in the inbox, from now on: the gateway's first answer says that it watches."""
    watching = False
    async with aclosing(client.casework.watch_inbox()) as responses:
        async for response in responses:
            if not watching:
                watching = True
                yield ANYTHING
            for change in response.changes:
                yield {
                    "publisher": change.alert.publisher,
                    "alert_id": change.alert.alert_id,
                    "event": change.events[0] if change.events else "",
                }


async def _asked(request: Request) -> tuple[InboxQuery, Sequence[SavedView], SavedView | None]:
    """What the address line asks for: filters, or a saved view; and all views."""
    views = await client(request).casework.views()
    named = request.query_params.get("view", "")
    current = next((view for view in views if view.view_id == named), None)
    if current is not None:
        return InboxQuery.of_view(current.filter, current.order), views, current
    return InboxQuery.of(request.query_params.getlist), views, None


def _person(request: Request) -> str:
    return session(request).person


def _href(query: InboxQuery, current: SavedView | None, *, after: str = "") -> str:
    pairs = [("view", current.view_id)] if current is not None else query.pairs
    text = urlencode([*pairs, *([("after", after)] if after else [])])
    return f"/inbox?{text}" if text else "/inbox"


def _with(path: str, done: str) -> str:
    if not done:
        return path
    return f"{path}{'&' if '?' in path else '?'}{urlencode({'done': done})}"


def _parts(key: str) -> tuple[str, str]:
    publisher, _slash, alert_id = key[:100].partition("/")
    return publisher, alert_id


routes = [
    page_route("/live/inbox", live),
    page_route("/inbox", show),
    page_route("/inbox/body", body),
    page_route("/inbox/assign", assign, methods=("POST",)),
    page_route("/inbox/views", save_view, methods=("POST",)),
    page_route("/inbox/views/{view_id}/delete", delete_view, methods=("POST",)),
]
navigation = NavigationEntry(path="/inbox", title=lambda: _("Inbox"), icon="inbox", order=10, roles=READERS)
