"""`gateway status` and `gateway audit`: the state of the node, and its decisions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.files import write_output
from gateway.cli.link.maintenance import COLUMNS, maintenance_row
from gateway.cli.output import EXIT_FAILED, JsonOption, Output, reports_errors
from gateway.cli.values import as_dict, shown_time
from gateway.feed.service.alarms import DATABASE
from gateway.translation.condition_texts import condition_text
from gateway.translation.messages import N_, marked
from gateway.translation.messages import gettext as _
from gateway.v1.evidence_service_pb2 import AuditEvent
from gateway.v1.node_service_pb2 import GetNodeStatusResponse

MIB = 1024 * 1024

if TYPE_CHECKING:
    from gateway.client import GatewayClient

_RESOURCES = {
    "descriptors": N_("Open files and connections"),
    "peer_connections": N_("Connections of partners"),
    "local_connections": N_("Connections of own systems"),
}


def _directory_words(state: GetNodeStatusResponse) -> str:
    """Version in force here, and what partners have said of theirs."""
    partners = ", ".join(
        f"{said.partner} {said.version}" + (_(" (lacks revocations that count here)") if said.lacks_revocations else "")
        for said in state.partner_directories
    )
    if not partners:
        return _("version {version}; no partner has said which one it has", version=state.directory_version)
    return _("version {version}; partners say: {partners}", version=state.directory_version, partners=partners)


@reports_errors
@connected
def status(target: Target, *, as_json: JsonOption = False) -> None:
    """Show the node's version, positions and alarms, the most urgent first. Role: operator, supervisor, auditor.

    \b
    Example:
      gateway status --system ops

    \b
    Exit codes: 0 done, 1 refused, unreachable, or its database is gone, 2 wrong input.
    """
    state = target.run(lambda client: client.node.status())
    _print_status(Output(as_json), state)
    if any(alarm.code == DATABASE for alarm in state.alarms):
        raise typer.Exit(EXIT_FAILED)


def _print_status(output: Output, state: GetNodeStatusResponse) -> None:
    facts = {
        N_("Node"): state.node,
        N_("Federation"): state.federation,
        N_("Version"): state.version,
        N_("Directory"): _directory_words(state),
        N_("Running since"): shown_time(state, "started_at"),
        N_("Position"): state.position,
        N_("Projected"): state.projected_position,
    }
    if state.former_members:
        facts[N_("Former members")] = "; ".join(
            _(
                "{node}, since version {version} ({time})",
                node=former.node,
                version=former.version,
                time=shown_time(former, "removed_at"),
            )
            for former in state.former_members
        )
    if state.history.recorded or state.history.holds:
        facts[N_("Shipment records")] = _(
            "{recorded}, indexed {indexed}", recorded=state.history.recorded, indexed=state.history.findable
        )
        facts[N_("Evaluated by rules")] = state.history.judged
        facts[N_("Legal holds")] = state.history.holds
    if state.history.standby_problem:
        facts[N_("Standby of history")] = _(
            "not read: {problem}", problem=condition_text(state.history.standby_problem)
        )
    elif state.history.HasField("standby_lag_ms"):
        facts[N_("Standby of history")] = _("{seconds} s behind", seconds=f"{state.history.standby_lag_ms / 1000:.1f}")
    for usage in state.resources:
        facts[_RESOURCES.get(usage.name, usage.name)] = _("{used} of {limit}", used=usage.used, limit=usage.limit)
    output.facts(_("Node"), facts, data=as_dict(state))
    if output.as_json:
        return
    if state.partner_usage:
        output.table(
            _("Stored today (UTC)"),
            marked("Partner", "What", "Number", "Most", "MiB", "Most MiB"),
            [
                (used.partner, used.kind, used.items, used.max_items, used.bytes // MIB, used.max_bytes // MIB)
                for used in state.partner_usage
            ],
        )
    if state.replicas:
        output.table(
            _("Replicas"),
            marked("Replica", "Host", "Since", "Holds"),
            [
                (
                    _("{name} (this one)", name=replica.name) if replica.answering else replica.name,
                    replica.address,
                    shown_time(replica, "since"),
                    ", ".join(replica.roles),
                )
                for replica in state.replicas
            ],
        )
    if state.maintenance:
        output.table(_("Maintenance"), COLUMNS, list(map(maintenance_row, state.maintenance)))
    if state.alarms:
        rows = [(alarm.code, condition_text(alarm.message), shown_time(alarm, "since")) for alarm in state.alarms]
        output.table(_("Alarms"), marked("Alarm", "What", "Since"), rows)
    else:
        output.line(_("No alarms."))


@reports_errors
@connected
def audit_list(
    target: Target,
    *,
    filter_: Annotated[
        str, typer.Option("--filter", help=_("Conditions joined by AND on principal, method, result, reason, time."))
    ] = "",
    limit: Annotated[int, typer.Option(help=_("Most rows shown; 0 for all."), min=0)] = 50,
    as_json: JsonOption = False,
) -> None:
    """List decisions of this node, newest first. Role: auditor, supervisor.

    Equal calls without effect are one event with their number; of what was refused it has the SHA-256 and the size. Own
    systems stand without `system/`, which --filter needs: "principal = system/cn/officers".

    \b
    Examples:
      gateway audit list --system auditors
      gateway audit list --filter "result = deny" --limit 0 --json

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """

    async def work(client: GatewayClient) -> list[AuditEvent]:
        listed: list[AuditEvent] = []
        async for event in client.evidence.audit_events(filter=filter_):
            if limit and len(listed) == limit:
                break
            listed.append(event)
        return listed

    events = target.run(work)
    Output(as_json).table(
        _("Audit log"),
        marked("No.", "When", "Times", "Last", "Who", "What", "Result", "Reason", "Purpose", "Case"),
        [
            (
                event.sequence,
                shown_time(event, "time"),
                event.occurrences,
                shown_time(event, "last_time") or None,
                event.principal.removeprefix("system/"),
                event.method.rpartition("/")[2],
                event.result,
                event.reason or None,
                event.purpose or None,
                event.case_reference or None,
            )
            for event in events
        ],
        data=[as_dict(event) for event in events],
        minor=("Last", "Case", "Purpose", "Times"),
    )


@reports_errors
@connected
def audit_head(
    target: Target,
    *,
    out: Annotated[Path, typer.Option("--out", help=_("A new file for the signed head."))],
    as_json: JsonOption = False,
) -> None:
    """Keep the newest signed head of the audit log, to prove later what the log was. Role: auditor, supervisor.

    Keep the file where the node's operators can't change it; `gateway verify --head FILE` compares the log with it.

    \b
    Example:
      gateway audit head --system auditors --out 2026-01-15.head

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """
    head = target.run(lambda client: client.evidence.audit_head())
    write_output(out, head.file)
    Output(as_json).facts(
        _("Audit head"),
        {N_("File"): out, N_("Events"): head.sequence, N_("Signed at"): shown_time(head, "signed_at")},
    )
