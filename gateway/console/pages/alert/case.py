"""What colleagues do with an alert, on its page: who deals with it, notes, watch marks."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.client import new_request_id
from gateway.client.casework import ME, NOBODY
from gateway.console.page import client, form, has_role, page_route, redirect
from gateway.console.pages.alert.path import reference
from gateway.console.pages.inbox import reader_of
from gateway.console.views.alerts.alert import AlertView
from gateway.console.views.alerts.case import CaseView, case_view

MAX_NOTE_CHARS: Final = 8_192

DESKS: Final = frozenset({"publisher", "officer", "analyst", "supervisor"})
"""Roles that may assign and write."""


async def load_case(request: Request, view: AlertView) -> CaseView:
    """The section of an alert's page."""
    case, colleagues = await asyncio.gather(
        client(request).casework.case(view.reference), client(request).casework.colleagues()
    )
    return case_view(
        case,
        colleagues,
        reader=reader_of(request, colleagues),
        may_change=has_role(request, *DESKS),
        may_erase_any=has_role(request, "supervisor"),
        request_id=new_request_id(),
    )


async def assign(request: Request) -> Response:
    """Assigns the alert."""
    sent = form(request)
    chosen = sent.text("assignee") or sent.text("to") or ME
    await client(request).casework.assign([reference(request)], NOBODY if chosen == "nobody" else chosen)
    return _back(request)


async def add_note(request: Request) -> Response:
    """Adds a note; an empty one is none."""
    sent = form(request)
    text = sent.text("text").replace("\r\n", "\n")[:MAX_NOTE_CHARS]
    if text:
        await client(request).casework.add_note(reference(request), text, request_id=sent.text("request_id") or None)
    return _back(request)


async def erase_note(request: Request) -> Response:
    """Erases the text of a note."""
    await client(request).casework.erase_note(reference(request), form(request).text("note_id"))
    return _back(request)


async def watch(request: Request) -> Response:
    """Sets or removes the person's watch mark."""
    watched = form(request).text("watched") == "1"
    await client(request).casework.set_watch_mark(reference(request), watched=watched)
    return _back(request)


def _back(request: Request) -> Response:
    alert = reference(request)
    return redirect(f"/alerts/{alert.publisher}/{alert.alert_id}#case")


_ALERT: Final = "/alerts/{publisher}/{alert_id}"

routes = [
    page_route(f"{_ALERT}/assign", assign, methods=("POST",)),
    page_route(f"{_ALERT}/notes", add_note, methods=("POST",)),
    page_route(f"{_ALERT}/notes/erase", erase_note, methods=("POST",)),
    page_route(f"{_ALERT}/watch", watch, methods=("POST",)),
]
