"""Reads alerts: one, lists, and changes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeAlias, cast

from sqlalchemy import ColumnElement, Connection, or_

from gateway.alerts import codec as wire
from gateway.alerts.rules.deadlines import Deadlines, DeadlineState, deadline_state, deadlines
from gateway.alerts.rules.life import AlertStatus, Question, Side
from gateway.alerts.tables import copies as alerts
from gateway.alerts.tables import due_conditions, erasures, events
from gateway.alerts.tables.copies import AlertRow
from gateway.alerts.tables.due_conditions import NO_DEADLINE, SortValues, deadline_columns, deadline_values
from gateway.alerts.tables.erasures import AlertErasureRow
from gateway.alerts.tables.events import AlertEventRow
from gateway.alerts.tables.schema import alerts as alerts_table
from gateway.contract.enum_words import word_of
from gateway.contract.filters import (
    EQUAL,
    MOMENTS,
    ORDERED,
    Term,
    compared,
    decode_page_token,
    duration_ms,
    encode_page_token,
    invalid_value,
    page_size,
    parse_filter,
    parse_order,
    token_number,
    unix_ms,
)
from gateway.contract.ids import FeedOrigin
from gateway.contract.messages import clipped_moment, page_of, to_timestamp
from gateway.db.database import Database
from gateway.errors import ErasedError, NotFoundError
from gateway.feed.service.delivery import Deliveries, SentSize
from gateway.feed.service.writing.transaction import Clock
from gateway.feed.tables import journal
from gateway.feed.tables.restores import PositionKind, number_of, public_position
from gateway.persons.rules.pseudonyms import PSEUDONYM_PREFIX
from gateway.persons.tables.sessions import whose_pseudonym
from gateway.plurals import counted
from gateway.trust.rules.permissions import PERSON_PREFIX
from gateway.v1 import alert_pb2, alert_service_pb2, feed_pb2

WATCH_PAGE = 200
"""Most changes in one message of a watch."""

HISTORY_BYTES = 2 * 1024 * 1024
"""Bytes of an alert's newest steps that are shown with it; alert and hits have room beside them."""

MAX_STEPS = 1_000
"""Most of an alert's newest steps that are shown with it."""

_Copy: TypeAlias = tuple[AlertRow, bytes]
_Event: TypeAlias = tuple[AlertEventRow, str, bytes]

_Place: TypeAlias = tuple[tuple[str, str, str], SortValues | tuple[()]]
"""Where a page ends: the last row's key, and what it is sorted by before that in a list by deadline."""

_BY_DEADLINE = "deadline"
_ORDERS = ("published_at desc", _BY_DEADLINE)
_TIMES = ("published_at", "valid_until", "reply_by")
_OUTCOMES = {
    alert_service_pb2.DELIVERY_STATE_APPLIED: feed_pb2.DISPOSITION_OUTCOME_APPLIED,
    alert_service_pb2.DELIVERY_STATE_REJECTED: feed_pb2.DISPOSITION_OUTCOME_REJECTED,
    alert_service_pb2.DELIVERY_STATE_HELD: feed_pb2.DISPOSITION_OUTCOME_HELD,
}
_FIELDS = {
    "status": EQUAL,
    "priority": EQUAL,
    "publisher": EQUAL,
    "recipient": EQUAL,
    "direction": EQUAL,
    "purpose": EQUAL,
    "case_reference": EQUAL,
    "alert_id": ORDERED,
    "reply": EQUAL,
    "question_in": EQUAL,
    "question_out": EQUAL,
    "expired_by_clock": EQUAL,
    "overdue": EQUAL,
    "due_within": EQUAL,
    **dict.fromkeys(_TIMES, ORDERED),
}
_BY_DEADLINES = (*due_conditions.DUE_COLUMNS, "overdue", "due_within")
_VALUES = {
    "status": tuple(AlertStatus),
    "priority": ("A", "B", "C"),
    "direction": ("in", "out"),
    "expired_by_clock": ("true", "false"),
    "overdue": ("true", "false"),
    **dict.fromkeys(due_conditions.DUE_COLUMNS, (DeadlineState.DUE, DeadlineState.OVERDUE)),
}


class AlertQueries:
    """Reads alerts from the projections. Thread-safe."""

    def __init__(
        self,
        database: Database,
        *,
        clock: Clock,
        sent_size: SentSize,
        former: Callable[[], Collection[str]] = frozenset,
    ) -> None:
        """`clock` and `former` partners: for deadlines, whose states are this reader's alone."""
        self._database = database
        self._clock = clock
        self._sent_size = sent_size
        self._former = former

    def get(self, publisher: str, alert_id: str) -> alert_service_pb2.GetAlertResponse:
        """One alert with deliveries and history.

        Raises:
            NotFoundError: this node doesn't have it.
            ErasedError: it was erased here; says when, under which rule, and what partners say of their copies.
        """
        with self._database.read() as conn:
            rows = alerts.copies(conn, publisher, alert_id)
            payload = alerts.current_payload(conn, publisher, alert_id)
            if not rows:
                require_not_erased(conn, publisher, alert_id)
            if not rows or payload is None:
                raise NotFoundError(f"there is no alert {publisher}/{alert_id} here{_unprojected_text(conn)}")
            deliveries = Deliveries(conn, self._sent_size)
            newest = events.newest_of(conn, publisher, alert_id)
            shown = partial(_delivered, deliveries, public_position(conn, 0))
            steps = page_of(newest, shown, limit=MAX_STEPS, most_bytes=HISTORY_BYTES)
            older = events.count_before(conn, publisher, alert_id, steps.last[0].position) if steps.last else 0
            name_own_actors(conn, steps.messages)
            now = self._clock()
            copies = [_copy(deliveries, row, now, has_left=row.partner in self._former()) for row in rows]
        return alert_service_pb2.GetAlertResponse(
            alert=_alert(payload), deliveries=copies, history=steps.messages[::-1], older_steps=older
        )

    def who_asked(self, publisher: str, alert_id: str, question_id: str) -> str:
        """Recipient of the copy in which the other side asked a question; empty when there is none."""
        with self._database.read() as conn:
            for row in alerts.copies(conn, publisher, alert_id):
                asker = Side.RECIPIENT if row.direction == "out" else Side.PUBLISHER
                if row.life.question(asker, question_id) is not None:
                    return row.key.recipient
        return ""

    def list(self, request: alert_service_pb2.ListAlertsRequest) -> alert_service_pb2.ListAlertsResponse:
        """A page of copies, newest first or by deadline.

        Raises:
            InvalidRequestError: malformed filter, order or page token.
        """
        terms = parse_filter(request.filter, _FIELDS)
        by_deadline = parse_order(request.order_by, _ORDERS) == _BY_DEADLINE
        listed = f"{request.filter}\n{_BY_DEADLINE}" if by_deadline else request.filter
        token = decode_page_token(request.page_token, listed, 7 if by_deadline else 4)
        now = self._clock() if token is None else token_number(token[3], MOMENTS)
        place = None if token is None else _place(token)
        former = self._former()
        conditions = [condition for term in terms for condition in _conditions(term, now, former)]
        limit = page_size(request.page_size)
        with self._database.read() as conn:
            rows = _copies(conn, conditions, place, limit + 1, by_deadline_at=now if by_deadline else 0, former=former)
            page = page_of(rows, partial(summary_of, Deliveries(conn, self._sent_size), now, former), limit=limit)
            unprojected = _unprojected(conn)
        response = alert_service_pb2.ListAlertsResponse(alerts=page.messages, unprojected=unprojected)
        if page.last is not None:
            key = page.last[0].key
            values = deadline_values(page.last[0], now, former) if by_deadline else ()
            last = (key.alert_id, key.publisher, key.recipient, str(now), *map(str, values))
            response.next_page_token = encode_page_token(last, listed)
        return response

    def erasures(self, request: alert_service_pb2.ListErasuresRequest) -> alert_service_pb2.ListErasuresResponse:
        """A page of what nodes have said of erasing alerts, newest first.

        Raises:
            InvalidRequestError: malformed page token.
        """
        listed = f"erasures of {request.alert.publisher}/{request.alert.alert_id}"
        token = decode_page_token(request.page_token, listed, 1)
        before = events.LAST_POSITION if token is None else token_number(token[0], range(events.LAST_POSITION))
        alert = (request.alert.publisher, request.alert.alert_id) if request.HasField("alert") else None
        limit = page_size(request.page_size)
        with self._database.read() as conn:
            rows = erasures.newest(conn, before=before, limit=limit + 1, alert=alert)
        response = alert_service_pb2.ListErasuresResponse(erasures=[_erasure(*row) for row in rows[:limit]])
        if len(rows) > limit:
            response.next_page_token = encode_page_token((str(rows[limit - 1][0].position),), listed)
        return response

    def head(self) -> int:
        """Position of the newest committed entry."""
        with self._database.read() as conn:
            return journal.head_position(conn)

    def projected(self) -> int:
        """Position up to which entries are projected."""
        with self._database.read() as conn:
            return journal.projected_position(conn)

    def changes(self, position: int) -> tuple[alert_service_pb2.WatchAlertsResponse, bool]:
        """At most WATCH_PAGE changes after a position, and whether there are more; the response's position continues.

        Raises:
            PositionUnknownError: beyond the end of this node's log, or lost by a restore.
        """
        with self._database.read() as conn:
            projected = journal.projected_position(conn)
            newest = max(projected, journal.head_position(conn))
            after = number_of(conn, position, PositionKind.ALERT_CHANGES, newest)
            epoch = public_position(conn, 0)
            page = page_of(_events_after(conn, after), partial(_change, epoch), limit=WATCH_PAGE)
            # At the end everything projected was read: entries without a change needn't be looked at again.
            reached = max(projected, after) if page.last is None else page.last[0].position
            name_own_actors(conn, page.messages)
        response = alert_service_pb2.WatchAlertsResponse(changes=page.messages, position=epoch | reached)
        return response, page.last is not None


def require_not_erased(conn: Connection, publisher: str, alert_id: str) -> None:
    """Raises ErasedError for an alert that isn't here any more because it was erased."""
    said = [row for row, _ in erasures.newest(conn, before=events.LAST_POSITION, limit=50, alert=(publisher, alert_id))]
    if not any(row.rule for row in said):
        return
    raise ErasedError(
        f"alert {publisher}/{alert_id}: " + "; ".join(_said(row) for row in reversed(said)),
        metadata={"alert_id": alert_id, "publisher": publisher},
        way_out="`gateway alert erased` lists erasures with the signed entries that say so.",
    )


def _said(row: AlertErasureRow) -> str:
    at = f"{clipped_moment(row.said_at):%Y-%m-%d %H:%M} UTC"
    if row.rule:
        return f"erased at {row.node} on {at} under rule {row.rule}, legal basis {row.legal_basis}"
    why = word_of(alert_pb2.ErasureRefusal, _refusal(row)).replace("_", " ")
    return f"kept at {row.node} on {at}: {why}"


def _refusal(row: AlertErasureRow) -> alert_pb2.ErasureRefusal.ValueType:
    return cast("alert_pb2.ErasureRefusal.ValueType", row.refusal)


def _erasure(row: AlertErasureRow, origin: str) -> alert_service_pb2.AlertErasure:
    return alert_service_pb2.AlertErasure(
        alert=alert_pb2.AlertReference(publisher=row.publisher, alert_id=row.alert_id),
        recipient=row.recipient,
        node=row.node,
        at=to_timestamp(row.said_at),
        entry=alert_service_pb2.EntryReference(origin=origin, index=row.idx),
        rule=row.rule,
        legal_basis=row.legal_basis,
        erased=row.erased,
        asks=row.asks,
        refusal=_refusal(row),
    )


def name_own_actors(conn: Connection, changes: Iterable[alert_service_pb2.AlertChange]) -> None:
    """Says who acted where an event has a pseudonym of this node's."""
    hidden = [change for change in changes if change.event.actor.startswith(PSEUDONYM_PREFIX)]
    for change in hidden:
        meant = whose_pseudonym(conn, change.event.actor)
        change.own_actor = f"{PERSON_PREFIX}{meant[0]}" if meant is not None else ""


def _unprojected(conn: Connection) -> int:
    """Number of entries that the projections lack."""
    return journal.head_position(conn) - journal.projected_position(conn)


def _unprojected_text(conn: Connection) -> str:
    count = _unprojected(conn)
    return f"; {counted(count, 'entry')} of feeds aren't projected yet: ask again" if count else ""


def _conditions(term: Term, now_ms: int, former: Collection[str]) -> list[ColumnElement[bool]]:
    """The conditions of a term; of those on deadlines as `alerts.rules.deadlines` has them, each for an index."""
    columns = alerts_table.c
    allowed = _VALUES.get(term.field)
    if allowed is not None and term.value not in allowed:
        raise invalid_value(term, f"one of {', '.join(allowed)}")
    if term.field in _BY_DEADLINES:
        return _deadline_conditions(term, now_ms, former)
    if term.field == "expired_by_clock":
        if term.value == "false":
            return [or_(columns.open_until == 0, columns.open_until > now_ms)]
        return [columns.direction.in_(_VALUES["direction"]), alerts.is_past(columns.open_until, now_ms + 1)]
    if term.field == "status" and AlertStatus(term.value).is_terminal:
        return [_condition(term), alerts.has_ended()]
    if term.field == "reply_by":
        return [columns.reply_by > 0, _condition(term)]
    return [_condition(term)]


def _deadline_conditions(term: Term, now_ms: int, former: Collection[str]) -> list[ColumnElement[bool]]:
    if term.field in due_conditions.DUE_COLUMNS:
        is_overdue = term.value == DeadlineState.OVERDUE
        return (due_conditions.overdue if is_overdue else due_conditions.due)(term.field, now_ms, former)
    if term.field == "overdue":
        is_true = term.value == "true"
        return (due_conditions.any_overdue if is_true else due_conditions.none_overdue)(now_ms, former)
    return due_conditions.any_due_before(now_ms, now_ms + duration_ms(term), former)


def _condition(term: Term) -> ColumnElement[bool]:
    column = alerts_table.c[term.field]
    value: str | int = unix_ms(term) if term.field in _TIMES else term.value
    condition: ColumnElement[bool] = compared(column, term, value)
    return condition


def _alert(payload: bytes) -> alert_pb2.Alert | None:
    return wire.alert_of(wire.parse_event(payload)) if payload else None


def _place(token: tuple[str, ...]) -> _Place:
    """Where the previous page ended."""
    values: SortValues | tuple[()] = ()
    if len(token) > 4:  # the key and the time of the first page
        values = token_number(token[4], range(NO_DEADLINE + 1)), token_number(token[5], range(2)), token[6]
    return (token[0], token[1], token[2]), values


def _copies(
    conn: Connection,
    conditions: Sequence[ColumnElement[bool]],
    place: _Place | None,
    most: int,
    *,
    by_deadline_at: int,
    former: Collection[str],
) -> Iterator[_Copy]:
    """Copies after a place, newest first or by deadline at a time, each with its payload, read a few at a time."""
    order = deadline_columns(by_deadline_at, former) if by_deadline_at else ()
    before, after = (None, ()) if place is None else place
    while most > 0:
        limit = min(most, events.AT_ONCE)
        rows = alerts.list_page(conn, conditions, before=before, limit=limit, order=order, after=after)
        yield from rows
        if len(rows) < limit:
            return
        last = rows[-1][0]
        before, most = (last.key.alert_id, last.key.publisher, last.key.recipient), most - limit
        after = deadline_values(last, by_deadline_at, former) if order else ()


def _events_after(conn: Connection, position: int) -> Iterator[_Event]:
    """Events after a position, read a few at a time."""
    while True:
        rows = events.after(conn, position, events.AT_ONCE)
        yield from rows
        if len(rows) < events.AT_ONCE:
            return
        position = rows[-1][0].position


def summary_of(
    deliveries: Deliveries, now_ms: int, former: Collection[str], copy: _Copy
) -> alert_service_pb2.AlertSummary:
    """A copy with its current payload, as lists have it; `former`: partners that left, or that this node left."""
    row, payload = copy
    first, last = _first_and_last(deliveries, row)
    summary = alert_service_pb2.AlertSummary(
        alert=_alert(payload),
        status=wire.status_value(row.life.status),
        last_step=last,
        deadlines=wire.deadlines_value(deadlines(row.life, now_ms, has_left=row.partner in former), own=_own_side(row)),
    )
    if first.HasField("receipted_at"):
        summary.receipted_at.CopyFrom(first.receipted_at)
    return summary


def _copy(deliveries: Deliveries, row: AlertRow, now_ms: int, *, has_left: bool) -> alert_service_pb2.AlertDelivery:
    first, last = _first_and_last(deliveries, row)
    states = deadlines(row.life, now_ms, has_left=has_left)
    questions = [question for side in Side for question in row.life.open_questions(side)]
    delivery = alert_service_pb2.AlertDelivery(
        recipient=row.key.recipient,
        status=wire.status_value(row.life.status),
        entry=first.entry,
        disposition=_OUTCOMES.get(first.state, feed_pb2.DISPOSITION_OUTCOME_UNSPECIFIED),
        open_question_ids=[question.question_id for question in questions],
        last_step=last,
        deadlines=wire.deadlines_value(states, own=_own_side(row)),
        open_questions=[_question(row, question, states, now_ms) for question in questions],
    )
    if first.HasField("receipted_at"):
        delivery.receipted_at.CopyFrom(first.receipted_at)
    return delivery


def _first_and_last(
    deliveries: Deliveries, row: AlertRow
) -> tuple[alert_service_pb2.StepDelivery, alert_service_pb2.StepDelivery]:
    """Deliveries of a copy's first step and of the newest that says what the alert is."""
    first = wire.delivery_value(deliveries.of(row.feed_id, row.first_idx), "published")
    if (row.last_feed_id, row.last_idx) == (row.feed_id, row.first_idx):
        return first, first
    last = deliveries.of(row.last_feed_id, row.last_idx)
    return first, wire.delivery_value(last, wire.newest_text_or_end(row.life))


def _question(row: AlertRow, question: Question, states: Deadlines, now_ms: int) -> alert_service_pb2.OpenQuestion:
    state = deadline_state(question.deadline_unix_ms, now_ms)
    return alert_service_pb2.OpenQuestion(
        question_id=question.question_id,
        asked_by=row.key.publisher if question.asked_by is Side.PUBLISHER else row.key.recipient,
        deadline=to_timestamp(question.deadline_unix_ms),
        state=wire.deadline_value(DeadlineState.NONE if states.expired_by_clock or states.partner_left else state),
    )


def _own_side(row: AlertRow) -> Side:
    return Side.PUBLISHER if row.direction == "out" else Side.RECIPIENT


def _delivered(deliveries: Deliveries, epoch: int, logged: _Event) -> alert_service_pb2.AlertChange:
    change = _change(epoch, logged)
    event = logged[0]
    kind = change.event.WhichOneof("event") or ""
    change.delivery.CopyFrom(wire.delivery_value(deliveries.of(event.feed_id, event.idx), kind))
    return change


def _change(epoch: int, logged: _Event) -> alert_service_pb2.AlertChange:
    """`epoch`: the position given for number 0."""
    event, origin_line, payload = logged
    return alert_service_pb2.AlertChange(
        position=epoch | event.position,
        entry=alert_service_pb2.EntryReference(origin=origin_line, index=event.idx),
        alert=alert_pb2.AlertReference(publisher=event.key.publisher, alert_id=event.key.alert_id),
        recipient=event.key.recipient,
        event=wire.parse_event(payload) if payload else None,
        status=wire.status_value(event.status),
        committed_at=to_timestamp(event.committed_at),
        speaker=FeedOrigin.parse(origin_line).publisher,
    )
