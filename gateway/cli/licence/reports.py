"""`gateway licence use|follow|check`: reports goods under a licence, and asks whether it covers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.history.criteria import with_grounds
from gateway.cli.licence.values import (
    CodeOption,
    ConsigneeOption,
    DayOption,
    DestinationOption,
    LicenceArgument,
    QuantityOption,
    UnitOption,
    commodity_code,
    licence_reference,
    party,
    remaining,
    today,
)
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.values import as_dict, shown_time, value_of
from gateway.contract.enum_words import choices
from gateway.translation.labels import label_of
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
from gateway.v1.history_pb2 import QueryGrounds
from gateway.v1.licence_pb2 import (
    LicenceBreachKind,
    LicenceCoverage,
    LicenceFollowUpKind,
    LicenceReference,
    LicensedConsignment,
)
from gateway.v1.licence_service_pb2 import (
    CheckLicenceResponse,
    ReportLicenceFollowUpRequest,
    ReportLicenceFollowUpResponse,
    ReportLicenceUseRequest,
    ReportLicenceUseResponse,
)

if TYPE_CHECKING:
    from gateway.client import GatewayClient

EXIT_NOT_COVERED = 3
"""The licence doesn't cover the goods, or only a part."""

DeclarationOption = Annotated[str, typer.Option(help=_("Number of the declaration here."))]
LineOption = Annotated[int, typer.Option(help=_("Line of the declaration."), min=1)]
GoodsOption = Annotated[int, typer.Option(help=_("Line of the licence's goods."), min=1)]


@reports_errors
@connected
def use(
    target: Target,
    licence: LicenceArgument,
    *,
    declaration: DeclarationOption,
    quantity: QuantityOption,
    unit: UnitOption = "",
    day: DayOption = "",
    code: CodeOption = "",
    destination: DestinationOption = "",
    consignee: ConsigneeOption = "",
    line: LineOption = 1,
    goods: GoodsOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Report goods that were declared here under a licence. Role: publisher, officer, supervisor.

    All whom the licence concerns get it. The same line of a declaration again is a correction.

    \b
    Example:
      gateway licence use cn/CN-2026-0001 --declaration HK-77 --quantity 250 --destination HK --system officers

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or no such licence here.
    """

    async def work(client: GatewayClient) -> ReportLicenceUseResponse:
        request = ReportLicenceUseRequest(
            licence=licence_reference(licence, client.node_name),
            declaration=declaration,
            line=line,
            goods=goods,
            code=commodity_code(code),
            quantity=quantity,
            unit=unit,
            day=day or today(),
            consignee=party(consignee),
            destination=destination,
        )
        return await client.licences.report_use(request)

    _print_report(as_json, licence, target.run(work))


@reports_errors
@connected
def follow(
    target: Target,
    licence: LicenceArgument,
    kind: Annotated[str, typer.Argument(metavar="KIND", help=f"{choices(LicenceFollowUpKind)}.")],
    *,
    declaration: DeclarationOption,
    quantity: QuantityOption,
    unit: UnitOption = "",
    day: DayOption = "",
    destination: DestinationOption = "",
    line: LineOption = 1,
    goods: GoodsOption = 1,
    as_json: JsonOption = False,
) -> None:
    """Report that goods under a licence arrived here, left again or went back. Role: publisher, officer, supervisor.

    \b
    Examples:
      gateway licence follow cn/CN-2026-0001 arrived --declaration HK-78 --quantity 250 --system officers
      gateway licence follow cn/CN-2026-0001 reexported --declaration HK-79 --quantity 50 --destination US

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or no such licence here.
    """
    followed = value_of(LicenceFollowUpKind, kind, "KIND")

    async def work(client: GatewayClient) -> ReportLicenceFollowUpResponse:
        request = ReportLicenceFollowUpRequest(
            licence=licence_reference(licence, client.node_name),
            kind=followed,
            declaration=declaration,
            line=line,
            goods=goods,
            quantity=quantity,
            unit=unit,
            day=day or today(),
            destination=destination,
        )
        return await client.licences.report_follow_up(request)

    _print_report(as_json, licence, target.run(work))


@reports_errors
@connected
@with_grounds
def check(
    target: Target,
    grounds: QueryGrounds,
    licence: LicenceArgument,
    *,
    quantity: Annotated[str, typer.Option(help=_("Quantity of the goods, a decimal number."))],
    unit: Annotated[str, typer.Option(help=_("Unit of the quantity: KGM, GRM, TNE, NMB."))] = "KGM",
    day: DayOption = "",
    code: CodeOption = "",
    destination: DestinationOption = "",
    consignee: ConsigneeOption = "",
    as_json: JsonOption = False,
) -> None:
    """Say whether a licence covers goods. Role: publisher, officer, analyst, supervisor.

    A licence that this node may not see is asked for at its issuer, which answers yes, no or partly, signed.

    \b
    Example:
      gateway licence check cn/CN-2026-0001 --quantity 250 --destination HK
        --purpose export_control --legal-basis "CEPA art. 5" --case SZ-2026-17

    \b
    Exit codes: 0 it covers them, 1 refused or unreachable, 2 wrong input, 3 it doesn't, or only a part.
    """
    asked = LicensedConsignment(
        code=commodity_code(code),
        quantity=quantity,
        unit=unit,
        day=day or today(),
        consignee=party(consignee),
        destination=destination,
    )

    async def work(client: GatewayClient) -> tuple[LicenceReference, CheckLicenceResponse]:
        reference = licence_reference(licence, client.node_name)
        return reference, await client.licences.check(reference, asked, grounds=grounds)

    reference, response = target.run(work)
    Output(as_json).facts(
        _("Licence {issuer}/{number}", issuer=reference.issuer, number=reference.number),
        {
            N_("Covers the goods"): label_of(LicenceCoverage, response.coverage),
            N_("Because"): [label_of(LicenceBreachKind, kind) for kind in response.reasons],
            N_("Answered by"): response.answered_by,
            N_("When"): shown_time(response, "answered_at"),
            N_("Signed"): _("yes") if response.statement else _("no, from this node's own records"),
        },
        data=as_dict(response),
    )
    if response.coverage != LicenceCoverage.LICENCE_COVERAGE_YES:
        raise typer.Exit(EXIT_NOT_COVERED)


def _print_report(
    as_json: bool, licence: str, response: ReportLicenceUseResponse | ReportLicenceFollowUpResponse
) -> None:
    output = Output(as_json)
    output.facts(
        _("Reported"),
        {
            N_("Licence"): licence,
            N_("Entry"): f"{response.entry.origin}#{response.entry.index}",
            N_("Goes to"): list(response.recipients),
            N_("Left"): list(remaining(response.balance)),
        },
        data=as_dict(response),
    )
    for breach in response.balance.breaches:
        output.warning(
            _(
                "{what}: declaration {declaration} at {reporter} on {day}",
                what=label_of(LicenceBreachKind, breach.kind),
                declaration=breach.declaration,
                reporter=breach.reporter,
                day=breach.day,
            )
        )
