"""`gateway alert`: the steps of an alert's life after it was published."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from gateway.cli.alert.measures import MeasureOption, measures_of
from gateway.cli.connection import Target, connected
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.short_ids import AlertArgument, alert_reference, question_id
from gateway.cli.values import RequestIdOption, as_dict, entries, instant, own, read_message, value_of
from gateway.contract.enum_words import choices
from gateway.errors import RevisionConflictError
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import (
    AlertContent,
    AlertReference,
    CloseOutcome,
    FlagReason,
    TransferConsent,
)

if TYPE_CHECKING:
    from gateway.client import GatewayClient

StepDone: TypeAlias = tuple[AlertReference, Any]
"""The alert of a step, and the gateway's response."""

RevisionOption = Annotated[
    int | None,
    typer.Option("--revision", help=_("The revision that was read; needed once the alert was amended."), min=1),
]
FIRST_REVISION = 1
"""Revision that is meant without --revision: the gateway refuses it once the alert was amended."""


@reports_errors
@connected
def ack(
    target: Target,
    alert: AlertArgument,
    *,
    case_reference: Annotated[str, typer.Option("--case", help=_("Own case reference, where a case was opened."))] = "",
    revision: RevisionOption = None,
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Acknowledge a partner's alert: its publisher learns that an officer has read it. Role: officer, supervisor.

    \b
    Example:
      gateway alert ack cn/019bbf30-0000-7000-8000-000000000000 --case HK-2026-0117 --system officers

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or a state that doesn't allow it.
    """

    async def work(client: GatewayClient) -> StepDone:
        key = await alert_reference(client, alert)
        read = revision or FIRST_REVISION
        return key, await client.acknowledge(key, revision=read, case_reference=case_reference, request_id=request_id)

    done(as_json, _("Acknowledged"), taken(target, alert, work))


@reports_errors
@connected
def flag(
    target: Target,
    alert: AlertArgument,
    *,
    reason: Annotated[str, typer.Option(help=_("Reason: {reasons}.", reasons=choices(FlagReason)))],
    explanation: Annotated[str, typer.Option(help=_("In words, for the publisher's officers."))],
    revision: RevisionOption = None,
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Flag a partner's alert: its request can't be fulfilled, for this reason. Role: officer, supervisor.

    \b
    Example:
      gateway alert flag cn/019bbf30-0000-7000-8000-000000000000 --reason already_left
        --explanation "Left on the 06:10 ferry" --system officers

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or a state that doesn't allow it.
    """
    why = value_of(FlagReason, reason, "--reason")

    async def work(client: GatewayClient) -> StepDone:
        key = await alert_reference(client, alert)
        read = revision or FIRST_REVISION
        return key, await client.flag(key, revision=read, reason=why, explanation=explanation, request_id=request_id)

    done(as_json, _("Flagged"), taken(target, alert, work))


@reports_errors
@connected
def ask(
    target: Target,
    alert: AlertArgument,
    text: Annotated[str, typer.Argument(help=_("The question."), show_default=False)],
    *,
    deadline: Annotated[str, typer.Option(help=_("When the answer is needed: a time with its zone, or 12h, 5d."))],
    recipient: Annotated[str, typer.Option("--to", help=_("For an own alert: which recipient is asked."))] = "",
    pass_on_to: Annotated[
        list[str] | None,
        typer.Option(
            "--pass-on-to", help=_("Ask whether the partner's alert may be passed on to this node; may be repeated.")
        ),
    ] = None,
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask the other side of an alert for supplementary information, or for consent to an onward transfer.

    With --pass-on-to the publisher's answer grants or refuses consent. Granted, it lets the alert's content go to these
    nodes until the alert is amended. Role: officer, supervisor.

    \b
    Examples:
      gateway alert ask cn/019bbf30-0000-7000-8000-000000000000 "Which seals were on it?" --deadline 12h
      gateway alert ask mo/019bbf30-0000-7000-8000-000000000000 "May cn know?" --deadline 5d --pass-on-to cn

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or a state that doesn't allow it.
    """
    until = instant(deadline, "--deadline")

    async def work(client: GatewayClient) -> StepDone:
        key = await alert_reference(client, alert)
        return key, await client.ask(
            key,
            text,
            deadline=until,
            recipient=recipient,
            onward_recipients=pass_on_to or (),
            request_id=request_id,
        )

    key, response = target.run(work)
    done(as_json, _("Asked"), (key, response), {N_("Question"): response.question_id})


@reports_errors
@connected
def answer(
    target: Target,
    alert: AlertArgument,
    question: Annotated[str, typer.Argument(help=_("Id of the question, as `gateway alert show` has it."))],
    text: Annotated[str, typer.Argument(help=_("The answer."), show_default=False)],
    *,
    consent: Annotated[
        str,
        typer.Option(
            help=_("Of a question about an onward transfer: {choices}.", choices=choices(TransferConsent)),
        ),
    ] = "",
    revision: RevisionOption = None,
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a question of the other side. Role: officer, supervisor.

    \b
    Examples:
      gateway alert answer 019bbf30-0000-7000-8000-000000000000 019bbf31-0000-7000-8000-000000000000 "Two: A1, A2"
      gateway alert answer 019bbf30-0000-7000-8000-000000000000 019bbf31-0000-7000-8000-000000000000 "For the file"
        --consent granted

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or a state that doesn't allow it.
    """
    decision = (
        value_of(TransferConsent, consent, "--consent") if consent else TransferConsent.TRANSFER_CONSENT_UNSPECIFIED
    )

    async def work(client: GatewayClient) -> StepDone:
        key = await alert_reference(client, alert)
        asked = await question_id(client, key, question)
        return key, await client.answer(
            key, asked, text, consent=decision, revision=revision or 0, request_id=request_id
        )

    done(as_json, _("Answered"), taken(target, alert, work))


@reports_errors
@connected
def close(
    target: Target,
    alert: AlertArgument,
    *,
    outcome: Annotated[str, typer.Option(help=_("Outcome: {outcomes}.", outcomes=choices(CloseOutcome)))],
    remarks: Annotated[str, typer.Option(help=_("In words."))] = "",
    measure: MeasureOption = None,
    revision: RevisionOption = None,
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Close an own alert: the case is done. Role: publisher, officer, supervisor.

    \b
    Example:
      gateway alert close 019bbf30-0000-7000-8000-000000000000 --outcome confirmed --system risk-engine

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or a state that doesn't allow it.
    """
    what = value_of(CloseOutcome, outcome, "--outcome")

    async def work(client: GatewayClient) -> StepDone:
        key = await alert_reference(client, alert)
        alert_id, read = own(key, client.node_name), revision or FIRST_REVISION
        return key, await client.close_alert(
            alert_id,
            revision=read,
            outcome=what,
            remarks=remarks,
            measures=measures_of(measure),
            request_id=request_id,
        )

    done(as_json, _("Closed"), taken(target, alert, work))


@reports_errors
@connected
def withdraw(
    target: Target,
    alert: AlertArgument,
    *,
    reason: Annotated[str, typer.Option(help=_("Why, for the partners."))],
    revision: RevisionOption = None,
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Withdraw an own alert everywhere; `gateway alert show` tells which partner has it. Role: publisher, supervisor.

    \b
    Example:
      gateway alert withdraw 019bbf30-0000-7000-8000-000000000000 --reason "Wrong container number"

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or a state that doesn't allow it.
    """

    async def work(client: GatewayClient) -> StepDone:
        key = await alert_reference(client, alert)
        alert_id, read = own(key, client.node_name), revision or FIRST_REVISION
        return key, await client.withdraw(alert_id, revision=read, reason=reason, request_id=request_id)

    done(as_json, _("Withdrawn"), taken(target, alert, work))


@reports_errors
@connected
def amend(
    target: Target,
    alert: AlertArgument,
    file: Annotated[Path, typer.Argument(help=_("The whole new content, AlertContent as JSON; - for standard input."))],
    *,
    revision: Annotated[int, typer.Option(help=_("The revision that the new content is made from."), min=1)],
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replace the content of an own alert; its revision goes up by one. Role: publisher, supervisor.

    `gateway alert show ALERT --json` has the content to start from.

    \b
    Example:
      gateway alert amend 019bbf30-0000-7000-8000-000000000000 content.json --revision 1

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or a state that doesn't allow it.
    """
    content = read_message(file, AlertContent)

    async def work(client: GatewayClient) -> StepDone:
        key = await alert_reference(client, alert)
        alert_id = own(key, client.node_name)
        return key, await client.amend(alert_id, content, revision=revision, request_id=request_id)

    key, response = target.run(work)
    done(as_json, _("Amended"), (key, response), {N_("Revision"): response.revision})


def taken(target: Target, alert: str, work: Callable[[GatewayClient], Awaitable[StepDone]]) -> StepDone:
    """Takes a step; says what to read where another revision is current than the one that was read."""
    try:
        return target.run(work)
    except RevisionConflictError as error:
        raise RevisionConflictError(
            _(
                "{alert} is at revision {revision} now, not at the one that was read. Read it with "
                "`gateway alert show {alert}`, then repeat this with --revision {revision}",
                alert=alert,
                revision=error.metadata.get("revision", "?"),
            ),
            metadata=error.metadata,
        ) from error


def done(as_json: bool, title: str, step: StepDone, more: dict[str, object] | None = None) -> None:
    """Says where a step lies that was taken."""
    key, response = step
    alert = f"{key.publisher}/{key.alert_id}"
    facts = {N_("Alert"): alert, **(more or {}), N_("Entries"): entries(response.entries)}
    Output(as_json).facts(title, facts, data={"alert": alert, **as_dict(response)})
