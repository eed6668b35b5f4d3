"""`gateway alert list|show|watch`: alerts as tables, as JSON, and as they change."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.output import JsonOption, NamesOption, Output, reports_errors, stacked
from gateway.cli.short_ids import alert_reference
from gateway.cli.values import as_dict, shown_time
from gateway.cli.watchlist.values import hit_cells
from gateway.contract.enum_words import word_of
from gateway.translation.messages import N_, listed, marked
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import (
    Alert,
    AlertAnswer,
    AlertEvent,
    AlertQuestion,
    AlertStatus,
    Classification,
    CloseOutcome,
    FindingResult,
    FlagReason,
    OnwardTransfer,
    Priority,
    RequestedAction,
    TransferConsent,
)
from gateway.v1.alert_service_pb2 import AlertChange, AlertSummary, GetAlertResponse
from gateway.v1.feed_pb2 import DispositionOutcome
from gateway.v1.goods_pb2 import ShipmentReferenceKind
from gateway.v1.party_pb2 import PartyRole

if TYPE_CHECKING:
    from gateway.client import GatewayClient

_COLUMNS = marked("Alert", "Rev", "Priority", "Status", "To", "Published", "Case", "Receipted")


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
                "purpose, case_reference, published_at."
            ),
        ),
    ] = "",
    limit: Annotated[int, typer.Option(help=_("Most rows shown; 0 for all."), min=0)] = 50,
    names: NamesOption = False,
    as_json: JsonOption = False,
) -> None:
    """List alerts, own and partners', newest first. Role: publisher, officer, analyst, supervisor, auditor.

    \b
    Examples:
      gateway alert list --system officers
      gateway alert list --filter "direction = in AND status = published AND priority = A" --json

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """
    summaries, more = target.run(lambda client: _listed(client, filter_, limit))
    output = Output(as_json)
    if names:
        output.names(f"{summary.alert.publisher}/{summary.alert.id}" for summary in summaries)
        return
    rows = [_summary_row(summary) for summary in summaries]
    output.table(
        _("Alerts"), _COLUMNS, rows, data=[as_dict(summary) for summary in summaries], minor=("Rev", "Receipted")
    )
    if more:
        output.note(_("There are more than these {limit}; --limit 0 shows all, --filter narrows.", limit=limit))


@reports_errors
@connected
def show(
    target: Target,
    alert: Annotated[str, typer.Argument(metavar="ALERT", help=_("PUBLISHER/ID, or the id alone of an own alert."))],
    *,
    as_json: JsonOption = False,
) -> None:
    """Show one alert: its content, its state at each recipient, and its history.

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
        _content_facts(response.alert),
    )
    output.table(
        _("Deliveries"),
        marked("To", "Status", "Entry", "Receipted", "Their gateway", "Open questions"),
        [
            (
                delivery.recipient,
                word_of(AlertStatus, delivery.status),
                f"{delivery.entry.origin}#{delivery.entry.index}",
                shown_time(delivery, "receipted_at"),
                word_of(DispositionOutcome, delivery.disposition),
                list(delivery.open_question_ids) or None,
            )
            for delivery in response.deliveries
        ],
        minor=("Entry",),
    )
    _show_hits(output, response)
    output.table(
        _("History"),
        marked("Position", "When", "Copy", "What", "Who", "Details"),
        [_change_row(change) for change in response.history],
        minor=("Position", "Copy"),
    )
    if response.older_steps:
        output.note(_("{steps} older steps aren't shown; `gateway alert watch` has them.", steps=response.older_steps))


def _show_hits(output: Output, response: GetAlertResponse) -> None:
    if response.hits:
        output.table(
            _("On watchlists"),
            marked("Entry", "Class", "Score", "What", "Given", "Listed", "Asked for"),
            [(*hit_cells(hit.hit)[:3], hit.field, *hit_cells(hit.hit)[3:]) for hit in response.hits],
            minor=("Asked for", "What"),
        )
        if response.further_hits:
            output.note(_("{hits} further hits aren't shown: too many for one answer.", hits=response.further_hits))
    elif not response.screened:
        output.note(_("Screening pending: the alert isn't compared with watchlists yet. Show it again in a moment."))


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
        stream = client.watch(position, until_current=once, on_interruption=output.interruption)
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


def change_line(change: AlertChange) -> str:
    """A change on one line, for people."""
    position, when, copy, what, who, details = _change_row(change)
    parts = [f"{position:>8}", f"{when:%Y-%m-%d %H:%M:%S}" if when else "—", _name(change), copy, what, who, details]
    return "  ".join(str(part) for part in parts if part)


async def _listed(client: GatewayClient, filter_: str, limit: int) -> tuple[list[AlertSummary], bool]:
    summaries: list[AlertSummary] = []
    async for summary in client.list_alerts(filter=filter_, page_size=min(limit + 1, 500) if limit else 500):
        if limit and len(summaries) == limit:
            return summaries, True
        summaries.append(summary)
    return summaries, False


def _summary_row(summary: AlertSummary) -> tuple[object, ...]:
    alert = summary.alert
    return (
        f"{alert.publisher}/{alert.id}",
        alert.revision,
        word_of(Priority, alert.content.priority).upper(),
        word_of(AlertStatus, summary.status),
        alert.recipient,
        shown_time(alert, "published_at"),
        alert.content.case_reference,
        shown_time(summary, "receipted_at"),
    )


def _content_facts(alert: Alert) -> Mapping[str, object]:
    content = alert.content
    facts: dict[str, object] = {
        N_("Revision"): alert.revision,
        N_("Published"): shown_time(alert, "published_at"),
        N_("Priority"): word_of(Priority, content.priority).upper(),
        N_("Typologies"): list(content.typologies),
        N_("Asked for"): word_of(RequestedAction, content.requested_action),
        N_("Valid until"): shown_time(content, "valid_until"),
        N_("Reply by"): shown_time(content, "reply_by"),
        N_("Legal basis"): content.legal_basis,
        N_("Purpose"): content.purpose,
        N_("Case"): content.case_reference,
        N_("Classification"): word_of(Classification, content.handling.classification),
        N_("Onward transfer"): word_of(OnwardTransfer, content.handling.onward_transfer),
        N_("Caveat"): content.handling.caveat,
        N_("Derived from"): [f"{source.publisher}/{source.alert_id}" for source in content.derived_from],
        N_("Derived from answers"): [f"{answer.node}/{answer.query_id}" for answer in content.derived_from_answers],
        N_("References"): [f"{_kind(document.kind)} {document.value}" for document in content.subject.references],
        N_("Equipment"): [unit.id for unit in content.subject.equipment],
        N_("Means"): [
            registration.value for transport in content.subject.means for registration in transport.registrations
        ],
        N_("Parties"): [_party(party) for party in content.subject.parties],
        N_("Goods"): [_goods(item) for item in content.goods],
        N_("Rules"): [f"{rule_hit.rule_id}: {rule_hit.explanation}" for rule_hit in content.rule_hits],
        N_("Evidence"): [f"{evidence.description} sha256:{evidence.sha256.hex()}" for evidence in content.evidence],
        N_("Notices"): [f"{notice.field}: {notice.message}" for notice in alert.notices],
    }
    facts |= {_("Text ({language})", language=narrative.language): narrative.text for narrative in content.narratives}
    listed = {name: stacked(value) if isinstance(value, list) else value for name, value in facts.items()}
    return {name: value for name, value in listed.items() if value not in (None, "")}


def _kind(kind: int) -> str:
    return word_of(ShipmentReferenceKind, kind)


def _party(party: Any) -> str:
    names = [name.text for name in party.names] + [
        f"{identifier.scheme} {identifier.value}" for identifier in party.identifiers
    ]
    return f"{word_of(PartyRole, party.role)}: {', '.join(names)}"


def _goods(goods: Any) -> str:
    codes = [code.code for code in goods.declared_codes]
    suspected = [code.code for code in goods.suspected_codes]
    parts = [
        goods.description,
        _("declared {codes}", codes=listed(codes)) if codes else "",
        _("suspected {codes}", codes=listed(suspected)) if suspected else "",
        " ".join(part for part in (goods.substance, goods.element, goods.form) if part),
        _("{mass} kg net", mass=f"{goods.net_mass_kg:g}") if goods.HasField("net_mass_kg") else "",
    ]
    return "; ".join(part for part in parts if part)


def _name(change: AlertChange) -> str:
    return f"{change.alert.publisher}/{change.alert.alert_id}" if change.HasField("alert") else ""


def _change_row(change: AlertChange) -> tuple[Any, ...]:
    event = change.event
    what = event.WhichOneof("event") or N_("erased")
    details = _DETAILS.get(what, lambda _: "")(event)
    return change.position, shown_time(change, "committed_at"), change.recipient, what, event.actor, details


def _question(question: AlertQuestion) -> str:
    asked = f"{question.question_id} {question.text}"
    if not question.onward_recipients:
        return asked
    return _("{asked} (pass on to {nodes}?)", asked=asked, nodes=", ".join(question.onward_recipients))


def _answer(answer: AlertAnswer) -> str:
    said = f"{answer.question_id} {answer.text}"
    if not answer.consent:
        return said
    return _("{said} (consent {decision})", said=said, decision=word_of(TransferConsent, answer.consent))


def _disposition(event: AlertEvent) -> str:
    return word_of(DispositionOutcome, event.disposition.outcome)


_DETAILS: Mapping[str, Any] = {
    "published": lambda event: event.published.content.case_reference,
    "amended": lambda event: _("revision {revision}", revision=event.amended.revision),
    "withdrawn": lambda event: event.withdrawn.reason,
    "acknowledged": lambda event: event.acknowledged.case_reference,
    "flagged": lambda event: f"{word_of(FlagReason, event.flagged.reason)}: {event.flagged.explanation}",
    "question": lambda event: _question(event.question),
    "answer": lambda event: _answer(event.answer),
    "finding": lambda event: f"{word_of(FindingResult, event.finding.result)} {event.finding.remarks}",
    "closed": lambda event: f"{word_of(CloseOutcome, event.closed.outcome)} {event.closed.remarks}",
    "disposition": _disposition,
}
