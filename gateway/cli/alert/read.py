"""`gateway alert list|show|watch`: alerts as tables, as JSON, and as they change."""

from __future__ import annotations

from contextlib import aclosing
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.alert.content import content_facts
from gateway.cli.alert.steps import (
    DELIVERY_COLUMNS,
    HISTORY_COLUMNS,
    change_line,
    deadlines_text,
    delivery_row,
    history_rows,
    listed_status,
    question_rows,
)
from gateway.cli.connection import Target, connected
from gateway.cli.display.pages import pages_of
from gateway.cli.output import JsonOption, NamesOption, Output, reports_errors
from gateway.cli.short_ids import AlertArgument, alert_reference
from gateway.cli.values import as_dict, shown_time
from gateway.cli.watchlist.values import hit_cells
from gateway.contract.enum_words import word_of
from gateway.translation.messages import gettext as _
from gateway.translation.messages import marked, ngettext
from gateway.v1.alert_pb2 import Priority
from gateway.v1.alert_service_pb2 import AlertSummary, GetAlertResponse

if TYPE_CHECKING:
    from gateway.client import GatewayClient

_COLUMNS = marked("Alert", "Rev", "Priority", "Status", "To", "Published", "Case", "Deadlines")


class AlertSort(StrEnum):
    """Orders of the list."""

    NEWEST = "newest"
    DEADLINE = "deadline"


_ORDERS = {AlertSort.NEWEST: "", AlertSort.DEADLINE: "deadline"}


@reports_errors
@connected
def list_(
    target: Target,
    *,
    filter_: Annotated[
        str,
        typer.Option(
            "--filter",
            help=_(
                "Conditions joined by AND on status, priority, publisher, recipient, direction (in, out), "
                "purpose, case_reference, published_at, valid_until, reply_by; by the gateway's clock on reply, "
                "question_in, question_out (due, overdue), expired_by_clock, overdue (true, false) and due_within (2h)."
            ),
        ),
    ] = "",
    sort: Annotated[
        AlertSort,
        typer.Option(help=_("newest first; or by deadline: overdue, then due soonest, then by priority.")),
    ] = AlertSort.NEWEST,
    limit: Annotated[int, typer.Option(help=_("Most rows shown; 0 for all."), min=0)] = 50,
    names: NamesOption = False,
    as_json: JsonOption = False,
) -> None:
    """List alerts, own and partners', newest first. Role: publisher, officer, analyst, supervisor, auditor.

    \b
    Examples:
      gateway alert list --system officers
      gateway alert list --filter "direction = in AND status = published AND priority = A" --json
      gateway alert list --filter "direction = in AND reply = overdue"
      gateway alert list --filter "question_in = due"
      gateway alert list --filter "overdue = true" --sort deadline
      gateway alert list --filter "direction = in" --sort deadline

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """
    pages, more = target.run(
        lambda client: pages_of(
            client.list_alerts_page, lambda page: page.alerts, limit, filter=filter_, order_by=_ORDERS[sort]
        )
    )
    summaries = [summary for page in pages for summary in page.alerts]
    output = Output(as_json)
    _warn_of_unprojected(output, max(page.unprojected for page in pages))
    if names:
        output.names(f"{summary.alert.publisher}/{summary.alert.id}" for summary in summaries)
        return
    rows = [_summary_row(summary) for summary in summaries]
    output.table(
        _("Alerts"),
        _COLUMNS,
        rows,
        data=[as_dict(summary) for summary in summaries],
        minor=("Rev", "Published", "Case"),
    )
    if more:
        output.note(_("There are more than these {limit}; --limit 0 shows all, --filter narrows.", limit=limit))


def _warn_of_unprojected(output: Output, unprojected: int) -> None:
    if unprojected:
        output.warning(
            ngettext(
                "{number} entry of feeds isn't projected yet: alerts, or their newest state, may be missing",
                "{number} entries of feeds aren't projected yet: alerts, or their newest state, may be missing",
                unprojected,
            )
        )


@reports_errors
@connected
def show(
    target: Target,
    alert: AlertArgument,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show one alert: its content, its state at each recipient, and its history.

    The status is what our gateway knows of both sides' signed steps. Delivery is what the other node has signed
    for: no receipt, stored, applied, rejected or held. Deadlines are by our gateway's clock.

    Role: publisher, officer, analyst, supervisor, auditor.

    \b
    Example:
      gateway alert show cn/019bbf30-0000-7000-8000-000000000000

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or no such alert here.
    """

    async def work(client: GatewayClient) -> GetAlertResponse:
        return await client.get_alert(await alert_reference(client, alert))

    response = target.run(work)
    output = Output(as_json)
    if as_json:
        output.json(as_dict(response))
        return
    output.facts(
        _("Alert {publisher}/{id}", publisher=response.alert.publisher, id=response.alert.id),
        content_facts(response.alert),
    )
    output.table(_("Deliveries"), DELIVERY_COLUMNS, map(delivery_row, response.deliveries), minor=("Receipt",))
    questions = [row for delivery in response.deliveries for row in question_rows(delivery)]
    if questions:
        columns = marked("Question", "Copy", "Asked by", "Answer by", "State")
        output.table(_("Open questions"), columns, questions, minor=("Copy",))
    _show_hits(output, response)
    output.table(_("History"), HISTORY_COLUMNS, history_rows(response.history), minor=("Copy",))
    if response.older_steps:
        output.note(
            ngettext(
                "{number} older step isn't shown; `gateway alert watch` has it.",
                "{number} older steps aren't shown; `gateway alert watch` has them.",
                response.older_steps,
            )
        )


def _show_hits(output: Output, response: GetAlertResponse) -> None:
    if response.hits:
        output.table(
            _("On watchlists"),
            marked("Entry", "Class", "Score", "What", "Given", "Listed", "Asked for"),
            [(*hit_cells(hit.hit)[:3], hit.field, *hit_cells(hit.hit)[3:]) for hit in response.hits],
            minor=("Asked for", "What"),
        )
        if response.further_hits:
            output.note(
                ngettext(
                    "{number} further hit isn't shown: too many for one answer.",
                    "{number} further hits aren't shown: too many for one answer.",
                    response.further_hits,
                )
            )
    if not response.screened:
        output.note(_("Screening pending: the alert isn't compared with all watchlists yet. Show it again soon."))


@reports_errors
@connected
def watch(
    target: Target,
    *,
    position: Annotated[int, typer.Option(help=_("Changes after this position; 0 for everything."), min=0)] = 0,
    once: Annotated[bool, typer.Option("--once", help=_("End after all present changes."))] = False,
    count: Annotated[int, typer.Option(help=_("End after so many changes; 0 for no end."), min=0)] = 0,
    as_json: JsonOption = False,
) -> None:
    """Show every change of alerts as it arrives, once, across reconnects. Ctrl-C ends it.

    With --json one object a line; keep its position to go on after it the next time.
    Role: publisher, officer, analyst, supervisor.

    \b
    Examples:
      gateway alert watch --system officers
      gateway alert watch --position 1200 --json | while read -r change; do handle "$change"; done

    \b
    Exit codes: 0 ended, 1 refused, 2 wrong input.
    """
    output = Output(as_json)

    async def work(client: GatewayClient) -> None:
        shown = 0
        stream = client.watch(
            position, until_current=once, on_interruption=output.interruption, on_resumption=output.resumption
        )
        async with aclosing(stream) as changes:
            async for change in changes:
                if as_json:
                    output.json_line(as_dict(change))
                else:
                    output.line(change_line(change))
                shown += 1
                if shown == count:
                    return

    try:
        target.run(work)
    except KeyboardInterrupt:
        output.note(_("Ended."))


def _summary_row(summary: AlertSummary) -> tuple[object, ...]:
    alert = summary.alert
    return (
        f"{alert.publisher}/{alert.id}",
        alert.revision,
        word_of(Priority, alert.content.priority).upper(),
        listed_status(summary),
        alert.recipient,
        shown_time(alert, "published_at"),
        alert.content.case_reference,
        deadlines_text(summary.deadlines) or None,
    )
