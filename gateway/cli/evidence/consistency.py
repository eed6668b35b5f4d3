"""`gateway evidence consistency`: whether a feed still begins with what old evidence of it says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.directory.files import anchors_from
from gateway.cli.files import read_input, write_output
from gateway.cli.output import EXIT_FAILED, JsonOption, Output, reports_errors
from gateway.errors import ConfigurationError, MalformedError, VerificationError
from gateway.evidence.service.check import verify
from gateway.evidence.service.consistency import verify_extension
from gateway.evidence.service.files import read_bundle


@reports_errors
@connected
def consistency(
    target: Target,
    bundle: Annotated[Path, typer.Argument(help="Evidence of an alert: the folder or .zip file.", exists=True)],
    *,
    directory: Annotated[
        Path | None, typer.Option(help="A directory.note from an authority that you trust.", dir_okay=False)
    ] = None,
    anchor: Annotated[
        list[str] | None, typer.Option(help="An authority's directory key (vkey) or .vkey file; may be repeated.")
    ] = None,
    threshold: Annotated[int | None, typer.Option(help="Anchors that must have signed; without it all.", min=1)] = None,
    proof: Annotated[
        Path | None,
        typer.Option("--proof", help="Verify this proof offline instead of asking a gateway.", dir_okay=False),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where to keep the gateway's proof, to be verified later by --proof.")
    ] = None,
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
        raise ConfigurationError("name what to judge the keys by: --directory FILE, or --anchor VKEY")
    if proof and out:
        raise ConfigurationError("--out keeps a proof that the gateway gives; leave it out with --proof")
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
        output.note(f"NOT PROVED: {error.message}")
        raise typer.Exit(EXIT_FAILED) from error
    if out:
        write_output(out, data)
    facts = {"Feed": extension.older.origin, "Older size": extension.older.size, "Newer size": extension.newer.size}
    output.facts("Consistent", facts)
