"""`gateway evidence consistency`: whether a feed still begins with what old evidence of it says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.directory.files import anchors_from
from gateway.cli.files import read_input, write_output
from gateway.cli.output import EXIT_FAILED, JsonOption, Output, reports_errors
from gateway.errors import MalformedError, OptionError, VerificationError
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _

BundleArgument = Annotated[Path, typer.Argument(help=_("Evidence of an alert: the folder or .zip file."), exists=True)]
DirectoryOption = Annotated[
    Path | None, typer.Option(help=_("A directory.note from an authority that you trust."), dir_okay=False)
]
AnchorOption = Annotated[
    list[str] | None, typer.Option(help=_("An authority's directory key (vkey) or .vkey file; may be repeated."))
]
ThresholdOption = Annotated[int | None, typer.Option(help=_("Anchors that must have signed; without it all."), min=1)]
ProofOption = Annotated[
    Path | None,
    typer.Option("--proof", help=_("Verify this proof offline instead of asking a gateway."), dir_okay=False),
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", help=_("Where to keep the gateway's proof, to be verified later by --proof.")),
]


@reports_errors
@connected
def consistency(
    target: Target,
    bundle: BundleArgument,
    *,
    directory: DirectoryOption = None,
    anchor: AnchorOption = None,
    threshold: ThresholdOption = None,
    proof: ProofOption = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Prove that a feed still begins with the entries in old evidence. Role: officer, supervisor, auditor.

    Asks the gateway for the proof, which either party of the feed has. A log that was rewritten or cut has none.

    \b
    Examples:
      gateway evidence consistency case-7.zip --directory directory.note --out case-7.consistency
      gateway evidence consistency case-7.zip --directory directory.note --proof case-7.consistency

    \b
    Exit codes: 0 the feed extends it, 1 it doesn't, or unreachable, 2 wrong input.
    """
    if directory is None and not anchor:
        raise OptionError(_("name what vouches for the keys: --directory FILE, or --anchor VKEY"))
    if proof and out:
        raise OptionError(_("--out keeps a proof that the gateway gives; leave it out with --proof"))
    # only here: they take longer to import than the rest of a command's start
    from gateway.evidence.service.check import verify  # noqa: PLC0415
    from gateway.evidence.service.consistency import verify_extension  # noqa: PLC0415
    from gateway.evidence.service.files import read_bundle  # noqa: PLC0415

    files = read_bundle(bundle)
    anchors = anchors_from(anchor, threshold) if anchor else None
    note = read_input(directory) if directory else None
    output = Output(as_json)
    try:
        if proof:
            data = read_input(proof)
        else:
            older = verify(files, anchors=anchors, directory_note=note, require_receipt=False).alert.checkpoint
            data = target.run(lambda client: client.evidence.prove_consistency(older.origin, older.size))
        extension = verify_extension(files, data, anchors=anchors, directory_note=note)
    except (VerificationError, MalformedError) as error:
        output.note(_("NOT PROVED: {message}", message=error.message))
        raise typer.Exit(EXIT_FAILED) from error
    if out:
        write_output(out, data)
    facts = {
        N_("Feed"): extension.older.origin,
        N_("Older size"): extension.older.size,
        N_("Newer size"): extension.newer.size,
    }
    output.facts(_("Consistent"), facts)
