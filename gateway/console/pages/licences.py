"""Licences with what is left of them, one with its balance as a picture, and changes that wait for a second person."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from gateway.client import new_request_id
from gateway.console.form import Form
from gateway.console.navigation import NavigationEntry
from gateway.console.page import client, has_role, page_route, render
from gateway.console.proposals import Decision, decided, is_proposer
from gateway.console.views.licences import (
    balance_picture,
    balance_rows,
    breach_rows,
    change_rows,
    content_rows,
    licence_rows,
    proposal_title,
    report_rows,
)
from gateway.errors import NotFoundError
from gateway.translation.messages import gettext as _
from gateway.v1.licence_pb2 import LicenceReference
from gateway.v1.licence_service_pb2 import DecideLicenceProposalRequest, ListedLicenceProposal

PAGE_SIZE: Final = 50
READING: Final = frozenset({"publisher", "officer", "analyst", "supervisor", "auditor"})
"""Roles that may see licences."""

_PROPOSING: Final = ("publisher", "officer", "supervisor", "auditor")
"""Roles that may see changes that wait."""


async def show_all(request: Request) -> Response:
    """A page of licences; all, or those with breaches."""
    breached, token = request.query_params.get("breached") == "yes", request.query_params.get("page", "")
    page = await client(request).licences.page(
        filter="breached = yes" if breached else "", page_size=PAGE_SIZE, page_token=token
    )
    kept = {"breached": "yes"} if breached else {}
    following = urlencode({**kept, "page": page.next_page_token}) if page.next_page_token else ""
    return render(
        request,
        "licences/list.html",
        title=_("Licences"),
        rows=licence_rows(page.licences),
        breached=breached,
        open_proposals=await _open_proposals(request),
        next_href=f"/licences?{following}" if following else "",
        first_href="/licences?" + urlencode(kept) if token else "",
    )


async def show(request: Request) -> Response:
    """One licence."""
    reference = LicenceReference(issuer=request.path_params["issuer"], number=request.path_params["number"])
    response = await client(request).licences.get(reference)
    return render(
        request,
        "licences/show.html",
        title=_("Licence {name}", name=reference.number),
        response=response,
        content=content_rows(response.licence.newest.content),
        picture=balance_picture(response),
        balance=balance_rows(response),
        breaches=breach_rows(response),
        reports=report_rows(response),
    )


async def show_proposals(request: Request) -> Response:
    """All changes that wait, oldest first."""
    token = request.query_params.get("page", "")
    page = await client(request).licences.proposals_page(page_size=25, page_token=token)
    return render(
        request,
        "licences/proposals.html",
        title=_("Proposals"),
        proposals=[
            (f"/licences/proposals/{one.proposal.proposal_id}", proposal_title(one), one) for one in page.proposals
        ],
        next_href=f"/licences/proposals?page={page.next_page_token}" if page.next_page_token else "",
        first_href="/licences/proposals" if token else "",
        done=request.query_params.get("done", ""),
    )


async def show_proposal(request: Request) -> Response:
    """What one would change."""
    return await _proposal_page(request, Form.with_values({"request_id": new_request_id()}))


async def decide(request: Request) -> Response:
    """Approves or rejects, with the person's passkey where there is one."""
    return await decided(
        request, DECISION, approval=_("Approve a change of a licence"), rejection=_("Reject a change of a licence")
    )


async def _proposal_page(request: Request, sent: Form) -> Response:
    listed = await _proposal(request)
    return render(
        request,
        "licences/proposal.html",
        title=proposal_title(listed),
        status=200 if sent.is_good else 422,
        form=sent,
        listed=listed,
        rows=change_rows(listed),
        may_decide=has_role(request, "supervisor"),
        is_proposer=is_proposer(request, listed.proposer),
    )


async def _proposal(request: Request) -> ListedLicenceProposal:
    async for listed in client(request).licences.proposals():
        if listed.proposal.proposal_id == request.path_params["proposal_id"]:
            return listed
    raise NotFoundError(_("This proposal doesn't wait any more: it was decided, or there is none."))


async def _open_proposals(request: Request) -> int | None:
    if not has_role(request, *_PROPOSING):
        return None
    return len((await client(request).licences.proposals_page(page_size=100)).proposals)


DECISION: Final = Decision(
    "/gateway.v1.LicenceService/DecideLicenceProposal",
    DecideLicenceProposalRequest,
    lambda acting: acting.licences.decide,
    _proposal_page,
    "/licences/proposals",
)

routes = [
    page_route("/licences", show_all),
    page_route("/licences/proposals", show_proposals),
    page_route("/licences/proposals/{proposal_id}", show_proposal),
    page_route("/licences/proposals/{proposal_id}", decide, methods=("POST",)),
    page_route("/licences/{issuer}/{number:path}", show),
]
navigation = NavigationEntry(path="/licences", title=lambda: _("Licences"), icon="seal", order=35, roles=READING)
