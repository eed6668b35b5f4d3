"""Announces maintenance of this node to all partners, and ends it; asked before it is told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.flow import Carried, Flow
from gateway.console.form import Form
from gateway.console.page import client, console_of, has_role, page_route, reader_locale, redirect, render
from gateway.console.pages.operations.parts import OPERATOR, tabs
from gateway.translation.messages import gettext as _
from gateway.v1.maintenance_pb2 import AnnouncedMaintenance

Announced = Sequence[AnnouncedMaintenance]
Window = tuple[datetime, datetime, str]
"""From when until when, and why."""

PATH: Final = "/operations/maintenance"


async def _announced(request: Request) -> Announced:
    return (await client(request).node.status()).maintenance


async def _read(request: Request, announced: Announced, sent: Form) -> Window | None:
    zone = reader_locale(request).zone
    starts, ends = sent.moment("starts", zone), sent.moment("ends", zone)
    reason = sent.required("reason", _("Say what partners are to know."))
    if starts and ends and ends <= starts:
        sent.problems["ends"] = _("It must end after its start.")
    if ends and ends <= datetime.now(UTC):
        sent.problems["ends"] = _("It must end in the future.")
    return (starts, ends, reason) if starts and ends else None


async def _check(request: Request, announced: Announced, window: Window, hidden: Carried) -> Response:
    starts, ends, reason = window
    return render(
        request,
        "operations/maintenance_preview.html",
        title=_("Announce maintenance"),
        starts=starts,
        ends=ends,
        reason=reason,
        hidden=hidden,
    )


async def _send(request: Request, announced: Announced, window: Window) -> Response:
    starts, ends, reason = window
    await client(request).node.set_maintenance(starts, ends, reason=reason)
    return redirect(PATH)


async def end(request: Request) -> Response:
    """Tells partners that it has ended, or won't take place."""
    await client(request).node.end_maintenance()
    return redirect(PATH)


async def _show(request: Request, announced: Announced, sent: Form, status: int) -> Response:
    own = console_of(request).client.node_name
    return render(
        request,
        "operations/maintenance.html",
        title=_("Maintenance"),
        status=status,
        tabs=tabs(request),
        may_operate=has_role(request, OPERATOR),
        form=sent,
        own=[one for one in announced if one.node == own],
        partners=[one for one in announced if one.node != own],
    )


_FLOW: Final = Flow(
    subject=_announced,
    show=_show,
    read=_read,
    check=_check,
    send=_send,
    violations={
        "window.starts_at": "starts",
        "window.ends_at": "ends",
        "window.reason": "reason",
        "window": "ends",
    },
)

routes = [*_FLOW.routes(PATH), page_route(f"{PATH}/end", end, methods=("POST",))]
