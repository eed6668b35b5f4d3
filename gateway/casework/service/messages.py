"""The contract's form of what colleagues do with alerts."""

from __future__ import annotations

from gateway.casework.tables.acknowledgements import AcknowledgementRow
from gateway.casework.tables.cases import ActionRow, AssignmentRow, NoteRow
from gateway.contract.messages import to_timestamp
from gateway.v1 import alert_service_pb2
from gateway.v1 import casework_service_pb2 as service

_ACTIONS = {
    "assigned": service.CASE_ACTION_KIND_ASSIGNED,
    "noted": service.CASE_ACTION_KIND_NOTED,
    "note_erased": service.CASE_ACTION_KIND_NOTE_ERASED,
    "ack_scheduled": service.CASE_ACTION_KIND_ACKNOWLEDGEMENT_SCHEDULED,
    "ack_undone": service.CASE_ACTION_KIND_ACKNOWLEDGEMENT_UNDONE,
    "ack_unsent": service.CASE_ACTION_KIND_ACKNOWLEDGEMENT_UNSENT,
}


def note_message(row: NoteRow) -> service.CaseNote:
    """A note."""
    message = service.CaseNote(
        note_id=row.note_id,
        author=row.author,
        written_at=to_timestamp(row.written_at),
        text=row.text,
        erased_by=row.erased_by,
    )
    if row.erased_at:
        message.erased_at.CopyFrom(to_timestamp(row.erased_at))
    return message


def assignment_message(row: AssignmentRow) -> service.Assignment:
    """An assignment."""
    return service.Assignment(
        assignee=row.assignee, assigned_by=row.assigned_by, assigned_at=to_timestamp(row.assigned_at)
    )


def acknowledgement_message(row: AcknowledgementRow) -> service.ScheduledAcknowledgement:
    """An acknowledgement that waits, or that wasn't sent."""
    message = service.ScheduledAcknowledgement(
        person=row.person,
        revision=row.revision,
        asked_at=to_timestamp(row.asked_at),
        leaves_at=to_timestamp(row.leaves_at),
    )
    if row.reason:
        message.refusal.CopyFrom(alert_service_pb2.ItemError(reason=row.reason, message=row.message))
    return message


def action_kind(kind: str) -> service.CaseActionKind.ValueType:
    """The contract's value of a kind; unspecified for one of a newer version."""
    return _ACTIONS.get(kind, service.CASE_ACTION_KIND_UNSPECIFIED)


def action_message(row: ActionRow) -> service.CaseAction:
    """What was done."""
    return service.CaseAction(
        kind=action_kind(row.kind),
        person=row.person,
        done_at=to_timestamp(row.done_at),
        assignee=row.assignee,
        note_id=row.note_id,
    )
