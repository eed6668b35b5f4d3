"""`gateway licence list|show|proposals`: licences with what is left of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.display.pages import pages_of
from gateway.cli.licence.changes import PROPOSALS
from gateway.cli.licence.values import (
    LicenceArgument,
    balance_row,
    breach_row,
    called,
    content_facts,
    licence_reference,
    remaining,
)
from gateway.cli.output import JsonOption, NamesOption, Output, reports_errors
from gateway.cli.values import as_dict, shown_time
from gateway.translation.labels import label_of
from gateway.translation.messages import N_, marked
from gateway.translation.messages import gettext as _
from gateway.v1.licence_pb2 import LicenceFollowUpKind
from gateway.v1.licence_service_pb2 import GetLicenceResponse, ListedLicence, ListedLicenceProposal

if TYPE_CHECKING:
    from gateway.client import GatewayClient


@reports_errors
@connected
def list_(
    target: Target,
    *,
    issuer: Annotated[str, typer.Option(help=_("Of one node alone; our node's name for own licences."))] = "",
    breached: Annotated[
        bool, typer.Option("--breached", help=_("Only those with uses that aren't as the licence says."))
    ] = False,
    limit: Annotated[int, typer.Option(help=_("Most rows shown; 0 for all."), min=0)] = 50,
    as_json: JsonOption = False,
) -> None:
    """List own and partners' licences with what is left. Role: publisher, officer, analyst, supervisor, auditor.

    \b
    Examples:
      gateway licence list --system officers
      gateway licence list --issuer cn --breached

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """
    terms = {"issuer": issuer, "breached": "yes" if breached else ""}
    filter_ = " AND ".join(f'{field} = "{value}"' for field, value in terms.items() if value)
    pages, more = target.run(
        lambda client: pages_of(client.licences.page, lambda page: page.licences, limit, filter=filter_)
    )
    licences = [listed for page in pages for listed in page.licences]
    output = Output(as_json)
    output.table(
        _("Licences"),
        marked("Licence", "Holder", "Consignee", "Valid until", "Left", "Breaches"),
        map(_row, licences),
        data=[as_dict(listed) for listed in licences],
        minor=("Holder",),
    )
    if more:
        output.note(_("There are more than these {limit}; --limit 0 shows all.", limit=limit))


@reports_errors
@connected
def show(target: Target, licence: LicenceArgument, *, as_json: JsonOption = False) -> None:
    """Show a licence with its balance, uses and what followed. Role: publisher, officer, analyst, supervisor, auditor.

    \b
    Examples:
      gateway licence show CN-2026-0001
      gateway licence show cn/CN-2026-0001 --json

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or no such licence here.
    """

    async def work(client: GatewayClient) -> GetLicenceResponse:
        return await client.licences.get(licence_reference(licence, client.node_name))

    response = target.run(work)
    output = Output(as_json)
    if as_json:
        output.json(as_dict(response))
        return
    listed = response.licence
    facts: dict[str, object] = {N_("Revision"): listed.newest.revision}
    if response.HasField("withdrawal"):
        facts[N_("Withdrawn")] = f"{response.withdrawal.effective_on} {response.withdrawal.reason}".strip()
    name = f"{listed.reference.issuer}/{listed.reference.number}"
    output.facts(_("Licence {name}", name=name), {**facts, **content_facts(listed.newest.content)})
    output.table(
        _("Balance"),
        marked("Line", "Allowed", "With tolerance", "Drawn", "Left", "Arrived", "Re-exported", "Returned", "Unit"),
        (balance_row(line, goods) for line, goods in enumerate(listed.balance.goods, 1)),
        minor=("With tolerance", "Returned"),
    )
    output.table(
        _("Uses"),
        marked("Reported by", "Declaration", "Day", "Line of goods", "Quantity", "Destination"),
        (
            (
                one.reporter,
                f"{one.use.declaration}/{one.use.line}",
                one.use.day,
                one.use.goods,
                f"{one.use.quantity} {one.use.unit}",
                one.use.destination,
            )
            for one in response.uses
        ),
        minor=("Line of goods",),
    )
    if response.follow_ups:
        output.table(
            _("What followed"),
            marked("What", "Reported by", "Declaration", "Day", "Quantity", "Destination"),
            (
                (
                    label_of(LicenceFollowUpKind, one.follow_up.kind),
                    one.reporter,
                    f"{one.follow_up.declaration}/{one.follow_up.line}",
                    one.follow_up.day,
                    f"{one.follow_up.quantity} {one.follow_up.unit}",
                    one.follow_up.destination,
                )
                for one in response.follow_ups
            ),
        )
    if listed.balance.breaches:
        columns = marked("Not as the licence says", "Reported by", "Declaration", "Day", "Quantity")
        output.table(_("Breaches"), columns, map(breach_row, listed.balance.breaches))


@reports_errors
@connected
def proposals(target: Target, *, names: NamesOption = False, as_json: JsonOption = False) -> None:
    """List changes of own licences that wait for a decision. Role: publisher, officer, supervisor, auditor.

    \b
    Example:
      gateway licence proposals --system supervisors

    \b
    Exit codes: 0 done, 1 refused or unreachable.
    """

    PROPOSALS.print_waiting(target, _proposal_row, N_("Licence"), names=names, as_json=as_json)


def _row(listed: ListedLicence) -> tuple[object, ...]:
    content = listed.newest.content
    return (
        f"{listed.reference.issuer}/{listed.reference.number}",
        called(content.holder),
        called(content.consignee),
        _("withdrawn") if listed.withdrawn else content.valid_until,
        list(remaining(listed.balance)),
        len(listed.balance.breaches) or None,
    )


def _proposal_row(listed: ListedLicenceProposal) -> tuple[object, ...]:
    change = listed.proposal.change
    if change.HasField("withdrawn"):
        what, number = _("withdraw"), change.withdrawn.number
    else:
        what = _("publish") if change.revised.revision == 1 else _("amend")
        number = change.revised.number
    when = shown_time(listed, "proposed_at")
    return listed.proposal.proposal_id, number, what, listed.proposer, when, listed.proposal.note or None
