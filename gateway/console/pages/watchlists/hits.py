"""Hits of screening: those that partners report on own entries, to answer, and those that were found here."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.approvals import approving_client
from gateway.console.flow import Carried, Flow
from gateway.console.form import Form
from gateway.console.page import client, console_of, has_role, redirect, render
from gateway.console.pages.watchlists.paths import entry_path, hit_path
from gateway.console.views.lists.hits import OUTCOMES, HitView, hit_view, outcome_name
from gateway.errors import NotFoundError
from gateway.translation.messages import gettext as _
from gateway.v1.watchlist_service_pb2 import AnswerHitRequest

ANSWER: Final = "/gateway.v1.WatchlistService/AnswerHit"

PAGE_SIZE: Final = 25

ANSWERING: Final = ("officer", "supervisor")
"""Roles that may say what a hit turned out to be."""

_FILTERS: Final = {
    "waiting": 'publisher = "{own}" AND outcome = none',
    **{outcome: f'publisher = "{{own}}" AND outcome = {outcome}' for outcome in OUTCOMES},
    "found": 'reporter = "{own}"',
}
"""What the tabs show; only a filter of the gateway can page."""


def waiting_filter(own: str) -> str:
    """Hits on own entries that nobody has answered."""
    return _FILTERS["waiting"].format(own=own)


async def show_hits(request: Request) -> Response:
    """Hits of one tab, newest first."""
    show = request.query_params.get("show", "waiting")
    show = show if show in _FILTERS else "waiting"
    token = request.query_params.get("page", "")
    own = console_of(request).client.node_name
    page = await client(request).screening.hits_page(
        filter=_FILTERS[show].format(own=own), page_size=PAGE_SIZE, page_token=token
    )
    here = f"/watchlists/hits?show={show}"
    return render(
        request,
        "watchlists/hits.html",
        title=_("Hits"),
        hits=[(hit_view(listed), hit_path(listed.reporter, listed.hit.hit_id)) for listed in page.hits],
        here=here,
        own=own,
        next_href=f"{here}&page={page.next_page_token}" if page.next_page_token else "",
        first_href=here if token else "",
        done=request.query_params.get("done", ""),
    )


async def _read(request: Request, view: HitView, sent: Form) -> AnswerHitRequest:
    outcome = OUTCOMES.get(sent.text("outcome"), 0)
    if not outcome:
        sent.problems["outcome"] = _("Choose what it turned out to be.")
    return AnswerHitRequest(
        request_id=sent.text("request_id"),
        reporter=view.listed.reporter,
        hit_id=view.hit.hit_id,
        outcome=outcome,  # type: ignore[arg-type]
        remarks=sent.text("remarks"),
    )


async def _send(request: Request, view: HitView, message: AnswerHitRequest) -> Response:
    what = _("Say what a hit turned out to be")
    acting = await approving_client(request, ANSWER, message, what=what, back=request.url.path)
    if isinstance(acting, Response):
        return acting
    await acting.screening.answer(
        message.reporter, message.hit_id, message.outcome, remarks=message.remarks, request_id=message.request_id
    )
    return redirect("/watchlists/hits?done=answered")


async def _show(request: Request, view: HitView, sent: Form, status: int) -> Response:
    own = console_of(request).client.node_name
    return render(
        request,
        "watchlists/hit.html",
        title=_("Hit: {name}", name=view.title),
        status=status,
        form=sent,
        view=view,
        entry_href=entry_path(view.hit.entry),
        is_own=view.hit.entry.publisher == own,
        found_here=view.listed.reporter == own,
        may_answer=view.hit.entry.publisher == own and has_role(request, *ANSWERING),
        outcomes=[(word, outcome_name(value), "") for word, value in OUTCOMES.items()],
    )


async def _check(request: Request, view: HitView, message: AnswerHitRequest, hidden: Carried) -> Response:
    own = console_of(request).client.node_name
    return render(
        request,
        "watchlists/hit_check.html",
        title=_("Check what will be sent"),
        view=view,
        recipient="" if view.listed.reporter == own else view.listed.reporter,
        outcome=outcome_name(message.outcome),
        remarks=message.remarks,
        hidden=hidden,
        path=request.url.path,
    )


async def _hit(request: Request) -> HitView:
    reporter, hit_id = request.path_params["reporter"], request.path_params["hit_id"]
    try:
        UUID(hit_id)
    except ValueError:
        raise NotFoundError(_("There is no such hit.")) from None
    page = await client(request).screening.hits_page(filter=f'hit_id = "{hit_id}"', page_size=10)
    listed = next((one for one in page.hits if one.reporter == reporter), None)
    if listed is None:
        raise NotFoundError(_("There is no such hit."))
    return hit_view(listed)


ANSWERING_HIT: Final = Flow(
    subject=_hit,
    show=_show,
    read=_read,
    check=_check,
    send=_send,
    violations={"remarks": "remarks", "outcome": "outcome"},
)
