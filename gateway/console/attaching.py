"""Files that a form attaches: uploaded with it or before it, and named by digest in what the form sends.

    files = await attached_files(request, sent, purpose=purpose, case_reference=case)
    finding.evidence.extend(files.evidence())

The template shows them with `components/files.html`: `attach_field(sent, files)`. Without script the file goes with the
form, whose path ends in `/upload`; with it, `upload.js` sends it first and shows how far it is, and the form names it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.datastructures import UploadFile
from starlette.requests import Request

from gateway.client import FileAbout
from gateway.console.form import LOST_FILE, Form
from gateway.console.page import client
from gateway.contract.disclosure_classes import ALL_CLASSES, value_of
from gateway.errors import FilesOffError, GatewayError, Kind, NotFoundError
from gateway.translation.messages import gettext as _
from gateway.translation.messages import ngettext
from gateway.translation.refusals import refused
from gateway.v1.alert_pb2 import EvidenceDigest
from gateway.v1.file_pb2 import AttachedFile
from gateway.v1.file_service_pb2 import GetFileLimitsResponse

FIELD: Final = "file"
EVIDENCE: Final = "evidence"
CLASSES: Final = "file_classes"
"""Names of the fields: of the file, of digests that were uploaded before, and of what the file tells of."""

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


@dataclass(frozen=True, slots=True)
class AttachedFiles:
    """Files of a form; `limits` is None where the gateway keeps none, and then there is no field."""

    files: Sequence[AttachedFile]
    limits: GetFileLimitsResponse | None

    def evidence(self, before: Iterable[EvidenceDigest] = ()) -> list[EvidenceDigest]:
        """What the form's message names: of digests in `before` as it was said there."""
        said = {one.sha256: one for one in before}
        return [said.get(file.evidence.sha256, file.evidence) for file in self.files]


async def attached_files(request: Request, sent: Form, *, purpose: str = "", case_reference: str = "") -> AttachedFiles:
    """The files of a form; one that it brings is uploaded, and whatever isn't attached is noted as a problem."""
    try:
        limits = await client(request).files.limits()
    except GatewayError as error:
        if isinstance(error, FilesOffError) or error.kind in (Kind.PERMISSION_DENIED, Kind.UNIMPLEMENTED):
            return _without_files(sent, error)
        raise
    lost = sent.values.pop(LOST_FILE, [])
    if _has_upload(sent):
        await _upload(request, sent, purpose=purpose, case_reference=case_reference)
    elif lost:
        name = safe_name(lost[-1])
        sent.problems[FIELD] = _("{name} was not kept. Choose it again, or go on without it.", name=name)
    digests = [digest for digest in dict.fromkeys(sent.all(EVIDENCE)) if _DIGEST.fullmatch(digest)]
    if len(digests) > MOST_FILES:
        sent.problems[FIELD] = ngettext(
            "At most {number} file goes with one form.", "At most {number} files go with one form.", MOST_FILES
        )
    return AttachedFiles([await _known(request, digest) for digest in digests[:MOST_FILES]], limits)


def _without_files(sent: Form, error: GatewayError) -> AttachedFiles:
    """No files, where the gateway takes none; a form that brings some isn't sent without a word on them."""
    if _has_upload(sent) or sent.values.pop(EVIDENCE, []):
        sent.problems[""] = refused(error.message)
    sent.uploads.pop(FIELD, None)
    return AttachedFiles([], None)


def _has_upload(sent: Form) -> bool:
    upload = sent.uploads.get(FIELD)
    return upload is not None and bool(upload.filename)


async def _known(request: Request, digest: str) -> AttachedFile:
    """A file; of one that isn't known here, its digest."""
    try:
        return await client(request).files.get(bytes.fromhex(digest))
    except NotFoundError:
        return AttachedFile(evidence=EvidenceDigest(sha256=bytes.fromhex(digest)))


async def _upload(request: Request, sent: Form, *, purpose: str, case_reference: str) -> None:
    """Uploads the form's file. Where the gateway can't be asked, the form still has it: its name is given back."""
    upload = sent.uploads[FIELD]
    about = about_file(
        name=upload.filename or "",
        media_type=upload.content_type or "",
        purpose=purpose,
        case_reference=case_reference,
        classes=sent.all(CLASSES),
    )
    try:
        file = await client(request).files.put_stream(_chunks(upload), about)
    except GatewayError as error:
        if error.kind in (Kind.UNAVAILABLE, Kind.UNAUTHENTICATED):
            raise
        sent.problems[FIELD] = f"{about.file_name}: {refused(error.message)}"
    else:
        sent.values.setdefault(EVIDENCE, []).append(file.evidence.sha256.hex())
    del sent.uploads[FIELD]


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


async def _chunks(upload: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await upload.read(CHUNK_BYTES):
        yield chunk
