"""`gateway why`: why a partner doesn't have an alert, a list entry, a record or a field of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.display.cell_texts import rfc3339
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.short_ids import AlertArgument, alert_reference
from gateway.cli.values import as_dict, shown_time
from gateway.cli.watchlist.values import entry_reference
from gateway.translation.absences import absence_text
from gateway.translation.messages import gettext as _
from gateway.v1.node_service_pb2 import ExplainAbsenceRequest, ExplainAbsenceResponse

if TYPE_CHECKING:
    from gateway.client import GatewayClient

PartnerArgument = Annotated[
    str, typer.Argument(metavar="[PARTNER]", help=_("The partner's node; without it each."), show_default=False)
]
FieldOption = Annotated[
    str, typer.Option("--field", help=_("A field by its names in the contract, e.g. goods.net_mass_kg."))
]


@reports_errors
@connected
def alert(
    target: Target,
    alert: AlertArgument,
    partner: PartnerArgument = "",
    *,
    field: FieldOption = "",
    as_json: JsonOption = False,
) -> None:
    """Say why a partner doesn't have an own alert, or isn't given a field of it.

    Role: publisher, officer, analyst, supervisor, auditor.

    \b
    Examples:
      gateway why alert 01a22a72-9985 mo
      gateway why alert 01a22a72-9985 mo --field subject.parties

    \b
    Exit codes: 0 answered, 1 refused or unreachable, 2 wrong input or no such alert here.
    """

    async def named(client: GatewayClient) -> ExplainAbsenceRequest:
        return ExplainAbsenceRequest(partner=partner, alert=await alert_reference(client, alert), field=field)

    _explain(target, named, as_json=as_json)


@reports_errors
@connected
def entry(
    target: Target,
    entry: Annotated[
        str, typer.Argument(metavar="ENTRY", help=_("LIST/ID of an entry of an own list."), show_default=False)
    ],
    partner: PartnerArgument = "",
    *,
    field: FieldOption = "",
    as_json: JsonOption = False,
) -> None:
    """Say why a partner doesn't have an entry of an own list, or isn't given a field of it.

    Role: publisher, officer, analyst, supervisor, auditor.

    \b
    Example:
      gateway why entry minerals/E-1 mo

    \b
    Exit codes: 0 answered, 1 refused or unreachable, 2 wrong input or no such entry here.
    """

    async def named(client: GatewayClient) -> ExplainAbsenceRequest:
        return ExplainAbsenceRequest(partner=partner, entry=entry_reference(entry, client.node_name), field=field)

    _explain(target, named, as_json=as_json)


@reports_errors
@connected
def record(
    target: Target,
    record: Annotated[
        str, typer.Argument(metavar="RECORD", help=_("Id of a shipment record of this node."), show_default=False)
    ],
    partner: PartnerArgument = "",
    *,
    purpose: Annotated[str, typer.Option(help=_("For which the partner would ask."))] = "",
    field: FieldOption = "",
    as_json: JsonOption = False,
) -> None:
    """Say why a partner isn't shown a shipment record, or a field of it, and what it would be shown.

    Role: publisher, officer, analyst, supervisor, auditor.

    \b
    Examples:
      gateway why record SZ-2026-17 mo --purpose export_control
      gateway why record SZ-2026-17 mo --purpose export_control --field parties.names

    \b
    Exit codes: 0 answered, 1 refused or unreachable, 2 wrong input or no such record here.
    """

    async def named(_client: GatewayClient) -> ExplainAbsenceRequest:
        return ExplainAbsenceRequest(partner=partner, record_id=record, purpose=purpose, field=field)

    _explain(target, named, as_json=as_json)


def _explain(
    target: Target,
    named: Callable[[GatewayClient], Awaitable[ExplainAbsenceRequest]],
    *,
    as_json: bool,
) -> None:
    async def work(client: GatewayClient) -> ExplainAbsenceResponse:
        return await client.node.explain_absence(await named(client))

    answer = target.run(work)
    output = Output(as_json)
    if as_json:
        output.json(as_dict(answer))
        return
    for absence in answer.absences:
        received = shown_time(absence, "at")
        output.line(absence_text(absence, time=rfc3339(received) if received else ""))
