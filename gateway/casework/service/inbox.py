"""Lists the inbox: what wants action, or what was searched for.

Where a search, a person or a mark names the alerts, these are read and sorted here; otherwise a page is walked along an
index. Both ways have one order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.alerts.rules.life import AlertStatus
from gateway.alerts.tables import copies
from gateway.alerts.tables.copies import AlertRow
from gateway.casework.rules.urgency import InboxUrgency, UrgencyGroup
from gateway.casework.rules.wanted import RequiredAction
from gateway.casework.service.rows import SECTIONS, InboxRowMaker
from gateway.casework.service.search_plan import AlertSearchPlan
from gateway.casework.tables import acknowledgements, cases, documents, inbox
from gateway.casework.tables import progress as casework_progress
from gateway.casework.tables.cases import AlertId
from gateway.casework.tables.inbox import FacetRow, InboxCriteria, InboxItem, InboxPlace
from gateway.contract.filters import (
    MOMENTS,
    decode_page_token,
    encode_page_token,
    page_size,
    token_number,
)
from gateway.contract.ids import begins_uuid
from gateway.contract.messages import page_of
from gateway.db.database import Database
from gateway.feed.service.delivery import Deliveries, SentSize
from gateway.feed.service.writing.transaction import Clock
from gateway.feed.tables import journal
from gateway.feed.tables.restores import public_position
from gateway.v1 import casework_service_pb2 as service

MOST_NAMED = 2_000
"""Most alerts that a search, a person or a mark may name; the newest count."""

SHORTEST_ID = 8
"""Fewest characters of an id that a search takes for one: tables show at least 13."""

MOST_COUNTED = 10_000
"""Most rows that facets count, as in the contract."""

MOST_UNSENT = 20
"""Most acknowledgements that weren't sent, as in the contract."""

MOST_VALUES = 50
"""Most values of a facet, as in the contract."""

_AT_ONCE = 50
"""Rows with their payloads that are read together."""

_MINUTE_MS = 60_000
_STATUSES = {number: status.value for number, status in enumerate(AlertStatus, 1)}
_PRIORITIES = {1: "A", 2: "B", 3: "C"}
_DIRECTIONS = {service.ALERT_DIRECTION_IN: "in", service.ALERT_DIRECTION_OUT: "out"}
_ACTIONS = {
    service.WANTED_ACTION_ACKNOWLEDGE: RequiredAction.ACKNOWLEDGE,
    service.WANTED_ACTION_ANSWER: RequiredAction.ANSWER,
    service.WANTED_ACTION_REPLY: RequiredAction.REPLY,
    service.WANTED_ACTION_DECIDE: RequiredAction.DECIDE,
}


@dataclass(frozen=True, slots=True)
class _List:
    """One list as it is asked for; `named`: the alerts that it is of, None for all."""

    criteria: InboxCriteria
    newest_first: bool
    named: list[InboxItem] | None
    more_named: bool = False

    def items(self, conn: Connection, place: InboxPlace | None, limit: int) -> Iterator[InboxItem]:
        """Items after a place."""
        now = self.criteria.now
        if self.named is not None:
            key = None if place is None else self._sort_key(place)
            places = ((inbox.place_of(item, now), item) for item in self.named)
            yield from (item for at, item in places if key is None or self._sort_key(at) > key)
        elif self.newest_first:
            yield from inbox.newest(conn, self.criteria, before=None if place is None else place.key, limit=limit)
        else:
            yield from inbox.by_urgency(conn, self.criteria, after=place, limit=limit)

    def sorted(self) -> _List:
        """With its named alerts in order."""
        if self.named is None:
            return self
        now = self.criteria.now
        named = sorted(self.named, key=lambda item: self._sort_key(inbox.place_of(item, now)))
        return _List(self.criteria, self.newest_first, named, self.more_named)

    def count(self, conn: Connection) -> tuple[int, bool]:
        """Number of items, a little over MOST_COUNTED where there are more; True where more are named than read."""
        if self.named is not None:
            return len(self.named), self.more_named
        return inbox.number_of(conn, self.criteria, MOST_COUNTED + 1), False

    def _sort_key(self, place: InboxPlace) -> tuple[object, ...]:
        if self.newest_first:
            place = InboxPlace(InboxUrgency.of(UrgencyGroup.REST, 0, ""), place.key)
        return inbox.sort_key(place)


class InboxQueries:
    """Reads the inbox. Thread-safe."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        sent_size: SentSize,
        former: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        """`clock` and `former` partners: for deadlines, whose states are this reader's alone."""
        self._database = database
        self._clock = clock
        self._sent_size = sent_size
        self._former = former

    def list(
        self, request: service.ListInboxRequest, *, person: str, plan: AlertSearchPlan | None
    ) -> service.ListInboxResponse:
        """A page; `plan`: of the filter's text, None without one.

        Raises:
            InvalidRequestError: the page token is another list's.
        """
        asked = _asked_for(request, person)
        token = decode_page_token(request.page_token, asked, 7)
        now = self._clock() if token is None else token_number(token[0], MOMENTS)
        place = None if token is None else _place(token)
        limit = page_size(request.page_size)
        with self._database.read() as conn:
            criteria = criteria_of(request.filter, now, self._former())
            listed = _listed(conn, request.filter, person, plan, criteria, order=request.order)
            found = _read(conn, listed.items(conn, place, limit + 1))
            deliveries = Deliveries(conn, self._sent_size)
            maker = InboxRowMaker(conn, deliveries, person=person, criteria=criteria, plan=plan)
            page = page_of(found, maker.row, limit=limit)
            unsent = self._unsent(conn, maker, person, criteria) if token is None else []
            response = service.ListInboxResponse(rows=maker.decorated(page.messages), unsent=unsent)
            if request.with_facets:
                _count(conn, listed, response)
            _tell_progress(conn, response, plan)
        if page.last is not None:
            last = inbox.place_of(page.last[0], now)
            response.next_page_token = encode_page_token(_token(last, now), asked)
        return response

    def _unsent(
        self, conn: Connection, maker: InboxRowMaker, person: str, criteria: InboxCriteria
    ) -> Sequence[service.InboxRow]:
        """Alerts whose acknowledgement by a person wasn't sent."""
        refused = [row.alert for row in acknowledgements.refused_of(conn, person, MOST_UNSENT)]
        if not refused:
            return []
        items = inbox.of_alerts(conn, cases.alert_ids_of(refused), criteria)
        found = _read(conn, (item for item in items if (item.publisher, item.alert_id) in refused))
        rows = sorted(map(maker.row, found), key=lambda row: refused.index(alert_of(row)))
        return maker.decorated(rows)

    def count(
        self, asked: Iterable[tuple[service.InboxFilter, AlertSearchPlan | None]], *, person: str
    ) -> service.CountInboxResponse:
        """Numbers of rows of several lists, each with the plan of its text."""
        now = self._clock()
        response = service.CountInboxResponse()
        with self._database.read() as conn:
            for filter, plan in asked:
                criteria = criteria_of(filter, now, self._former())
                total, more = _listed(conn, filter, person, plan, criteria).count(conn)
                response.counts.add(total=min(total, MOST_COUNTED), more_than_total=more or total > MOST_COUNTED)
        return response


def _listed(
    conn: Connection,
    asked: service.InboxFilter,
    person: str,
    plan: AlertSearchPlan | None,
    criteria: InboxCriteria,
    *,
    order: service.InboxOrder.ValueType = service.INBOX_ORDER_UNSPECIFIED,
) -> _List:
    newest_first = order == service.INBOX_ORDER_NEWEST
    named, more = named_alerts(conn, asked, person, plan)
    if named is None:
        return _List(criteria, newest_first, None)
    ids = cases.alert_ids_of(named)
    items = [item for item in inbox.of_alerts(conn, ids, criteria) if (item.publisher, item.alert_id) in named]
    if criteria.unassigned:
        assigned = cases.assignments(conn, ids)
        items = [item for item in items if (item.publisher, item.alert_id) not in assigned]
    return _List(criteria, newest_first, [item for item in items if criteria.matches(item)], more).sorted()


def alert_of(row: service.InboxRow) -> AlertId:
    """Publisher and id of a row's alert."""
    return row.summary.alert.publisher, row.summary.alert.id


def criteria_of(asked: service.InboxFilter, now_ms: int, former: frozenset[str]) -> InboxCriteria:
    """A filter's conditions without those that name alerts; `former`: former partners."""
    scope = asked.scope
    if scope == service.INBOX_SCOPE_UNSPECIFIED:
        scope = service.INBOX_SCOPE_ALL if asked.text.strip() else service.INBOX_SCOPE_WANTED
    actions = RequiredAction.NOTHING
    for action in asked.actions:
        actions |= _ACTIONS[action]
    return InboxCriteria(
        now=now_ms,
        wanted_only=scope == service.INBOX_SCOPE_WANTED,
        open_only=scope == service.INBOX_SCOPE_OPEN,
        statuses=tuple(_STATUSES[status] for status in asked.statuses),
        priorities=tuple(_PRIORITIES[priority] for priority in asked.priorities),
        partners=tuple(asked.partners),
        direction=_DIRECTIONS.get(asked.direction, ""),
        typologies=tuple(asked.typologies),
        actions=int(actions),
        overdue=asked.overdue,
        due_until=now_ms + asked.due_within_minutes * _MINUTE_MS if asked.due_within_minutes else 0,
        unassigned=asked.assignees == service.ASSIGNEE_SCOPE_NOBODY,
        former=former,
    )


def named_alerts(
    conn: Connection, asked: service.InboxFilter, person: str, plan: AlertSearchPlan | None
) -> tuple[set[AlertId] | None, bool]:
    """Alerts that a filter names by a text, a person or a mark; None if it doesn't. True where there are more."""
    sets: list[set[AlertId]] = []
    more = False
    if plan is not None:
        docs = documents.search(conn, plan.query, MOST_NAMED + 1)
        more = len(docs) > MOST_NAMED
        by_words = documents.alerts_of(conn, docs[:MOST_NAMED]).values()
        sets.append({*by_words, *_alerts_by_id(conn, asked.text)})
    if asked.assignees in (service.ASSIGNEE_SCOPE_ME, service.ASSIGNEE_SCOPE_PERSON):
        whose = person if asked.assignees == service.ASSIGNEE_SCOPE_ME else asked.assignee
        sets.append(set(cases.assigned_to(conn, whose, MOST_NAMED)))
    if asked.watched:
        sets.append(set(cases.marked_by(conn, person, MOST_NAMED)))
    return (set.intersection(*sets) if sets else None), more


def _alerts_by_id(conn: Connection, text: str) -> list[AlertId]:
    """Alerts whose PUBLISHER/ID, or id alone, begins as a text does, shortened as tables show ids."""
    publisher, _slash, beginning = text.strip().rpartition("/")
    if not begins_uuid(beginning, least=SHORTEST_ID):
        return []
    return copies.beginning(conn, beginning, publisher=publisher, limit=MOST_NAMED)


def _asked_for(request: service.ListInboxRequest, person: str) -> str:
    """What a page token belongs to."""
    asked = service.ListInboxRequest(filter=request.filter, order=request.order)
    return f"{person}\n{asked.SerializeToString(deterministic=True).hex()}"


def _token(place: InboxPlace, now: int) -> tuple[str, ...]:
    urgency, key = place
    return (str(now), str(int(urgency.group)), str(urgency.act_by), urgency.priority, *key)


def _place(token: Sequence[str]) -> InboxPlace:
    group = UrgencyGroup(token_number(token[1], range(len(UrgencyGroup))))
    urgency = InboxUrgency.of(group, token_number(token[2], range(2**62)), token[3])
    return InboxPlace(urgency, (token[4], token[5], token[6]))


def _read(conn: Connection, items: Iterable[InboxItem]) -> Iterator[tuple[InboxItem, AlertRow, bytes]]:
    """Items with their copies and payloads, read a few at a time."""
    waiting: list[InboxItem] = []
    for item in items:
        waiting.append(item)
        if len(waiting) == _AT_ONCE:
            yield from _with_copies(conn, waiting)
            waiting = []
    yield from _with_copies(conn, waiting)


def _with_copies(conn: Connection, items: Sequence[InboxItem]) -> Iterator[tuple[InboxItem, AlertRow, bytes]]:
    if not items:
        return
    ids = {item.alert_id for item in items}
    known = {(row.key.alert_id, row.key.publisher, row.key.recipient): (row, payload)
             for row, payload in copies.with_payloads(conn, ids)}  # fmt: skip
    yield from ((item, *known[item.key]) for item in items if item.key in known)


def _tell_progress(conn: Connection, response: service.ListInboxResponse, plan: AlertSearchPlan | None) -> None:
    reached = casework_progress.read(conn)
    head = journal.head_position(conn)
    response.unprojected = max(0, head - reached.listed_position)
    if plan is not None:
        response.unindexed = max(0, head - reached.indexed_position)
        response.name_too_common = plan.too_common
    response.position = public_position(conn, reached.listed_position)
    response.case_position = public_position(conn, cases.last_action(conn))


def _count(conn: Connection, listed: _List, response: service.ListInboxResponse) -> None:
    if listed.named is None:
        rows = inbox.facet_rows(conn, listed.criteria, MOST_COUNTED + 1)
        total, more = sum(row.items for row in rows), False
    else:
        assigned = cases.assignments(conn, [item.alert_id for item in listed.named])
        rows = [_facet_row(item, listed.criteria.now, assigned) for item in listed.named]
        total, more = len(rows), listed.more_named
    response.total, response.more_than_total = min(total, MOST_COUNTED), more or total > MOST_COUNTED
    counters: dict[str, Counter[str]] = {}
    for row in rows:
        for field, value in _values(row):
            counters.setdefault(field, Counter())[value] += row.items
    for field, counter in counters.items():
        values = [service.FacetValue(value=value, count=number) for value, number in counter.most_common(MOST_VALUES)]
        response.facets.add(field=field, values=values)


def _facet_row(item: InboxItem, now: int, assigned: Mapping[AlertId, cases.AssignmentRow]) -> FacetRow:
    group = inbox.place_of(item, now).urgency.group
    row = assigned.get((item.publisher, item.alert_id))
    return FacetRow(
        item.priority,
        item.partner,
        item.direction,
        item.status,
        item.typologies,
        item.wanted if item.open_until > now else 0,
        group is not UrgencyGroup.REST and 0 < item.due_at < now,
        int(group),
        row.assignee if row else "",
        1,
    )


_NUMBER_OF_STATUS = {status: str(number) for number, status in _STATUSES.items()}
_NUMBER_OF_PRIORITY = {letter: str(number) for number, letter in _PRIORITIES.items()}
_NUMBER_OF_DIRECTION = {word: str(number) for number, word in _DIRECTIONS.items()}


def _values(row: FacetRow) -> Iterator[tuple[str, str]]:
    """Fields of InboxFilter with the values that rows have."""
    yield "statuses", _NUMBER_OF_STATUS[row.status]
    yield "priorities", _NUMBER_OF_PRIORITY[row.priority]
    yield "partners", row.partner
    yield "direction", _NUMBER_OF_DIRECTION[row.direction]
    yield from (("typologies", one) for one in row.typologies.strip(",").split(",") if one)
    yield from (("actions", str(number)) for number, action in _ACTIONS.items() if row.wanted & action)
    yield "assignees", row.assignee
    if row.overdue:
        yield "overdue", "true"
    if section := SECTIONS[UrgencyGroup(row.group)]:
        yield "sections", str(section)
