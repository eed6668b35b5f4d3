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
from gateway.console.filters import number
from gateway.console.form import Form, own_path
from gateway.console.languages import remembered
from gateway.console.listing import AskedList, ListPages, asked_list
from gateway.console.live import ANYTHING, Change
from gateway.console.navigation import NavigationEntry
from gateway.console.page import (
    client,
    console_of,
    form,
    has_role,
    page_route,
    redirect,
    render,
    session,
)
from gateway.console.views.acknowledgement import Reader
from gateway.console.views.inbox import filters_of, inbox_lines, mark_of, sections_of
from gateway.console.views.inbox_query import InboxQuery
from gateway.console.views.worklist import COMPACT, MOST_TABS, RowLayout, counted, list_tabs, loads_of, nobodys
from gateway.console.views.worklist import COOKIE as LAYOUT_COOKIE
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
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

CLOSERS: Final = frozenset({"publisher", "officer", "supervisor"})
"""Roles that close own alerts."""

LEADS: Final = frozenset({"supervisor"})
"""Roles that see who has how much."""

DONE: Final = {
    "assigned": N_("Assigned."),
    "unchanged": N_("Nothing had to be changed."),
    "undone": N_("Undone: no acknowledgement leaves."),
    "saved": N_("The view is saved."),
    "deleted": N_("The view is deleted."),
    "none": N_("Choose at least one alert first."),
}


async def show(request: Request) -> Response:
    """The page."""
    asked = await asked_list(client(request), request.query_params)
    query, current = asked.query, asked.current
    all_chosen = _all_chosen(request)
    page, colleagues, counted_tabs = await asyncio.gather(
        asked.page(client(request), size=MAX_SELECTED if all_chosen else PAGE_SIZE),
        client(request).casework.colleagues(),
        _tabs(request, asked),
    )
    done = request.query_params.get("done", "")
    title = current.name if current is not None else _("Inbox")
    return render(
        request,
        "inbox/show.html",
        title=title,
        tabs=counted_tabs,
        tabs_part=f"/inbox/tabs?{asked.text()}".rstrip("?"),
        may_lead=has_role(request, *LEADS),
        shared_with=[(role, _(text)) for role, text in SHARED_WITH.items() if has_role(request, role)],
        current=current,
        filters=filters_of(query, page, colleagues, person=_person(request), node=console_of(request).client.node_name),
        searching=bool(query.q),
        done=_(DONE[done]) if done in DONE else "",
        done_kind="warn" if done == "none" else "good",
        pages=ListPages.of(asked, request.query_params, page, size=PAGE_SIZE),
        total=number(page.total) + ("+" if page.more_than_total else ""),
        part=_part(asked, page.rows, all_chosen=all_chosen),
        form=Form.with_values({"request_id": new_request_id()}),
        **_rows(request, asked, rows=page.rows, page=page, colleagues=colleagues),
        all_chosen=all_chosen,
        check_all=all_chosen,
        new=0,
    )


async def tabs(request: Request) -> Response:
    """The tabs of an open page with their counts as they are now."""
    asked = await asked_list(client(request), request.query_params)
    return render(
        request,
        "inbox/tabs.html",
        title="",
        tabs=await _tabs(request, asked),
        back=asked.href(),
        may_lead=has_role(request, *LEADS),
    )


async def _tabs(request: Request, asked: AskedList) -> list[tuple[str, str, str | None]]:
    made = list_tabs(asked.views)
    counts = await client(request).casework.inbox_counts(tab.asked for tab in made[:MOST_TABS])
    return counted(made, counts)


async def load(request: Request) -> Response:
    """Who has how much, and what of it is overdue."""
    colleagues, counts = await asyncio.gather(
        client(request).casework.colleagues(), client(request).casework.inbox_counts(nobodys())
    )
    return render(request, "inbox/load.html", title=_("By person"), loads=loads_of(colleagues, counts))


async def choose_layout(request: Request) -> Response:
    """Keeps in the browser how rows look."""
    sent = form(request)
    chosen = RowLayout.chosen([*sent.all("part"), *sent.all(COMPACT)])
    return remembered(redirect(own_path(sent.text("back"), "/inbox")), LAYOUT_COOKIE, chosen.text)


async def body(request: Request) -> Response:
    """The rows of an open page as they are now, in their places, and how many others have come."""
    asked = await asked_list(client(request), request.query_params)
    shown = [one for one in request.query_params.get("shown", "").split(",") if one][:MAX_SELECTED]
    page, colleagues = await asyncio.gather(
        asked.page(client(request), size=LIVE_SIZE), client(request).casework.colleagues()
    )
    rows = {mark_of(row): row for row in page.rows}
    kept = [rows[mark] for mark in shown if mark in rows]
    return render(
        request,
        "inbox/body.html",
        title="",
        new=_new(list(rows), shown),
        **_rows(request, asked, rows=kept, page=page, colleagues=colleagues),
        all_chosen=_all_chosen(request),
        check_all=False,  # an open page keeps what the person has chosen
    )


def _new(marks: Sequence[str], shown: Sequence[str]) -> int:
    """How many rows an open page lacks: those before its last one, and after it where the page has room."""
    places = [at for at, mark in enumerate(marks) if mark in shown]
    end = places[-1] + 1 if places and len(shown) >= PAGE_SIZE else len(marks)
    return sum(mark not in shown for mark in marks[:end])


def _all_chosen(request: Request) -> bool:
    return request.query_params.get("choose", "") == "all"


def _part(asked: AskedList, rows: Sequence[InboxRow], *, all_chosen: bool) -> str:
    """Path of the rows of an open page."""
    choose = {"choose": "all"} if all_chosen else {}
    shown = urlencode({"shown": ",".join(map(mark_of, rows))} | choose, safe=",")
    text = asked.text(after=asked.after)
    return f"/inbox/body?{text}&{shown}" if text else f"/inbox/body?{shown}"


def _rows(
    request: Request,
    asked: AskedList,
    *,
    rows: Sequence[InboxRow],
    page: ListInboxResponse,
    colleagues: Sequence[Colleague],
) -> dict[str, Any]:
    """What the rows' template uses."""
    reader = reader_of(request, colleagues)
    lines = inbox_lines(rows, reader=reader, asked=asked.text(after=asked.after))
    return {
        "lines": lines,
        "unsent": inbox_lines(page.unsent, reader=reader, asked=""),
        "sections": sections_of(lines, page.facets, by_urgency=not asked.query.order),
        "query": asked.query,
        "page_of": page,
        "layout": RowLayout.of(request.cookies.get(LAYOUT_COOKIE)),
        "colleagues": [one for one in colleagues if one.person != reader.person],
        "may_change": has_role(request, *DESKS),
        "may_acknowledge": reader.may_acknowledge,
        "may_close": has_role(request, *CLOSERS),
        "back": asked.href(after=asked.after),
        "choose_href": f"{asked.href(after=asked.after)}{'&' if asked.text(after=asked.after) else '?'}choose=all",
    }


def reader_of(request: Request, colleagues: Sequence[Colleague]) -> Reader:
    """The person of a request, as pages speak to it."""
    names = {one.person: one.display_name for one in colleagues}
    return Reader(_person(request), session(request).roles, names, datetime.now(UTC))


async def save_view(request: Request) -> Response:
    """Saves the present filters under a name."""
    sent = form(request)
    query = InboxQuery.of(sent.all)
    name = sent.required("name", _("Give the view a name."))
    if sent.problems:
        return redirect(f"/inbox?{query.text}")
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


def _person(request: Request) -> str:
    return session(request).person


routes = [
    page_route("/live/inbox", live),
    page_route("/inbox", show),
    page_route("/inbox/body", body),
    page_route("/inbox/tabs", tabs),
    page_route("/inbox/load", load, roles=LEADS),
    page_route("/inbox/layout", choose_layout, methods=("POST",)),
    page_route("/inbox/views", save_view, methods=("POST",)),
    page_route("/inbox/views/{view_id}/delete", delete_view, methods=("POST",)),
]
navigation = NavigationEntry(path="/inbox", title=lambda: _("Inbox"), icon="inbox", order=10, roles=READERS)
