"""Announces maintenance of this node to all partners, and ends it; asked before it is told."""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.form import Form
from gateway.console.page import client, console_of, form, page_route, reader_locale, redirect, render
from gateway.console.pages.operations.parts import tabs
from gateway.errors import InvalidRequestError
from gateway.translation.messages import gettext as _


async def show(request: Request) -> Response:
    """What is announced, and the form."""
    return await _page(request, Form())


async def announce(request: Request) -> Response:
    """Shows what partners will be told; the second time tells it."""
    sent, zone = form(request), reader_locale(request).zone
    if sent.text("edit"):
        return await _page(request, sent)
    starts, ends = sent.moment("starts", zone), sent.moment("ends", zone)
    reason = sent.required("reason", _("Say what partners are to know."))
    if starts and ends and ends <= starts:
        sent.problems["ends"] = _("It must end after its start.")
    if ends and ends <= datetime.now(UTC):
        sent.problems["ends"] = _("It must end in the future.")
    if not sent.is_good or starts is None or ends is None:
        return await _page(request, sent, status=422)
    if not sent.text("confirmed"):
        hidden = {name: values for name, values in sent.values.items() if name not in ("csrf", "confirmed", "edit")}
        return render(
            request,
            "operations/maintenance_preview.html",
            title=_("Announce maintenance"),
            starts=starts,
            ends=ends,
            reason=reason,
            hidden=hidden,
        )
    try:
        await client(request).node.set_maintenance(starts, ends, reason=reason)
    except InvalidRequestError as error:
        sent.add_violations(
            error, {"window.starts_at": "starts", "window.ends_at": "ends", "window.reason": "reason", "window": "ends"}
        )
        return await _page(request, sent, status=422)
    return redirect("/operations/maintenance")


async def end(request: Request) -> Response:
    """Tells partners that it has ended, or won't take place."""
    await client(request).node.end_maintenance()
    return redirect("/operations/maintenance")


async def _page(request: Request, sent: Form, *, status: int = 200) -> Response:
    announced = (await client(request).node.status()).maintenance
    own = console_of(request).client.node_name
    return render(
        request,
        "operations/maintenance.html",
        title=_("Maintenance"),
        status=status,
        tabs=tabs(request),
        form=sent,
        own=[one for one in announced if one.node == own],
        partners=[one for one in announced if one.node != own],
    )


routes = [
    page_route("/operations/maintenance", show),
    page_route("/operations/maintenance", announce, methods=("POST",)),
    page_route("/operations/maintenance/end", end, methods=("POST",)),
]
