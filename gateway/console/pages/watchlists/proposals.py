"""Proposals of changes: what each would change, to approve or reject by somebody else than who proposed it."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.client import GatewayClient, new_request_id
from gateway.console.form import Form
from gateway.console.page import client, console_of, has_role, render
from gateway.console.pages.watchlists.lists import moment_of
from gateway.console.pages.watchlists.paths import entry_path
from gateway.console.proposals import Decision, decided
from gateway.console.views.lists.entries import changed_lines, title_of
from gateway.errors import NotFoundError
from gateway.translation.messages import gettext as _
from gateway.v1.watchlist_pb2 import WatchlistChange, WatchlistContent, WatchlistReference
from gateway.v1.watchlist_service_pb2 import DecideProposalRequest, Proposal

MAX_SHOWN: Final = 50
"""Changes of a proposal that are shown one by one."""


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
    """What one would change, entry by entry."""
    return await _page(request, Form.with_values({"request_id": new_request_id()}))


async def decide(request: Request) -> Response:
    """Approves or rejects, with the person's passkey where there is one."""
    return await decided(
        request,
        DECISION,
        approval=_("Approve a proposal for a watchlist"),
        rejection=_("Reject a proposal for a watchlist"),
    )


async def _page(request: Request, sent: Form) -> Response:
    gateway = client(request)
    proposal = await _proposal(gateway, request.path_params["proposal_id"])
    own = console_of(request).client.node_name
    changes = [await _change(gateway, own, change) for change in proposal.sample.changes[:MAX_SHOWN]]
    return render(
        request,
        "watchlists/proposal.html",
        title=_("Proposal for {list}", list=proposal.list),
        status=200 if sent.is_good else 422,
        form=sent,
        proposal=proposal,
        proposed_at=moment_of(proposal.proposed_at_unix_ms),
        changes=changes,
        not_shown=max(0, proposal.changes - len(changes)),
        may_decide=has_role(request, "supervisor"),
    )


async def _proposal(gateway: GatewayClient, proposal_id: str) -> Proposal:
    async for proposal in gateway.watchlist.proposals():
        if proposal.proposal_id == proposal_id:
            return proposal
    raise NotFoundError(_("This proposal doesn't wait any more: it was decided, or there is none."))


async def _change(gateway: GatewayClient, own: str, change: WatchlistChange) -> dict[str, Any]:
    """A change with what the entry says now."""
    is_end = change.WhichOneof("change") == "ended"
    list_name, entry_id = (change.ended.list, change.ended.id) if is_end else (change.entered.list, change.entered.id)
    reference = WatchlistReference(publisher=own, list=list_name, id=entry_id)
    present = await _present(gateway, reference)
    after = WatchlistContent() if is_end else change.entered.content
    return {
        "id": entry_id,
        "title": title_of(present if is_end else after, entry_id),
        "kind": "ended" if is_end else ("amended" if present != WatchlistContent() else "new"),
        "reason": change.ended.reason if is_end else "",
        "href": entry_path(reference) if present != WatchlistContent() else "",
        "lines": [] if is_end else changed_lines(present, after),
    }


async def _present(gateway: GatewayClient, reference: WatchlistReference) -> WatchlistContent:
    try:
        return (await gateway.watchlist.get(reference)).entry.content
    except NotFoundError:
        return WatchlistContent()


DECISION: Final = Decision(
    "/gateway.v1.WatchlistService/DecideProposal",
    DecideProposalRequest,
    lambda acting: acting.watchlist.decide,
    _page,
    "/watchlists/proposals",
)
