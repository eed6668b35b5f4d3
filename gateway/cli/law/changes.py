"""`gateway law changes`: which controls begin or end, and which open records of this node that touches."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.law.show import day_of
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.values import as_dict, shown_time
from gateway.contract.enum_words import word_of
from gateway.risk.announcements import MEASURES, Measure
from gateway.translation.messages import gettext as _
from gateway.translation.messages import marked, ngettext
from gateway.v1.history_service_pb2 import ControlChange
from gateway.v1.shipment_pb2 import ShipmentProcedure


@reports_errors
@connected
def changes(
    target: Target,
    *,
    since: Annotated[str, typer.Option(help=_("First day, YYYY-MM-DD."))],
    until: Annotated[str, typer.Option(help=_("Last day, YYYY-MM-DD, also to come; else today."))] = "",
    as_json: JsonOption = False,
) -> None:
    """List days on which controls begin, are suspended, hold again or end, with the open records that this touches.

    Open is an own record of goods that leave, declared in the 90 days before, of which no event says that it was
    loaded, has left a gate or was seized. The node's lists count. Role: officer, analyst, supervisor, auditor.

    \b
    Examples:
      gateway law changes --since 2025-11-01 --system officers
      gateway law changes --since 2026-11-10 --until 2026-11-30 --system officers

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """
    for day, option in ((since, "--since"), (until, "--until")):
        if day:
            day_of(day, option)
    response = target.run(lambda client: client.history.control_changes(since, until))
    output = Output(as_json)
    if as_json:
        output.json(as_dict(response))
        return
    output.table(
        _("Changes of export control, {since} to {until}", since=since, until=response.until),
        marked("From", "Announcement", "Does", "For", "Before", "Then", "Sure", "Open records"),
        [_cells(change) for change in response.changes],
        minor=("For",),
    )
    for change in response.changes:
        if change.records:
            output.table(
                _(
                    "Since {day}, {announcement}: {state}",
                    day=change.day,
                    announcement=change.announcement,
                    state=change.state,
                ),
                marked("Record", "Declared", "Procedure", "To", "Code", "Goods", "Sure"),
                [
                    (
                        record.record_id,
                        shown_time(record, "declared_at"),
                        word_of(ShipmentProcedure, record.procedure),
                        record.destination_territory,
                        record.code or "—",
                        record.substance,
                        record.confidence,
                    )
                    for record in change.records
                ],
            )
    count = len({record.record_id for change in response.changes for record in change.records})
    output.note(ngettext("{number} open record is touched.", "{number} open records are touched.", count))


def _cells(change: ControlChange) -> tuple[object, ...]:
    return (
        change.day,
        change.announcement,
        _(MEASURES[Measure(change.measure)]),
        ", ".join(change.destinations),
        change.before,
        change.state,
        change.confidence,
        f"{len(change.records)}+" if change.more_records else len(change.records),
    )
