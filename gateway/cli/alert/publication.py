"""`gateway alert publication-sheet`: what may be published of a closed case."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.alert.measures import measure_line
from gateway.cli.connection import Target, connected
from gateway.cli.output import JsonOption, Output, reports_errors, stacked
from gateway.cli.short_ids import AlertArgument, alert_reference
from gateway.cli.values import as_dict, own
from gateway.contract.enum_words import word_of
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import CloseOutcome, FindingResult, Priority, RequestedAction
from gateway.v1.figure_service_pb2 import GetPublicationSheetResponse

if TYPE_CHECKING:
    from gateway.client import GatewayClient


@reports_errors
@connected
def publication_sheet(
    target: Target,
    alert: AlertArgument,
    *,
    disclose: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH",
            help=_(
                "Field of class INVESTIGATIVE that a supervisor decides to publish; may be repeated. --json lists them."
            ),
        ),
    ] = None,
    reason: Annotated[str, typer.Option(help=_("Why they are published; kept in the audit log."))] = "",
    as_json: JsonOption = False,
) -> None:
    """Show what may be published of an own closed alert, names left out. Role: analyst, supervisor, auditor.

    Fields of class PERSONAL and COMMERCIAL are never in it.

    \b
    Examples:
      gateway alert publication-sheet 019bbf30-0000-7000-8000-000000000000 --system supervisors
      gateway alert publication-sheet 019bbf30-0000-7000-8000-000000000000 --disclose findings.measures
        --reason "The court has judged" --system supervisors

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input, or the alert isn't closed.
    """

    async def work(client: GatewayClient) -> GetPublicationSheetResponse:
        key = await alert_reference(client, alert)
        return await client.figures.publication_sheet(
            own(key, client.node_name), disclose=disclose or (), reason=reason
        )

    made = target.run(work)
    output = Output(as_json)
    for caution in made.sheet.cautions:
        output.warning(_(caution))
    output.facts(_("Publication sheet"), dict(_facts(made)), data=as_dict(made))


def _facts(made: GetPublicationSheetResponse) -> Iterator[tuple[str, Any]]:
    sheet = made.sheet
    content, closing = sheet.content, sheet.closing
    yield N_("Publisher"), sheet.publisher
    yield N_("Recipients"), ", ".join(sheet.recipients)
    yield N_("Published"), sheet.published_on
    yield N_("Closed"), f"{sheet.closed_on}, {word_of(CloseOutcome, closing.outcome)}"
    yield N_("Priority"), word_of(Priority, content.priority)
    yield N_("Typologies"), ", ".join(content.typologies)
    yield N_("Requested action"), word_of(RequestedAction, content.requested_action)
    yield N_("Legal basis"), content.legal_basis
    yield N_("Goods"), stacked(goods.description for goods in content.goods)
    yield N_("Narratives"), stacked(narrative.text for narrative in content.narratives)
    findings = [
        _joined([each.node, each.inspected_on, word_of(FindingResult, each.finding.result),
                 *map(measure_line, each.finding.measures), each.finding.remarks])
        for each in sheet.findings
    ]  # fmt: skip
    yield N_("Findings"), stacked(findings)
    yield N_("Measures"), stacked(map(measure_line, closing.measures))
    yield N_("Remarks"), closing.remarks
    yield N_("Blacked out in"), ", ".join(sheet.blacked_out)
    yield N_("Left out"), stacked(field.path for field in sheet.withheld)


def _joined(parts: Sequence[str]) -> str:
    return ", ".join(filter(None, parts))
