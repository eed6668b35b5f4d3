"""What will be sent to whom: the fields of a step, and whether the agreement with the partner lets each go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.contract.disclosure_classes import classes_on
from gateway.contract.enum_words import word_of
from gateway.translation.labels import label_of
from gateway.translation.messages import gettext as _
from gateway.translation.messages import listed
from gateway.v1.alert_service_pb2 import PreviewAlertResponse
from gateway.v1.options_pb2 import DisclosureClass


@dataclass(frozen=True, slots=True)
class SentField:
    """A field of a step: its name and value in words, and its path in the event of the contract."""

    name: str
    value: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class SentRow:
    """A field as one partner gets it; `withheld` says why it doesn't."""

    name: str
    value: str
    withheld: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What one partner gets; `clause` is the agreement's, `refusal` why nothing may go."""

    recipient: str
    rows: tuple[SentRow, ...]
    clause: str = ""
    refusal: str = ""
    is_checked: bool = True
    """False: what the agreement allows isn't known here; the gateway applies it when it sends."""


def step_envelopes(
    event: type, fields: Sequence[SentField], recipients: Iterable[str], preview: PreviewAlertResponse | None
) -> list[Envelope]:
    """What partners get of a step.

    Args:
        event: its message in the contract, e.g. AlertFlagged, whose options have the classes.
        fields: of the step; empty ones aren't sent.
        recipients: who gets it.
        preview: what the gateway says of each; None where it can't be asked.
    """
    previews = {each.recipient: each for each in preview.recipients} if preview else {}
    envelopes = []
    for recipient in recipients:
        known = previews.get(recipient)
        allowed = {word_of(DisclosureClass, each).upper() for each in known.allowed_classes} if known else None
        rows = tuple(_row(event, field, allowed) for field in fields if field.value)
        envelopes.append(Envelope(recipient, rows, known.clause if known else "", is_checked=known is not None))
    return envelopes


def alert_envelopes(preview: PreviewAlertResponse, rows: Sequence[SentField]) -> list[Envelope]:
    """What partners get of an alert's new content: `rows` are what changes in it."""
    envelopes = []
    for each in preview.recipients:
        withheld = {field.path.partition("[")[0].partition(".")[0]: field for field in each.fields if not field.allowed}
        shown = tuple(
            SentRow(
                row.name, row.value, _withheld([withheld[row.path].disclosure_class]) if row.path in withheld else ""
            )
            for row in rows
        )
        envelopes.append(Envelope(each.recipient, shown, each.clause, each.refusal))
    return envelopes


def _row(event: type, field: SentField, allowed: set[str] | None) -> SentRow:
    needed = classes_on(event.DESCRIPTOR, field.path) if field.path else frozenset()  # type: ignore[attr-defined]
    lacking = sorted(needed - allowed) if allowed is not None else []
    values = [DisclosureClass.Value(f"DISCLOSURE_CLASS_{name}") for name in lacking]
    return SentRow(field.name, field.value, _withheld(values))


def _withheld(classes: Iterable[int]) -> str:
    """Why a field stays here; empty where no class is lacking."""
    words = listed(label_of(DisclosureClass, each) for each in classes)
    return words and _("stays here: the agreement doesn't let {classes} information go", classes=words)
