"""Reads what colleagues do with alerts, and which alerts changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from math import inf

from sqlalchemy import Connection

from gateway.alerts import codec as wire
from gateway.alerts.tables import copies, events
from gateway.casework.rules.urgency import UrgencyGroup
from gateway.casework.service.messages import (
    acknowledgement_message,
    action_kind,
    action_message,
    assignment_message,
    note_message,
)
from gateway.casework.tables import acknowledgements, cases, inbox, views
from gateway.casework.tables import progress as casework_progress
from gateway.casework.tables.cases import AlertId
from gateway.casework.tables.inbox import InboxCriteria
from gateway.db.database import Database
from gateway.errors import NotFoundError, PositionUnknownError
from gateway.feed.service.writing.transaction import Clock
from gateway.feed.tables.restores import PositionKind, number_of, public_position
from gateway.v1 import alert_pb2
from gateway.v1 import casework_service_pb2 as service

WATCH_PAGE = 200
"""Most changes in one message of a watch, as in the contract."""

MOST_ASSIGNED = 10_000
"""Newest assignments that are counted by person."""

MOST_WANTED = 1_000
"""Most alerts of a person that are counted, as in the contract."""

HOUR_MS = 3_600_000

ListPersons = Callable[[Connection], Mapping[str, str]]
"""Active persons of this authority whom alerts can be assigned to, with their names for people."""


@dataclass(slots=True)
class InboxPositions:
    """How far a watch has come; plain numbers, not positions as callers keep them."""

    steps: int
    actions: int


@dataclass(slots=True)
class _Change:
    events: dict[str, None] = field(default_factory=dict)
    actions: dict[service.CaseActionKind.ValueType, None] = field(default_factory=dict)


class CaseQueries:
    """Reads casework. Thread-safe."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        persons: ListPersons,
        former: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        """`former`: partners with which nothing is exchanged any more."""
        self._database = database
        self._clock = clock
        self._persons = persons
        self._former = former

    def case(self, alert: alert_pb2.AlertReference, *, person: str) -> service.GetCaseResponse:
        """Assignment, notes and log of an alert; raises NotFoundError."""
        of_alert = alert.publisher, alert.alert_id
        with self._database.read() as conn:
            if not copies.copies(conn, *of_alert):
                raise NotFoundError(f"there is no alert {alert.publisher}/{alert.alert_id} here")
            watchers = cases.watchers(conn, *of_alert)
            response = service.GetCaseResponse(
                notes=[note_message(row) for row in cases.notes(conn, *of_alert)],
                actions=[action_message(row) for row in cases.actions_of(conn, *of_alert)],
                watchers=watchers,
                watched=person in watchers,
            )
            assigned = cases.assignments(conn, [alert.alert_id]).get(of_alert)
            acknowledged = acknowledgements.of_alerts(conn, [alert.alert_id]).get(of_alert)
        if acknowledged is not None:
            response.acknowledgement.CopyFrom(acknowledgement_message(acknowledged))
        if assigned is not None:
            response.assignment.CopyFrom(assignment_message(assigned))
        return response

    def views(self, person: str, roles: Collection[str]) -> service.ListViewsResponse:
        """Views that a person sees."""
        with self._database.read() as conn:
            return service.ListViewsResponse(views=views.of(conn, person, roles))

    def colleagues(self, person: str) -> service.ListColleaguesResponse:
        """Persons whom alerts can be assigned to, and those who have some, with the load of each."""
        criteria = InboxCriteria(self._clock(), former=self._former())
        with self._database.read() as conn:
            names = dict(self._persons(conn))
            assigned = cases.assignees(conn, MOST_ASSIGNED)
            for one in (person, *assigned):
                names.setdefault(one, one)
            loads = {one: _load_of(conn, ids[:MOST_WANTED], criteria) for one, ids in assigned.items()}
        response = service.ListColleaguesResponse()
        for one, shown in sorted(names.items(), key=lambda item: (item[1].casefold(), item[0])):
            colleague = response.colleagues.add(person=one, display_name=shown)
            colleague.MergeFrom(loads.get(one, service.Colleague()))
        return response

    def begin_watch(self, request: service.WatchInboxRequest) -> InboxPositions:
        """Where a watch begins; 0 is the present.

        Raises:
            PositionUnknownError: a position is beyond the end, or lost by a restore.
        """
        with self._database.read() as conn:
            steps, actions = casework_progress.read(conn).listed_position, cases.last_action(conn)
            if request.position:
                steps = number_of(conn, request.position, PositionKind.ALERT_CHANGES, steps)
            if request.case_position:
                actions = _action_of(conn, request.case_position, actions)
            return InboxPositions(steps, actions)

    def changes(self, after: InboxPositions) -> tuple[service.WatchInboxResponse, InboxPositions]:
        """At most WATCH_PAGE changes after positions, and the positions then."""
        with self._database.read() as conn:
            changes: dict[AlertId, _Change] = {}
            steps = _steps_after(conn, after.steps, changes)
            actions = after.actions
            for row in cases.actions_after(conn, actions, WATCH_PAGE - len(changes)):
                change = changes.setdefault((row.publisher, row.alert_id), _Change())
                change.actions[action_kind(row.kind)] = None
                actions = row.position
            response = service.WatchInboxResponse(
                changes=[
                    service.InboxChange(
                        alert=alert_pb2.AlertReference(publisher=publisher, alert_id=alert_id),
                        events=list(change.events),
                        actions=list(change.actions),
                    )
                    for (publisher, alert_id), change in changes.items()
                ],
                position=public_position(conn, steps),
                case_position=public_position(conn, actions),
            )
        return response, InboxPositions(steps, actions)


def _action_of(conn: Connection, position: int, last: int) -> int:
    """The number of an action's position; a restored database gives the numbers after it again."""
    number = position - public_position(conn, 0)
    if 0 <= number <= last:
        return number
    problem = f"case_position {position} is beyond this gateway's last one, or was given before a restore"
    raise PositionUnknownError(problem, metadata={"position": str(position), "last": str(public_position(conn, last))})


def _steps_after(conn: Connection, position: int, changes: dict[AlertId, _Change]) -> int:
    """Adds steps that are in the inbox; the position reached."""
    listed = casework_progress.read(conn).listed_position
    rows = events.after(conn, position, events.AT_ONCE) if position < listed else []
    for event, _, payload in rows:
        if event.position > listed:
            return position
        change = changes.setdefault((event.key.publisher, event.key.alert_id), _Change())
        kind = wire.parse_event(payload).WhichOneof("event") if payload else None
        if kind:
            change.events[kind] = None
        position = event.position
    return position if len(rows) == events.AT_ONCE else max(position, listed)


def _load_of(conn: Connection, alert_ids: Collection[str], criteria: InboxCriteria) -> service.Colleague:
    """How many alerts of these want action, and how soon; an alert counts once, by its most urgent copy."""
    urgent: set[AlertId] = set()
    due_at: dict[AlertId, float] = {}
    now_ms = criteria.now
    for item in inbox.of_alerts(conn, alert_ids, criteria):
        if inbox.place_of(item, now_ms).urgency.group is UrgencyGroup.REST:
            continue
        alert = item.publisher, item.alert_id
        due_at[alert] = min(due_at.get(alert, inf), item.due_at or inf)
        if item.priority == "A":
            urgent.add(alert)
    return service.Colleague(
        wanted=len(due_at),
        overdue=sum(due < now_ms for due in due_at.values()),
        due_within_hour=sum(due <= now_ms + HOUR_MS for due in due_at.values()),
        urgent=len(urgent),
    )
