"""Files of an alert as its page shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.console.filters import number
from gateway.console.images.sandbox import PictureError
from gateway.console.views.words import capitalised
from gateway.contract.enum_words import word_of
from gateway.translation.labels import label_of
from gateway.translation.messages import N_, listed
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import AlertReference
from gateway.v1.file_pb2 import AlertFile, FileState, FileTransfer
from gateway.v1.options_pb2 import DisclosureClass

STATES: Final = {
    "missing": (N_("not uploaded yet"), "warn"),
    "at_partner": (N_("at the partner"), "quiet"),
    "fetching": (N_("on its way"), "info"),
    "unscanned": (N_("waits for the virus scanner"), "warn"),
    "here": (N_("here"), "good"),
    "quarantined": (N_("in quarantine"), "bad"),
    "erased": (N_("erased"), "quiet"),
    "refused": (N_("refused"), "bad"),
}
"""Words and kinds of states."""

PICTURES: Final = frozenset({"image/jpeg", "image/png", "image/webp", "image/tiff", "image/bmp", "image/gif"})
"""Types that are shown as pictures; the worker decides whether they are."""

_TYPES: Final = {
    **{f"image/{name}": name.upper() for name in ("jpeg", "png", "webp", "tiff", "bmp", "gif")},
    "application/pdf": "PDF",
}
"""What people call types of files; others keep the name that they travel by."""


@dataclass(frozen=True, slots=True)
class FileMentionRow:
    """Who named the file, in which step."""

    speaker: str
    event: str
    occurred_at: Timestamp


@dataclass(frozen=True, slots=True)
class FileView:
    """One file of an alert."""

    digest: bytes
    name: str
    description: str
    media_type: str
    type_text: str
    size: int
    classes: str
    state: str
    state_text: str
    state_kind: str
    reason: str
    percent: int
    obtained_from: str
    added_by: str
    added_at: Timestamp | None
    erased_at: Timestamp | None
    erased_by: str
    given_to: Sequence[FileTransfer]
    mentions: Sequence[FileMentionRow]
    path: str
    alert_path: str

    @property
    def hex(self) -> str:
        return self.digest.hex()

    @property
    def is_here(self) -> bool:
        return self.state == "here"

    @property
    def is_picture(self) -> bool:
        return self.is_here and self.media_type in PICTURES

    @property
    def may_be_asked(self) -> bool:
        """Whether asking the partner makes sense."""
        return self.state in ("at_partner", "refused") or (self.state == "erased" and bool(self.obtained_from))

    @property
    def is_on_its_way(self) -> bool:
        return self.state in ("fetching", "unscanned")


def why_not_shown(error: PictureError) -> str:
    """Why a file isn't shown as a picture."""
    if error.pixels is not None:
        width, height = map(number, error.pixels)
        return _("It is too large to be shown here: {width} × {height} pixels.", width=width, height=height)
    if error.too_large:
        return _("It is too large to be shown here.")
    return _("It can't be shown here: it isn't a picture of its type.")


def file_view(alert: AlertReference, found: AlertFile) -> FileView:
    """A file as the page shows it."""
    file = found.file
    evidence = file.evidence
    state = word_of(FileState, file.state)
    text, kind = STATES.get(state, (N_("unknown"), "quiet"))
    percent = min(100, round(100 * file.received_bytes / evidence.size_bytes)) if evidence.size_bytes else 0
    alert_path = f"/alerts/{alert.publisher}/{alert.alert_id}"
    said = _("on its way, {percent} %", percent=percent) if state == "fetching" else _(text)
    return FileView(
        digest=evidence.sha256,
        name=evidence.file_name or evidence.description or evidence.sha256.hex()[:12],
        description=evidence.description,
        media_type=evidence.media_type,
        type_text=_TYPES.get(evidence.media_type, evidence.media_type),
        size=evidence.size_bytes,
        classes=capitalised(listed(label_of(DisclosureClass, one) for one in evidence.classes)),
        state=state,
        state_text=said,
        state_kind=kind,
        reason=file.reason,
        percent=percent,
        obtained_from=listed(node.upper() for node in file.obtained_from),
        added_by=file.added_by,
        added_at=file.added_at if file.HasField("added_at") else None,
        erased_at=file.erased_at if file.HasField("erased_at") else None,
        erased_by=file.erased_by,
        given_to=file.given_to,
        mentions=[FileMentionRow(one.speaker.upper(), one.event, one.occurred_at) for one in found.mentions],
        path=f"{alert_path}/files/{evidence.sha256.hex()}",
        alert_path=alert_path,
    )
