"""What each recipient would get of an alert, as the page before sending shows it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import Message

from gateway.console.views.words import capitalised
from gateway.translation.labels import label_of, readable
from gateway.translation.messages import gettext as _
from gateway.translation.messages import listed
from gateway.v1.alert_pb2 import AlertContent
from gateway.v1.alert_service_pb2 import AlertAgreement, PreviewAlertResponse, RecipientPreview
from gateway.v1.options_pb2 import DisclosureClass

MOST_CHARS: Final = 160
"""Characters of a field's value that the page before sending shows."""


@dataclass(frozen=True, slots=True)
class DisclosedClass:
    """Fields of one class, and whether a recipient gets them."""

    name: str
    fields: Sequence[str]
    allowed: bool


@dataclass(frozen=True, slots=True)
class RecipientRow:
    """What one recipient would get."""

    node: str
    allowed: bool
    refusal: str
    clause: str
    classes: Sequence[DisclosedClass]
    files: str
    """What its agreement says of files; empty where the alert names none."""


def recipient_rows(preview: PreviewAlertResponse, content: AlertContent) -> list[RecipientRow]:
    """One row for each recipient."""
    return [
        RecipientRow(
            node=one.recipient,
            allowed=one.allowed,
            refusal=one.refusal,
            clause=one.clause,
            classes=_classes(one, content),
            files=_files(one) if content.evidence else "",
        )
        for one in preview.recipients
    ]


def class_names(classes: Iterable[DisclosureClass.ValueType]) -> str:
    """Classes of information in words."""
    return listed(label_of(DisclosureClass, one) for one in classes)


def agreement_text(agreement: AlertAgreement) -> str:
    """What an agreement lets a recipient have, on a line."""
    classes = class_names(agreement.classes) or _("no classified information")
    return _("{clause} It gets: {classes}.", clause=agreement.clause, classes=classes)


def purposes_of(agreements: Iterable[AlertAgreement]) -> list[str]:
    """Purposes for which some partner may get alerts."""
    return sorted({purpose for agreement in agreements for purpose in agreement.purposes})


def _classes(preview: RecipientPreview, content: AlertContent) -> list[DisclosedClass]:
    by_class: dict[DisclosureClass.ValueType, dict[str, None]] = {}
    for field in preview.fields:
        value, name = _value(content, field.path), _field_name(field.path)
        by_class.setdefault(field.disclosure_class, {})[f"{name}: {value}" if value else name] = None
    allowed = set(preview.allowed_classes)
    return [
        DisclosedClass(capitalised(label_of(DisclosureClass, one)), list(names), one in allowed)
        for one, names in sorted(by_class.items())
    ]


def _field_name(path: str) -> str:
    """The last two names of a path, without numbers: `parties names`."""
    names = [part.split("[")[0] for part in path.split(".")]
    return readable(" › ".join(names[-2:] if names[0] == "subject" else names))


def _value(content: Any, path: str) -> str:
    """What a field of the alert says, on a line; empty for what has no words of its own."""
    for part in path.split("."):
        name, _bracket, number = part.partition("[")
        content = getattr(content, name)
        if number:
            content = content[int(number.removesuffix("]"))]
    if isinstance(content, str | int | float):
        return str(content)[:MOST_CHARS]
    if isinstance(content, Message | bytes):
        return ""
    texts = (getattr(item, "text", "") if isinstance(item, Message) else str(item) for item in content)
    return listed(filter(None, texts))[:MOST_CHARS]


def _files(preview: RecipientPreview) -> str:
    if not preview.files_allowed:
        return _("It gets the digests of the files, and may not fetch the files.")
    if len(preview.file_classes) == len(DisclosureClass.values()) - 1:
        return _("It may fetch the files.")
    return _("It may fetch files that tell of nothing but: {classes}.", classes=class_names(preview.file_classes))
