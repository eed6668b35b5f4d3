"""`gateway verify` and `gateway rebuild`: a node's database is verified, its projections are built again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.connection import DEFAULT_CONFIG, ConfigOption, read_settings
from gateway.cli.output import EXIT_FAILED, JsonOption, Output, reports_errors
from gateway.translation.messages import N_, listed, marked, ngettext
from gateway.translation.messages import gettext as _

if TYPE_CHECKING:
    from gateway.evidence.service.verification import DatabaseReport


@reports_errors
def verify(
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    head: Annotated[
        list[Path] | None,
        typer.Option(
            help=_("Kept head of the audit log, from `gateway audit head`; may be repeated."),
            exists=True,
            dir_okay=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Verify this node's database: compute every digest, leaf, tile and root again, and check every signature.

    Runs the database engine's own check first, and compares projections with what a rebuild gives, in a scratch copy in
    the data folder. Names the feed and the entry, the table, or the audit event that is wrong. Reads only, and may run
    beside the gateway.

    \b
    Examples:
      gateway verify --config /etc/gateway/gateway.toml
      gateway verify --head 2026-01-15.head --head 2026-02-15.head

    \b
    Exit codes: 0 everything holds, 1 something is wrong, 2 settings aren't right or there is no database.
    """
    from gateway.node.maintenance import maintenance  # noqa: PLC0415  # imports slowly

    output = Output(as_json)
    with (
        maintenance(read_settings(config)) as opened,
        output.progress(_("Verifying"), opened.verification_work()) as advance,
    ):
        report = opened.verify(advance, head_files=head or [])
    _show_report(output, report)
    if report.findings:
        output.note(_("Keep this database as it is, restore the last backup that verifies, then `gateway recover`."))
        raise typer.Exit(EXIT_FAILED)
    output.line(_("Every root, signature, receipt and digest holds."))


def _show_report(output: Output, report: DatabaseReport) -> None:
    if output.as_json:
        facts: dict[str, Any] = {"feeds": report.feeds, "audit_events": report.audit_events, "records": report.records}
        facts.update(audit_coverage=report.audit_coverage, answers=report.answers)
        facts.update(projected=report.projected, unchecked=report.unchecked)
        output.json({"sound": not report.findings, **facts, "findings": report.findings})
    else:
        output.table(
            _("Verified"),
            marked("Feed", "Entries", "Checkpoints", "Receipts"),
            [(feed.origin, feed.entries, feed.checkpoints, feed.receipts) for feed in report.feeds],
        )
        counts = (
            ngettext("{number} audit event", "{number} audit events", report.audit_events),
            ngettext("{number} recorded item of shipments", "{number} recorded items of shipments", report.records),
            ngettext("{number} answer about them", "{number} answers about them", report.answers),
        )
        output.line(_("{counts}.", counts=listed(counts)))
        output.line(_audit_coverage(report))
        output.line(
            ngettext(
                "{number} row of projections is what a rebuild gives.",
                "{number} rows of projections are what a rebuild gives.",
                report.projected,
            )
        )
        for sentence in report.unchecked:
            output.line(_("Not checked: {what}.", what=sentence))
        if report.findings:
            output.table(
                _("Wrong"),
                marked("Where", "Entry", "Step", "What"),
                [(finding.place, finding.index, finding.step, finding.problem) for finding in report.findings],
            )


def _audit_coverage(report: DatabaseReport) -> str:
    """From when on signed heads vouch for the audit log."""
    coverage = report.audit_coverage
    if coverage is None:
        return _("No signed head vouches for the audit log.")
    text = _(
        "Signed heads vouch for audit events up to {signed}, from {since} UTC on.",
        signed=coverage.signed,
        since=f"{coverage.since:%Y-%m-%d %H:%M:%S}",
    )
    if coverage.recorded_before:
        text += " " + _(
            "Events 1 to {last} are older: a change before that time doesn't show.", last=coverage.recorded_before
        )
    if unsigned := report.audit_events - coverage.signed:
        text += " " + _("No head covers the newest {count} yet.", count=unsigned)
    return text


@reports_errors
def rebuild(*, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Drop the projections of alerts, watchlists and shipments and build them again from feeds and the local log.

    Feeds stay as they are; nothing is sent twice. Stop the node first, with all its replicas; it is refused otherwise.

    \b
    Example:
      gateway rebuild --config /etc/gateway/gateway.toml

    \b
    Exit codes: 0 rebuilt, 1 the database can't be written: run it again, 2 the node runs, settings aren't right, or no
    database.
    """
    from gateway.node.maintenance import maintenance  # noqa: PLC0415  # imports slowly

    output = Output(as_json)
    with (
        maintenance(read_settings(config), migrates=True) as opened,
        output.progress(_("Rebuilding"), opened.rebuild_work()) as advance,
    ):
        report = opened.rebuild(advance)
    output.facts(
        _("Rebuilt"),
        {N_("Entries"): report.entries, N_("Answers sent"): report.answers, N_("Recorded items"): report.records},
    )
