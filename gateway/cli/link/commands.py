"""`gateway link`: feeds to and from partners, their state, and an operator's decisions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.values import as_dict, shown_time
from gateway.contract.enum_words import word_of
from gateway.translation.condition_texts import condition_text
from gateway.translation.messages import N_, marked
from gateway.translation.messages import gettext as _
from gateway.v1.node_service_pb2 import Link, LinkState

OriginArgument = Annotated[
    str,
    typer.Argument(metavar="FEED", help=_("Name of the feed, as `gateway link list` shows it."), show_default=False),
]
ReasonOption = Annotated[str, typer.Option("--reason", help=_("Why, for the audit log."))]


@reports_errors
@connected
def list_(target: Target, *, as_json: JsonOption = False) -> None:
    """List all feeds to and from partners with their state and lag. Role: operator, supervisor, auditor.

    \b
    Example:
      gateway link list --system ops

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """
    links = target.run(lambda client: client.node.links())
    columns = [(name, cell) for name, cell in _COLUMNS if name in _ALWAYS or any(cell(link) for link in links)]
    Output(as_json).table(
        _("Links"),
        [name for name, _ in columns],
        [tuple(cell(link) or (0 if name in _ALWAYS else None) for name, cell in columns) for link in links],
        data=[as_dict(link) for link in links],
        minor=("Receipted", "Size", "Last exchange"),
    )


_COLUMNS: tuple[tuple[str, Callable[[Link], Any]], ...] = (
    (N_("Feed"), lambda link: link.origin.partition("/")[2]),
    (N_("State"), lambda link: word_of(LinkState, link.state)),
    (N_("Size"), lambda link: link.size),
    (N_("Receipted"), lambda link: link.receipted_size),
    (N_("Backlog"), lambda link: link.backlog),
    (N_("Waiting"), lambda link: link.waiting),
    (N_("Suspended"), lambda link: link.suspension),
    (N_("Last exchange"), lambda link: shown_time(link, "last_exchange_at")),
    (N_("Last error"), lambda link: condition_text(link.last_error)),
    (N_("Evidence"), lambda link: link.evidence_path),
)
"""Columns of the list with their cells."""

_ALWAYS = marked("Feed", "State", "Size", "Receipted", "Backlog")
"""Columns shown when empty too."""


@reports_errors
@connected
def suspend(target: Target, feed: OriginArgument, *, reason: ReasonOption, as_json: JsonOption = False) -> None:
    """Stop a feed's link until it is resumed. Publishing goes on; what is published waits. Role: operator.

    \b
    Example:
      gateway link suspend gba.customs.example/cn/hk/alerts --reason "Maintenance at hk until 14:00"

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or a state that doesn't allow it.
    """
    _show(as_json, _("Suspended"), target.run(lambda client: client.node.suspend_link(feed, reason=reason)))


@reports_errors
@connected
def resume(target: Target, feed: OriginArgument, *, as_json: JsonOption = False) -> None:
    """Resume a suspended link; what waited is sent in its order. Role: operator.

    \b
    Example:
      gateway link resume gba.customs.example/cn/hk/alerts

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or a state that doesn't allow it.
    """
    _show(as_json, _("Resumed"), target.run(lambda client: client.node.resume_link(feed)))


@reports_errors
@connected
def resolve(target: Target, feed: OriginArgument, *, reason: ReasonOption, as_json: JsonOption = False) -> None:
    """End the quarantine of a feed, after its evidence was examined with the partner. Role: operator.

    \b
    Example:
      gateway link resolve gba.customs.example/hk/cn/alerts --reason "hk restored the wrong backup; see case 17"

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or a state that doesn't allow it.
    """
    _show(as_json, _("Resolved"), target.run(lambda client: client.node.resolve_quarantine(feed, reason=reason)))


@reports_errors
@connected
def declare_new(
    target: Target,
    partner: Annotated[str, typer.Argument(metavar="PARTNER", help=_("The partner's node."), show_default=False)],
    *,
    reason: ReasonOption,
    as_json: JsonOption = False,
) -> None:
    """Say that this node has never published to a partner that can't be asked, so that it may begin. Role: operator.

    A node whose folder is newer than its key in the directory asks each partner first what it holds: the folder may
    have been lost. Only say otherwise when nothing was ever published with this node's keys; if that is untrue, two
    conflicting histories arise. The audit log keeps it.

    \b
    Example:
      gateway link declare-new hk --reason "New node, set up on 3 March; see ticket 12" --system ops

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or a state that doesn't allow it.
    """
    origins = target.run(lambda client: client.node.declare_new_feeds(partner, reason=reason))
    output = Output(as_json)
    output.facts(_("Declared new"), {N_("Partner"): partner, N_("Feeds"): origins})
    if not origins:
        output.note(_("No feed to this partner was waiting for that; `gateway link list` shows their states."))


def _show(as_json: bool, title: str, link: Link) -> None:
    facts = {
        N_("Feed"): link.origin,
        N_("Partner"): link.partner,
        N_("Direction"): link.direction,
        N_("State"): word_of(LinkState, link.state),
        N_("Size"): link.size,
        N_("Backlog"): link.backlog,
    }
    Output(as_json).facts(title, facts, data=as_dict(link))
