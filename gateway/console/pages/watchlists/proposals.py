"""Proposals of changes: what each would change, to approve or reject by somebody else than who proposed it."""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from gateway.client import new_request_id
from gateway.client.estimates import HEAVY_PER_DAY, MatchCost, cost_of
from gateway.console.form import Form
from gateway.console.page import client, console_of, has_role, render
from gateway.console.pages.watchlists.lists import moment_of
from gateway.console.proposals import Decision, decided, is_proposer
from gateway.console.views.lists.proposals import (
    KINDS,
    file_columns,
    file_rows,
    proposed_view,
)
from gateway.console.views.spreadsheet import csv_of
from gateway.errors import GatewayError, Kind
from gateway.translation.messages import gettext as _
from gateway.v1.watchlist_service_pb2 import DecideProposalRequest, ProposedChangeKind

SAMPLE: Final = 12
"""Changes, from all over a proposal, that its page shows first."""

PAGE_SIZE: Final = 50
"""Changes on a page of all of them."""

MAX_SEARCH: Final = 256

ALL: Final = ProposedChangeKind.PROPOSED_CHANGE_KIND_UNSPECIFIED


async def show_proposals(request: Request) -> Response:
    """All that wait, oldest first."""
    token = request.query_params.get("page", "")
    page = await client(request).watchlist.proposals_page(page_size=25, page_token=token)
    return render(
        request,
        "watchlists/proposals.html",
        title=_("Proposals"),
        proposals=page.proposals,
        next_href=f"/watchlists/proposals?page={page.next_page_token}" if page.next_page_token else "",
        first_href="/watchlists/proposals" if token else "",
        done=request.query_params.get("done", ""),
    )


async def show_proposal(request: Request) -> Response:
    """What one would change: counts, what it costs, a sample, and all entries by search and page."""
    return await _page(request, Form.with_values({"request_id": new_request_id()}))


async def decide(request: Request) -> Response:
    """Approves or rejects, with the person's passkey where there is one."""
    return await decided(
        request,
        DECISION,
        approval=_("Approve a proposal for a watchlist"),
        rejection=_("Reject a proposal for a watchlist"),
    )


async def download(request: Request) -> Response:
    """All changes of a proposal as a table."""
    gateway, own = client(request), console_of(request).client.node_name
    proposal_id = request.path_params["proposal_id"]
    changes = [change async for change in gateway.watchlist.proposed_changes(proposal_id)]
    content = await asyncio.to_thread(lambda: csv_of(file_columns(), file_rows(changes, own)))
    headers = {"content-disposition": f'attachment; filename="proposal-{proposal_id}.csv"'}
    return Response(content, media_type="text/csv; charset=utf-8", headers=headers)


async def _page(request: Request, sent: Form) -> Response:
    gateway, own = client(request), console_of(request).client.node_name
    proposal_id, asked = request.path_params["proposal_id"], request.query_params
    search, kind, token = asked.get("search", "")[:MAX_SEARCH], asked.get("kind", ""), asked.get("page", "")
    is_sample = not (search or kind or token)
    preview = await gateway.watchlist.preview(
        proposal_id,
        search=search,
        kind=KINDS.get(kind, ALL),
        spread=is_sample,
        page_size=SAMPLE if is_sample else PAGE_SIZE,
        page_token=token,
    )
    here = f"/watchlists/proposals/{proposal_id}"
    filters = {"search": search, "kind": kind or "all"}
    return render(
        request,
        "watchlists/proposal.html",
        title=_("Proposal for {list}", list=preview.proposal.list),
        status=200 if sent.is_good else 422,
        form=sent,
        proposal=preview.proposal,
        proposed_at=moment_of(preview.proposal.proposed_at_unix_ms),
        preview=preview,
        changes=[proposed_view(change, own) for change in preview.changes],
        cost=await _cost(request, proposal_id) if is_sample else None,
        is_sample=is_sample,
        is_first=not token,
        search=search,
        kind=kind,
        kinds=[("new", _("new")), ("changed", _("amended")), ("withdrawn", _("withdrawn"))],
        heavy_per_day=HEAVY_PER_DAY,
        next_href=f"{here}?{urlencode(filters | {'page': preview.next_page_token})}" if preview.next_page_token else "",
        first_href=f"{here}?{urlencode(filters)}" if token else "",
        may_decide=has_role(request, "supervisor"),
        is_proposer=is_proposer(request, preview.proposal.proposer),
    )


async def _cost(request: Request, proposal_id: str) -> MatchCost | None:
    """What the entries would have matched; None while screening can't say."""
    try:
        return cost_of(await client(request).watchlist.estimate(proposal_id))
    except GatewayError as error:
        if error.kind not in (Kind.UNAVAILABLE, Kind.RESOURCE_EXHAUSTED):
            raise
        return None


DECISION: Final = Decision(
    "/gateway.v1.WatchlistService/DecideProposal",
    DecideProposalRequest,
    lambda acting: acting.watchlist.decide,
    _page,
    "/watchlists/proposals",
)
