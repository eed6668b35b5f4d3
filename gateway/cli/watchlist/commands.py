"""`gateway watchlist propose|withdraw|approve|reject`: changes of own lists, and decisions about them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.output import JsonOption, Output, reports_errors, stacked
from gateway.cli.proposals import ProposalCommands, decided
from gateway.cli.values import RequestIdOption, read_message
from gateway.cli.watchlist.values import list_name, own_entry
from gateway.errors import OptionError
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
from gateway.v1.watchlist_pb2 import WatchlistContent
from gateway.v1.watchlist_service_pb2 import (
    Proposal,
    ProposedEntry,
    ProposedWithdrawal,
    ProposeEntriesResponse,
)

if TYPE_CHECKING:
    from gateway.client import GatewayClient

PROPOSALS: Final[ProposalCommands[Proposal]] = ProposalCommands(
    "watchlist",
    waiting=lambda client: client.watchlist.proposals(),
    id_of=lambda proposal: proposal.proposal_id,
    send=lambda client: client.watchlist.decide,
)
ProposalArgument = Annotated[
    str, typer.Argument(metavar="PROPOSAL", help=_("Its id, as `gateway watchlist proposals` shows it."))
]
NoteOption = Annotated[str, typer.Option(help=_("A note for the approver."))]


FIRST_REVISION = 1
"""Revision that is meant without --revision: the gateway refuses it once the entry was amended."""


@reports_errors
@connected
def propose(
    target: Target,
    file: Annotated[Path, typer.Argument(help=_("The content: WatchlistContent as JSON; - for standard input."))],
    *,
    list_: Annotated[str, typer.Option("--list", help=_("Name of our list, e.g. minerals."))],
    entry_id: Annotated[
        str, typer.Option("--id", help=_("Id within the list; the gateway gives a new entry one without it."))
    ] = "",
    revision: Annotated[
        int, typer.Option(help=_("To amend an entry: the revision that the new content is made from."), min=0)
    ] = 0,
    note: NoteOption = "",
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Propose a new entry, or new content for an entry. Role: publisher, officer, supervisor.

    It takes effect when another person has approved it, or at once where the list needs no four eyes.
    `gateway watchlist show ENTRY --json` has the content to start an amendment from. Many entries: `watchlist import`.

    \b
    Examples:
      gateway watchlist propose entry.json --list minerals --note "Asked for by the licensing office"
      gateway watchlist propose entry.json --list minerals --id M-17 --revision 2

    \b
    Exit codes: 0 done, 1 refused, unreachable or not the current revision, 2 wrong input.
    """
    if revision and not entry_id:
        raise OptionError(_("--revision is for an amendment: name the entry with --id"))
    content = read_message(file, WatchlistContent)
    entry = ProposedEntry(id=entry_id, revision=revision, content=content)
    name = list_name(list_)
    response = target.run(
        lambda client: client.watchlist.propose(name, entries=[entry], note=note, request_id=request_id)
    )
    _print_response(as_json, _("Amended") if revision else _("Entered"), name, response)


@reports_errors
@connected
def withdraw(
    target: Target,
    entries: Annotated[
        list[str], typer.Argument(metavar="ENTRY…", help=_("LIST/ID of own entries of one list."), show_default=False)
    ],
    *,
    reason: Annotated[str, typer.Option(help=_("Why, for the partners that have it. Mandatory."))],
    revision: Annotated[
        int | None, typer.Option(help=_("Of one entry: the revision that was read; needed once it was amended."), min=1)
    ] = None,
    note: NoteOption = "",
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Withdraw own entries, everywhere that they went. Role: publisher, officer, supervisor.

    It takes effect when another person has approved it, or at once where the list needs no four eyes. Then
    `gateway watchlist show ENTRY` shows where it stays active until the partner's receipt arrives.

    \b
    Example:
      gateway watchlist withdraw minerals/M-17 --reason "Cleared by the licensing office"

    \b
    Exit codes: 0 done, 1 refused, unreachable or not the current revision, 2 wrong input or no such entry.
    """
    if revision and len(entries) > 1:
        raise OptionError(_("--revision is for one entry"))

    async def work(client: GatewayClient) -> tuple[str, ProposeEntriesResponse]:
        named = [own_entry(entry, client.node_name) for entry in entries]
        lists = {key.list for key in named}
        if len(lists) > 1:
            raise OptionError(_("entries of one list at a time; these are of {lists}", lists=", ".join(sorted(lists))))
        withdrawals = [
            ProposedWithdrawal(id=key.id, revision=revision or FIRST_REVISION, reason=reason) for key in named
        ]
        name = named[0].list
        return name, await client.watchlist.propose(name, withdrawals=withdrawals, note=note, request_id=request_id)

    name, response = target.run(work)
    _print_response(as_json, _("Withdrawn"), name, response)


@reports_errors
@connected
def approve(
    target: Target,
    proposal: ProposalArgument,
    *,
    remarks: Annotated[str, typer.Option(help=_("In words, for the record."))] = "",
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Approve a proposal of somebody else: all of its changes take effect. Role: supervisor.

    \b
    Example:
      gateway watchlist approve 019bbf30-0000-7000-8000-000000000000 --system supervisors

    \b
    Exit codes: 0 done, 1 refused, unreachable or an entry has changed since, 2 wrong input or decided before.
    """
    _decide(target, proposal, approve=True, remarks=remarks, request_id=request_id, as_json=as_json)


@reports_errors
@connected
def reject(
    target: Target,
    proposal: ProposalArgument,
    *,
    remarks: Annotated[str, typer.Option(help=_("Why, in words. Mandatory."))],
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Reject a proposal, or take an own one back: nothing of it takes effect. Role: supervisor.

    \b
    Example:
      gateway watchlist reject 019bbf30-0000-7000-8000-000000000000 --remarks "The source isn't named"

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or decided before.
    """
    _decide(target, proposal, approve=False, remarks=remarks, request_id=request_id, as_json=as_json)


def _decide(
    target: Target, proposal: str, *, approve: bool, remarks: str, request_id: str | None, as_json: bool
) -> None:
    whole, response = PROPOSALS.decide(target, proposal, approve=approve, remarks=remarks, request_id=request_id)
    Output(as_json).facts(decided(approve), {N_("Proposal"): whole, N_("Changes"): response.changes})


def _print_response(as_json: bool, title: str, name: str, response: ProposeEntriesResponse) -> None:
    entries = stacked(f"{name}/{entry_id}" for entry_id in response.ids)
    PROPOSALS.print_changed(as_json, title, response, {N_("Entries"): entries}, first={}, list=name)
