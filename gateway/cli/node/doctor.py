"""`gateway doctor`: the self-check of a node, a line for each check."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from gateway.cli.connection import DEFAULT_CONFIG, ConfigOption, read_settings
from gateway.cli.output import EXIT_FAILED, JsonOption, Output, reports_errors
from gateway.translation.check_texts import check_text, way_out_text
from gateway.translation.messages import gettext as _
from gateway.translation.messages import marked, ngettext

EXIT_NOT_CHECKED = 3
"""Nothing failed, but something couldn't be checked."""


PartnerOption = Annotated[
    str, typer.Option(metavar="NODE", help=_("Partner whose gateway is tried: it must refuse what isn't right."))
]


@reports_errors
def doctor(*, partner: PartnerOption = "", config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Check this node: certificates, directory, keys, database, permissions, disk, open files, ports, partners, clock.

    Every check ends ok, warn (it works, look at it), fail (it doesn't) or unknown (it couldn't be checked), with a way
    out. The clock is compared with partners' clocks. It may run beside the node, and before its first start; it changes
    nothing.

    With --partner it tries instead, live, what that partner's gateway must refuse: old TLS, no certificate, a
    certificate of a wrong CA, a wrong role, a feed of another publisher, a wrong signer, a replay. Nothing of it stays
    there but refusals in its audit log.

    \b
    Examples:
      gateway doctor --config /etc/gateway/gateway.toml
      gateway doctor --partner hk --config /etc/gateway/gateway.toml

    \b
    Exit codes: 0 everything was checked and nothing failed, 1 something failed, 2 the settings can't be read,
    3 nothing failed, but something couldn't be checked.
    """
    from gateway.node.checks.findings import Result  # noqa: PLC0415  # imports slowly
    from gateway.node.checks.node_checks import NodeChecks  # noqa: PLC0415  # imports slowly

    output = Output(as_json)
    checks = NodeChecks(read_settings(config), config=config, now=datetime.now(UTC))
    running = checks.run_refusals(partner) if partner else checks.run()
    findings = list(output.track(running, _("Checking")))
    unknown = [finding for finding in findings if finding.result is Result.UNKNOWN]
    checked = [finding for finding in findings if finding not in unknown]
    output.table(
        _("Self-check"),
        marked("Check", "Result", "Found", "Way out"),
        [
            (check_text(finding.check), finding.result, check_text(finding.detail), way_out_text(finding.way_out))
            for finding in checked
        ],
        data=findings,
    )
    if unknown and not as_json:
        output.table(
            _("Not checked"),
            marked("Check", "Why", "Way out"),
            [
                (check_text(finding.check), check_text(finding.detail), way_out_text(finding.way_out))
                for finding in unknown
            ],
        )
    if not partner:
        output.note(
            _("Whether partners get through to this node's peer port shows at theirs alone: `gateway doctor` there.")
        )
    failed = sum(finding.result is Result.FAIL for finding in findings)
    if failed:
        output.note(_("{failed} of {total} checks failed.", failed=failed, total=len(findings)))
        raise typer.Exit(EXIT_FAILED)
    if unknown:
        note = ngettext("{number} check couldn't be made.", "{number} checks couldn't be made.", len(unknown))
        output.note(note)
        raise typer.Exit(EXIT_NOT_CHECKED)
