"""`gateway watchlist screen|hits|report|answer|statistics`: names screened against the lists, and hits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.short_ids import alert_reference, hit_id
from gateway.cli.values import as_dict, value_of
from gateway.cli.watchlist.values import entry_reference, hit_cells
from gateway.contract.enum_words import word_of, words
from gateway.errors import OptionError
from gateway.translation.match_reasons import said
from gateway.translation.messages import N_, marked, ngettext
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import RequestedAction
from gateway.v1.party_pb2 import Identifier, Name, Party
from gateway.v1.screening_pb2 import ScreenedSubject, ScreeningHit, ScreeningSubject
from gateway.v1.watchlist_pb2 import HitOutcome, MatchClass, WatchlistKind
from gateway.v1.watchlist_service_pb2 import AnswerHitResponse, ListedHit, ReportHitResponse

if TYPE_CHECKING:
    from gateway.client import GatewayClient

EXIT_FOUND = 3
"""`screen`: something was found."""

_KINDS = ("organisation", "person")


@reports_errors
@connected
def screen(
    target: Target,
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME…]", help=_("Names of one party."))] = None,
    *,
    kind: Annotated[str, typer.Option(help=_("organisation or person, where it is known."))] = "",
    identifiers: Annotated[
        list[str] | None, typer.Option("--identifier", help=_("SCHEME:VALUE, e.g. imo_ship:9074729; may be repeated."))
    ] = None,
    vehicles: Annotated[list[str] | None, typer.Option("--vehicle", help=_("A plate; may be repeated."))] = None,
    vessels: Annotated[list[str] | None, typer.Option("--vessel", help=_("A vessel's name; may be repeated."))] = None,
    containers: Annotated[
        list[str] | None, typer.Option("--container", help=_("A container's number; may be repeated."))
    ] = None,
    reference: Annotated[
        str, typer.Option(help=_("Own reference: the party is remembered, and new entries are compared with it."))
    ] = "",
    max_hits: Annotated[int, typer.Option(help=_("Most hits shown."), min=1, max=200)] = 20,
    as_json: JsonOption = False,
) -> None:
    """Screen one party, vehicle, vessel or container against own lists and partners'.

    Every hit has its reasons: names, parts that agree with their rules, and parts of the score. `identical` is an
    identifier or the same Chinese characters; `strong` agrees in more than a romanisation that many share;
    `compatible` can be the same and mostly isn't. All names of one party at once find more.

    Role: publisher, officer, analyst, supervisor.

    \b
    Examples:
      gateway watchlist screen "Wong Siu Ming" --kind person
      gateway watchlist screen 示例金属有限公司 "Shili Metals Co., Ltd." --identifier uscc:91440300MA5EXAMPLE
      gateway watchlist screen --container CSQU3054383

    \b
    Exit codes: 0 nothing found, 1 refused or unreachable, 2 wrong input, 3 something was found.
    """
    subject = ScreeningSubject(
        reference=reference,
        names=[Name(text=name) for name in names or ()],
        kind=value_of(WatchlistKind, kind, "--kind") if kind else WatchlistKind.WATCHLIST_KIND_UNSPECIFIED,
        identifiers=[_identifier(text) for text in identifiers or ()],
        vehicles=vehicles or (),
        vessels=vessels or (),
        containers=containers or (),
    )
    if kind and kind not in _KINDS:
        raise OptionError(_("--kind: {kind!r} isn't one of {_KINDS}", kind=kind, _KINDS=", ".join(_KINDS)))
    if not (names or identifiers or vehicles or vessels or containers):
        raise OptionError(_("give a name, or --identifier, --vehicle, --vessel or --container"))
    (found,) = target.run(lambda client: client.screening.screen([subject], max_hits=max_hits))
    _show_found(Output(as_json), found)
    if found.hits:
        raise typer.Exit(EXIT_FOUND)


def _identifier(text: str) -> Identifier:
    scheme, colon, value = text.partition(":")
    if not (scheme and colon and value):
        raise OptionError(_("--identifier: {text!r} isn't SCHEME:VALUE, e.g. imo_ship:9074729", text=text))
    return Identifier(scheme=scheme, value=value)


def _show_found(output: Output, subject: ScreenedSubject) -> None:
    if output.as_json:
        output.json(as_dict(subject))
        return
    if subject.unindexed:
        output.warning(
            ngettext(
                "{number} update of lists isn't indexed yet: there may be further hits",
                "{number} updates of lists aren't indexed yet: there may be further hits",
                subject.unindexed,
            )
        )
    if not subject.hits:
        output.line(_("Nothing found in what is indexed.") if subject.unindexed else _("Nothing found."))
        return
    columns = marked("Entry", "Class", "Score", "Given", "Listed", "Asked for")
    output.table(
        _("Found: {found}", found=subject.found),
        columns,
        [hit_cells(hit) for hit in subject.hits],
        minor=("Asked for",),
    )
    for hit in subject.hits[:3]:
        explain(output, hit)
    if subject.found > len(subject.hits):
        output.note(
            ngettext(
                "There is {number} more; --max-hits shows it.",
                "There are {number} more; --max-hits shows them.",
                subject.found - len(subject.hits),
            )
        )


def explain(output: Output, hit: ScreeningHit) -> None:
    """Shows why a hit is one."""
    why = hit.explanation
    output.line("")
    output.line(f"{hit.entry.publisher}/{hit.entry.list}/{hit.entry.id}: {said(why.because)}")
    if why.weak_alias:
        output.line(_("  Its source calls this name a weak alias."))
    for token in why.tokens:
        output.line(f"  {token.given or '(nothing)'} ~ {token.listed or '(nothing)'}: {said(token.rule)}")
    made_of = " + ".join(
        f"{part.weight:.2f} × {part.agreement:.2f} {said(part.name)}" for part in why.parts if part.weight
    )
    if made_of:
        output.line(f"  {hit.score:.2f} = {made_of}")


@reports_errors
@connected
def report(
    target: Target,
    entry: Annotated[str, typer.Argument(metavar="ENTRY", help=_("PUBLISHER/LIST/ID, as `screen` shows it."))],
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help=_("Names of the party."))],
    *,
    purpose: Annotated[str, typer.Option(help=_("A code of the agreements, e.g. export_control."))],
    case_reference: Annotated[str, typer.Option("--case", help=_("Case reference."))] = "",
    kind: Annotated[str, typer.Option(help=_("organisation or person, where it is known."))] = "",
    derived_from: Annotated[
        list[str] | None,
        typer.Option("--derived-from", help=_("Alert in which the party was found, PUBLISHER/ID; may be repeated.")),
    ] = None,
    request_id: Annotated[
        str | None, typer.Option("--request-id", help=_("UUID; the same id has its effect once."))
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Report a hit on an entry; a partner that owns it receives the signed report.

    The party is screened again. What is reported is the resulting hit on this entry. A party that a partner's alert
    named is reported only as the alert's handling allows: say so with --derived-from.

    Role: publisher, officer, supervisor.

    \b
    Example:
      gateway watchlist report cn/minerals/M-17 "Placeholder Metals Ltd" --purpose export_control --case HK-2026-17

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input, or no hit on that entry.
    """

    async def work(client: GatewayClient) -> ReportHitResponse:
        wanted = entry_reference(entry, client.node_name)
        party = [Name(text=name) for name in names]
        number = value_of(WatchlistKind, kind, "--kind") if kind else WatchlistKind.WATCHLIST_KIND_UNSPECIFIED
        (found,) = await client.screening.screen([ScreeningSubject(names=party, kind=number)], max_hits=200)
        for hit in found.hits:
            if hit.entry == wanted:
                return await client.screening.report(
                    hit,
                    subject=Party(names=party),
                    purpose=purpose,
                    case_reference=case_reference,
                    derived_from=[await alert_reference(client, alert) for alert in derived_from or ()],
                    request_id=request_id,
                )
        raise OptionError(
            _("these names have no hit on {entry}; `gateway watchlist screen` shows their hits", entry=entry)
        )

    response = target.run(work)
    facts = {
        N_("Hit"): response.hit_id,
        N_("Asked for"): word_of(RequestedAction, response.requested_action),
        N_("Stands in"): f"{response.entry.origin}#{response.entry.index}",
    }
    Output(as_json).facts(_("Reported"), facts, data=as_dict(response))


@reports_errors
@connected
def answer(
    target: Target,
    hit: Annotated[str, typer.Argument(metavar="HIT", help=_("REPORTER/ID, as `gateway watchlist hits` shows it."))],
    outcome: Annotated[str, typer.Argument(metavar="OUTCOME", help=", ".join(words(HitOutcome)))],
    *,
    remarks: Annotated[str, typer.Option(help=_("In words."))] = "",
    as_json: JsonOption = False,
) -> None:
    """Record the outcome of a hit on an own entry; the node that reported it receives the outcome.

    Role: officer, supervisor.

    \b
    Example:
      gateway watchlist answer hk/019bbf30-0000-7000-8000-000000000000 false --remarks "Another company of that name"

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or no such hit.
    """
    reporter, slash, beginning = hit.partition("/")
    if not slash:
        raise OptionError(
            _("{hit!r} isn't REPORTER/ID", hit=hit), way_out=_("Take the hit from `gateway watchlist hits`.")
        )
    value = value_of(HitOutcome, outcome, "OUTCOME")

    async def work(client: GatewayClient) -> tuple[str, AnswerHitResponse]:
        whole = await hit_id(client, reporter, beginning)
        return whole, await client.screening.answer(reporter, whole, value, remarks=remarks)

    whole, response = target.run(work)
    facts = {N_("Hit"): f"{reporter}/{whole}", N_("Outcome"): outcome}
    Output(as_json).facts(_("Answered"), facts, data=as_dict(response))


@reports_errors
@connected
def hits(
    target: Target,
    *,
    filter_: Annotated[
        str, typer.Option("--filter", help=_("Conditions joined by AND, e.g. 'list = \"un-sc\" AND outcome = none'."))
    ] = "",
    limit: Annotated[int, typer.Option(help=_("Most rows shown; 0 for all."), min=0)] = 50,
    as_json: JsonOption = False,
) -> None:
    """List hits on our entries, by us and partners, and our hits on partners' entries, newest first.

    Role: officer, analyst, supervisor, auditor.

    \b
    Examples:
      gateway watchlist hits --system officers
      gateway watchlist hits --filter 'outcome = none'

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """

    async def work(client: GatewayClient) -> list[ListedHit]:
        reported = []
        async for hit in client.screening.hits(filter=filter_):
            reported.append(hit)
            if len(reported) == limit:
                break
        return reported

    reported = target.run(work)
    columns = marked("Hit", "Entry", "Class", "Score", "Outcome", "Party", "By", "Answered by")
    rows = [_row_of(hit) for hit in reported]
    Output(as_json).table(
        _("Hits"), columns, rows, data=[as_dict(hit) for hit in reported], minor=("By", "Answered by")
    )


def _row_of(listed: ListedHit) -> tuple[object, ...]:
    hit = listed.hit
    outcome = word_of(HitOutcome, listed.outcome) if listed.outcome else None
    return (
        f"{listed.reporter}/{hit.hit_id}",
        f"{hit.entry.publisher}/{hit.entry.list}/{hit.entry.id}",
        word_of(MatchClass, hit.match_class),
        f"{hit.score:.2f}",
        outcome,
        "; ".join(name.text for name in hit.subject.names),
        listed.own_actor or listed.actor,
        listed.own_answer_actor or listed.answer_actor,
    )


@reports_errors
@connected
def statistics(target: Target, *, as_json: JsonOption = False) -> None:
    """Count entries, hits and matches of every list: hits confirmed and false, matches open and dismissed.

    Role: officer, analyst, supervisor, auditor.

    \b
    Example:
      gateway watchlist statistics

    \b
    Exit codes: 0 done, 1 refused or unreachable.
    """

    async def work(client: GatewayClient) -> list[Any]:
        return list(await client.screening.statistics())

    lists = target.run(work)
    columns = marked("List", "Entries", "Hits", "Confirmed", "False", "Open matches", "Dismissed")
    rows = [
        (
            f"{listed.publisher}/{listed.list}",
            listed.entries,
            listed.hits,
            listed.confirmed,
            listed.false_hits,
            listed.open_matches,
            listed.dismissed_matches,
        )
        for listed in lists
    ]
    Output(as_json).table(_("Lists"), columns, rows, data=[as_dict(listed) for listed in lists])
