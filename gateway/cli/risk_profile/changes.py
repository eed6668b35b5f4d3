"""`gateway risk-profile offer|withdraw|adopt|end|report|approve|reject`: changes of risk profiles, and reports."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.proposals import NoteOption, ProposalCommands, decided
from gateway.cli.risk_profile.values import (
    ProfileArgument,
    ValueOption,
    name_of,
    named_values,
    profile_reference,
    report_cells,
)
from gateway.cli.values import RequestIdOption, as_dict, read_message
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
from gateway.v1.risk_profile_pb2 import RiskProfile
from gateway.v1.risk_profile_service_pb2 import AdoptRiskProfileResponse, ListedRiskProfileProposal

if TYPE_CHECKING:
    from gateway.client import GatewayClient

PROPOSALS: Final[ProposalCommands[ListedRiskProfileProposal]] = ProposalCommands(
    "risk-profile",
    waiting=lambda client: client.risk_profiles.proposals(),
    id_of=lambda listed: listed.proposal.proposal_id,
    send=lambda client: client.risk_profiles.decide,
)
ProposalArgument = Annotated[
    str, typer.Argument(metavar="PROPOSAL", help=_("Its id, as `gateway risk-profile proposals` shows it."))
]


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
    _print(as_json, _("Offered"), profile.profile_id, response)


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
    _print(as_json, _("Withdrawn"), profile, response)


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
    _print(as_json, _("Adopted"), profile, response)


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
    _print(as_json, _("Ended"), profile, response)


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
    whole, response = PROPOSALS.decide(target, proposal, approve=approve, remarks=remarks, request_id=request_id)
    facts = {N_("Proposal"): whole, N_("Profile"): name_of(response.profile)}
    Output(as_json).facts(decided(approve), facts)


def _print(as_json: bool, title: str, name: str, response: Any) -> None:
    entry = f"{response.entry.origin}#{response.entry.index}"
    PROPOSALS.print_changed(as_json, title, response, {N_("Entry"): entry}, first={N_("Profile"): name}, profile=name)
