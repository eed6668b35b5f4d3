"""`gateway risk-profile list|show|try|proposals`: risk profiles with what they came to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.display.pages import pages_of
from gateway.cli.output import JsonOption, NamesOption, Output, reports_errors
from gateway.cli.risk_profile.changes import PROPOSALS
from gateway.cli.risk_profile.values import (
    ProfileArgument,
    ValueOption,
    name_of,
    named_values,
    profile_facts,
    profile_reference,
    status_of,
    use_cells,
)
from gateway.cli.values import as_dict, shown_time
from gateway.translation.messages import N_, marked
from gateway.translation.messages import gettext as _
from gateway.v1.risk_profile_service_pb2 import GetRiskProfileResponse, ListedRiskProfile, ListedRiskProfileProposal

if TYPE_CHECKING:
    from gateway.client import GatewayClient


@reports_errors
@connected
def list_(
    target: Target,
    *,
    offerer: Annotated[str, typer.Option(help=_("Of one node alone; our node's name for own profiles."))] = "",
    limit: Annotated[int, typer.Option(help=_("Most rows shown; 0 for all."), min=0)] = 50,
    as_json: JsonOption = False,
) -> None:
    """List own and partners' risk profiles. Role: officer, analyst, supervisor, auditor.

    \b
    Examples:
      gateway risk-profile list --system officers
      gateway risk-profile list --offerer cn

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """

    async def work(client: GatewayClient) -> tuple[str, list[ListedRiskProfile], bool]:
        pages, more = await pages_of(client.risk_profiles.page, lambda page: page.profiles, limit, offerer=offerer)
        return client.node_name, [listed for page in pages for listed in page.profiles], more

    node, profiles, more = target.run(work)
    output = Output(as_json)
    output.table(
        _("Risk profiles"),
        marked("Profile", "Version", "Title", "Typology", "Valid until", "Status"),
        (
            (
                name_of(listed.reference),
                listed.newest.version,
                listed.newest.title,
                listed.newest.typology,
                listed.newest.valid_until,
                status_of(listed, node),
            )
            for listed in profiles
        ),
        data=[as_dict(listed) for listed in profiles],
        minor=("Typology",),
    )
    if more:
        output.note(_("There are more than these {limit}; --limit 0 shows all.", limit=limit))


@reports_errors
@connected
def show(target: Target, profile: ProfileArgument, *, as_json: JsonOption = False) -> None:
    """Show a risk profile with condition and parameters, who adopted it, and what it came to there.

    Role: officer, analyst, supervisor, auditor.

    \b
    Example:
      gateway risk-profile show cn/GA-SCRAP

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or no such profile here.
    """

    async def work(client: GatewayClient) -> tuple[str, GetRiskProfileResponse]:
        reference = profile_reference(profile, client.node_name)
        return client.node_name, await client.risk_profiles.get(reference)

    node, response = target.run(work)
    output = Output(as_json)
    if as_json:
        output.json(as_dict(response))
        return
    listed = response.profile
    facts: dict[str, object] = {N_("Status"): status_of(listed, node)}
    if listed.HasField("withdrawal"):
        facts[N_("Withdrawn")] = listed.withdrawal.reason
    name = name_of(listed.reference)
    output.facts(_("Risk profile {name}", name=name), {**facts, **profile_facts(listed.newest)})
    if listed.uses:
        columns = marked("Node", "Adopted", "Records", "Hits", "Confirmed", "As declared")
        output.table(_("Adopted and reported"), columns, map(use_cells, listed.uses))


@reports_errors
@connected
def try_(
    target: Target,
    profile: ProfileArgument,
    *,
    value: ValueOption = None,
    days: Annotated[int, typer.Option(help=_("Days back from now."), min=1, max=366)] = 30,
    as_json: JsonOption = False,
) -> None:
    """Try a risk profile on own records of the last days; nothing is kept. Role: officer, analyst, supervisor.

    It takes ten seconds at most: with more records the newest are evaluated.

    \b
    Example:
      gateway risk-profile try cn/GA-SCRAP --set usd_per_kg=80

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or no such profile here.
    """

    reference = profile_reference(profile)
    response = target.run(lambda client: client.risk_profiles.try_out(reference, values=named_values(value), days=days))
    output = Output(as_json)
    facts = {
        N_("Version"): response.version,
        N_("Records"): response.records,
        N_("Hits"): response.hits,
        N_("Failed"): response.failed or None,
        N_("Newest records with a hit"): ", ".join(response.record_ids) or None,
    }
    output.facts(_("Tried {name}", name=profile), facts, data=as_dict(response))
    if not response.complete:
        output.note(_("There are more records since then: the newest were evaluated."))


@reports_errors
@connected
def proposals(target: Target, *, names: NamesOption = False, as_json: JsonOption = False) -> None:
    """List changes of risk profiles that wait for a decision. Role: officer, analyst, supervisor, auditor.

    \b
    Example:
      gateway risk-profile proposals --system supervisors

    \b
    Exit codes: 0 done, 1 refused or unreachable.
    """

    PROPOSALS.print_waiting(target, _proposal_row, N_("Profile"), names=names, as_json=as_json)


def _proposal_row(listed: ListedRiskProfileProposal) -> tuple[object, ...]:
    change = listed.proposal.change
    match change.WhichOneof("event"):
        case "offered":
            what, name = _("offer version {version}", version=change.offered.version), change.offered.profile_id
        case "withdrawn":
            what, name = _("withdraw"), change.withdrawn.profile_id
        case _:
            adoption = change.adopted
            what = _("end") if adoption.ended else _("adopt {version}", version=adoption.rule_version)
            name = name_of(adoption.profile)
    when = shown_time(listed, "proposed_at")
    return listed.proposal.proposal_id, name, what, listed.proposer, when, listed.proposal.note or None
