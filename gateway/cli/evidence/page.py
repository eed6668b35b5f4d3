"""`gateway evidence page`: evidence of an alert as one HTML file that checks it in a browser."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.files import naming, read_input, write_output
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.errors import OptionError
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _

if TYPE_CHECKING:
    from gateway.evidence.codec.bundle import Bundle


@reports_errors
def page(
    bundle: Annotated[
        Path | None,
        typer.Argument(
            help=_("The folder or .zip file of an alert's evidence; without it the reader of the page chooses one."),
            exists=True,
            show_default=False,
        ),
    ] = None,
    *,
    out: Annotated[Path, typer.Option(help=_("The page, a new .html file."), dir_okay=False)],
    directory: Annotated[
        Path | None,
        typer.Option(help=_("The directory.note whose keys count; without it the bundle's own."), dir_okay=False),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write evidence of an alert as a page that checks it in a browser. Needs no network and no gateway.

    For a court's expert, who opens the file without this software. The page shows step by step what holds, what it
    proves, and the alert as it was signed; it loads and sends nothing. Its reader compares the keys with an authority,
    or chooses a directory or keys in the page, or another bundle.

    \b
    Examples:
      gateway evidence page case-7.zip --out case-7.html
      gateway evidence page case-7 --directory directory.note --out case-7.html
      gateway evidence page --out verifier.html

    \b
    Exit codes: 0 written, 1 damaged, 2 wrong input.
    """
    from gateway.evidence.page.writer import evidence_page  # noqa: PLC0415  # imports slowly

    evidence = None if bundle is None else _alert_evidence(bundle)
    note = None if directory is None else _directory(directory)
    written = evidence_page(None if evidence is None else evidence.files, note)
    write_output(out, written)
    Output(as_json).facts(
        _("Page"), {N_("Path"): out, N_("Bytes"): len(written), N_("SHA-256"): sha256(written).hexdigest()}
    )


def _alert_evidence(path: Path) -> Bundle:
    """A whole bundle about an alert; whether it verifies is seen in the page."""
    # only here: they take longer to import than the rest of a command's start
    from gateway.evidence.codec.answer_bundle import is_answer  # noqa: PLC0415
    from gateway.evidence.codec.audit_export import is_audit_export  # noqa: PLC0415
    from gateway.evidence.codec.bundle import parts_of  # noqa: PLC0415
    from gateway.evidence.service.claim_check import is_denied_receipt  # noqa: PLC0415
    from gateway.evidence.service.files import read_bundle  # noqa: PLC0415
    from gateway.evidence.service.quarantine_check import is_quarantine  # noqa: PLC0415

    unchanged = _("Give what `gateway evidence export` has written, unchanged.")
    with naming(path, way_out=unchanged):
        bundle = read_bundle(path)
    kinds = (is_answer(bundle), is_audit_export(bundle.files), is_quarantine(bundle), is_denied_receipt(bundle))
    if any(kinds):
        raise OptionError(
            _("{path} is other evidence than of an alert, and pages are of alerts alone", path=path),
            way_out=_("Verify it with `gateway evidence verify {path} --directory FILE`.", path=path),
        )
    with naming(path, way_out=unchanged):
        parts_of(bundle)
    return bundle


def _directory(path: Path) -> bytes:
    from gateway.trust.service.directory_versions import unsafe_reopen  # noqa: PLC0415  # imports slowly

    note = read_input(path)
    with naming(path, way_out=_("Give a directory.note as the authorities have signed it.")):
        unsafe_reopen(note)
    return note
