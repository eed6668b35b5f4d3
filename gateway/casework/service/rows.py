"""Makes rows of the inbox: what an alert wants, who deals with it, why it was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from gateway.alerts import codec as wire
from gateway.alerts.codec import AlertKey
from gateway.alerts.rules.deadlines import DeadlineState, deadline_state
from gateway.alerts.rules.life import Side
from gateway.alerts.service import summary_of
from gateway.alerts.tables import copies
from gateway.alerts.tables.copies import AlertRow
from gateway.casework.codec import contents
from gateway.casework.rules.urgency import UrgencyGroup
from gateway.casework.rules.wanted import RequiredAction, RequiredItem, due_unix_ms, required_actions
from gateway.casework.rules.words import compact, folded
from gateway.casework.service.messages import acknowledgement_message, assignment_message
from gateway.casework.service.search_plan import SHORTEST_BEGINNING, AlertSearchPlan
from gateway.casework.tables import acknowledgements, cases
from gateway.casework.tables.inbox import InboxCriteria, InboxItem, place_of
from gateway.contract.findings import finding_of
from gateway.contract.identification.shipment_keys import name_key
from gateway.contract.messages import to_timestamp
from gateway.feed.service.delivery import Deliveries
from gateway.v1 import alert_pb2
from gateway.v1 import casework_service_pb2 as service

MOST_MATCHES = 8
"""Reasons that are shown for one row."""

_ACTIONS = {
    RequiredAction.ACKNOWLEDGE: service.WANTED_ACTION_ACKNOWLEDGE,
    RequiredAction.ANSWER: service.WANTED_ACTION_ANSWER,
    RequiredAction.REPLY: service.WANTED_ACTION_REPLY,
    RequiredAction.DECIDE: service.WANTED_ACTION_DECIDE,
}


SECTIONS: Mapping[UrgencyGroup, service.InboxSection.ValueType] = {
    UrgencyGroup.NOW: service.INBOX_SECTION_NOW,
    UrgencyGroup.DUE: service.INBOX_SECTION_DUE,
    UrgencyGroup.LATER: service.INBOX_SECTION_LATER,
    UrgencyGroup.REST: service.INBOX_SECTION_UNSPECIFIED,
}


class InboxRowMaker:
    """Makes the rows of one page in one snapshot."""

    def __init__(
        self,
        conn: Connection,
        deliveries: Deliveries,
        *,
        person: str,
        criteria: InboxCriteria,
        plan: AlertSearchPlan | None,
    ) -> None:
        self._conn = conn
        self._deliveries = deliveries
        self._person = person
        self._now = criteria.now
        self._former = criteria.former
        self._plan = plan
        self._with_finding: set[str] = set()

    def row(self, found: tuple[InboxItem, AlertRow, bytes]) -> service.InboxRow:
        """A row without what colleagues did; see `decorated`."""
        item, copy, payload = found
        is_own = item.direction == "out"
        life = copy.life
        is_over = life.is_due_to_expire(self._now) or item.partner in self._former
        wanted = () if is_over else required_actions(life, Side.PUBLISHER if is_own else Side.RECIPIENT)
        summary = summary_of(self._deliveries, self._now, self._former, (copy, payload))
        if copy.finding_feed_id:
            self._with_finding.add(item.alert_id)
        row = service.InboxRow(
            summary=summary,
            wanted=[_wanted(one, self._now) for one in wanted],
            section=SECTIONS[place_of(item, self._now).urgency.group],
            direction=service.ALERT_DIRECTION_OUT if is_own else service.ALERT_DIRECTION_IN,
            partner=item.partner,
            matches=matches_in(summary.alert.content, self._plan) if self._plan else (),
            unanswered=sum(not question.answered for question in life.questions) if life.status.is_terminal else 0,
        )
        if due := due_unix_ms(wanted):
            row.due_at.CopyFrom(to_timestamp(due))
        return row

    def decorated(self, rows: Sequence[service.InboxRow]) -> Sequence[service.InboxRow]:
        """Adds what colleagues did, and findings; the number of statements is the same for any number of rows."""
        ids = list({row.summary.alert.id for row in rows})
        assigned, noted = cases.assignments(self._conn, ids), cases.note_counts(self._conn, ids)
        marked = cases.marked(self._conn, self._person, ids)
        acknowledged = acknowledgements.of_alerts(self._conn, ids)
        found = copies.finding_payloads(self._conn, self._with_finding) if self._with_finding else {}
        for row in rows:
            alert = (row.summary.alert.publisher, row.summary.alert.id)
            if alert in assigned:
                row.assignment.CopyFrom(assignment_message(assigned[alert]))
            row.notes = noted[alert]
            row.watched = alert in marked
            if alert in acknowledged:
                row.acknowledgement.CopyFrom(acknowledgement_message(acknowledged[alert]))
            payload = found.get(AlertKey(*alert, row.summary.alert.recipient))
            finding = finding_of(wire.parse_event(payload)) if payload else None  # without payload it was erased
            if finding is not None:
                row.finding.CopyFrom(finding)
        return rows


def _wanted(item: RequiredItem, now_ms: int) -> service.Wanted:
    state = deadline_state(item.deadline_unix_ms or None, now_ms)
    wanted = service.Wanted(
        action=_ACTIONS[item.action],
        questions=item.questions,
        state=wire.deadline_value(state if item.deadline_unix_ms else DeadlineState.NONE),
    )
    if item.deadline_unix_ms:
        wanted.deadline.CopyFrom(to_timestamp(item.deadline_unix_ms))
    return wanted


def matches_in(content: alert_pb2.AlertContent, plan: AlertSearchPlan) -> list[service.SearchMatch]:
    """Why a search found an alert, by its current content; where nothing shows there, it is in a text."""
    found: dict[tuple[int, str], service.SearchMatch] = {}
    words = [word for word, _ in plan.words]
    for kind, text in contents.values_of(content):
        if _is_found(compact(text), plan.whole) or any(_is_found(compact(text), word) for word in words):
            field = contents.FIELDS[kind]
            found.setdefault((field, text), service.SearchMatch(field=field, value=text))
    for name in contents.names_of(content):
        named = plan.names.get(name_key(name))
        field = service.MATCHED_FIELD_PARTY_NAME
        if named is not None:
            match = service.SearchMatch(field=field, value=name, score=named.score, because=named.because)
            found[(field, name)] = match
        elif words and all(word in folded(name) for word in words):
            found[(field, name)] = service.SearchMatch(field=field, value=name, score=1.0)
    if not found:
        return [service.SearchMatch(field=service.MATCHED_FIELD_TEXT)]
    return list(found.values())[:MOST_MATCHES]


def _is_found(value: str, searched: str) -> bool:
    """Whether a number is the one searched for, or begins like it."""
    return bool(searched) and (
        value == searched or (len(searched) >= SHORTEST_BEGINNING and value.startswith(searched))
    )
