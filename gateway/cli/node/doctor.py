"""`gateway doctor`: the self-check of a node, a line for each check."""

from __future__ import annotations

from datetime import UTC, datetime

import typer

from gateway.cli.connection import DEFAULT_CONFIG, ConfigOption, read_settings
from gateway.cli.output import EXIT_FAILED, JsonOption, Output, reports_errors
from gateway.translation.messages import gettext as _
from gateway.translation.messages import marked


@reports_errors
def doctor(*, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Check this node: certificates, directory, keys, clock, database, permissions, disk, open files, ports, partners.

    Every check ends ok, warn (it works, look at it) or fail (it doesn't), with a way out. It may run beside the node,
    and before its first start.

    \b
    Example:
      gateway doctor --config /etc/gateway/gateway.toml

    \b
    Exit codes: 0 nothing failed, 1 something failed, 2 the settings can't be read.
    """
    from gateway.node.checks import NodeChecks, Result  # noqa: PLC0415  # imports slowly

    output = Output(as_json)
    checks = NodeChecks(read_settings(config), config=config, now=datetime.now(UTC))
    findings = list(output.track(checks.run(), _("Checking")))
    output.table(
        _("Self-check"),
        marked("Check", "Result", "Found", "Way out"),
        [(finding.check, finding.result, finding.detail, _(finding.way_out)) for finding in findings],
        data=findings,
    )
    failed = sum(finding.result is Result.FAIL for finding in findings)
    if failed:
        output.note(_("{failed} of {total} checks failed.", failed=failed, total=len(findings)))
        raise typer.Exit(EXIT_FAILED)
