"""Risk profiles, one with its trial, adoption and report, and changes that wait for a second person."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.client import new_request_id
from gateway.console.flow import Carried, Flow
from gateway.console.form import Form
from gateway.console.navigation import NavigationEntry
from gateway.console.page import client, form, has_role, page_route, redirect, render
from gateway.console.proposals import Decision, decided, is_proposer
from gateway.console.views.alerts.field_names import error_text
from gateway.console.views.risk_profiles import (
    STEP_TITLES,
    ProfileStep,
    adoption_at,
    change_rows,
    profile_path,
    profile_proposal_title,
    profile_rows,
    profile_summary,
    step_rows,
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


async def act(request: Request) -> Response:
    """Tries the profile, which sends nothing; shows what another step would send, and sends it."""
    sent = form(request)
    if sent.text("step") != "try" or sent.text("edit"):
        return await _STEPS.take(request)
    listed = await _profile(request)
    values = _values(sent, listed)
    if not sent.is_good:
        return await _show(request, listed, sent, 422)
    try:
        tried = await client(request).risk_profiles.try_out(listed.reference, values=values)
    except GatewayError as error:
        if not error.message or isinstance(error, NotFoundError):
            raise
        sent.problems[""] = error_text(error)
        return await _show(request, listed, sent, 422)
    return await _show(request, listed, sent, 200, tried)


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


async def _profile(request: Request) -> ListedRiskProfile:
    return (await client(request).risk_profiles.get(_reference(request))).profile


async def _read(request: Request, listed: ListedRiskProfile, sent: Form) -> ProfileStep | None:
    name = sent.text("step")
    if name not in STEP_TITLES:
        sent.problems[""] = _("Choose what to do with the profile.")
        return None
    return ProfileStep(name, sent.whole_number("version"), _values(sent, listed), sent.text("request_id"))


async def _check(request: Request, listed: ListedRiskProfile, step: ProfileStep, hidden: Carried) -> Response:
    return render(
        request,
        "risk_profiles/check.html",
        title=_("Check what will be sent"),
        listed=listed,
        path=profile_path(listed.reference),
        rows=step_rows(listed, step, client(request).node_name),
        waits=step.name != "report",
        button=STEP_TITLES[step.name](),
        hidden=hidden,
    )


async def _send(request: Request, listed: ListedRiskProfile, step: ProfileStep) -> Response:
    profiles, reference = client(request).risk_profiles, listed.reference
    match step.name:
        case "adopt":
            await profiles.adopt(reference, step.version, values=step.values, request_id=step.request_id)
        case "end":
            await profiles.end(reference, request_id=step.request_id)
        case _:
            await profiles.report(reference, request_id=step.request_id)
    return redirect(f"{profile_path(reference)}?done={step.name}")


async def _show(
    request: Request,
    listed: ListedRiskProfile,
    sent: Form,
    status: int,
    tried: TryRiskProfileResponse | None = None,
) -> Response:
    node = client(request).node_name
    is_partners = listed.reference.offerer != node and not listed.HasField("withdrawal")
    return render(
        request,
        "risk_profiles/show.html",
        title=listed.newest.title,
        status=status,
        form=sent,
        path=profile_path(listed.reference),
        listed=listed,
        rows=profile_summary(listed, node),
        uses=use_rows(listed),
        tried=None if tried is None else trial_rows(tried),
        may_try=is_partners and has_role(request, "officer", "analyst", "supervisor"),
        may_adopt=is_partners and has_role(request, "analyst", "supervisor"),
        is_adopted=adoption_at(listed, node) is not None,
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
        is_proposer=is_proposer(request, listed.proposer),
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

_STEPS: Final = Flow(
    subject=_profile,
    show=_show,
    read=_read,
    check=_check,
    send=_send,
    violations={"version": "version"},
)

routes = [
    page_route("/risk-profiles", show_all),
    page_route("/risk-profiles/proposals/{proposal_id}", show_proposal),
    page_route("/risk-profiles/proposals/{proposal_id}", decide, methods=("POST",)),
    page_route("/risk-profiles/{offerer}/{profile_id}", _STEPS.ask),
    page_route("/risk-profiles/{offerer}/{profile_id}", act, methods=("POST",)),
]
navigation = NavigationEntry(
    path="/risk-profiles", title=lambda: _("Risk profiles"), icon="risk", order=45, roles=READING
)
