"""`gateway history hold place|release|list`: legal holds, which keep records beyond their retention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.history.criteria import EXACT, with_criteria
from gateway.cli.output import JsonOption, Output, reports_errors, stacked
from gateway.cli.short_ids import hold_id, require_id
from gateway.cli.values import RequestIdOption, as_dict, shown_time
from gateway.errors import OptionError
from gateway.tracing.report.criteria_words import criteria_lines
from gateway.translation.messages import N_, marked
from gateway.translation.messages import gettext as _
from gateway.v1.history_pb2 import SearchCriteria
from gateway.v1.history_service_pb2 import LegalHold

if TYPE_CHECKING:
    from gateway.client import GatewayClient


@reports_errors
@connected
@with_criteria(EXACT)
def place(
    target: Target,
    criteria: SearchCriteria,
    *,
    reason: Annotated[str, typer.Option(help=_("Why, with the order of the court or authority. Mandatory."))] = "",
    case_reference: Annotated[str, typer.Option("--case", help=_("Your case reference. Mandatory."))] = "",
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Place a legal hold: matching own records, present and future, aren't purged. Role: supervisor.

    A record is kept when it matches all options.

    \b
    Example:
      gateway history hold place --container CSQU3054383 --reason "Order 2026/17 of the court" --case SZ-2026-17

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """
    missing = [name for name, value in (("--reason", reason), ("--case", case_reference)) if not value.strip()]
    if missing:
        raise OptionError(_("{missing}: a hold needs a reason and a case", missing=", ".join(missing)))
    placed = target.run(
        lambda client: client.history.place_hold(
            criteria, reason=reason, case_reference=case_reference, request_id=request_id
        )
    )
    facts = {N_("Hold"): placed.hold_id, N_("Keeps"): criteria_lines(criteria), N_("Records now"): placed.records}
    Output(as_json).facts(_("Held"), facts, data=as_dict(placed))


@reports_errors
@connected
def release(
    target: Target,
    hold: Annotated[str, typer.Argument(metavar="HOLD", help=_("Its id, as `gateway history hold list` shows it."))],
    *,
    reason: Annotated[str, typer.Option(help=_("Why. Mandatory."))] = "",
    request_id: RequestIdOption = None,
    as_json: JsonOption = False,
) -> None:
    """Release a hold: records that no other hold keeps are purged when their retention ends. Role: supervisor.

    \b
    Example:
      gateway history hold release 019bbf30-0000-7000-8000-000000000000 --reason "The case is closed"

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input, no such hold or released before.
    """
    require_id(hold, _("{hold!r} isn't a hold's id", hold=hold), way_out=_("`gateway history hold list` shows them."))
    if not reason.strip():
        raise OptionError(_("--reason: a release needs a reason"))

    async def work(client: GatewayClient) -> str:
        whole = await hold_id(client, hold)
        await client.history.release_hold(whole, reason=reason, request_id=request_id)
        return whole

    Output(as_json).facts(_("Released"), {N_("Hold"): target.run(work)})


@reports_errors
@connected
def list_(
    target: Target,
    *,
    released: Annotated[bool, typer.Option("--released", help=_("List released holds too."))] = False,
    as_json: JsonOption = False,
) -> None:
    """List holds, newest first. Role: supervisor, auditor.

    \b
    Example:
      gateway history hold list --released

    \b
    Exit codes: 0 done, 1 refused or unreachable.
    """
    holds = target.run(lambda client: client.history.holds(released=released))
    columns = marked("Hold", "Keeps", "Case", "Reason", "Placed", "By", "Released", "Why")
    Output(as_json).table(
        _("Holds"),
        columns,
        [_cells(hold) for hold in holds],
        data=[as_dict(hold) for hold in holds],
        minor=("By", "Placed"),
    )


def _cells(hold: LegalHold) -> tuple[object, ...]:
    return (
        hold.hold_id,
        stacked(criteria_lines(hold.criteria)),
        hold.case_reference,
        hold.reason,
        shown_time(hold, "placed_at"),
        hold.placed_by,
        shown_time(hold, "released_at"),
        hold.release_reason or None,
    )
