"""`gateway maintenance`: announces when this node may not answer, and shows what partners have announced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.values import as_dict, instant, shown_time
from gateway.translation.messages import gettext as _
from gateway.translation.messages import marked
from gateway.v1.maintenance_pb2 import AnnouncedMaintenance

FromOption = Annotated[
    str, typer.Option("--from", metavar="TIME", help=_("When it begins, e.g. 2026-03-01T22:00:00+08:00."))
]
UntilOption = Annotated[str, typer.Option("--until", metavar="TIME", help=_("When it ends, at most 7 days later."))]
ReasonOption = Annotated[str, typer.Option("--reason", help=_("Why, for the partners' operators."))]


@reports_errors
@connected
def announce(
    target: Target, *, from_: FromOption, until: UntilOption, reason: ReasonOption, as_json: JsonOption = False
) -> None:
    """Announce maintenance of this node to all partners, in place of what was announced. Role: operator.

    Meanwhile they raise no alarm that this node isn't reached or has a backlog, and show the maintenance instead. A
    partner that isn't reached now hears of it when it is. Alerts wait and are sent afterwards, as always.

    \b
    Example:
      gateway maintenance announce --from 2026-03-01T22:00:00+08:00 --until 2026-03-02T02:00:00+08:00 \\
        --reason "New disks" --system ops

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """
    starts_at, ends_at = instant(from_, "--from"), instant(until, "--until")
    announced = target.run(lambda client: client.node.set_maintenance(starts_at, ends_at, reason=reason))
    _show(as_json, _("Announced"), [announced], data=as_dict(announced))


@reports_errors
@connected
def end(target: Target, *, as_json: JsonOption = False) -> None:
    """Tell all partners that the maintenance has ended, or won't take place. Role: operator.

    \b
    Example:
      gateway maintenance end --system ops

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """
    ended = target.run(lambda client: client.node.end_maintenance())
    _show(as_json, _("Ended"), [ended], data=as_dict(ended))


@reports_errors
@connected
def list_(target: Target, *, as_json: JsonOption = False) -> None:
    """List announced maintenance that hasn't ended, of this node and of partners. Role: operator, supervisor, auditor.

    \b
    Example:
      gateway maintenance list --system ops

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """
    announced = list(target.run(lambda client: client.node.status()).maintenance)
    _show(as_json, _("Maintenance"), announced, data=[as_dict(each) for each in announced])


def _show(as_json: bool, title: str, announced: Sequence[AnnouncedMaintenance], *, data: object) -> None:
    Output(as_json).table(title, COLUMNS, list(map(maintenance_row, announced)), data=data)


COLUMNS = marked("Node", "From", "Until", "Reason", "Known to", "Not yet known to")


def maintenance_row(announced: AnnouncedMaintenance) -> tuple[object, ...]:
    """Cells under COLUMNS."""
    return (
        announced.node,
        shown_time(announced.window, "starts_at"),
        shown_time(announced.window, "ends_at"),
        announced.window.reason,
        ", ".join(announced.known_to),
        ", ".join(announced.unknown_to),
    )
