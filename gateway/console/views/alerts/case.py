"""What colleagues do with an alert, as its page shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.console.views.acknowledgement import AcknowledgementNote, Reader, acknowledgement_note
from gateway.v1.casework_service_pb2 import Colleague, GetCaseResponse


@dataclass(frozen=True, slots=True)
class NoteLine:
    """A note; `text` is empty after it was erased."""

    note_id: str
    author: str
    written_at: Timestamp
    text: str
    is_erased: bool
    may_erase: bool


@dataclass(frozen=True, slots=True)
class CaseView:
    """Who deals with an alert, and what colleagues wrote.

    Attributes:
        assignee: a person's name for people; empty for nobody.
        mine: whether that is the reader.
        colleagues: others whom it can be assigned to, as pairs of person and name.
        watchers: names of persons with a watch mark.
        acknowledgement: one that leaves later, or that wasn't sent.
    """

    assignee: str
    assigned_by: str
    assigned_at: Timestamp | None
    mine: bool
    colleagues: Sequence[tuple[str, str]]
    notes: Sequence[NoteLine]
    watchers: Sequence[str]
    watched: bool
    may_change: bool
    request_id: str
    acknowledgement: AcknowledgementNote | None


def case_view(
    case: GetCaseResponse,
    colleagues: Sequence[Colleague],
    *,
    reader: Reader,
    may_change: bool,
    may_erase_any: bool,
    request_id: str,
) -> CaseView:
    """The gateway's answer for the page."""
    names, person = reader.names, reader.person
    acknowledged = case.acknowledgement if case.HasField("acknowledgement") else None
    assigned = case.assignment if case.HasField("assignment") else None
    return CaseView(
        assignee=names.get(assigned.assignee, assigned.assignee) if assigned else "",
        assigned_by=names.get(assigned.assigned_by, assigned.assigned_by) if assigned else "",
        assigned_at=assigned.assigned_at if assigned else None,
        mine=assigned is not None and assigned.assignee == person,
        colleagues=[(one.person, one.display_name) for one in colleagues if one.person != person],
        notes=[
            NoteLine(
                note_id=note.note_id,
                author=names.get(note.author, note.author),
                written_at=note.written_at,
                text=note.text,
                is_erased=note.HasField("erased_at"),
                may_erase=not note.HasField("erased_at") and may_change and (note.author == person or may_erase_any),
            )
            for note in case.notes
        ],
        watchers=[names.get(one, one) for one in case.watchers],
        watched=case.watched,
        may_change=may_change,
        request_id=request_id,
        acknowledgement=acknowledgement_note(acknowledged, reader) if acknowledged is not None else None,
    )
