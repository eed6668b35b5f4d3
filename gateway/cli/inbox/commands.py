"""`gateway inbox`: what wants action, the search over alerts, and what colleagues do with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.short_ids import AlertArgument, alert_reference
from gateway.cli.values import as_dict, shown_time, value_of
from gateway.contract.enum_words import word_of
from gateway.translation.messages import N_, listed, marked, ngettext
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import Priority
from gateway.v1.casework_service_pb2 import (
    ASSIGNEE_SCOPE_ME,
    ASSIGNEE_SCOPE_PERSON,
    CaseNote,
    InboxFilter,
    InboxRow,
    MatchedField,
    RelatedAlert,
    WantedAction,
)

if TYPE_CHECKING:
    from gateway.client import GatewayClient


@reports_errors
@connected
def list_(
    target: Target,
    search: Annotated[
        str,
        typer.Argument(
            metavar="TEXT",
            help=_("A container, seal, vehicle, UCR, declaration, name in any script, case reference or words."),
        ),
    ] = "",
    *,
    priority: Annotated[list[str] | None, typer.Option(help=_("a, b or c; may be repeated."))] = None,
    partner: Annotated[list[str] | None, typer.Option(help=_("A partner's node; may be repeated."))] = None,
    action: Annotated[
        list[str] | None, typer.Option(help=_("acknowledge, answer, reply or decide; may be repeated."))
    ] = None,
    overdue: Annotated[bool, typer.Option("--overdue", help=_("Only what is overdue by the gateway's clock."))] = False,
    mine: Annotated[bool, typer.Option("--mine", help=_("Only what is assigned to the caller."))] = False,
    assignee: Annotated[str, typer.Option(help=_("Only what is assigned to this person."))] = "",
    limit: Annotated[int, typer.Option(help=_("Most rows shown."), min=1, max=1000)] = 50,
    as_json: JsonOption = False,
) -> None:
    """List what wants this authority's action, the most urgent first; with a TEXT, the alerts that have it.

    Role: publisher, officer, analyst, supervisor, auditor.

    \b
    Examples:
      gateway inbox list --system officers
      gateway inbox list "Chan Tai Man"
      gateway inbox list --overdue --priority a

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """
    asked = InboxFilter(
        text=search,
        priorities=[value_of(Priority, one, "--priority") for one in priority or ()],
        partners=partner or (),
        actions=[value_of(WantedAction, one, "--action") for one in action or ()],
        overdue=overdue,
    )
    if mine:
        asked.assignees = ASSIGNEE_SCOPE_ME
    elif assignee:
        asked.assignees, asked.assignee = ASSIGNEE_SCOPE_PERSON, assignee
    page = target.run(lambda client: client.casework.inbox_page(asked, page_size=limit))
    output = Output(as_json)
    _warn_of_waiting(output, page.unindexed or page.unprojected)
    output.table(
        _("Inbox"),
        marked("Alert", "Priority", "From or to", "Wants", "Assigned to", "Found by"),
        [_cells(row) for row in page.rows],
        data=[as_dict(row) for row in page.rows],
        minor=("Found by",),
    )
    if page.next_page_token:
        output.note(_("There are more than these {limit}.", limit=limit))


def _warn_of_waiting(output: Output, waiting: int) -> None:
    if waiting:
        output.warning(
            ngettext(
                "{number} entry isn't in the inbox yet: alerts may be missing",
                "{number} entries aren't in the inbox yet: alerts may be missing",
                waiting,
            )
        )


@reports_errors
@connected
def related(target: Target, alert: AlertArgument, *, as_json: JsonOption = False) -> None:
    """List other alerts about the same containers, seals, vehicles, references, identifiers or parties.

    Role: publisher, officer, analyst, supervisor, auditor.

    \b
    Example:
      gateway inbox related cn/019bbf30-0000-7000-8000-000000000000

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or no such alert here.
    """

    async def read(client: GatewayClient) -> Any:
        return await client.casework.related(await alert_reference(client, alert))

    found = target.run(read)
    Output(as_json).table(
        _("Alerts about the same things"),
        marked("Alert", "Published", "Shared"),
        [_related_cells(one) for one in found.alerts],
        data=[as_dict(one) for one in found.alerts],
    )


@reports_errors
@connected
def assign(
    target: Target,
    alert: AlertArgument,
    person: Annotated[str, typer.Argument(metavar="[PERSON]", help=_("A person, or nobody; else the caller."))] = (
        "me"
    ),
    *,
    as_json: JsonOption = False,
) -> None:
    """Assign an alert to oneself, to a colleague or to nobody. Partners don't learn of it.

    Role: publisher, officer, analyst, supervisor.

    \b
    Example:
      gateway inbox assign cn/019bbf30-0000-7000-8000-000000000000 wong.siu-ming

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or no such alert here.
    """

    async def run(client: GatewayClient) -> Any:
        reference = await alert_reference(client, alert)
        return await client.casework.assign([reference], "" if person == "nobody" else person)

    response = target.run(run)
    Output(as_json).facts(_("Assigned"), {N_("Changed"): response.changed}, data=as_dict(response))


@reports_errors
@connected
def note(
    target: Target,
    alert: AlertArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help=_("The note."))],
    *,
    as_json: JsonOption = False,
) -> None:
    """Add a note for colleagues to an alert. Partners don't see it. Role: publisher, officer, analyst, supervisor.

    \b
    Example:
      gateway inbox note cn/019bbf30-0000-7000-8000-000000000000 "The seal looks new."

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or no such alert here.
    """

    async def run(client: GatewayClient) -> CaseNote:
        return await client.casework.add_note(await alert_reference(client, alert), text)

    added = target.run(run)
    facts = {N_("Note"): added.note_id, N_("Written by"): added.author}
    Output(as_json).facts(_("Noted"), facts, data=as_dict(added))


@reports_errors
@connected
def notes(target: Target, alert: AlertArgument, *, as_json: JsonOption = False) -> None:
    """Show who deals with an alert, and colleagues' notes. Role: publisher, officer, analyst, supervisor, auditor.

    \b
    Example:
      gateway inbox notes cn/019bbf30-0000-7000-8000-000000000000

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or no such alert here.
    """

    async def read(client: GatewayClient) -> Any:
        return await client.casework.case(await alert_reference(client, alert))

    case = target.run(read)
    output = Output(as_json)
    if not as_json:
        output.note(_("Dealt with by {person}.", person=case.assignment.assignee or _("nobody")))
    output.table(
        _("Notes"),
        marked("Written", "By", "Note"),
        [(shown_time(one, "written_at"), one.author, one.text or _("(erased)")) for one in case.notes],
        data=as_dict(case),
    )


def _cells(row: InboxRow) -> tuple[object, ...]:
    alert = row.summary.alert
    return (
        f"{alert.publisher}/{alert.id}",
        word_of(Priority, alert.content.priority).upper(),
        row.partner,
        listed(_wanted(one) for one in row.wanted) or "–",
        row.assignment.assignee or "–",
        listed(dict.fromkeys(match.value or word_of(MatchedField, match.field) for match in row.matches)),
    )


def _wanted(one: Any) -> str:
    action = word_of(WantedAction, one.action)
    return f"{action} {shown_time(one, 'deadline')}" if one.HasField("deadline") else action


def _related_cells(one: RelatedAlert) -> tuple[object, ...]:
    alert = one.summary.alert
    shared = dict.fromkeys(thing.value for thing in one.shared)
    return f"{alert.publisher}/{alert.id}", shown_time(alert, "published_at"), listed(shared)
