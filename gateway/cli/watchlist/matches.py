"""`gateway watchlist matches|confirm|dismiss`: matches that the gateway found, and decisions about them."""

from __future__ import annotations

from contextlib import aclosing
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.display.pages import pages_of
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.short_ids import match_id
from gateway.cli.values import RequestIdOption, as_dict
from gateway.cli.watchlist.screen import explain
from gateway.cli.watchlist.values import hit_cells
from gateway.contract.enum_words import word_of
from gateway.translation.messages import N_, marked
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import RequestedAction
from gateway.v1.match_pb2 import (
    DecideMatchResponse,
    DismissMatchesResponse,
    Match,
    MatchGroup,
    MatchGrouping,
    MatchSourceKind,
    MatchStatus,
)
from gateway.v1.watchlist_pb2 import MatchClass

if TYPE_CHECKING:
    from gateway.client import GatewayClient, WatchedMatches


class Alike(StrEnum):
    """What makes matches alike."""

    ENTRY = "entry"
    PARTY = "party"


_GROUPINGS = {Alike.ENTRY: MatchGrouping.MATCH_GROUPING_ENTRY, Alike.PARTY: MatchGrouping.MATCH_GROUPING_PARTY}

MatchArgument = Annotated[
    str, typer.Argument(metavar="MATCH", help=_("Its id, as `gateway watchlist matches` shows it."))
]


@reports_errors
@connected
def matches(
    target: Target,
    *,
    filter_: Annotated[
        str,
        typer.Option(
            "--filter", help=_("Conditions joined by AND on status, class, source, source_id, publisher, list, id.")
        ),
    ] = "status = open",
    limit: Annotated[int, typer.Option(help=_("Most rows shown; 0 for all."), min=0)] = 50,
    why: Annotated[
        bool, typer.Option("--why", help=_("Explain each: names, rules, and what the score is made of."))
    ] = False,
    by: Annotated[
        Alike | None, typer.Option("--by", help=_("Count open ones by entry or by party; --filter has no effect."))
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help=_("Show matches as they are found and change; --filter has no effect."))
    ] = False,
    position: Annotated[int, typer.Option(help=_("With --watch: changes after this position; 0 for all."), min=0)] = 0,
    once: Annotated[bool, typer.Option("--once", help=_("With --watch: end after all present changes."))] = False,
    as_json: JsonOption = False,
) -> None:
    """List parties of alerts and shipments that may be on a watchlist, newest first.

    Partners learn of a match when it is confirmed. By default undecided matches are shown. With
    --watch and --json one object a line: matches, each as it is now, and the position to go on after them.
    Role: officer, analyst, supervisor; without --watch also auditor.

    \b
    Examples:
      gateway watchlist matches --system officers --why
      gateway watchlist matches --filter 'status = open AND class = identical'
      gateway watchlist matches --by entry
      gateway watchlist matches --watch --json | while read -r found; do handle "$found"; done

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """
    output = Output(as_json)
    if watch:
        _watch(target, output, position, once)
        return
    if by is not None:
        _show_groups(target, output, by, limit)
        return

    async def work(client: GatewayClient) -> list[Match]:
        taken: list[Match] = []
        async with aclosing(client.screening.matches(filter=filter_)) as stream:
            async for match in stream:
                taken.append(match)
                if len(taken) == limit:
                    break
        return taken

    shown = target.run(work)
    columns = marked("Match", "Status", "Where", "Entry", "Class", "Score", "Given", "Listed", "Asked for")
    output.table(_("Matches"), columns, [_row(match) for match in shown], data=[as_dict(match) for match in shown])
    if as_json:
        return
    for match in shown:
        if match.reason and (why or match.status == MatchStatus.MATCH_STATUS_OPEN):  # why it wasn't reported
            output.note(f"{match.match_id}: {match.reason}")
    if why:
        for match in shown:
            explain(output, match.hit)


def _show_groups(target: Target, output: Output, by: Alike, limit: int) -> None:
    pages, more = target.run(
        lambda client: pages_of(partial(client.screening.match_groups, _GROUPINGS[by]), lambda page: page.groups, limit)
    )
    groups = [group for page in pages for group in page.groups]
    columns = marked("One of them", "Matches", "Identical", "Others", "Entry", "Given", "Listed")
    output.table(
        _("Open matches that are alike"), columns, map(_group_row, groups), data=[as_dict(group) for group in groups]
    )
    if more:
        output.note(_("There are more groups: use --limit."))


def _group_row(group: MatchGroup) -> tuple[object, ...]:
    entry, _word, _score, given, listed, _asked = hit_cells(group.newest.hit)
    return group.newest.match_id, group.matches, group.identical, group.others, entry, given, listed


def _watch(target: Target, output: Output, position: int, once: bool) -> None:
    async def work(client: GatewayClient) -> None:
        stream = client.screening.watch_matches(
            position, until_current=once, on_interruption=output.interruption, on_resumption=output.resumption
        )
        async with aclosing(stream) as watched:
            async for message in watched:
                _show_changes(output, message)

    try:
        target.run(work)
    except KeyboardInterrupt:
        output.note(_("Ended."))


def _show_changes(output: Output, watched: WatchedMatches) -> None:
    if output.as_json:
        output.json_line({"position": watched.position, "matches": [as_dict(match) for match in watched.matches]})
        return
    for match in watched.matches:
        entry, word, score, given, listed, asked = hit_cells(match.hit)
        status = word_of(MatchStatus, match.status)
        what = f"{given} ~ {listed}  {entry}  {word} {score}  {asked}"
        output.line("  ".join(filter(None, (match.match_id, status, where(match), what, match.reason))))


@reports_errors
@connected
def confirm(
    target: Target,
    match: MatchArgument,
    *,
    purpose: Annotated[
        str, typer.Option(help=_("A code of the agreements, e.g. export_control; not needed for an own entry."))
    ] = "",
    case_reference: Annotated[str, typer.Option("--case", help=_("Case reference."))] = "",
    without_subject: Annotated[
        bool, typer.Option("--without-party", help=_("Leave the party's names and identifiers out of the report."))
    ] = False,
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Confirm a match: a hit is recorded, and for a partner's entry reported to its owner, signed.

    Role: officer, supervisor.

    \b
    Example:
      gateway watchlist confirm 019bbf30-0000-7000-8000-000000000000 --purpose export_control --case HK-2026-17

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input, no such match, or decided before.
    """

    async def work(client: GatewayClient) -> DecideMatchResponse:
        return await client.screening.confirm(
            await match_id(client, match),
            purpose=purpose,
            case_reference=case_reference,
            without_subject=without_subject,
            request_id=request_id,
        )

    response = target.run(work)
    _print_decision(
        Output(as_json),
        _("Confirmed"),
        response,
        {
            N_("Hit"): response.match.hit_id,
            N_("Asked for"): word_of(RequestedAction, response.match.hit.requested_action),
            N_("Stands in"): f"{response.entry.origin}#{response.entry.index}",
        },
    )


@reports_errors
@connected
def dismiss(
    target: Target,
    match: MatchArgument,
    *,
    reason: Annotated[str, typer.Option(help=_("Why it is somebody or something else. Mandatory."))],
    alike: Annotated[
        Alike | None,
        typer.Option("--alike", help=_("Also the open ones found before it of the same entry, or the same party.")),
    ] = None,
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Dismiss a match: it is somebody or something else. No report is sent. Role: officer, supervisor.

    The same names on the same entry and alert aren't shown again; a dismissed match can still be confirmed.

    \b
    Example:
      gateway watchlist dismiss 019bbf30-0000-7000-8000-000000000000 --reason "Another company of that name"
      gateway watchlist dismiss 019bbf30-0000-7000-8000-000000000000 --alike entry --reason "The code is too wide"

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input, no such match, or decided before.
    """

    if alike is not None:
        _dismiss_alike(target, Output(as_json), match, by=_GROUPINGS[alike], reason=reason, request_id=request_id)
        return

    async def work(client: GatewayClient) -> DecideMatchResponse:
        return await client.screening.dismiss(await match_id(client, match), reason, request_id=request_id)

    response = target.run(work)
    _print_decision(Output(as_json), _("Dismissed"), response, {N_("Reason"): response.match.reason})


def _dismiss_alike(
    target: Target,
    output: Output,
    match: str,
    *,
    by: MatchGrouping.ValueType,
    reason: str,
    request_id: str | None,
) -> None:
    async def work(client: GatewayClient) -> DismissMatchesResponse:
        whole = await match_id(client, match)
        return await client.screening.dismiss_alike(whole, by, reason, newest_match_id=whole, request_id=request_id)

    done = target.run(work)
    facts = {N_("Matches"): done.dismissed, N_("Still open"): done.left, N_("Reason"): reason}
    output.facts(_("Dismissed"), facts, data=as_dict(done))


def _print_decision(output: Output, title: str, response: DecideMatchResponse, facts: dict[str, object]) -> None:
    match = response.match
    entry, *_ = hit_cells(match.hit)
    output.facts(
        title,
        {N_("Match"): match.match_id, N_("Entry"): entry, N_("Where"): where(match), **facts},
        data=as_dict(response),
    )


def where(match: Match) -> str:
    """Where the party stands: `alert cn/… parties[0]`."""
    source = match.source
    named = f"{source.publisher}/{source.id}" if source.publisher else source.id
    return " ".join(filter(None, (word_of(MatchSourceKind, source.kind), named, source.field)))


def _row(match: Match) -> tuple[object, ...]:
    entry, _, score, given, listed, asked = hit_cells(match.hit)
    return (
        match.match_id,
        word_of(MatchStatus, match.status),
        where(match),
        entry,
        word_of(MatchClass, match.hit.match_class),
        score,
        given,
        listed,
        asked,
    )
