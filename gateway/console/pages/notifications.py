"""Notifications of the person: the bell in every page's head, the list, and what was read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from gateway.client import GatewayClient
from gateway.console.live import ANYTHING, NEWEST, Change
from gateway.console.page import client, console_of, form, page_route, redirect, render, rendered
from gateway.console.pages.watchlists.match_groups import GROUPS
from gateway.console.views.alerts.sending import when_published
from gateway.console.views.words import capitalised
from gateway.contract.enum_words import word_of, words
from gateway.errors import InvalidRequestError, MethodUnknownError, Violation
from gateway.translation.messages import gettext as _
from gateway.translation.notification_texts import KIND_NAMES, priority_letter, sentence_of
from gateway.v1.notification_service_pb2 import (
    ListNotificationsResponse,
    Notification,
    NotificationKind,
    NotificationKindCount,
)

PATH: Final = "/notifications"

PAGE_ROWS: Final = 50
"""Notifications on a page."""

MOST_SHOWN: Final = 99
"""The bell counts no further."""

MINUTE_S: Final = 60
"""Times are shown in minutes."""

MATCHES: Final = "/watchlists/matches"

_BAD = frozenset(
    {
        NotificationKind.NOTIFICATION_KIND_DEADLINE_PASSED,
        NotificationKind.NOTIFICATION_KIND_ALARM,
        NotificationKind.NOTIFICATION_KIND_BREAK_GLASS,
    }
)


@dataclass(frozen=True, slots=True)
class ShownNotification:
    """One row of the list: `path` leads to what it is about; `began_earlier`: its matches are of several minutes."""

    message: Notification
    sentence: str
    kind: str
    letter: str
    path: str
    about: str
    is_bad: bool
    began_earlier: bool

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
            began_earlier=message.matches > 1 and message.occurred_at.seconds - message.since.seconds >= MINUTE_S,
        )


def _about(message: Notification) -> str:
    """The alert that it is about, in words."""
    alert = message.alert
    return f"{alert.publisher.upper()}, {when_published(alert.alert_id)}" if alert.alert_id else ""


def path_of(message: Notification) -> str:
    """Where a person goes from a notification."""
    if message.alert.alert_id:
        return f"/alerts/{message.alert.publisher}/{message.alert.alert_id}"
    if message.match_id:
        return f"{GROUPS}/entry/{message.match_id}" if message.matches > 1 else f"{MATCHES}/{message.match_id}"
    if message.proposal_id:
        return f"/watchlists/proposals/{message.proposal_id}"
    if message.hit_id:
        return f"/watchlists/hits/{message.hit_reporter or message.partner}/{message.hit_id}"
    if message.screening_report:
        return f"/watchlists/changes/{message.screening_report}"
    return f"/law?since={message.control_day}" if message.control_day else "/operations"


@dataclass(frozen=True, slots=True)
class NotificationFilter:
    """What of the list is shown; `kind` 0: all kinds."""

    unread: bool = False
    kind: NotificationKind.ValueType = NotificationKind.NOTIFICATION_KIND_UNSPECIFIED

    @classmethod
    def of(cls, values: Mapping[str, str]) -> NotificationFilter:
        """From an address or a form; an unknown kind is none."""
        kind = NotificationKind.ValueType(words(NotificationKind).get(values.get("kind", ""), 0))
        return cls(values.get("show") == "unread", kind)

    @property
    def parts(self) -> dict[str, str]:
        """As an address or a form has them."""
        kind = {"kind": word_of(NotificationKind, self.kind)} if self.kind else {}
        return ({"show": "unread"} if self.unread else {}) | kind

    def href(self, token: str = "", path: str = PATH) -> str:
        """Address of a page of the list."""
        parts = self.parts | ({"after": token} if token else {})
        return f"{path}?{urlencode(parts)}" if parts else path


async def show(request: Request) -> Response:
    """The list, newest first."""
    chosen, token = NotificationFilter.of(request.query_params), request.query_params.get("after", "")
    try:
        page = await _page(request, chosen, token, count_kinds=True)
    except MethodUnknownError:
        return render(request, "notifications/off.html", title=_("Notifications"))
    everything = NotificationFilter(kind=chosen.kind), NotificationFilter(unread=True, kind=chosen.kind)
    of_kind = [one for one in page.counts if chosen.kind in (0, one.kind)]
    numbers = sum(one.notifications for one in of_kind), sum(one.unread for one in of_kind)
    return render(
        request,
        "notifications/show.html",
        title=_("Notifications"),
        rows=[ShownNotification.of(one) for one in page.notifications],
        unread=page.unread,
        position=page.position,
        tabs=[(one.href(), name, number) for one, name, number in zip(everything, _tab_names(), numbers, strict=True)],
        here=chosen.href(),
        chosen=chosen,
        kinds=_kind_options(page.counts, chosen),
        next_href=chosen.href(page.next_page_token) if page.next_page_token else "",
        first_href=chosen.href() if token else "",
        fragment=chosen.href(token, f"{PATH}/rows"),
    )


async def show_rows(request: Request) -> Response:
    """The list's rows alone, for a page that is open."""
    chosen = NotificationFilter.of(request.query_params)
    page = await _page(request, chosen, request.query_params.get("after", ""))
    rows = [ShownNotification.of(one) for one in page.notifications]
    return render(request, "notifications/rows.html", title="", rows=rows, chosen=chosen)


async def _page(
    request: Request, chosen: NotificationFilter, token: str, *, count_kinds: bool = False
) -> ListNotificationsResponse:
    return await client(request).notifications.page(
        unread=chosen.unread,
        kinds=[chosen.kind] if chosen.kind else (),
        page_size=PAGE_ROWS,
        page_token=token,
        count_kinds=count_kinds,
    )


def _tab_names() -> tuple[str, str]:
    return _("All"), _("Unread")


def _kind_options(counts: Iterable[NotificationKindCount], chosen: NotificationFilter) -> list[tuple[str, str, bool]]:
    """Kinds of which there are any, with their numbers; and the one that is chosen."""
    numbers = {one.kind: one.unread if chosen.unread else one.notifications for one in counts}
    named = {kind: number for kind, number in numbers.items() if number or kind == chosen.kind}
    if chosen.kind:
        named.setdefault(chosen.kind, 0)
    options = [
        (
            word_of(NotificationKind, kind),
            _("{name} ({number})", name=capitalised(_(KIND_NAMES.get(kind, ""))), number=number),
            kind == chosen.kind,
        )
        for kind, number in named.items()
    ]
    every = _("{name} ({number})", name=_("All kinds"), number=sum(numbers.values()))
    return [("", every, not chosen.kind), *sorted(options, key=lambda option: option[1])]


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
    return redirect(NotificationFilter.of({"show": sent.text("show"), "kind": sent.text("kind")}).href())


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


def _position(text: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) <= 18:
        return int(text)
    raise InvalidRequestError([Violation("position", "notification.position", "not a notification's position")])


routes = [
    page_route(PATH, show),
    page_route(f"{PATH}/rows", show_rows),
    page_route(f"{PATH}/bell", bell),
    page_route(f"{PATH}/read", mark_read, methods=("POST",)),
    page_route("/live/notifications", live),
]
