"""What each recipient would get of an alert, as the page before sending shows it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.console.views.alerts.sending import SentGroup, alert_groups
from gateway.translation.labels import label_of
from gateway.translation.messages import gettext as _
from gateway.translation.messages import listed
from gateway.v1.alert_pb2 import AlertContent
from gateway.v1.alert_service_pb2 import AlertAgreement, PreviewAlertResponse, RecipientPreview
from gateway.v1.options_pb2 import DisclosureClass


@dataclass(frozen=True, slots=True)
class RecipientRow:
    """What one recipient would get."""

    node: str
    allowed: bool
    refusal: str
    clause: str
    groups: Sequence[SentGroup]
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
            groups=alert_groups(content, one),
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


def _files(preview: RecipientPreview) -> str:
    if not preview.files_allowed:
        return _("It gets the digests of the files, and may not fetch the files.")
    if len(preview.file_classes) == len(DisclosureClass.values()) - 1:
        return _("It may fetch the files.")
    return _("It may fetch files that tell of nothing but: {classes}.", classes=class_names(preview.file_classes))
