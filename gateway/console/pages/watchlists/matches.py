"""Matches that the gateway found: confirmed, which reports a hit, or dismissed, with the reason of either."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from gateway.client import GatewayClient, new_request_id
from gateway.console.agreed import agreed
from gateway.console.approvals import approving_client
from gateway.console.form import Form
from gateway.console.page import client, console_of, form, has_role, redirect, render
from gateway.console.pages.watchlists.match_groups import BY, group_path
from gateway.console.pages.watchlists.paths import entry_path
from gateway.console.views.alerts.field_names import error_text
from gateway.console.views.lists.matches import MatchGroupView, group_view, match_view
from gateway.errors import GatewayError, InvalidRequestError, Kind, NotFoundError
from gateway.translation.messages import gettext as _
from gateway.v1.match_pb2 import DecideMatchRequest, Match, MatchConfirmation, MatchDismissal, MatchStatus

DECIDE: Final = "/gateway.v1.WatchlistService/DecideMatch"

TABS: Final = ("open", "confirmed", "dismissed", "superseded")
"""Words of the status in filters."""

PAGE_SIZE: Final = 25

MAX_ALIKE: Final = 3
"""Groups that stand above the list."""

MIN_ALIKE: Final = 5
"""Matches of a group that does."""


async def show_matches(request: Request) -> Response:
    """Matches of one status, newest first."""
    status = request.query_params.get("status", "open")
    status = status if status in TABS else "open"
    token = request.query_params.get("page", "")
    page = await client(request).screening.matches_page(
        filter=f"status = {status}", page_size=PAGE_SIZE, page_token=token
    )
    here = f"/watchlists/matches?status={status}"
    return render(
        request,
        "watchlists/matches.html",
        title=_("Matches"),
        matches=[match_view(match) for match in page.matches],
        alike=await _alike(client(request)) if status == "open" and not token else [],
        here=here,
        next_href=f"{here}&page={page.next_page_token}" if page.next_page_token else "",
        first_href=here if token else "",
        done=request.query_params.get("done", ""),
    )


async def _alike(gateway: GatewayClient) -> list[tuple[str, MatchGroupView]]:
    """The largest groups of one entry, if they are worth a decision together."""
    page = await gateway.screening.match_groups(BY["entry"], page_size=MAX_ALIKE)
    groups = [group_view(group) for group in page.groups if group.matches >= MIN_ALIKE]
    return [(group_path(view, "entry"), view) for view in groups]


async def show_match(request: Request) -> Response:
    """One match with its explanation and what can be done about it."""
    return await _page(request, Form.with_values({"request_id": new_request_id()}))


async def decide_match(request: Request) -> Response:
    """Confirms it, which reports a hit, or dismisses it."""
    sent, match_id = form(request), request.path_params["match_id"]
    message = _decision(sent, match_id)
    if not sent.is_good:
        return await _page(request, sent)
    acting: GatewayClient | Response = client(request)
    try:
        if message.HasField("confirm"):
            what = _("Confirm a match and report the hit")
            acting = await approving_client(request, DECIDE, message, what=what, back=request.url.path)
        if isinstance(acting, Response):
            return acting
        await _send(acting, message)
    except InvalidRequestError as error:
        sent.add_violations(error, {"confirm.purpose": "purpose", "dismiss.reason": "reason"})
        return await _page(request, sent)
    except GatewayError as error:
        if error.kind not in (Kind.FAILED_PRECONDITION, Kind.PERMISSION_DENIED):
            raise
        sent.problems[""] = error_text(error)
        return await _page(request, sent)
    return redirect(f"/watchlists/matches?done={'confirmed' if message.HasField('confirm') else 'dismissed'}")


def _decision(sent: Form, match_id: str) -> DecideMatchRequest:
    message = DecideMatchRequest(request_id=sent.text("request_id"), match_id=match_id)
    if sent.text("decision") == "confirm":
        message.confirm.CopyFrom(
            MatchConfirmation(
                purpose=sent.text("purpose"),
                case_reference=sent.text("case_reference"),
                without_subject=sent.text("without_subject") == "yes",
            )
        )
    elif sent.text("decision") == "dismiss":
        message.dismiss.CopyFrom(
            MatchDismissal(reason=sent.required("reason", _("Say how you know that it is somebody else.")))
        )
    else:
        sent.problems["decision"] = _("Choose what it is.")
    return message


async def _send(acting: GatewayClient, message: DecideMatchRequest) -> None:
    if message.HasField("confirm"):
        await acting.screening.confirm(
            message.match_id,
            purpose=message.confirm.purpose,
            case_reference=message.confirm.case_reference,
            without_subject=message.confirm.without_subject,
            request_id=message.request_id,
        )
    else:
        await acting.screening.dismiss(message.match_id, message.dismiss.reason, request_id=message.request_id)


async def _page(request: Request, sent: Form) -> Response:
    match = await _match(client(request), request.path_params["match_id"])
    view = match_view(match)
    entry = match.hit.entry
    return render(
        request,
        "watchlists/match.html",
        title=_("Match: {name}", name=view.title),
        status=200 if sent.is_good else 422,
        form=sent,
        view=view,
        entry_href=entry_path(entry),
        purposes=(await agreed(request)).purpose_options(),
        is_own=entry.publisher == console_of(request).client.node_name,
        may_decide=has_role(request, "officer", "supervisor") and match.status == MatchStatus.MATCH_STATUS_OPEN,
    )


async def _match(gateway: GatewayClient, match_id: str) -> Match:
    try:
        UUID(match_id)
    except ValueError:
        raise NotFoundError(_("There is no such match.")) from None
    page = await gateway.screening.matches_page(filter=f'match_id = "{match_id}"', page_size=1)
    if not page.matches:
        raise NotFoundError(_("There is no such match."))
    return page.matches[0]
