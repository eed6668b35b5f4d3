"""`gateway evidence`: proof of one alert, exported from the own gateway and verified anywhere.

Owns these commands and their words. What is proved and how is services.evidence_check's.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.directory_files import anchors_from
from gateway.cli.files import read_input
from gateway.cli.output import EXIT_FAILED, JsonOption, Output, reports_errors
from gateway.cli.values import reference
from gateway.client import GatewayClient
from gateway.errors import ConfigurationError
from gateway.node.settings import load_settings
from gateway.services.evidence_check import examine
from gateway.services.evidence_files import read_bundle, write_bundle
from gateway.services.evidence_report import Examination, VerifiedEvidence
from gateway.wire.bundle import Bundle

evidence_app = typer.Typer(no_args_is_help=True, help="Evidence: export the proof of one alert, verify it anywhere.")


@evidence_app.command("export")
@reports_errors
@connected
def export(
    target: Target,
    alert: Annotated[
        str, typer.Argument(metavar="ALERT", help="PUBLISHER/ID, or the id alone of an own alert.", show_default=False)
    ],
    *,
    recipient: Annotated[str, typer.Option(help="Whose copy, when an own alert has several recipients.")] = "",
    out: Annotated[
        Path | None, typer.Option("--out", help="A new folder, or one file when it ends in .zip; else ALERT.zip here.")
    ] = None,
    from_database: Annotated[
        bool, typer.Option("--from-database", help="Read the node's database instead of asking the running gateway.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Export everything that proves one alert, and what was said about it later. Role: officer, supervisor, auditor.

    The bundle verifies offline, with `gateway evidence verify` or by hand: its README.txt says how.

    \b
    Examples:
      gateway evidence export cn/019bbf30-0000-7000-8000-000000000000 --out case-7.zip
      gateway evidence export 019bbf30-0000-7000-8000-000000000000 --recipient hk --out case-7

    \b
    Exit codes: 0 exported, 1 refused, unreachable or damaged, 2 wrong input or no such alert here.
    """
    if from_database:
        bundle = _from_database(target.config, alert, recipient)
    else:
        bundle = target.run(lambda client: _exported(client, alert, recipient))
    path = out or Path(f"{alert.rpartition('/')[2]}.zip")
    write_bundle(bundle, path)
    receipted = b"NO RECEIPT" not in bundle.files["README.txt"]
    output = Output(as_json)
    output.facts("Evidence", {"Path": path, "Files": len(bundle.files), "Receipted": receipted})
    if not receipted:
        output.warning("there is no receipt yet: this proves who published the alert, not that it was received")


@evidence_app.command("verify")
@reports_errors
def verify(
    bundle: Annotated[Path, typer.Argument(help="The folder or .zip file.", exists=True)],
    *,
    directory: Annotated[
        Path | None, typer.Option(help="A directory.note from an authority that you trust.", dir_okay=False)
    ] = None,
    anchor: Annotated[
        list[str] | None, typer.Option(help="An authority's directory key (vkey) or .vkey file; may be repeated.")
    ] = None,
    threshold: Annotated[int | None, typer.Option(help="Anchors that must have signed; without it all.", min=1)] = None,
    origin_only: Annotated[
        bool, typer.Option("--origin-only", help="Be content with proof of origin when there is no receipt.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Verify evidence step by step. Needs no network and no gateway, only a directory or the authorities' keys.

    \b
    Examples:
      gateway evidence verify case-7.zip --directory directory.note
      gateway evidence verify case-7 --anchor cn.vkey --anchor hk.vkey --anchor mo.vkey --threshold 2

    \b
    Exit codes: 0 every step holds, 1 a step fails, 2 wrong input.
    """
    if directory is None and not anchor:
        raise ConfigurationError("name what to judge the keys by: --directory FILE, or --anchor VKEY")
    examination = examine(
        read_bundle(bundle),
        anchors=anchors_from(anchor, threshold) if anchor else None,
        directory_note=read_input(directory) if directory else None,
        require_receipt=not origin_only,
    )
    output = Output(as_json)
    _show(output, examination)
    if examination.evidence is None:
        output.note(f"NOT VERIFIED: {examination.steps[-1].detail}")
        raise typer.Exit(EXIT_FAILED)


def _show(output: Output, examination: Examination) -> None:
    evidence = examination.evidence
    if output.as_json:
        proved = None if evidence is None else _facts(evidence)
        output.json({"verified": evidence is not None, "steps": examination.steps, "evidence": proved})
        return
    rows = [(step.number, step.name, step.status, step.detail) for step in examination.steps]
    output.table("Steps", ["No.", "Step", "Result", "Found"], rows)
    if evidence is None:
        return
    output.facts("Proved", {name.replace("_", " ").capitalize(): value for name, value in _facts(evidence).items()})
    if evidence.events:
        output.table(
            "Said later",
            ["What", "By", "Recorded", "Received"],
            [(each.kind, each.origin.publisher, each.recorded_at, each.received_at) for each in evidence.events],
        )


def _facts(evidence: VerifiedEvidence) -> dict[str, str | int | datetime | None]:
    alert = evidence.alert
    return {
        "alert": f"{evidence.key.publisher}/{evidence.key.alert_id}",
        "published_by": evidence.key.publisher,
        "addressed_to": evidence.key.recipient,
        "feed": alert.origin.line,
        "entry": alert.index,
        "recorded_at": alert.recorded_at,
        "received_at": evidence.received_at,
        "directory_version": evidence.directory_version,
        "later_events": len(evidence.events),
    }


async def _exported(client: GatewayClient, alert: str, recipient: str) -> Bundle:
    files = await client.evidence.export(reference(alert, client.node_name), recipient=recipient)
    return Bundle.of((file.name, file.content) for file in files)


def _from_database(config: Path, alert: str, recipient: str) -> Bundle:
    # only here: all other commands are spared the load of a whole node
    from gateway.node.maintenance import maintenance  # noqa: PLC0415

    settings = load_settings(config)
    named = reference(alert, settings.node)
    with maintenance(settings) as opened:
        return opened.export(publisher=named.publisher, alert_id=named.alert_id, recipient=recipient)
