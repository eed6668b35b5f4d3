"""`gateway notification`: what the calling system was told, and the ways out: how they stand, and a test."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.notification.rules import NotificationTopic, say
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.values import as_dict, shown_time
from gateway.translation.condition_texts import condition_text
from gateway.translation.messages import gettext as _
from gateway.translation.messages import marked, ngettext
from gateway.translation.notification_texts import answer_text, priority_letter, sentence_of
from gateway.v1.notification_service_pb2 import DeliveryAnswer, Notification

if TYPE_CHECKING:
    from gateway.client import GatewayClient

EXIT_NOT_DELIVERED = 3


@reports_errors
@connected
def list_(
    target: Target,
    *,
    unread: Annotated[bool, typer.Option("--unread", help=_("Those alone that weren't read."))] = False,
    kind: Annotated[list[NotificationTopic] | None, typer.Option(help=_("Those of these kinds alone."))] = None,
    limit: Annotated[int, typer.Option(help=_("Most rows shown; 0 for all."), min=0)] = 50,
    as_json: JsonOption = False,
) -> None:
    """List what this system was told, newest first. It is told what its rules name. Role: any.

    \b
    Examples:
      gateway notification list --system officers --unread
      gateway notification list --kind new-alert --limit 0 --json

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """

    kinds = [one.kind for one in kind or ()]

    async def read(client: GatewayClient) -> list[Notification]:
        found: list[Notification] = []
        async with aclosing(client.notifications.all(unread=unread, kinds=kinds)) as rows:
            async for row in rows:
                found.append(row)
                if limit and len(found) == limit:
                    break
        return found

    _table(as_json, target.run(read))


@reports_errors
@connected
def watch(target: Target, *, as_json: JsonOption = False) -> None:
    """Print notifications as they come, until Ctrl-C. Role: any.

    \b
    Example:
      gateway notification watch --system officers

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """

    output = Output(as_json)

    async def follow(client: GatewayClient) -> None:
        position = (await client.notifications.page(page_size=1)).position
        async with aclosing(
            client.notifications.watch(position, on_interruption=output.interruption, on_resumption=output.resumption)
        ) as changes:
            async for change in changes:
                for notification in change.notifications:
                    output.line(_line(notification))
                    if as_json:
                        output.json_line(as_dict(notification))

    try:
        target.run(follow)
    except KeyboardInterrupt:
        output.note(_("Ended."))


@reports_errors
@connected
def read(
    target: Target,
    position: Annotated[
        list[int] | None,
        typer.Argument(metavar="[POSITION]...", help=_("As the list shows them."), show_default=False),
    ] = None,
    *,
    up_to: Annotated[int, typer.Option(help=_("All up to this position, instead."), min=0)] = 0,
    as_json: JsonOption = False,
) -> None:
    """Mark notifications as read. Role: any.

    \b
    Examples:
      gateway notification read 41 42
      gateway notification read --up-to 42

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """
    response = target.run(lambda client: client.notifications.mark_read(position or (), up_to=up_to))
    text = ngettext("{number} notification marked as read", "{number} notifications marked as read", response.marked)
    say(as_json, text, as_dict(response))


@reports_errors
@connected
def outbox(target: Target, *, as_json: JsonOption = False) -> None:
    """Show how e-mail, webhooks and the outbox stand. Role: operator, supervisor, auditor.

    \b
    Example:
      gateway notification outbox --system ops

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """
    state = target.run(lambda client: client.notifications.outbox_state())
    Output(as_json).table(
        _("Ways out"),
        marked("Way", "Goes to", "Wait", "Taken", "Last taken", "Given up", "Failures", "Next attempt", "Last error"),
        [
            (
                way.way,
                way.target,
                way.waiting,
                way.sent,
                shown_time(way, "last_taken_at"),
                way.given_up,
                way.failures,
                shown_time(way, "next_attempt_at"),
                condition_text(way.last_error),
            )
            for way in state.ways
        ],
        data=as_dict(state),
        minor=("Next attempt", "Given up"),
    )


@reports_errors
@connected
def send_test(
    target: Target,
    *,
    webhook: Annotated[
        str, typer.Option(help=_("To this webhook of the settings; without it to the caller's e-mail address."))
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Send one marked test message and say what became of it. Role: operator; any, to the caller's own address.

    \b
    Example:
      gateway notification test --webhook case-system --system ops

    \b
    Exit codes: 0 delivered, 1 refused or unreachable, 2 wrong input, 3 not delivered.
    """
    response = target.run(lambda client: client.notifications.test_delivery(webhook))
    say(as_json, _("{text}; {ms} ms", text=answer_text(response), ms=response.took_ms), as_dict(response))
    if response.answer != DeliveryAnswer.DELIVERY_ANSWER_TAKEN:
        raise typer.Exit(EXIT_NOT_DELIVERED)


def _table(as_json: bool, found: list[Notification]) -> None:
    Output(as_json).table(
        _("Notifications"),
        marked("Position", "Time", "What", "Priority", "Alert", "Due", "Read"),
        [_cells(one) for one in found],
        data=[as_dict(one) for one in found],
        minor=("Due", "Read"),
    )


def _cells(one: Notification) -> tuple[Any, ...]:
    alert = f"{one.alert.publisher}/{one.alert.alert_id}" if one.alert.alert_id else ""
    return (
        one.position,
        shown_time(one, "occurred_at"),
        sentence_of(one),
        priority_letter(one),
        alert,
        shown_time(one, "due_at"),
        shown_time(one, "read_at"),
    )


def _line(one: Notification) -> str:
    parts = (shown_time(one, "occurred_at"), sentence_of(one), priority_letter(one), one.alert.alert_id)
    return "  ".join(str(part) for part in parts if part)
