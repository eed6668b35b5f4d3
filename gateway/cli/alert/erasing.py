"""`gateway alert erase|erased|retention`: erases alerts that have ended, and lists what was and will be erased."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.alert.commands import StepDone, done
from gateway.cli.connection import Target, connected
from gateway.cli.display.pages import pages_of
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.short_ids import AlertArgument, alert_reference
from gateway.cli.values import RequestIdOption, as_dict, shown_time
from gateway.contract.enum_words import word_of
from gateway.translation.messages import N_, marked
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import ErasureRefusal
from gateway.v1.alert_service_pb2 import AlertErasure

if TYPE_CHECKING:
    from gateway.client import GatewayClient

_COLUMNS = marked("Alert", "Copy", "At", "Done", "When", "Rule", "Legal basis")


@reports_errors
@connected
def erase(
    target: Target,
    alert: AlertArgument,
    *,
    legal_basis: Annotated[str, typer.Option(help=_("Article of law or arrangement; partners get it."))],
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase our copy of an alert that has ended, with all that was made of it. Role: supervisor.

    It can't be taken back; headers, digests and proofs stay. Recipients of an own alert are asked to erase theirs where
    the agreement has the extension `erasure`; `gateway alert erased` shows what they did. A legal hold on the alert's
    references, containers or case keeps it.

    \b
    Example:
      gateway alert erase 019bbf30-0000-7000-8000-000000000000 --legal-basis "Customs Act, art. 12" --system supervisor

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or a state that doesn't allow it.
    """

    async def work(client: GatewayClient) -> StepDone:
        key = await alert_reference(client, alert)
        return key, await client.erase_alert(key, legal_basis=legal_basis, request_id=request_id)

    key, response = target.run(work)
    more = {N_("Entries erased"): response.erased, N_("Asked to erase it too"): ", ".join(response.asked) or None}
    done(as_json, _("Erased"), (key, response), more)


@reports_errors
@connected
def erased(
    target: Target,
    *,
    limit: Annotated[int, typer.Option(help=_("Most rows shown; 0 for all."), min=0)] = 50,
    as_json: JsonOption = False,
) -> None:
    """List erasures of alerts, here and at partners, and refusals, newest first.

    Role: publisher, officer, analyst, supervisor, auditor.

    \b
    Example:
      gateway alert erased --limit 20

    \b
    Exit codes: 0 done, 1 refused or unreachable.
    """
    pages, more = target.run(lambda client: pages_of(client.erasures_page, lambda page: page.erasures, limit))
    erasures = [erasure for page in pages for erasure in page.erasures]
    output = Output(as_json)
    output.table(
        _("Erasures"),
        _COLUMNS,
        [_cells(erasure) for erasure in erasures],
        data=[as_dict(erasure) for erasure in erasures],
        minor=("Rule",),
    )
    if more:
        output.note(_("There are more than these {limit}; --limit 0 shows all.", limit=limit))


@reports_errors
@connected
def retention(
    target: Target,
    *,
    days: Annotated[int, typer.Option(help=_("What is due within so many days."), min=0)] = 30,
    as_json: JsonOption = False,
) -> None:
    """Rehearse: list what the settings' retention of alerts will erase, and what stays all the same. Erases nothing.

    Role: supervisor, auditor, operator.

    \b
    Example:
      gateway alert retention --days 14

    \b
    Exit codes: 0 done, 1 refused or unreachable.
    """
    rehearsed = target.run(lambda client: client.rehearse_retention(days=days))
    output = Output(as_json)
    rows = [
        (f"{due.alert.publisher}/{due.alert.alert_id}", shown_time(due, "due_at"), due.rule, due.kept or None)
        for due in rehearsed.alerts
    ]
    output.table(_("Due"), marked("Alert", "Due", "Rule", "Stays because"), rows, data=as_dict(rehearsed))
    if rehearsed.has_more:
        output.note(_("There are more."))


def _cells(erasure: AlertErasure) -> tuple[object, ...]:
    refused = _("kept: {reason}", reason=word_of(ErasureRefusal, erasure.refusal))
    return (
        f"{erasure.alert.publisher}/{erasure.alert.alert_id}",
        erasure.recipient,
        erasure.node,
        _("erased") if erasure.rule else refused,
        shown_time(erasure, "at"),
        erasure.rule or None,
        erasure.legal_basis or None,
    )
