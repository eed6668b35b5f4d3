"""`gateway audit export`: events of the audit log, signed, in files that verify offline."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
from gateway.v1.audit_log_pb2 import AuditExportForm


class ExportForm(StrEnum):
    """How events are written."""

    CSV = "csv"
    JSONL = "jsonl"


_FORMS = {
    ExportForm.CSV: AuditExportForm.AUDIT_EXPORT_FORM_CSV,
    ExportForm.JSONL: AuditExportForm.AUDIT_EXPORT_FORM_JSON_LINES,
}


@reports_errors
@connected
def audit_export(
    target: Target,
    *,
    out: Annotated[Path, typer.Option("--out", help=_("A new folder, or one file when it ends in .zip."))],
    form: Annotated[ExportForm, typer.Option("--format", help=_("A table, or JSON lines."))] = ExportForm.CSV,
    filter_: Annotated[
        str, typer.Option("--filter", help=_("Conditions joined by AND, as for `gateway audit list`."))
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Export events of the audit log, the oldest first, signed with the log's head. Role: auditor, supervisor.

    `gateway evidence verify` proves offline that the node has signed these events. At most 100,000 events.

    \b
    Examples:
      gateway audit export --out january.zip
        --filter 'time >= "2026-01-01T00:00:00+08:00" AND time < "2026-02-01T00:00:00+08:00"'
      gateway audit export --filter "person = li.wei" --format jsonl --out li.wei --system auditors

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """
    files = target.run(lambda client: client.evidence.export_audit(_FORMS[form], filter=filter_))
    from gateway.evidence.codec.bundle import Bundle  # noqa: PLC0415  # imports slowly
    from gateway.evidence.service.files import write_bundle  # noqa: PLC0415

    write_bundle(Bundle(files), out)
    Output(as_json).facts(_("Audit log"), {N_("Path"): out, N_("Files"): len(files)})
