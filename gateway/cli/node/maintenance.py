"""`gateway verify` and `gateway rebuild`: a node's database is verified, its projections are built again."""

from __future__ import annotations

import typer

from gateway.cli.connection import DEFAULT_CONFIG, ConfigOption, read_settings
from gateway.cli.output import EXIT_FAILED, JsonOption, Output, reports_errors
from gateway.translation.messages import N_, marked
from gateway.translation.messages import gettext as _


@reports_errors
def verify(*, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Verify this node's database: compute every digest, leaf, tile and root again, and check every signature.

    Names the feed and the entry that is wrong. Reads only, and may run beside the gateway.

    \b
    Example:
      gateway verify --config /etc/gateway/gateway.toml

    \b
    Exit codes: 0 everything holds, 1 something is wrong, 2 settings aren't right or there is no database.
    """
    from gateway.node.maintenance import maintenance  # noqa: PLC0415  # imports slowly

    output = Output(as_json)
    with (
        maintenance(read_settings(config)) as opened,
        output.progress(_("Verifying"), opened.verification_work()) as advance,
    ):
        report = opened.verify(advance)
    if as_json:
        facts = {"feeds": report.feeds, "audit_events": report.audit_events, "records": report.records}
        facts["answers"] = report.answers
        output.json({"sound": not report.findings, **facts, "findings": report.findings})
    else:
        output.table(
            _("Verified"),
            marked("Feed", "Entries", "Checkpoints", "Receipts"),
            [(feed.origin, feed.entries, feed.checkpoints, feed.receipts) for feed in report.feeds],
        )
        output.line(
            _(
                "{audit_events} audit events, {records} recorded items of shipments, {answers} answers about them.",
                audit_events=report.audit_events,
                records=report.records,
                answers=report.answers,
            )
        )
    if report.findings:
        if not as_json:
            output.table(
                _("Wrong"),
                marked("Where", "Entry", "Step", "What"),
                [(finding.place, finding.index, finding.step, finding.problem) for finding in report.findings],
            )
        output.note(_("Keep this database as it is, restore the last backup that verifies, then `gateway recover`."))
        raise typer.Exit(EXIT_FAILED)
    output.line(_("Every root, signature, receipt and digest holds."))


@reports_errors
def rebuild(*, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Drop the projections of alerts, watchlists and shipments and build them again from feeds and the local log.

    Feeds stay as they are; nothing is sent twice. Beside a running gateway lists are incomplete until it has ended.

    \b
    Example:
      gateway rebuild --config /etc/gateway/gateway.toml

    \b
    Exit codes: 0 rebuilt, 1 the database can't be written: run it again, 2 settings aren't right, or no database.
    """
    from gateway.node.maintenance import maintenance  # noqa: PLC0415  # imports slowly

    output = Output(as_json)
    with (
        maintenance(read_settings(config)) as opened,
        output.progress(_("Rebuilding"), opened.rebuild_work()) as advance,
    ):
        report = opened.rebuild(advance)
    output.facts(
        _("Rebuilt"),
        {N_("Entries"): report.entries, N_("Answers sent"): report.answers, N_("Recorded items"): report.records},
    )
