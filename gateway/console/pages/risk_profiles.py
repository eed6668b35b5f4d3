"""Risk profiles, one with its trial, adoption and report, and changes that wait for a second person."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.client import new_request_id
from gateway.console.form import Form
from gateway.console.navigation import NavigationEntry
from gateway.console.page import client, form, has_role, page_route, redirect, render
from gateway.console.proposals import Decision, decided
from gateway.console.views.alerts.field_names import error_text
from gateway.console.views.risk_profiles import (
    change_rows,
    profile_path,
    profile_proposal_title,
    profile_rows,
    profile_summary,
    trial_rows,
    use_rows,
)
from gateway.console.views.written import number_in
from gateway.errors import GatewayError, NotFoundError
from gateway.translation.messages import gettext as _
from gateway.v1.risk_profile_pb2 import RiskProfileReference
from gateway.v1.risk_profile_service_pb2 import (
    DecideRiskProfileProposalRequest,
    ListedRiskProfile,
    ListedRiskProfileProposal,
    TryRiskProfileResponse,
)

PAGE_SIZE: Final = 50
READING: Final = frozenset({"officer", "analyst", "supervisor", "auditor"})
"""Roles that may see risk profiles."""

_PROPOSALS: Final = "/risk-profiles/proposals"


async def show_all(request: Request) -> Response:
    """A page of profiles, and the changes that wait."""
    token = request.query_params.get("page", "")
    acting = client(request)
    page = await acting.risk_profiles.page(page_size=PAGE_SIZE, page_token=token)
    waiting = await acting.risk_profiles.proposals_page(page_size=100)
    return render(
        request,
        "risk_profiles/list.html",
        title=_("Risk profiles"),
        rows=profile_rows(page.profiles, acting.node_name),
        proposals=[
            (f"{_PROPOSALS}/{one.proposal.proposal_id}", profile_proposal_title(one), one) for one in waiting.proposals
        ],
        next_href=f"/risk-profiles?page={page.next_page_token}" if page.next_page_token else "",
        first_href="/risk-profiles" if token else "",
        done=request.query_params.get("done", ""),
    )


async def show(request: Request) -> Response:
    """One profile."""
    return await _page(request, Form.with_values({"request_id": new_request_id()}))


async def act(request: Request) -> Response:
    """Tries the profile, adopts it, ends that, or reports."""
    sent = form(request)
    profiles, reference = client(request).risk_profiles, _reference(request)
    listed = (await profiles.get(reference)).profile
    values, step, request_id = _values(sent, listed), sent.text("step"), sent.text("request_id")
    version = sent.whole_number("version") if step == "adopt" else 0
    if not sent.is_good:
        return await _page(request, sent)
    try:
        match step:
            case "try":
                return await _page(request, sent, await profiles.try_out(reference, values=values))
            case "adopt":
                await profiles.adopt(reference, version, values=values, request_id=request_id)
            case "end":
                await profiles.end(reference, request_id=request_id)
            case _:
                await profiles.report(reference, request_id=request_id)
    except GatewayError as error:
        if not error.message or isinstance(error, NotFoundError):
            raise
        sent.problems[""] = error_text(error)
        return await _page(request, sent)
    return redirect(f"{profile_path(reference)}?done={step}")


async def show_proposal(request: Request) -> Response:
    """What one would change."""
    return await _proposal_page(request, Form.with_values({"request_id": new_request_id()}))


async def decide(request: Request) -> Response:
    """Approves or rejects, with the person's passkey where there is one."""
    return await decided(
        request,
        DECISION,
        approval=_("Approve a change of a risk profile"),
        rejection=_("Reject a change of a risk profile"),
    )


async def _page(request: Request, sent: Form, tried: TryRiskProfileResponse | None = None) -> Response:
    reference, node = _reference(request), client(request).node_name
    response = await client(request).risk_profiles.get(reference)
    listed = response.profile
    is_partners = reference.offerer != node and not listed.HasField("withdrawal")
    adopted = [use for use in listed.uses if use.node == node and use.adoption.version and not use.adoption.ended]
    return render(
        request,
        "risk_profiles/show.html",
        title=listed.newest.title,
        status=200 if sent.is_good else 422,
        form=sent,
        path=profile_path(reference),
        listed=listed,
        rows=profile_summary(listed, node),
        uses=use_rows(listed),
        tried=None if tried is None else trial_rows(tried),
        may_try=is_partners and has_role(request, "officer", "analyst", "supervisor"),
        may_adopt=is_partners and has_role(request, "analyst", "supervisor"),
        is_adopted=bool(adopted),
        done=request.query_params.get("done", ""),
    )


def _reference(request: Request) -> RiskProfileReference:
    return RiskProfileReference(offerer=request.path_params["offerer"], profile_id=request.path_params["profile_id"])


def _values(sent: Form, listed: ListedRiskProfile) -> dict[str, float]:
    """Own values of parameters; an empty field keeps the default."""
    values: dict[str, float] = {}
    for parameter in listed.newest.parameters:
        field = f"value_{parameter.name}"
        text = sent.text(field)
        if not text:
            continue
        number = number_in(text.removeprefix("-"))
        if number is not None and text.startswith("-"):
            number = -number
        if number is None or not parameter.least <= number <= parameter.most:
            sent.problems[field] = _(
                "A number from {least} to {most}.", least=f"{parameter.least:g}", most=f"{parameter.most:g}"
            )
        elif number != parameter.default_value:
            values[parameter.name] = number
    return values


async def _proposal_page(request: Request, sent: Form) -> Response:
    listed = await _proposal(request)
    return render(
        request,
        "risk_profiles/proposal.html",
        title=profile_proposal_title(listed),
        status=200 if sent.is_good else 422,
        form=sent,
        listed=listed,
        rows=change_rows(listed),
        may_decide=has_role(request, "supervisor"),
    )


async def _proposal(request: Request) -> ListedRiskProfileProposal:
    async for listed in client(request).risk_profiles.proposals():
        if listed.proposal.proposal_id == request.path_params["proposal_id"]:
            return listed
    raise NotFoundError(_("This proposal doesn't wait any more: it was decided, or there is none."))


DECISION: Final = Decision(
    "/gateway.v1.RiskProfileService/DecideRiskProfileProposal",
    DecideRiskProfileProposalRequest,
    lambda acting: acting.risk_profiles.decide,
    _proposal_page,
    "/risk-profiles",
)

routes = [
    page_route("/risk-profiles", show_all),
    page_route("/risk-profiles/proposals/{proposal_id}", show_proposal),
    page_route("/risk-profiles/proposals/{proposal_id}", decide, methods=("POST",)),
    page_route("/risk-profiles/{offerer}/{profile_id}", show),
    page_route("/risk-profiles/{offerer}/{profile_id}", act, methods=("POST",)),
]
navigation = NavigationEntry(
    path="/risk-profiles", title=lambda: _("Risk profiles"), icon="seal", order=45, roles=READING
)
