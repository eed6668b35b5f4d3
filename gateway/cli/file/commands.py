"""`gateway file`: evidence files are uploaded, asked for, read, listed and erased."""

from __future__ import annotations

import mimetypes
from contextlib import aclosing
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.short_ids import alert_reference, file_digest, is_digest_beginning
from gateway.cli.values import as_dict, shown_time, value_of
from gateway.contract.enum_words import choices
from gateway.errors import FileDamagedError, OptionError
from gateway.files import replacement
from gateway.translation.labels import label_of
from gateway.translation.messages import N_, listed, marked
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import AlertReference
from gateway.v1.file_pb2 import AttachedFile, FileState
from gateway.v1.options_pb2 import DisclosureClass

if TYPE_CHECKING:
    from gateway.client import GatewayClient

DIGEST_DIGITS = 64
"""Hexadecimal digits of a SHA-256."""

DigestArgument = Annotated[
    str,
    typer.Argument(
        metavar="SHA256",
        help=_("The file's digest in hexadecimal, or a beginning that only one has."),
        show_default=False,
    ),
]
PurposeOption = Annotated[str, typer.Option(help=_("Purpose, as the agreement names it. Mandatory."))]
CaseOption = Annotated[str, typer.Option("--case", help=_("Own case reference. Mandatory."))]


@reports_errors
@connected
def put(
    target: Target,
    path: Annotated[Path, typer.Argument(metavar="FILE", help=_("The file."), exists=True, dir_okay=False)],
    *,
    purpose: PurposeOption = "",
    case_reference: CaseOption = "",
    media_type: Annotated[str, typer.Option("--type", help=_("Media type; by default by the name's ending."))] = "",
    tells_of: Annotated[
        list[str] | None,
        typer.Option(
            "--tells-of",
            help=_("What it tells of: {classes}; may be repeated. Without it all.", classes=choices(DisclosureClass)),
        ),
    ] = None,
    description: Annotated[str, typer.Option(help=_("What it is, for people."))] = "",
    upload_id: Annotated[
        str | None, typer.Option("--upload-id", help=_("UUID; the same id goes on with an upload that was cut off."))
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Upload a file that an alert, a finding or an answer names by its digest. Role: publisher, officer, analyst,
    supervisor.

    \b
    Example:
      gateway file put x-ray.jpg --purpose export_control --case CN-2026-0117 --tells-of investigative --system officers

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """
    from gateway.client import FileAbout  # noqa: PLC0415  # imports slowly

    _require(purpose=purpose, case_reference=case_reference)
    about = FileAbout(
        media_type=media_type or mimetypes.guess_type(path.name)[0] or "application/octet-stream",
        purpose=purpose,
        case_reference=case_reference,
        file_name=path.name,
        description=description,
        classes=tuple(value_of(DisclosureClass, one, "--tells-of") for one in tells_of or ()),
    )
    stored = target.run(lambda client: client.files.put(path, about, upload_id=upload_id))
    _show(Output(as_json), _("Uploaded"), stored)


@reports_errors
@connected
def ask(
    target: Target,
    digest: DigestArgument,
    alert: Annotated[str, typer.Option(help=_("The alert that names it: PUBLISHER/ID. Mandatory."))] = "",
    *,
    purpose: PurposeOption = "",
    case_reference: CaseOption = "",
    wait: Annotated[float, typer.Option(help=_("Seconds to wait until it is here."), min=0)] = 0,
    as_json: JsonOption = False,
) -> None:
    """Ask the partner that named a file for it; it comes in the background. Role: officer, analyst, supervisor.

    \b
    Example:
      gateway file ask 5d41402abc4b2a76 --alert cn/019bbf30-0000-7000-8000-000000000000 --purpose export_control
        --case HK-2026-7 --wait 60 --system officers

    \b
    Exit codes: 0 asked for, or here; 1 refused or unreachable, 2 wrong input.
    """
    digest = _shown_digest(digest)
    _require(purpose=purpose, case_reference=case_reference)
    if not alert:
        raise OptionError(_("--alert: name the alert that names the file"))

    async def work(client: GatewayClient) -> AttachedFile:
        key = await alert_reference(client, alert)
        sha = await _digest(client, digest, key)
        file = await client.files.request(sha, key, purpose=purpose, case_reference=case_reference)
        return await client.files.wait(sha, timeout_s=wait) if wait else file

    _show(Output(as_json), _("Asked for"), target.run(work))


@reports_errors
@connected
def get(
    target: Target,
    digest: DigestArgument,
    out: Annotated[Path, typer.Argument(metavar="FILE", help=_("Where to write it."), dir_okay=False)],
    *,
    purpose: PurposeOption = "",
    case_reference: CaseOption = "",
    as_json: JsonOption = False,
) -> None:
    """Write a file that is here, verified by its digest. Role: publisher, officer, analyst, supervisor, auditor.

    \b
    Example:
      gateway file get 5d41402abc4b2a76 x-ray.jpg --purpose export_control --case HK-2026-7 --system officers

    \b
    Exit codes: 0 written, 1 refused or unreachable, 2 wrong input, or it isn't here.
    """
    digest = _shown_digest(digest)
    _require(purpose=purpose, case_reference=case_reference)

    async def work(client: GatewayClient) -> AttachedFile:
        sha = await _digest(client, digest)
        opened, running = await client.files.read(sha, purpose=purpose, case_reference=case_reference), sha256()
        with replacement(out) as file:
            async with aclosing(opened.chunks) as chunks:
                async for chunk in chunks:
                    running.update(chunk)
                    file.write(chunk)
            if running.digest() != sha:
                raise FileDamagedError(_("the bytes aren't those of the digest; nothing was written"))
        return opened.file

    _show(Output(as_json), _("Written"), target.run(work))


@reports_errors
@connected
def list_(
    target: Target,
    *,
    alert: Annotated[str, typer.Option(help=_("Only files that this alert's life names: PUBLISHER/ID."))] = "",
    state: Annotated[str, typer.Option(help=_("Only files in a state: {states}.", states=choices(FileState)))] = "",
    as_json: JsonOption = False,
) -> None:
    """List files, newest first, with where their bytes are. Role: publisher, officer, analyst, supervisor, auditor.

    \b
    Examples:
      gateway file list --state unscanned
      gateway file list --alert cn/019bbf30-0000-7000-8000-000000000000

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """
    wanted = value_of(FileState, state, "--state") if state else FileState.FILE_STATE_UNSPECIFIED

    async def read(client: GatewayClient) -> list[AttachedFile]:
        if alert:
            return [found.file for found in await client.files.of_alert(await alert_reference(client, alert))]
        return [file async for file in client.files.list(state=wanted)]

    files = target.run(read)
    Output(as_json).table(
        _("Files"),
        marked("Digest", "Name", "Type", "Bytes", "State", "From"),
        [_cells(file) for file in files],
        data=[as_dict(file) for file in files],
        minor=("Type",),
    )


@reports_errors
@connected
def erase(
    target: Target,
    digest: DigestArgument,
    *,
    reason: Annotated[str, typer.Option(help=_("Why; it stays with the digest. Mandatory."))] = "",
    as_json: JsonOption = False,
) -> None:
    """Erase a file's bytes here; digest, name and reason stay, and so do copies of partners. Role: supervisor.

    \b
    Example:
      gateway file erase 5d41402abc4b2a76 --reason "Wrong container" --system supervisors

    \b
    Exit codes: 0 erased, 1 refused or unreachable, 2 wrong input, or nothing is here.
    """
    digest = _shown_digest(digest)
    if not reason:
        raise OptionError(_("--reason: say why; it stays with the digest"))
    output = Output(as_json)

    async def work(client: GatewayClient) -> AttachedFile:
        return await client.files.erase(await _digest(client, digest), reason=reason)

    erased = target.run(work)
    _show(output, _("Erased"), erased)
    if erased.given_to:
        nodes = listed(given.node for given in erased.given_to)
        output.note(_("Copies stay at {nodes}: tell them if they should erase theirs.", nodes=nodes))


@reports_errors
@connected
def limits(target: Target, *, as_json: JsonOption = False) -> None:
    """Show which files this gateway takes. Role: publisher, officer, analyst, supervisor, auditor.

    \b
    Example:
      gateway file limits

    \b
    Exit codes: 0 done, 1 refused or unreachable, or no files are kept.
    """
    found = target.run(lambda client: client.files.limits())
    facts = {
        N_("Bytes of a file"): found.max_file_bytes,
        N_("Bytes of all"): found.max_total_bytes,
        N_("Types"): listed(found.media_types),
        N_("Scanned for viruses"): found.scanned,
        N_("Days kept"): found.retention_days,
    }
    Output(as_json).facts(_("Files"), facts, data=as_dict(found))


def _cells(file: AttachedFile) -> tuple[object, ...]:
    evidence = file.evidence
    name = evidence.file_name or evidence.description
    state = label_of(FileState, file.state)
    return evidence.sha256.hex(), name, evidence.media_type, evidence.size_bytes, state, listed(file.obtained_from)


def _show(output: Output, title: str, file: AttachedFile) -> None:
    evidence = file.evidence
    facts = {
        "SHA-256": evidence.sha256.hex(),
        N_("Name"): evidence.file_name,
        N_("Type"): evidence.media_type,
        N_("Bytes"): evidence.size_bytes,
        N_("State"): label_of(FileState, file.state),
        N_("Why"): file.reason,
        N_("Since"): shown_time(file, "added_at"),
        N_("From"): listed(file.obtained_from),
        N_("Fetched by"): listed(given.node for given in file.given_to),
    }
    output.facts(title, facts, data=as_dict(file))


async def _digest(client: GatewayClient, text: str, alert: AlertReference | None = None) -> bytes:
    """A file's digest, also by its beginning; of a file that isn't here yet, by the alert that names it."""
    if len(text) == DIGEST_DIGITS:
        return bytes.fromhex(text)
    if alert is not None:
        return file_digest((found.file.evidence.sha256 for found in await client.files.of_alert(alert)), text)
    return file_digest([file.evidence.sha256 async for file in client.files.list()], text)


def _shown_digest(text: str) -> str:
    """A digest or its beginning, without the mark that pages put after a beginning."""
    beginning = text.removesuffix("…")
    if not is_digest_beginning(beginning):
        raise OptionError(
            _("SHA256: {text!r} is neither a digest in hexadecimal nor its beginning", text=text),
            way_out=_("Take it from `gateway file list`."),
        )
    return beginning


def _require(*, purpose: str, case_reference: str) -> None:
    if not purpose or not case_reference:
        raise OptionError(_("--purpose, --case: both audit logs have them"))
