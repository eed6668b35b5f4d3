"""`gateway watchlist proposal`: what a proposal would do, before it is approved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.short_ids import waiting_id
from gateway.cli.values import as_dict, shown_time
from gateway.cli.watchlist.commands import PROPOSALS, ProposalArgument
from gateway.cli.watchlist.values import change_row
from gateway.errors import GatewayError, Kind
from gateway.translation.messages import N_, marked
from gateway.translation.messages import gettext as _
from gateway.v1.watchlist_service_pb2 import EstimateMatchesResponse, PreviewProposalResponse

if TYPE_CHECKING:
    from gateway.client import GatewayClient


@reports_errors
@connected
def proposal(
    target: Target,
    proposal: ProposalArgument,
    *,
    search: Annotated[
        str, typer.Option(help=_("Only entries with this in their id, names, identifiers or codes."))
    ] = "",
    limit: Annotated[int, typer.Option(help=_("Most rows shown."), min=1, max=500)] = 20,
    as_json: JsonOption = False,
) -> None:
    """Show what a proposal would do: new, changed and withdrawn entries, a sample, and how much it would match.

    Its entries are compared with the shipments and alerts of the last month: each match would be one to decide.

    Role: publisher, officer, supervisor, auditor.

    \b
    Examples:
      gateway watchlist proposal 019bbf30-0000-7000-8000-000000000000 --system supervisors
      gateway watchlist proposal 019bbf30-0000-7000-8000-000000000000 --search 8110 --json

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """

    async def work(client: GatewayClient) -> tuple[PreviewProposalResponse, EstimateMatchesResponse | None]:
        whole = await waiting_id(PROPOSALS.waiting(client), PROPOSALS.id_of, proposal)
        preview = await client.watchlist.preview(whole, search=search, spread=True, page_size=limit)
        try:
            return preview, await client.watchlist.estimate(whole)
        except GatewayError as error:
            if error.kind is not Kind.UNAVAILABLE:
                raise
            return preview, None

    preview, estimate = target.run(work)
    output = Output(as_json)
    if as_json:
        output.json(as_dict(preview) | {"estimate": None if estimate is None else as_dict(estimate)})
        return
    facts: dict[str, object] = {
        N_("List"): preview.proposal.list,
        N_("New"): preview.added,
        N_("Changed"): preview.changed,
        N_("Withdrawn"): preview.withdrawn,
    }
    if estimate is not None:
        facts |= {
            N_("Would have matched"): estimate.matches,
            N_("Since"): shown_time(estimate, "since"),
            N_("Shipments compared"): estimate.shipments,
            N_("Alerts compared"): estimate.alerts,
            N_("Entries compared"): estimate.compared,
        }
        facts[N_("Most of them by")] = ", ".join(f"{one.id} ({one.matches})" for one in estimate.most[:5])
    else:
        output.warning(_("how much it would match can't be said: screening isn't ready"))
    output.facts(_("Proposal {proposal_id}", proposal_id=preview.proposal.proposal_id), facts)
    columns = marked("Entry", "Change", "Revision", "Name or reason")
    output.table(_("Sample"), columns, [change_row(one.change) for one in preview.changes])
