"""`gateway notification`: rules by which the calling system is told, and those of the authority."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.values import as_dict
from gateway.errors import OptionError
from gateway.translation.messages import gettext as _
from gateway.translation.messages import listed, marked, ngettext
from gateway.translation.notification_texts import KIND_NAMES
from gateway.v1.alert_pb2 import Priority
from gateway.v1.notification_service_pb2 import (
    NotificationAudience,
    NotificationChannel,
    NotificationKind,
    NotificationRule,
)

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


TopicArgument = Annotated[list[NotificationTopic], typer.Argument(help=_("What to be told of."), show_default=False)]
PriorityOption = Annotated[list[PriorityLetter] | None, typer.Option(help=_("Alerts of these alone."))]
TypologyOption = Annotated[list[str] | None, typer.Option(help=_("Alerts with one of these alone."))]
PartnerOption = Annotated[list[str] | None, typer.Option(help=_("These partners alone."))]
MailOption = Annotated[bool, typer.Option("--email", help=_("By e-mail too."))]
ChangeOption = Annotated[int, typer.Option(help=_("Take the place of the rule with this number; 0: add one."), min=0)]
OneNumber = Annotated[int, typer.Argument(help=_("Of the rule, as `rules` shows it."), min=1, show_default=False)]


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
    rows = [(_("own"), number, *_rule_cells(rule)) for number, rule in enumerate(known.rules, 1)]
    rows += [(_audience(rule), number, *_rule_cells(rule)) for number, rule in enumerate(known.shared, 1)]
    Output(as_json).table(
        _("Rules of notifications"),
        marked("To", "Number", "Kinds", "Priorities", "Typologies", "Partners"),
        rows,
        data=as_dict(known),
    )


@reports_errors
@connected
def follow(
    target: Target,
    topic: TopicArgument,
    *,
    priority: PriorityOption = None,
    typology: TypologyOption = None,
    partner: PartnerOption = None,
    change: ChangeOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Add or change a rule of this system: what it is told of from now on. Role: any.

    \b
    Examples:
      gateway notification follow new-alert withdrawn --priority A --system officers
      gateway notification follow deadline-near deadline-passed

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """
    rule = _rule(topic, priority, typology, partner)

    async def put(client: GatewayClient) -> list[NotificationRule]:
        known = await client.notifications.rules()
        return await client.notifications.set_rules(_with(known.rules if known.are_own else (), rule, change))

    _say_rules(as_json, target.run(put))


@reports_errors
@connected
def unfollow(
    target: Target,
    number: Annotated[
        int, typer.Argument(help=_("Of the rule, as `rules` shows it; without it all rules."), min=0)
    ] = 0,
    *,
    as_json: JsonOption = False,
) -> None:
    """Remove a rule of this system, or all of them. Role: any.

    \b
    Examples:
      gateway notification unfollow 2 --system officers
      gateway notification unfollow --system officers

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """

    async def remove(client: GatewayClient) -> list[NotificationRule]:
        known = await client.notifications.rules()
        own = known.rules if known.are_own else ()
        return await client.notifications.set_rules(_without(own, number) if number else [])

    _say_rules(as_json, target.run(remove))


@reports_errors
@connected
def share(
    target: Target,
    topic: TopicArgument,
    *,
    role: Annotated[str, typer.Option(help=_("Reach everybody with this role."))] = "",
    recipient: Annotated[str, typer.Option(help=_("Reach one person or system, e.g. person/hk/wong."))] = "",
    assignee: Annotated[bool, typer.Option("--assignee", help=_("Reach whoever the alert is assigned to."))] = False,
    webhook: Annotated[str, typer.Option(help=_("Reach a webhook of the settings."))] = "",
    priority: PriorityOption = None,
    typology: TypologyOption = None,
    partner: PartnerOption = None,
    email: MailOption = False,
    change: ChangeOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Add or change a rule of the authority, which reaches one audience. Role: supervisor, operator.

    \b
    Examples:
      gateway notification share alarm --role operator --email --system ops
      gateway notification share new-alert --role officer --priority A --change 1 --system ops

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """
    rule = _rule(topic, priority, typology, partner)
    rule.audience.CopyFrom(_chosen_audience(role=role, recipient=recipient, assignee=assignee, webhook=webhook))
    if email:
        rule.channels.append(NotificationChannel.NOTIFICATION_CHANNEL_EMAIL)

    async def put(client: GatewayClient) -> list[NotificationRule]:
        known = await client.notifications.rules()
        return await client.notifications.set_shared_rules(_with(known.shared, rule, change))

    _say_rules(as_json, target.run(put))


@reports_errors
@connected
def unshare(target: Target, number: OneNumber, *, as_json: JsonOption = False) -> None:
    """Remove a rule of the authority. Role: supervisor, operator.

    \b
    Example:
      gateway notification unshare 1 --system ops

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """

    async def remove(client: GatewayClient) -> list[NotificationRule]:
        known = await client.notifications.rules()
        return await client.notifications.set_shared_rules(_without(known.shared, number))

    _say_rules(as_json, target.run(remove))


def say(as_json: bool, text: str, data: object) -> None:
    """A sentence, or the data alone as JSON."""
    output = Output(as_json)
    output.line(text)
    if as_json:
        output.json(data)


def _say_rules(as_json: bool, kept: Sequence[NotificationRule]) -> None:
    text = ngettext("{number} rule in force", "{number} rules in force", len(kept)) if kept else _("No rule is left")
    say(as_json, text, [as_dict(one) for one in kept])


def _rule(
    topics: Sequence[NotificationTopic],
    priorities: Sequence[PriorityLetter] | None,
    typologies: Sequence[str] | None,
    partners: Sequence[str] | None,
) -> NotificationRule:
    return NotificationRule(
        kinds=sorted({one.kind for one in topics}),
        priorities=[Priority.Value(f"PRIORITY_{one.value}") for one in priorities or ()],
        typologies=typologies or (),
        partners=partners or (),
    )


def _chosen_audience(*, role: str, recipient: str, assignee: bool, webhook: str) -> NotificationAudience:
    """Raises OptionError unless there is one."""
    if sum(map(bool, (role, recipient, assignee, webhook))) != 1:
        raise OptionError(_("--role, --recipient, --assignee, --webhook: give one of these"))
    if assignee:
        return NotificationAudience(assignee=True)
    if webhook:
        return NotificationAudience(webhook=webhook)
    return NotificationAudience(role=role) if role else NotificationAudience(recipient=recipient)


def _with(known: Sequence[NotificationRule], rule: NotificationRule, change: int) -> list[NotificationRule]:
    if not change:
        return [*known, rule]
    return [*known[: _place(known, change)], rule, *known[change:]]


def _without(known: Sequence[NotificationRule], number: int) -> list[NotificationRule]:
    return [*known[: _place(known, number)], *known[number:]]


def _place(known: Sequence[NotificationRule], number: int) -> int:
    """Where a rule is, from 0; raises OptionError."""
    if number > len(known):
        raise OptionError(
            _("there is no rule {number}", number=number), way_out=_("`gateway notification rules` lists them.")
        )
    return number - 1


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
