"""Assignments, notes, marks and views: what colleagues do with alerts. Nothing of it is ever in a feed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.alerts.tables import copies
from gateway.casework.commands.drafts import KEPT_MS
from gateway.casework.service.messages import note_message
from gateway.casework.tables import acknowledgements, cases, drafts, views
from gateway.casework.tables import progress as casework_progress
from gateway.casework.tables.cases import ActionRow, AlertId, AssignmentRow, CaseActionKind, NoteRow
from gateway.db.statements import storable_text
from gateway.errors import InvalidRequestError, NotFoundError, PermissionDeniedError, Violation
from gateway.feed.service.writing.commands import IdempotentCommand
from gateway.feed.service.writing.commits import CASEWORK
from gateway.feed.service.writing.transaction import Transaction
from gateway.v1 import alert_pb2
from gateway.v1 import casework_service_pb2 as service

ERASED_AT_ONCE = 500
"""Notes whose text one transaction erases."""

KnowsPerson = Callable[[Connection, str], bool]
"""Whether a person or system of this authority can be given an alert."""


class AssignCommand(IdempotentCommand[service.AssignAlertsResponse]):
    """Assigns alerts to a person, or to nobody."""

    response_type = service.AssignAlertsResponse

    def __init__(
        self,
        request: service.AssignAlertsRequest,
        *,
        person: str,
        principal: str,
        knows: KnowsPerson,
    ) -> None:
        """`person`: who assigns; `request.assignee` is named, not `me`."""
        self.request = request
        self.principal = principal
        self._person = person
        self._knows = knows

    @property
    def weight(self) -> int:
        return len(self.request.alerts)

    def answer(self, tx: Transaction) -> service.AssignAlertsResponse:
        assignee = self.request.assignee
        if assignee and assignee != self._person and not self._knows(tx.conn, assignee):
            message = f"there is no active person {assignee!r} at this authority"
            raise InvalidRequestError([Violation("assignee", "assignee.known", message)])
        alerts = _existing(tx, self.request.alerts)
        before = cases.assignments(tx.conn, cases.alert_ids_of(alerts))
        changed = [one for one in alerts if (before[one].assignee if one in before else "") != assignee]
        log = CaseLog(tx, self._person)
        for publisher, alert_id in changed:
            cases.assign(tx.conn, AssignmentRow(alert_id, publisher, assignee, self._person, tx.now_ms))
            log.add((publisher, alert_id), CaseActionKind.ASSIGNED, assignee=assignee)
        return service.AssignAlertsResponse(changed=len(changed))


class AddNoteCommand(IdempotentCommand[service.AddNoteResponse]):
    """Adds a note to an alert."""

    response_type = service.AddNoteResponse
    weight = 1

    def __init__(self, request: service.AddNoteRequest, *, person: str, principal: str) -> None:
        self.request = request
        self.principal = principal
        self._person = person

    def answer(self, tx: Transaction) -> service.AddNoteResponse:
        request = self.request
        (alert,) = _existing(tx, [request.alert])
        if cases.note(tx.conn, request.request_id) is not None:
            raise InvalidRequestError([Violation("request_id", "note.new", "another note has this id")])
        text = storable_text(request.text)
        row = NoteRow(request.request_id, alert[1], alert[0], self._person, tx.now_ms, text)
        cases.add_note(tx.conn, row)
        CaseLog(tx, self._person).add(alert, CaseActionKind.NOTED, note_id=row.note_id)
        return service.AddNoteResponse(note=note_message(row))


class EraseNoteCommand(IdempotentCommand[service.EraseNoteResponse]):
    """Erases the text of a note."""

    response_type = service.EraseNoteResponse
    weight = 1

    def __init__(self, request: service.EraseNoteRequest, *, person: str, principal: str, may_erase_any: bool) -> None:
        self.request = request
        self.principal = principal
        self._person = person
        self._may_erase_any = may_erase_any

    def answer(self, tx: Transaction) -> service.EraseNoteResponse:
        note_id, alert = self.request.note_id, self.request.alert
        row = cases.note(tx.conn, note_id)
        if row is None or (row.publisher, row.alert_id) != (alert.publisher, alert.alert_id):
            raise NotFoundError(f"there is no note {note_id} on alert {alert.publisher}/{alert.alert_id}")
        if row.author != self._person and not self._may_erase_any:
            raise PermissionDeniedError(f"the note is {row.author}'s; a supervisor may erase it too")
        if not row.erased_at:
            cases.erase_note(tx.conn, note_id, at_ms=tx.now_ms, by=self._person)
            CaseLog(tx, self._person).add((row.publisher, row.alert_id), CaseActionKind.NOTE_ERASED, note_id=note_id)
            row = row._replace(text="", erased_at=tx.now_ms, erased_by=self._person)
        return service.EraseNoteResponse(note=note_message(row))


@dataclass(frozen=True, slots=True)
class SetMarkCommand:
    """Sets or removes a person's watch mark."""

    request: service.SetWatchMarkRequest
    person: str
    weight = 1

    def execute(self, tx: Transaction) -> service.SetWatchMarkResponse:
        ((publisher, alert_id),) = _existing(tx, [self.request.alert])
        cases.set_mark(tx.conn, self.person, publisher, alert_id, watched=self.request.watched)
        return service.SetWatchMarkResponse()


@dataclass(frozen=True, slots=True)
class SaveViewCommand:
    """Saves a view, or replaces an own one."""

    view: service.SavedView
    person: str
    weight = 1

    def execute(self, tx: Transaction) -> service.SaveViewResponse:
        before = views.get(tx.conn, self.view.view_id)
        if before is not None and before.owner != self.person:
            raise PermissionDeniedError("the view is somebody else's; save it under another id")
        if before is None and views.count(tx.conn, self.person) >= views.MOST_VIEWS:
            message = f"a person has at most {views.MOST_VIEWS} views; delete one first"
            raise InvalidRequestError([Violation("view", "view.most", message)])
        view = service.SavedView()
        view.CopyFrom(self.view)
        view.owner = self.person
        view.name = storable_text(view.name)
        views.put(tx.conn, view)
        return service.SaveViewResponse(view=view)


@dataclass(frozen=True, slots=True)
class DeleteViewCommand:
    """Deletes an own view; a supervisor a shared one, too."""

    view_id: str
    person: str
    may_delete_shared: bool
    weight = 1

    def execute(self, tx: Transaction) -> service.DeleteViewResponse:
        view = views.get(tx.conn, self.view_id)
        if view is None:
            raise NotFoundError(f"there is no view {self.view_id}")
        if view.owner != self.person and not (view.shared_with and self.may_delete_shared):
            raise PermissionDeniedError("the view is somebody else's")
        views.remove(tx.conn, self.view_id)
        return service.DeleteViewResponse()


@dataclass(frozen=True, slots=True)
class EraseOldNotesCommand:
    """Erases texts of notes at the end of their retention, acknowledgements that weren't sent, and old drafts of forms;
    returns how many notes.
    """

    before_ms: int
    weight = 1

    def execute(self, tx: Transaction) -> int:
        acknowledgements.forget_refused(tx.conn, self.before_ms)
        drafts.remove_older(tx.conn, tx.now_ms - KEPT_MS)
        return cases.erase_written_before(tx.conn, self.before_ms, at_ms=tx.now_ms, limit=ERASED_AT_ONCE)


class CaseLog:
    """Writes to the log of what colleagues do; nobody else does until the transaction ends."""

    def __init__(self, tx: Transaction, person: str) -> None:
        casework_progress.lock(tx.conn)
        tx.topics.add(CASEWORK)
        self._tx, self._person = tx, person
        self._position = cases.last_action(tx.conn)

    def add(self, alert: AlertId, kind: CaseActionKind, *, assignee: str = "", note_id: str = "") -> None:
        self._position += 1
        publisher, alert_id = alert
        tx = self._tx
        row = ActionRow(self._position, alert_id, publisher, kind, self._person, tx.now_ms, assignee, note_id)
        cases.add_action(tx.conn, row)


def _existing(tx: Transaction, references: Sequence[alert_pb2.AlertReference]) -> list[AlertId]:
    """The alerts, each once. Raises NotFoundError for one that isn't here, also after all entries are projected."""
    alerts: Collection[AlertId] = dict.fromkeys((one.publisher, one.alert_id) for one in references)
    for attempt in (1, 2):
        missing = [one for one in alerts if not copies.copies(tx.conn, *one)]
        if not missing:
            return list(alerts)
        if attempt == 1:
            tx.catch_up()
    publisher, alert_id = missing[0]
    raise NotFoundError(f"there is no alert {publisher}/{alert_id} here")
