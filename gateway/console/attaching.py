"""Files that a form attaches: uploaded with it or before it, and named by digest in what the form sends.

    files = await attached_files(request, sent, purpose=purpose, case_reference=case)
    finding.evidence.extend(files.evidence())

The template shows them with `components/files.html`: `attach_field(sent, files)`. Without script files go with the
form, whose path ends in `/upload`; with it, `upload.js` sends them first, in parts, and the form names them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from starlette.requests import Request

from gateway.client import FileAbout
from gateway.console.form import LOST_FILE, MAX_FILES, Form
from gateway.console.images.sandbox import PictureError, PictureSandbox
from gateway.console.images.worker import MAX_INPUT_BYTES
from gateway.console.page import client, console_of
from gateway.console.spool import HandedOver
from gateway.console.views.alerts.field_names import error_text
from gateway.console.views.files import PICTURES, why_not_shown
from gateway.contract.disclosure_classes import ALL_CLASSES, value_of
from gateway.errors import FileRefusedError, FilesOffError, GatewayError, Kind, NotFoundError, OverloadedError
from gateway.translation.messages import gettext as _
from gateway.translation.messages import listed, ngettext
from gateway.v1.alert_pb2 import EvidenceDigest
from gateway.v1.file_pb2 import AttachedFile
from gateway.v1.file_service_pb2 import GetFileLimitsResponse

FIELD: Final = "file"
EVIDENCE: Final = "evidence"
CLASSES: Final = "file_classes"
"""Names of the fields: of files, of digests that were uploaded before, and of what files tell of."""

NO_PURPOSE: Final = "alert_draft"
NO_CASE: Final = "—"
"""What the audit log has of an upload before its alert has a purpose and a case."""

MOST_FILES: Final = 64
CHUNK_BYTES: Final = 256 * 1024
MAX_NAME_CHARS: Final = 120

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f/\\\\\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_DIGEST = re.compile("[0-9a-f]{64}")
_PURPOSE = re.compile("[a-z][a-z0-9_]{0,63}")
_MEDIA_TYPE = re.compile("[a-z0-9.+-]+/[a-z0-9.+-]+")

sandbox = PictureSandbox()
"""Of this process: all pictures share its places."""


@dataclass(frozen=True, slots=True)
class AttachedFiles:
    """Files of a form.

    Attributes:
        limits: None where the gateway keeps none, and then there is no field.
        most_bytes: of one file, as gateway and console take it.
        remarks: what is to be said of files that came with the form, by digest in hexadecimal.
        most_at_once: files that go with the form.
    """

    files: Sequence[AttachedFile]
    limits: GetFileLimitsResponse | None
    most_bytes: int = 0
    remarks: Mapping[str, str] = field(default_factory=dict)
    most_at_once: int = MAX_FILES

    def evidence(self, before: Iterable[EvidenceDigest] = ()) -> list[EvidenceDigest]:
        """What the form's message names: of digests in `before` as it was said there."""
        said = {one.sha256: one for one in before}
        return [said.get(file.evidence.sha256, file.evidence) for file in self.files]


async def attached_files(request: Request, sent: Form, *, purpose: str = "", case_reference: str = "") -> AttachedFiles:
    """The files of a form; those that it brings are uploaded, and whatever isn't attached is noted as a problem."""
    try:
        limits = await client(request).files.limits()
    except GatewayError as error:
        if isinstance(error, FilesOffError) or error.kind in (Kind.PERMISSION_DENIED, Kind.UNIMPLEMENTED):
            return _without_files(sent, error)
        raise
    lost, remarks = [safe_name(name) for name in sent.values.pop(LOST_FILE, [])], {}
    if FIELD in sent.uploads:
        remarks = await _upload(request, sent, purpose=purpose, case_reference=case_reference)
    elif lost:
        sent.problems[FIELD] = ngettext(
            "{names} was not kept. Choose it again, or go on without it.",
            "{names} were not kept. Choose them again, or go on without them.",
            len(lost),
            names=listed(lost),
        )
    digests = [digest for digest in dict.fromkeys(sent.all(EVIDENCE)) if _DIGEST.fullmatch(digest)]
    if len(digests) > MOST_FILES:
        sent.problems[FIELD] = ngettext(
            "At most {number} file goes with one form.", "At most {number} files go with one form.", MOST_FILES
        )
    files = [await _known(request, digest) for digest in digests[:MOST_FILES]]
    return AttachedFiles(files, limits, most_bytes(request, limits), remarks)


def most_bytes(request: Request, limits: GetFileLimitsResponse) -> int:
    """Bytes that one file may have."""
    return min(limits.max_file_bytes, console_of(request).settings.limits.upload_mib * 1024 * 1024)


def _without_files(sent: Form, error: GatewayError) -> AttachedFiles:
    """No files, where the gateway takes none; a form that brings some isn't sent without a word on them."""
    if FIELD in sent.uploads or sent.values.pop(EVIDENCE, []):
        sent.problems[""] = error_text(error)
    sent.uploads.pop(FIELD, None)
    return AttachedFiles([], None)


async def _known(request: Request, digest: str) -> AttachedFile:
    """A file; of one that isn't known here, its digest."""
    try:
        return await client(request).files.get(bytes.fromhex(digest))
    except NotFoundError:
        return AttachedFile(evidence=EvidenceDigest(sha256=bytes.fromhex(digest)))


async def _upload(request: Request, sent: Form, *, purpose: str, case_reference: str) -> dict[str, str]:
    """Uploads the form's files; each that isn't taken is named. Returns remarks on the others.

    Where the gateway can't be asked, the form still has those that are left: their names are given back.
    """
    problems, remarks = [], {}
    uploads = sent.uploads[FIELD]
    while uploads:
        about = about_file(
            name=uploads[0].filename or "",
            media_type=uploads[0].content_type or "",
            purpose=purpose,
            case_reference=case_reference,
            classes=sent.all(CLASSES),
        )
        try:
            file = await hand_over(request, uploads[0].file, about)
        except GatewayError as error:
            if error.kind in (Kind.UNAVAILABLE, Kind.UNAUTHENTICATED):
                raise
            problems.append(f"{about.file_name}: {error_text(error)}")
        else:
            sent.values.setdefault(EVIDENCE, []).append(file.digest)
            remarks[file.digest] = file.remark
        uploads.pop(0)
    del sent.uploads[FIELD]
    if problems:
        sent.problems[FIELD] = "; ".join(problems)
    return remarks


def about_file(*, name: str, media_type: str, purpose: str, case_reference: str, classes: Iterable[str]) -> FileAbout:
    """What an upload says of a file, by what a browser says of it: its type is its word, its name is for people."""
    kind = media_type.partition(";")[0].strip().lower()
    return FileAbout(
        media_type=kind if _MEDIA_TYPE.fullmatch(kind) else "application/octet-stream",
        purpose=purpose if _PURPOSE.fullmatch(purpose) else NO_PURPOSE,
        case_reference=case_reference[:128] or NO_CASE,
        file_name=safe_name(name),
        classes=tuple(value_of(one) for one in sorted({one for one in classes if one in ALL_CLASSES})),
    )


def safe_name(name: str) -> str:
    """The name's last part, without control characters and marks of writing direction."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return _UNSAFE.sub("", last).strip()[-MAX_NAME_CHARS:] or _("file")


def require_taken(media_type: str, size: int, *, limits: GetFileLimitsResponse, largest: int) -> None:
    """Raises FileRefusedError, in the gateway's words, for what it would refuse once all of it is there."""
    if media_type not in limits.media_types:
        taken = ", ".join(limits.media_types)
        raise FileRefusedError(f"files of the type {media_type!r} aren't taken; these are: {taken}")
    if size > largest:
        raise FileRefusedError(f"a file may have at most {largest:,} bytes")


async def hand_over(request: Request, file: BinaryIO, about: FileAbout) -> HandedOver:
    """Gives a whole file to the gateway; says of a picture that it can't be shown here, though it is taken."""
    taken = await client(request).files.put_stream(_chunks(file), about)
    evidence = taken.evidence
    remark = await _remark(file) if about.media_type in PICTURES else ""
    return HandedOver(evidence.sha256.hex(), evidence.file_name or about.file_name, remark)


async def _remark(picture: BinaryIO) -> str:
    await asyncio.to_thread(picture.seek, 0)
    content = await asyncio.to_thread(picture.read, MAX_INPUT_BYTES + 1)
    try:
        await sandbox.require_showable(content)
    except PictureError as error:
        return why_not_shown(error)
    except OverloadedError:  # its page says it later
        return ""
    return ""


async def _chunks(file: BinaryIO) -> AsyncIterator[bytes]:
    await asyncio.to_thread(file.seek, 0)
    while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
        yield chunk
