"""`gateway watchlist changes`: whose verdict each change of a list has changed."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.values import as_dict, shown_time
from gateway.contract.enum_words import word_of
from gateway.translation.messages import gettext as _
from gateway.translation.messages import marked, ngettext
from gateway.v1.match_pb2 import ChangedVerdict, MatchSourceKind, ScreeningReport
from gateway.v1.watchlist_pb2 import MatchClass

if TYPE_CHECKING:
    from gateway.client import GatewayClient

NO_HIT = "-"


@reports_errors
@connected
def changes(
    target: Target,
    list_name: Annotated[
        str, typer.Argument(metavar="[LIST]", help=_("NAME of an own list or PUBLISHER/NAME; all lists by default."))
    ] = "",
    *,
    report: Annotated[
        int, typer.Option("--report", help=_("Name the verdicts of this report, at most 1,000."), min=0)
    ] = 0,
    limit: Annotated[int, typer.Option(help=_("Most rows shown; 0 for all."), min=0)] = 50,
    as_json: JsonOption = False,
) -> None:
    """List whose verdict changes of lists have changed, newest first.

    After a change of a list everything screened before is compared with it. Once that is done, a report counts and
    names the alerts, shipments and screened parties that are a hit now, are none any more, or have another match class.
    An import is one report if its updates come within seconds of each other. Kept for ninety days.
    Role: officer, analyst, supervisor, auditor.

    \b
    Examples:
      gateway watchlist changes cn/un-sc
      gateway watchlist changes --report 17 --json

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or no such report.
    """
    output = Output(as_json)
    if report:
        _show(output, target.run(lambda client: client.screening.changed_verdicts(report)))
        return

    async def work(client: GatewayClient) -> list[ScreeningReport]:
        taken: list[ScreeningReport] = []
        async with aclosing(client.screening.reports(list_name)) as stream:
            async for one in stream:
                taken.append(one)
                if len(taken) == limit:
                    break
        return taken

    shown = target.run(work)
    columns = marked("Report", "When", "List", "Hits now", "None any more", "Other class")
    rows = [
        (one.number, shown_time(one, "ended_at"), f"{one.publisher}/{one.list}", one.became, one.ceased, one.regraded)
        for one in shown
    ]
    output.table(_("Changed verdicts"), columns, rows, data=[as_dict(one) for one in shown])


def _show(output: Output, report: ScreeningReport) -> None:
    columns = marked("Where", "Entry", "Before", "Now", "Match")
    title = _("Changed verdicts after a change of {list}", list=f"{report.publisher}/{report.list}")
    output.table(title, columns, [_row(verdict) for verdict in report.verdicts], data=as_dict(report))
    unnamed = report.became + report.ceased + report.regraded - len(report.verdicts)
    if unnamed > 0 and not output.as_json:
        output.note(ngettext("{number} more isn't named", "{number} more aren't named", unnamed))


def _row(verdict: ChangedVerdict) -> tuple[object, ...]:
    source = verdict.source
    named = f"{source.publisher}/{source.id}" if source.publisher else source.id
    where = " ".join(filter(None, (word_of(MatchSourceKind, source.kind), named, source.field)))
    return where, verdict.entry.id, _class(verdict.class_before), _class(verdict.class_after), verdict.match_id


def _class(match_class: MatchClass.ValueType) -> str:
    return word_of(MatchClass, match_class) if match_class else NO_HIT
