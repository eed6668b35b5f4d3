"""Statements on what colleagues do with alerts: assignments, notes, marks, and the log of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Connection, bindparam, delete, func, insert, select, update

from gateway.casework.tables.schema import case_actions, case_assignments, case_notes, watch_marks
from gateway.contract.ids import uuid_bytes
from gateway.db.statements import Prepared, PreparedList, insert_rows
from gateway.feed.tables import requests

AlertId = tuple[str, str]
"""Publisher and alert id."""

MOST_SHOWN = 500
"""Most notes and actions of one alert that are shown."""

_values: BindParameter[Any] = bindparam("values", expanding=True)
_ASSIGNMENTS = PreparedList(select(case_assignments).where(case_assignments.c.alert_id.in_(_values)))
_ASSIGNEE = Prepared(
    select(case_assignments.c.assignee).where(
        case_assignments.c.alert_id == bindparam("alert"), case_assignments.c.publisher == bindparam("by")
    )
)
_NOTE_COUNTS = PreparedList(
    select(case_notes.c.publisher, case_notes.c.alert_id, func.count())
    .where(case_notes.c.alert_id.in_(_values), case_notes.c.erased_at == 0)
    .group_by(case_notes.c.publisher, case_notes.c.alert_id)
)
_MARKED = PreparedList(
    select(watch_marks.c.publisher, watch_marks.c.alert_id).where(
        watch_marks.c.person == bindparam("marker"), watch_marks.c.alert_id.in_(_values)
    )
)


class CaseActionKind(StrEnum):
    """What a colleague did."""

    ASSIGNED = "assigned"
    NOTED = "noted"
    NOTE_ERASED = "note_erased"
    ACKNOWLEDGEMENT_SCHEDULED = "ack_scheduled"
    ACKNOWLEDGEMENT_UNDONE = "ack_undone"
    ACKNOWLEDGEMENT_UNSENT = "ack_unsent"


class AssignmentRow(NamedTuple):
    """Who deals with an alert; as the table's columns."""

    alert_id: str
    publisher: str
    assignee: str
    assigned_by: str
    assigned_at: int


class NoteRow(NamedTuple):
    """A note; as the table's columns."""

    note_id: str
    alert_id: str
    publisher: str
    author: str
    written_at: int
    text: str
    erased_at: int = 0
    erased_by: str = ""


class ActionRow(NamedTuple):
    """Something that was done; as the table's columns."""

    position: int
    alert_id: str
    publisher: str
    kind: str
    person: str
    done_at: int
    assignee: str = ""
    note_id: str = ""


def assignee(conn: Connection, publisher: str, alert_id: str) -> str:
    """The person who deals with an alert; empty for nobody."""
    row = _ASSIGNEE(conn, alert=alert_id, by=publisher).one_or_none()
    return "" if row is None else str(row[0])


def assignments(conn: Connection, alert_ids: Collection[str]) -> dict[AlertId, AssignmentRow]:
    """Assignments of alerts, without those that are nobody's."""
    rows = (AssignmentRow(*row) for row in _ASSIGNMENTS(conn, alert_ids)) if alert_ids else ()
    return {(row.publisher, row.alert_id): row for row in rows}


def assigned_to(conn: Connection, person: str, limit: int) -> list[AlertId]:
    """Alerts of a person, the newest first."""
    table = case_assignments.c
    query = select(table.publisher, table.alert_id).where(table.assignee == person)
    return [(row[0], row[1]) for row in conn.execute(query.order_by(table.alert_id.desc()).limit(limit))]


def assignees(conn: Connection, limit: int) -> dict[str, list[str]]:
    """Persons with their alerts' ids, of the newest `limit` assignments."""
    table = case_assignments.c
    query = select(table.assignee, table.alert_id).order_by(table.alert_id.desc()).limit(limit)
    found: dict[str, list[str]] = {}
    for person, alert_id in conn.execute(query):
        found.setdefault(person, []).append(alert_id)
    return found


def assign(conn: Connection, row: AssignmentRow) -> None:
    """Sets an assignment; one to nobody is removed."""
    table = case_assignments.c
    conn.execute(delete(case_assignments).where(table.alert_id == row.alert_id, table.publisher == row.publisher))
    if row.assignee:
        conn.execute(insert(case_assignments).values(row._asdict()))


def note_counts(conn: Connection, alert_ids: Collection[str]) -> Counter[AlertId]:
    """Numbers of notes that weren't erased."""
    rows = _NOTE_COUNTS(conn, alert_ids) if alert_ids else ()
    return Counter({(row[0], row[1]): row[2] for row in rows})


def notes(conn: Connection, publisher: str, alert_id: str) -> list[NoteRow]:
    """The newest notes of an alert, oldest first."""
    table = case_notes.c
    query = select(case_notes).where(table.alert_id == alert_id, table.publisher == publisher)
    rows = conn.execute(query.order_by(table.written_at.desc(), table.note_id.desc()).limit(MOST_SHOWN))
    return [NoteRow(*row) for row in rows][::-1]


def note(conn: Connection, note_id: str) -> NoteRow | None:
    """One note."""
    row = conn.execute(select(case_notes).where(case_notes.c.note_id == note_id)).one_or_none()
    return None if row is None else NoteRow(*row)


def add_note(conn: Connection, row: NoteRow) -> None:
    """Writes a new note."""
    conn.execute(insert(case_notes).values(row._asdict()))


def erase_note(conn: Connection, note_id: str, *, at_ms: int, by: str) -> None:
    """Erases a note's text, also in the answer to its request; that there was one stays."""
    requests.forget_ids(conn, [uuid_bytes(note_id)])  # a note has the id of its request, and is never made twice
    conn.execute(
        update(case_notes).where(case_notes.c.note_id == note_id).values(text="", erased_at=at_ms, erased_by=by)
    )


def erase_written_before(conn: Connection, before_ms: int, *, at_ms: int, limit: int) -> int:
    """Erases the texts of old notes; returns how many."""
    table = case_notes.c
    old = select(table.note_id).where(table.erased_at == 0, table.written_at < before_ms).limit(limit)
    ids = list(conn.execute(old).scalars())
    for note_id in ids:
        erase_note(conn, note_id, at_ms=at_ms, by="")
    return len(ids)


def forget(conn: Connection, publisher: str, alert_id: str, *, at_ms: int) -> None:
    """Erases the notes, the assignment and the marks of an alert that was erased; that there were notes stays."""
    c = case_notes.c
    of_alert = (c.alert_id == alert_id, c.publisher == publisher, c.erased_at == 0)
    for note_id in list(conn.execute(select(c.note_id).where(*of_alert)).scalars()):
        erase_note(conn, note_id, at_ms=at_ms, by="")
    for table in (case_assignments, watch_marks):
        conn.execute(delete(table).where(table.c.alert_id == alert_id, table.c.publisher == publisher))


def add_action(conn: Connection, row: ActionRow) -> None:
    """Writes to the log; the caller holds `progress.lock` and gives the next position."""
    conn.execute(insert(case_actions).values(row._asdict()))


def last_action(conn: Connection) -> int:
    """Position of the newest action; 0 for none."""
    return int(conn.execute(select(func.max(case_actions.c.position))).scalar_one_or_none() or 0)


def actions_of(conn: Connection, publisher: str, alert_id: str) -> list[ActionRow]:
    """The newest actions on an alert, oldest first."""
    table = case_actions.c
    query = select(case_actions).where(table.alert_id == alert_id, table.publisher == publisher)
    rows = conn.execute(query.order_by(table.position.desc()).limit(MOST_SHOWN))
    return [ActionRow(*row) for row in rows][::-1]


def actions_after(conn: Connection, position: int, limit: int) -> list[ActionRow]:
    """Actions after a position, in order."""
    query = select(case_actions).where(case_actions.c.position > position).order_by(case_actions.c.position)
    return [ActionRow(*row) for row in conn.execute(query.limit(limit))]


def set_mark(conn: Connection, person: str, publisher: str, alert_id: str, *, watched: bool) -> None:
    """Sets or removes a person's watch mark."""
    if watched:
        row = (person, alert_id, publisher)
        insert_rows(conn, watch_marks, ("person", "alert_id", "publisher"), [row], or_ignore=True)
        return
    table = watch_marks.c
    of_person = (table.person == person, table.alert_id == alert_id, table.publisher == publisher)
    conn.execute(delete(watch_marks).where(*of_person))


def watchers(conn: Connection, publisher: str, alert_id: str) -> list[str]:
    """Persons with a mark on an alert."""
    table = watch_marks.c
    query = select(table.person).where(table.alert_id == alert_id, table.publisher == publisher)
    return list(conn.execute(query.order_by(table.person)).scalars())


def marked(conn: Connection, person: str, alert_ids: Collection[str]) -> set[AlertId]:
    """Those alerts that a person watches."""
    return {(row[0], row[1]) for row in _MARKED(conn, alert_ids, marker=person)} if alert_ids else set()


def marked_by(conn: Connection, person: str, limit: int) -> list[AlertId]:
    """Alerts that a person watches, the newest first."""
    table = watch_marks.c
    query = select(table.publisher, table.alert_id).where(table.person == person)
    return [(row[0], row[1]) for row in conn.execute(query.order_by(table.alert_id.desc()).limit(limit))]


def alert_ids_of(alerts: Iterable[AlertId]) -> Sequence[str]:
    """Ids alone, each once."""
    return list(dict.fromkeys(alert_id for _, alert_id in alerts))
