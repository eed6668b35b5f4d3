"""Notifications of the person: the bell in every page's head, the list, and what was read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from gateway.client import GatewayClient
from gateway.console.live import ANYTHING, NEWEST, Change
from gateway.console.page import client, console_of, form, page_route, redirect, render, rendered
from gateway.console.views.alerts.sending import when_published
from gateway.errors import InvalidRequestError, MethodUnknownError, Violation
from gateway.translation.messages import gettext as _
from gateway.translation.notification_texts import KIND_NAMES, priority_letter, sentence_of
from gateway.v1.notification_service_pb2 import Notification, NotificationKind

PAGE_ROWS: Final = 50
"""Notifications on a page."""

MOST_SHOWN: Final = 99
"""The bell counts no further."""

_BAD = frozenset(
    {
        NotificationKind.NOTIFICATION_KIND_DEADLINE_PASSED,
        NotificationKind.NOTIFICATION_KIND_ALARM,
        NotificationKind.NOTIFICATION_KIND_BREAK_GLASS,
    }
)


@dataclass(frozen=True, slots=True)
class ShownNotification:
    """One row of the list: `path` leads to what it is about."""

    message: Notification
    sentence: str
    kind: str
    letter: str
    path: str
    about: str
    is_bad: bool

    @classmethod
    def of(cls, message: Notification) -> ShownNotification:
        return cls(
            message=message,
            sentence=sentence_of(message),
            kind=_(KIND_NAMES.get(message.kind, "")),
            letter=priority_letter(message),
            path=path_of(message),
            about=_about(message),
            is_bad=message.kind in _BAD,
        )


def _about(message: Notification) -> str:
    """The alert that it is about, in words."""
    alert = message.alert
    return f"{alert.publisher.upper()}, {when_published(alert.alert_id)}" if alert.alert_id else ""


def path_of(message: Notification) -> str:
    """Where a person goes from a notification."""
    if message.alert.alert_id:
        return f"/alerts/{message.alert.publisher}/{message.alert.alert_id}"
    if message.proposal_id:
        return f"/watchlists/proposals/{message.proposal_id}"
    if message.hit_id:
        return f"/watchlists/hits/{message.hit_reporter or message.partner}/{message.hit_id}"
    if message.match_id:
        return f"/watchlists/matches/{message.match_id}"
    if message.screening_report:
        return f"/watchlists/changes/{message.screening_report}"
    return f"/law?since={message.control_day}" if message.control_day else "/operations"


async def show(request: Request) -> Response:
    """The list, newest first."""
    unread = request.query_params.get("show") == "unread"
    token = request.query_params.get("after", "")
    try:
        page = await client(request).notifications.page(unread=unread, page_size=PAGE_ROWS, page_token=token)
    except MethodUnknownError:
        return render(request, "notifications/off.html", title=_("Notifications"))
    return render(
        request,
        "notifications/show.html",
        title=_("Notifications"),
        rows=[ShownNotification.of(one) for one in page.notifications],
        unread=page.unread,
        position=page.position,
        only_unread=unread,
        next_href=_href(unread, page.next_page_token) if page.next_page_token else "",
        first_href=_href(unread, "") if token else "",
        fragment="/notifications/rows?" + urlencode({"show": "unread" if unread else "all", "after": token}),
    )


async def show_rows(request: Request) -> Response:
    """The list's rows alone, for a page that is open."""
    unread = request.query_params.get("show") == "unread"
    token = request.query_params.get("after", "")
    page = await client(request).notifications.page(unread=unread, page_size=PAGE_ROWS, page_token=token)
    return render(
        request, "notifications/rows.html", title="", rows=[ShownNotification.of(one) for one in page.notifications]
    )


async def bell(request: Request) -> Response:
    """The bell with its count, which every page asks for again when something comes."""
    try:
        unread = (await client(request).notifications.page(unread=True, page_size=1)).unread
    except MethodUnknownError:
        unread = 0
    shown = f"{MOST_SHOWN}+" if unread > MOST_SHOWN else str(unread)
    return Response(rendered(request, "notifications/bell.html", unread=unread, shown=shown), media_type="text/html")


async def mark_read(request: Request) -> Response:
    """Marks one notification, or all up to the newest that the page showed."""
    sent = form(request)
    positions = [_position(text) for text in sent.all("position")]
    up_to = _position(sent.text("up_to")) if sent.text("up_to") else 0
    if positions or up_to:
        await client(request).notifications.mark_read(positions, up_to=0 if positions else up_to)
    return redirect("/notifications?show=unread" if sent.text("show") == "unread" else "/notifications")


async def live(request: Request) -> Response:
    """Says that notifications of the person came or were read."""
    return console_of(request).live.response(request, "notifications")


async def notification_changes(acting: GatewayClient) -> AsyncGenerator[Change, None]:
    """Notifications that come or are read; nothing where the gateway has them off."""
    yield ANYTHING
    try:
        async with aclosing(acting.notifications.watch(NEWEST)) as changes:
            last: tuple[int, int] | None = None
            async for change in changes:
                state = change.position, change.unread
                if state != last:
                    last = state
                    yield {"event": "notified", "unread": str(change.unread)}
    except MethodUnknownError:
        await asyncio.Event().wait()  # until the page is left


def _href(unread: bool, token: str) -> str:
    parts = ({"show": "unread"} if unread else {}) | ({"after": token} if token else {})
    return f"/notifications?{urlencode(parts)}" if parts else "/notifications"


def _position(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= 18:
        return int(text)
    raise InvalidRequestError([Violation("position", "notification.position", "not a notification's position")])


routes = [
    page_route("/notifications", show),
    page_route("/notifications/rows", show_rows),
    page_route("/notifications/bell", bell),
    page_route("/notifications/read", mark_read, methods=("POST",)),
    page_route("/live/notifications", live),
]
