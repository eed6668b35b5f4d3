"""`gateway notification`: what the calling system was told, its rules, and how the ways out stand."""

from __future__ import annotations

from contextlib import aclosing
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.values import as_dict, shown_time
from gateway.translation.condition_texts import condition_text
from gateway.translation.messages import gettext as _
from gateway.translation.messages import listed, marked, ngettext
from gateway.translation.notification_texts import KIND_NAMES, priority_letter, sentence_of
from gateway.v1.alert_pb2 import Priority
from gateway.v1.notification_service_pb2 import Notification, NotificationKind, NotificationRule

if TYPE_CHECKING:
    from gateway.client import GatewayClient


class NotificationTopic(StrEnum):
    """Kinds of notifications, as options name them."""

    NEW_ALERT = "new-alert"
    QUESTION = "question"
    ANSWER = "answer"
    FINDING = "finding"
    FINDING_CHANGED = "finding-changed"
    FLAG = "flag"
    ACKNOWLEDGED = "acknowledged"
    AMENDED = "amended"
    WITHDRAWN = "withdrawn"
    CLOSED = "closed"
    EXPIRED = "expired"
    DEADLINE_NEAR = "deadline-near"
    DEADLINE_PASSED = "deadline-passed"
    MATCH = "match"
    PROPOSAL = "proposal"
    ALARM = "alarm"
    BREAK_GLASS = "break-glass"
    ASSIGNED = "assigned"
    HIT = "hit"
    HIT_ANSWERED = "hit-answered"
    VERDICTS_CHANGED = "verdicts-changed"
    CONTROLS_CHANGED = "controls-changed"

    @property
    def kind(self) -> NotificationKind.ValueType:
        return NotificationKind.Value(f"NOTIFICATION_KIND_{self.name}")


class PriorityLetter(StrEnum):
    """Priorities of alerts."""

    A = "A"
    B = "B"
    C = "C"


@reports_errors
@connected
def list_(
    target: Target,
    *,
    unread: Annotated[bool, typer.Option("--unread", help=_("Those alone that weren't read."))] = False,
    limit: Annotated[int, typer.Option(help=_("Most rows shown; 0 for all."), min=0)] = 50,
    as_json: JsonOption = False,
) -> None:
    """List what this system was told, newest first. It is told what its rules name. Role: any.

    \b
    Examples:
      gateway notification list --system officers --unread
      gateway notification list --limit 0 --json

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """

    async def read(client: GatewayClient) -> list[Notification]:
        found: list[Notification] = []
        async with aclosing(client.notifications.all(unread=unread)) as rows:
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
    _say(as_json, text, as_dict(response))


@reports_errors
@connected
def rules(target: Target, *, as_json: JsonOption = False) -> None:
    """List the rules by which this system is told, and those of the authority. Role: any.

    \b
    Example:
      gateway notification rules --system officers

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """
    known = target.run(lambda client: client.notifications.rules())
    rows = [(_("own"), *_rule_cells(rule)) for rule in known.rules]
    rows += [(_audience(rule), *_rule_cells(rule)) for rule in known.shared]
    Output(as_json).table(
        _("Rules of notifications"),
        marked("To", "Kinds", "Priorities", "Typologies", "Partners"),
        rows,
        data=as_dict(known),
    )


@reports_errors
@connected
def follow(
    target: Target,
    topic: Annotated[list[NotificationTopic], typer.Argument(help=_("What to be told of."), show_default=False)],
    *,
    priority: Annotated[list[PriorityLetter] | None, typer.Option(help=_("Alerts of these alone."))] = None,
    typology: Annotated[list[str] | None, typer.Option(help=_("Alerts with one of these alone."))] = None,
    partner: Annotated[list[str] | None, typer.Option(help=_("These partners alone."))] = None,
    as_json: JsonOption = False,
) -> None:
    """Add a rule of this system: what it is told of from now on. Role: any.

    \b
    Examples:
      gateway notification follow new-alert withdrawn --priority A --system officers
      gateway notification follow deadline-near deadline-passed

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """
    rule = NotificationRule(
        kinds=sorted({one.kind for one in topic}),
        priorities=[Priority.Value(f"PRIORITY_{one.value}") for one in priority or ()],
        typologies=typology or (),
        partners=partner or (),
    )

    async def add(client: GatewayClient) -> list[NotificationRule]:
        known = await client.notifications.rules()
        return await client.notifications.set_rules([*(known.rules if known.are_own else ()), rule])

    kept = target.run(add)
    text = ngettext("{number} rule in force", "{number} rules in force", len(kept))
    _say(as_json, text, [as_dict(one) for one in kept])


@reports_errors
@connected
def unfollow(target: Target, *, as_json: JsonOption = False) -> None:
    """Remove all rules of this system. Role: any.

    \b
    Example:
      gateway notification unfollow --system officers

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """
    kept = target.run(lambda client: client.notifications.set_rules([]))
    _say(as_json, _("No rule is left"), [as_dict(one) for one in kept])


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
        marked("Way", "Goes to", "Wait", "Taken", "Given up", "Next attempt", "Last error"),
        [
            (
                way.way,
                way.target,
                way.waiting,
                way.sent,
                way.given_up,
                shown_time(way, "next_attempt_at"),
                condition_text(way.last_error),
            )
            for way in state.ways
        ],
        data=as_dict(state),
    )


def _say(as_json: bool, text: str, data: object) -> None:
    output = Output(as_json)
    output.line(text)
    if as_json:
        output.json(data)


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


def _rule_cells(rule: NotificationRule) -> tuple[str, ...]:
    return (
        listed(_(KIND_NAMES[kind]) for kind in islice(rule.kinds, len(KIND_NAMES)) if kind in KIND_NAMES),
        listed(Priority.Name(value).removeprefix("PRIORITY_") for value in rule.priorities),
        listed(rule.typologies),
        listed(rule.partners),
    )


def _audience(rule: NotificationRule) -> str:
    kind = rule.audience.WhichOneof("audience")
    return f"{kind} {getattr(rule.audience, kind)}" if kind and kind != "assignee" else str(kind)
