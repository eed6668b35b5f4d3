"""Open matches that are alike, by entry or by party: explained once, and dismissed together with one reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from gateway.client import GatewayClient, new_request_id
from gateway.console.form import Form
from gateway.console.page import client, form, has_role, redirect, render
from gateway.console.pages.watchlists.paths import entry_path
from gateway.console.views.lists.matches import MatchGroupView, group_view, match_view
from gateway.errors import InvalidRequestError, NotFoundError
from gateway.translation.messages import gettext as _
from gateway.v1.match_pb2 import MatchGrouping

GROUPS: Final = "/watchlists/matches/alike"

PAGE_SIZE: Final = 25
SHOWN: Final = 50
"""Matches of a group that its page names; all of them are in its pages of matches."""

BY: Final[Mapping[str, MatchGrouping.ValueType]] = {
    "entry": MatchGrouping.MATCH_GROUPING_ENTRY,
    "party": MatchGrouping.MATCH_GROUPING_PARTY,
}


def group_path(view: MatchGroupView, by: str) -> str:
    """The page of a group."""
    return f"{GROUPS}/{by}/{view.newest.match.match_id}"


async def show_groups(request: Request) -> Response:
    """Groups, the largest first."""
    by = _by(request)
    token = request.query_params.get("page", "")
    page = await client(request).screening.match_groups(BY[by], page_size=PAGE_SIZE, page_token=token)
    here = f"{GROUPS}/{by}"
    return render(
        request,
        "watchlists/match_groups.html",
        title=_("Matches by entry") if by == "entry" else _("Matches by party"),
        groups=[(group_path(view, by), view) for view in map(group_view, page.groups)],
        by=by,
        here=here,
        next_href=f"{here}?{urlencode({'page': page.next_page_token})}" if page.next_page_token else "",
        first_href=here if token else "",
        dismissed=_number(request, "dismissed"),
        left=_number(request, "left"),
    )


async def show_group(request: Request) -> Response:
    """One group."""
    return await _page(request, Form.with_values({"request_id": new_request_id()}))


async def dismiss_group(request: Request) -> Response:
    """Dismisses all that were seen."""
    sent, by = form(request), _by(request)
    reason = sent.required("reason", _("Say how you know that none of them is the listed one."))
    if not sent.is_good:
        return await _page(request, sent)
    try:
        done = await client(request).screening.dismiss_alike(
            _match_id(request),
            BY[by],
            reason,
            newest_match_id=sent.text("newest"),
            request_id=sent.text("request_id"),
        )
    except InvalidRequestError as error:
        sent.add_violations(error, {"reason": "reason"})
        return await _page(request, sent)
    return redirect(f"{GROUPS}/{by}?{urlencode({'dismissed': done.dismissed, 'left': done.left})}")


async def _page(request: Request, sent: Form) -> Response:
    by, gateway = _by(request), client(request)
    view = await _group(gateway, _match_id(request), by)
    entry = view.newest.match.hit.entry
    of_entry = f'publisher = "{entry.publisher}" AND list = "{entry.list}" AND id = "{entry.id}"'
    alike = of_entry if by == "entry" else f'party_of = "{view.newest.match.match_id}"'
    page = await gateway.screening.matches_page(filter=f"status = open AND {alike}", page_size=SHOWN)
    return render(
        request,
        "watchlists/match_group.html",
        title=_("Matches of {name}", name=view.title(by)),
        status=200 if sent.is_good else 422,
        form=sent,
        by=by,
        group=view,
        view=view.newest,
        here=group_path(view, by),
        groups_href=f"{GROUPS}/{by}",
        entry_href=entry_path(entry),
        matches=[match_view(match) for match in page.matches],
        not_shown=max(0, view.group.matches - len(page.matches)),
        may_decide=has_role(request, "officer", "supervisor"),
    )


async def _group(gateway: GatewayClient, match_id: str, by: str) -> MatchGroupView:
    page = await gateway.screening.match_groups(BY[by], match_id=match_id)
    if not page.groups:
        raise NotFoundError(_("None of these matches is open any more."))
    return group_view(page.groups[0])


def _by(request: Request) -> str:
    by: str = request.path_params["by"]
    if by not in BY:
        raise NotFoundError(_("There are no such groups."))
    return by


def _match_id(request: Request) -> str:
    match_id: str = request.path_params["match_id"]
    try:
        return str(UUID(match_id))
    except ValueError:
        raise NotFoundError(_("There is no such match.")) from None


def _number(request: Request, name: str) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
