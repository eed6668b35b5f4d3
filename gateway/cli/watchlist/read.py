"""`gateway watchlist list|show|proposals|watch`: entries as tables, as JSON, and as they change."""

from __future__ import annotations

from contextlib import aclosing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.display.pages import pages_of
from gateway.cli.output import JsonOption, NamesOption, Output, reports_errors
from gateway.cli.values import as_dict, shown_time, value_of
from gateway.cli.watchlist.values import called, change_row, content_facts, entry_reference, list_name
from gateway.contract.enum_words import word_of, words
from gateway.translation.messages import N_, marked, ngettext
from gateway.translation.messages import gettext as _
from gateway.v1.watchlist_pb2 import WatchlistKind
from gateway.v1.watchlist_service_pb2 import (
    CopyState,
    GetEntryResponse,
    ListedEntry,
    PartnerCopy,
    Proposal,
    PublishedChange,
)

if TYPE_CHECKING:
    from gateway.client import GatewayClient, WatchedChanges

_STATES = {
    CopyState.COPY_STATE_SENT: N_("sent, no receipt yet"),
    CopyState.COPY_STATE_ACTIVE: N_("active"),
    CopyState.COPY_STATE_ENDING: N_("may still be active: its end is sent, no receipt yet"),
    CopyState.COPY_STATE_ENDED: N_("ended"),
    CopyState.COPY_STATE_REFUSED: N_("refused there: what it had before stays active"),
}


@reports_errors
@connected
def list_(
    target: Target,
    *,
    name: Annotated[str, typer.Option("--list", help=_("Of one list alone, e.g. un-sc."))] = "",
    publisher: Annotated[str, typer.Option(help=_("Of one node's lists alone; our node's name for our lists."))] = "",
    kind: Annotated[
        str, typer.Option(help=_("Of one kind alone: {kinds}.", kinds=", ".join(words(WatchlistKind))))
    ] = "",
    expiring: Annotated[bool, typer.Option("--expiring", help=_("Own entries whose validity ends soon."))] = False,
    limit: Annotated[int, typer.Option(help=_("Most rows shown; 0 for all."), min=0)] = 50,
    as_json: JsonOption = False,
) -> None:
    """List entries of own lists and of partners' copies.

    Role: publisher, officer, analyst, supervisor, auditor.

    \b
    Examples:
      gateway watchlist list --system officers
      gateway watchlist list --publisher cn --list un-sc --kind person --limit 0 --json
      gateway watchlist list --expiring

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """
    filter_ = filter_of(name, publisher, kind, expiring=expiring)
    pages, more = target.run(
        lambda client: pages_of(client.watchlist.entries_page, lambda page: page.entries, limit, filter=filter_)
    )
    entries = [listed for page in pages for listed in page.entries]
    output = Output(as_json)
    if unapplied := max(page.unapplied for page in pages):
        output.warning(
            ngettext(
                "{number} update hasn't taken effect yet: entries, or their ends, may be missing",
                "{number} updates haven't taken effect yet: entries, or their ends, may be missing",
                unapplied,
            )
        )
    columns = marked("Entry", "Rev", "Kind", "Name", "Releasable to", "Published", "Valid until")
    output.table(
        _("Watchlists"),
        columns,
        [_entry_row(listed) for listed in entries],
        data=[as_dict(listed) for listed in entries],
        minor=("Published", "Rev", "Kind"),
    )
    if more:
        output.note(_("There are more than these {limit}; --limit 0 shows all, --list and --kind narrow.", limit=limit))


def filter_of(name: str, publisher: str, kind: str, *, expiring: bool = False) -> str:
    """The filter for the conditions that aren't empty."""
    terms = {
        "publisher": publisher,
        "list": list_name(name) if name else "",
        "kind": word_of(WatchlistKind, value_of(WatchlistKind, kind, "--kind")) if kind else "",
        "expiring": "true" if expiring else "",
    }
    return " AND ".join(f'{field} = "{value}"' for field, value in terms.items() if value)


@reports_errors
@connected
def show(
    target: Target,
    entry: Annotated[str, typer.Argument(metavar="ENTRY", help=_("PUBLISHER/LIST/ID, or LIST/ID of an own list."))],
    *,
    as_json: JsonOption = False,
) -> None:
    """Show an entry's content and, of an own one, where it is active.

    After a withdrawal the table shows which partners have confirmed its end with a signed receipt, and which haven't.

    Role: publisher, officer, analyst, supervisor, auditor.

    \b
    Examples:
      gateway watchlist show un-sc/QDi.430
      gateway watchlist show cn/un-sc/QDi.430 --json

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or no such entry here.
    """

    async def work(client: GatewayClient) -> tuple[str, bool, GetEntryResponse]:
        named = entry_reference(entry, client.node_name)
        title = f"{named.publisher}/{named.list}/{named.id}"
        return title, named.publisher == client.node_name, await client.watchlist.get(named)

    title, own, response = target.run(work)
    output = Output(as_json)
    if as_json:
        output.json(as_dict(response))
        return
    if response.HasField("entry"):
        facts: dict[str, object] = {
            N_("Revision"): response.entry.revision,
            N_("Published"): shown_time(response.entry, "published_at"),
        }
        if response.expired_by_clock:
            facts[N_("Validity")] = _("over by this gateway's clock; its publisher hasn't said here that it ended")
        if response.publisher_left:
            facts[N_("Publisher")] = _("no member any more: the entry is screened against until its validity ends")
        output.facts(_("Entry {title}", title=title), {**facts, **content_facts(response.entry.content)})
    else:
        output.line(_("Entry {title} has ended: it is in no list of this node any more.", title=title))
    if own and response.copies:
        columns = marked("Partner", "State", "Revision", "Sent", "Receipted", "Their gateway")
        output.table(_("Where is it active"), columns, map(_copy_row, response.copies), minor=("Sent",))
    elif own:
        output.note(_("No partner has it or had it."))


@reports_errors
@connected
def proposals(target: Target, *, names: NamesOption = False, as_json: JsonOption = False) -> None:
    """List proposals that wait for a decision, oldest first.

    Role: publisher, officer, supervisor, auditor.

    \b
    Example:
      gateway watchlist proposals --system supervisors

    \b
    Exit codes: 0 done, 1 refused or unreachable.
    """

    async def work(client: GatewayClient) -> list[Proposal]:
        return [proposal async for proposal in client.watchlist.proposals()]

    listed = target.run(work)
    columns = marked("Proposal", "List", "By", "When", "Changes", "Note", "Begins with")
    output = Output(as_json)
    if names:
        output.names(proposal.proposal_id for proposal in listed)
        return
    output.table(
        _("Proposals"), columns, map(_proposal_row, listed), data=[as_dict(p) for p in listed], minor=("Begins with",)
    )


@reports_errors
@connected
def watch(
    target: Target,
    *,
    position: Annotated[int, typer.Option(help=_("Changes after this position; 0 for every change ever."), min=0)] = 0,
    full: Annotated[bool, typer.Option("--full", help=_("Begin with all that is listed now."))] = False,
    once: Annotated[bool, typer.Option("--once", help=_("End after all present changes."))] = False,
    as_json: JsonOption = False,
) -> None:
    """Show every change of own and partners' lists as it arrives, across reconnects. Ctrl-C ends it.

    With --json one object a line: changes that belong together, and the position to go on after them the next time.
    With --full the first line has "begins": drop what you hold; position is 0 until all is there.
    Role: publisher, officer, analyst, supervisor.

    \b
    Examples:
      gateway watchlist watch --system officers
      gateway watchlist watch --full --once --json
      gateway watchlist watch --position 1200 --json | while read -r changes; do handle "$changes"; done

    \b
    Exit codes: 0 ended, 1 refused, 2 wrong input.
    """
    output = Output(as_json)

    async def work(client: GatewayClient) -> None:
        stream = client.watchlist.watch(
            position,
            full_state=full,
            until_current=once,
            on_interruption=output.interruption,
            on_resumption=output.resumption,
        )
        async with aclosing(stream) as watched:
            async for message in watched:
                _show_changes(output, message)

    try:
        target.run(work)
    except KeyboardInterrupt:
        output.note(_("Ended."))


def _show_changes(output: Output, watched: WatchedChanges) -> None:
    if output.as_json:
        output.json_line(
            {
                "position": watched.position,
                "full_state": watched.full_state,
                "begins": watched.begins,
                "changes": [as_dict(change) for change in watched.changes],
            }
        )
        return
    for change in watched.changes:
        output.line(change_line(watched, change))


def change_line(watched: WatchedChanges, change: PublishedChange) -> str:
    """A change on one line."""
    entry, what, revision, name = change_row(change.change)
    where = _("listed") if watched.full_state else f"{watched.position:>8}"
    return "  ".join(
        cell
        for cell in (where, f"{change.publisher}/{entry}", _("rev {revision}", revision=revision), what, name)
        if cell
    )


def _entry_row(listed: ListedEntry) -> tuple[object, ...]:
    entry = listed.entry
    return (
        f"{listed.publisher}/{entry.list}/{entry.id}",
        entry.revision,
        word_of(WatchlistKind, entry.content.kind),
        called(entry.content),
        list(entry.content.releasable_to) or None,
        shown_time(entry, "published_at"),
        _("over by this clock") if listed.expired_by_clock else shown_time(entry.content, "valid_until"),
    )


def _copy_row(copy: PartnerCopy) -> tuple[object, ...]:
    return (
        copy.partner,
        _(_STATES.get(copy.state, N_("not known"))),
        copy.revision or None,
        f"{copy.sent.origin}#{copy.sent.index}" if copy.sent.origin else None,
        _time(copy.receipted_at_unix_ms),
        copy.outcome or None,
    )


def _proposal_row(proposal: Proposal) -> tuple[Any, ...]:
    first = [change_row(change) for change in proposal.sample.changes[:1]]
    return (
        proposal.proposal_id,
        proposal.list,
        proposal.proposer,
        _time(proposal.proposed_at_unix_ms),
        proposal.changes,
        proposal.note or None,
        " ".join(filter(None, (first[0][1], first[0][0], first[0][3]))) if first else None,
    )


def _time(unix_ms: int) -> datetime | None:
    return datetime.fromtimestamp(unix_ms // 1000, UTC) if unix_ms else None
