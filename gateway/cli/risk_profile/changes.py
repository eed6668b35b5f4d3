"""`gateway risk-profile offer|withdraw|adopt|end|report|approve|reject`: changes of risk profiles, and reports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.risk_profile.values import (
    ProfileArgument,
    ValueOption,
    name_of,
    named_values,
    profile_reference,
    report_cells,
)
from gateway.cli.short_ids import profile_proposal_id, require_id
from gateway.cli.values import as_dict, read_message
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
from gateway.v1.alert_service_pb2 import EntryReference
from gateway.v1.risk_profile_pb2 import RiskProfile
from gateway.v1.risk_profile_service_pb2 import AdoptRiskProfileResponse, DecideRiskProfileProposalResponse

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from gateway.client import GatewayClient

ProposalArgument = Annotated[
    str, typer.Argument(metavar="PROPOSAL", help=_("Its id, as `gateway risk-profile proposals` shows it."))
]
NoteOption = Annotated[str, typer.Option(help=_("A note for the second person."))]
RequestIdOption = Annotated[
    str | None, typer.Option("--request-id", help=_("UUID; the same id has its effect once, however often it is sent."))
]


class _Changed(Protocol):
    """What offer, withdraw, adopt and end answer."""

    proposal_id: str

    @property
    def entry(self) -> EntryReference: ...


@reports_errors
@connected
def offer(
    target: Target,
    file: Annotated[Path, typer.Argument(help=_("The profile: RiskProfile as JSON; - for standard input."))],
    *,
    note: NoteOption = "",
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Offer an own risk profile, or its next version, to the partners that it names.

    Role: analyst, supervisor.

    It takes effect when another person has approved it, or at once where the settings need no four eyes. Partners adopt
    a new version themselves; until then the old one goes on.

    \b
    Example:
      gateway risk-profile offer profile.json --system officers

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """
    profile = read_message(file, RiskProfile)
    response = target.run(lambda client: client.risk_profiles.offer(profile, note=note, request_id=request_id))
    _print(as_json, _("Offered"), profile.profile_id, response, response)


@reports_errors
@connected
def withdraw(
    target: Target,
    profile: Annotated[str, typer.Argument(metavar="ID", help=_("Id of an own profile."))],
    *,
    reason: Annotated[str, typer.Option(help=_("Why, for the partners that may know it. Mandatory."))],
    note: NoteOption = "",
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Withdraw an own risk profile: partners' adoptions end. Role: analyst, supervisor.

    \b
    Example:
      gateway risk-profile withdraw GA-SCRAP --reason "The pattern has changed"

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or no such profile.
    """
    response = target.run(
        lambda client: client.risk_profiles.withdraw(profile, reason=reason, note=note, request_id=request_id)
    )
    _print(as_json, _("Withdrawn"), profile, response, response)


@reports_errors
@connected
def adopt(
    target: Target,
    profile: ProfileArgument,
    *,
    version: Annotated[int, typer.Option(help=_("The version that was read; the newest without it."), min=0)] = 0,
    value: ValueOption = None,
    note: NoteOption = "",
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Adopt a partner's risk profile: it is evaluated on every record from now on. Role: analyst, supervisor.

    Also adopts a new version, or other values of parameters. `gateway risk-profile try` says before what it would hit.

    \b
    Example:
      gateway risk-profile adopt cn/GA-SCRAP --set usd_per_kg=80

    \b
    Exit codes: 0 done, 1 refused, unreachable or not the newest version, 2 wrong input or no such profile here.
    """
    reference, values = profile_reference(profile), named_values(value)

    async def work(client: GatewayClient) -> AdoptRiskProfileResponse:
        newest = version or (await client.risk_profiles.get(reference)).profile.newest.version
        adopted = client.risk_profiles.adopt(reference, newest, values=values, note=note, request_id=request_id)
        return await adopted

    response = target.run(work)
    _print(as_json, _("Adopted"), profile, response, response)


@reports_errors
@connected
def end(
    target: Target,
    profile: ProfileArgument,
    *,
    note: NoteOption = "",
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """End the adoption of a partner's risk profile. Role: analyst, supervisor.

    \b
    Example:
      gateway risk-profile end cn/GA-SCRAP

    \b
    Exit codes: 0 done, 1 refused, unreachable or not adopted, 2 wrong input or no such profile here.
    """
    reference = profile_reference(profile)
    response = target.run(lambda client: client.risk_profiles.end(reference, note=note, request_id=request_id))
    _print(as_json, _("Ended"), profile, response, response)


@reports_errors
@connected
def report(
    target: Target,
    profile: ProfileArgument,
    *,
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Report to the partner what its risk profile came to here since its adoption. Role: analyst, supervisor.

    Numbers of records leave this authority and nothing of single ones; small numbers are withheld.

    \b
    Example:
      gateway risk-profile report cn/GA-SCRAP

    \b
    Exit codes: 0 done, 1 refused, unreachable or not adopted, 2 wrong input or no such profile here.
    """
    reference = profile_reference(profile)
    response = target.run(lambda client: client.risk_profiles.report(reference, request_id=request_id))
    names = (N_("Records"), N_("Hits"), N_("Confirmed"), N_("As declared"))
    facts = dict(zip(names, report_cells(response.report), strict=True))
    entry = f"{response.entry.origin}#{response.entry.index}"
    facts = {N_("Version"): response.report.rule_version, **facts, N_("Entry"): entry}
    Output(as_json).facts(_("Reported {name}", name=profile), facts, data=as_dict(response))


@reports_errors
@connected
def approve(
    target: Target,
    proposal: ProposalArgument,
    *,
    remarks: Annotated[str, typer.Option(help=_("In words, for the record."))] = "",
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Approve a change of somebody else: it takes effect. Role: supervisor.

    \b
    Example:
      gateway risk-profile approve 019bbf30-0000-7000-8000-000000000000 --system supervisors

    \b
    Exit codes: 0 done, 1 refused, unreachable or the profile has changed since, 2 wrong input or decided before.
    """
    _decide(target, proposal, approve=True, remarks=remarks, request_id=request_id, as_json=as_json)


@reports_errors
@connected
def reject(
    target: Target,
    proposal: ProposalArgument,
    *,
    remarks: Annotated[str, typer.Option(help=_("Why, in words. Mandatory."))],
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Reject a change, or take an own one back: it has no effect. Role: supervisor.

    \b
    Example:
      gateway risk-profile reject 019bbf30-0000-7000-8000-000000000000 --remarks "It hits too much"

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or decided before.
    """
    _decide(target, proposal, approve=False, remarks=remarks, request_id=request_id, as_json=as_json)


def _decide(
    target: Target, proposal: str, *, approve: bool, remarks: str, request_id: str | None, as_json: bool
) -> None:
    require_id(
        proposal,
        _("{proposal!r} isn't a proposal's id", proposal=proposal),
        way_out=_("`gateway risk-profile proposals` shows those that wait."),
    )

    async def work(client: GatewayClient) -> tuple[str, DecideRiskProfileProposalResponse]:
        whole = await profile_proposal_id(client, proposal)
        decided = client.risk_profiles.decide(whole, approve=approve, remarks=remarks, request_id=request_id)
        return whole, await decided

    whole, response = target.run(work)
    facts = {N_("Proposal"): whole, N_("Profile"): name_of(response.profile)}
    Output(as_json).facts(_("Approved") if approve else _("Rejected"), facts)


def _print(as_json: bool, title: str, name: str, response: _Changed, message: Message) -> None:
    output = Output(as_json)
    facts: dict[str, object] = {N_("Profile"): name}
    if response.proposal_id:
        facts[N_("Proposal")] = response.proposal_id
    facts[N_("Entry")] = f"{response.entry.origin}#{response.entry.index}"
    output.facts(_("Proposed") if response.proposal_id else title, facts, data={"profile": name, **as_dict(message)})
    if response.proposal_id:
        output.note(
            _(
                "It takes effect when another person approves it: gateway risk-profile approve {proposal_id}",
                proposal_id=response.proposal_id,
            )
        )
