"""Reads alerts: one, lists, and changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TypeAlias

from sqlalchemy import ColumnElement, Connection

from gateway.alerts import codec as wire
from gateway.alerts import tables as alerts
from gateway.alerts.rules import AlertStatus, Side
from gateway.alerts.tables import AlertEventRow, AlertRow
from gateway.alerts.tables import alerts as alerts_table
from gateway.contract.filters import (
    EQUAL,
    ORDERED,
    Term,
    compared,
    decode_page_token,
    encode_page_token,
    invalid_value,
    page_size,
    parse_filter,
    unix_ms,
)
from gateway.contract.ids import FeedOrigin
from gateway.contract.pages import page_of
from gateway.contract.timestamps import to_timestamp
from gateway.db.database import Database
from gateway.errors import NotFoundError, PositionUnknownError
from gateway.feed.tables import checkpoints, dispositions, feeds, journal, progress
from gateway.v1 import alert_pb2, alert_service_pb2, feed_pb2

WATCH_PAGE = 200
"""Most changes in one message of a watch."""

HISTORY_BYTES = 2 * 1024 * 1024
"""Bytes of an alert's newest steps that are shown with it; alert and hits have room beside them."""

MAX_STEPS = 1_000
"""Most of an alert's newest steps that are shown with it."""

_Copy: TypeAlias = tuple[AlertRow, bytes]
_Event: TypeAlias = tuple[AlertEventRow, str, bytes]

_FIELDS = {
    "status": EQUAL,
    "priority": EQUAL,
    "publisher": EQUAL,
    "recipient": EQUAL,
    "direction": EQUAL,
    "purpose": EQUAL,
    "case_reference": EQUAL,
    "published_at": ORDERED,
    "alert_id": ORDERED,
}
_VALUES = {"status": tuple(AlertStatus), "priority": ("A", "B", "C"), "direction": ("in", "out")}


class AlertQueries:
    """Reads alerts from the projections. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, publisher: str, alert_id: str) -> alert_service_pb2.GetAlertResponse:
        """One alert with deliveries and history.

        Raises:
            NotFoundError: this node doesn't have it.
        """
        with self._database.read() as conn:
            rows = alerts.copies(conn, publisher, alert_id)
            payload = alerts.current_payload(conn, publisher, alert_id)
            if not rows or payload is None:
                raise NotFoundError(f"there is no alert {publisher}/{alert_id} here")
            newest = alerts.newest_events_of(conn, publisher, alert_id)
            steps = page_of(newest, _change, limit=MAX_STEPS, most_bytes=HISTORY_BYTES)
            older = alerts.count_events_before(conn, publisher, alert_id, steps.last[0].position) if steps.last else 0
            deliveries = [_delivery(conn, row) for row in rows]
        return alert_service_pb2.GetAlertResponse(
            alert=_alert(payload), deliveries=deliveries, history=steps.messages[::-1], older_steps=older
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
        """A page of copies, newest first.

        Raises:
            InvalidRequestError: malformed filter or page token.
        """
        conditions = [_condition(term) for term in parse_filter(request.filter, _FIELDS)]
        token = decode_page_token(request.page_token, request.filter, 3)
        before = None if token is None else (token[0], token[1], token[2])
        limit = page_size(request.page_size)
        with self._database.read() as conn:
            rows = _copies(conn, conditions, before, limit + 1)
            page = page_of(rows, partial(_summary, conn), limit=limit)
        response = alert_service_pb2.ListAlertsResponse(alerts=page.messages)
        if page.last is not None:
            key = page.last[0].key
            response.next_page_token = encode_page_token((key.alert_id, key.publisher, key.recipient), request.filter)
        return response

    def head(self) -> int:
        """Position of the newest committed entry."""
        with self._database.read() as conn:
            return journal.head_position(conn)

    def projected(self) -> int:
        """Position up to which entries are projected."""
        with self._database.read() as conn:
            return progress.position(conn)

    def changes(self, position: int) -> alert_service_pb2.WatchAlertsResponse:
        """At most WATCH_PAGE changes after a position; the response's position continues.

        Raises:
            PositionUnknownError: beyond the end of this node's log.
        """
        with self._database.read() as conn:
            projected = progress.position(conn)
            if position > projected and position > journal.head_position(conn):
                raise PositionUnknownError(
                    f"position {position} is beyond this gateway's last one, {projected}",
                    metadata={"position": str(position), "last": str(projected)},
                )
            page = page_of(_events_after(conn, position), _change, limit=WATCH_PAGE)
        # At the end everything projected was read: entries without a change needn't be looked at again.
        reached = max(projected, position) if page.last is None else page.last[0].position
        return alert_service_pb2.WatchAlertsResponse(changes=page.messages, position=reached)


def _condition(term: Term) -> ColumnElement[bool]:
    allowed = _VALUES.get(term.field)
    if allowed is not None and term.value not in allowed:
        raise invalid_value(term, f"one of {', '.join(allowed)}")
    column = alerts_table.c[term.field]
    value: str | int = term.value if term.field != "published_at" else unix_ms(term)
    condition: ColumnElement[bool] = compared(column, term, value)
    return condition


def _alert(payload: bytes) -> alert_pb2.Alert | None:
    return wire.alert_of(wire.parse_event(payload)) if payload else None


def _copies(
    conn: Connection, conditions: Sequence[ColumnElement[bool]], before: tuple[str, str, str] | None, most: int
) -> Iterator[_Copy]:
    """Copies, newest first, each with its payload, read a few at a time."""
    while most > 0:
        limit = min(most, alerts.AT_ONCE)
        rows = alerts.list_page(conn, conditions, before=before, limit=limit)
        yield from rows
        if len(rows) < limit:
            return
        key = rows[-1][0].key
        before, most = (key.alert_id, key.publisher, key.recipient), most - limit


def _events_after(conn: Connection, position: int) -> Iterator[_Event]:
    """Events after a position, read a few at a time."""
    while True:
        rows = alerts.events_after(conn, position, alerts.AT_ONCE)
        yield from rows
        if len(rows) < alerts.AT_ONCE:
            return
        position = rows[-1][0].position


def _summary(conn: Connection, copy: _Copy) -> alert_service_pb2.AlertSummary:
    row, payload = copy
    summary = alert_service_pb2.AlertSummary(alert=_alert(payload), status=wire.status_value(row.life.status))
    receipt = checkpoints.receipted_over(conn, row.feed_id, row.first_idx)
    if receipt is not None:
        summary.receipted_at.CopyFrom(to_timestamp(receipt.receipted_at))
    return summary


def _delivery(conn: Connection, row: AlertRow) -> alert_service_pb2.AlertDelivery:
    feed = feeds.get_by_id(conn, row.feed_id)
    delivery = alert_service_pb2.AlertDelivery(
        recipient=row.key.recipient,
        status=wire.status_value(row.life.status),
        entry=alert_service_pb2.EntryReference(origin=feed.origin.line, index=row.first_idx),
        open_question_ids=[q.question_id for side in Side for q in row.life.open_questions(side)],
    )
    receipt = checkpoints.receipted_over(conn, row.feed_id, row.first_idx)
    if receipt is not None:
        delivery.receipted_at.CopyFrom(to_timestamp(receipt.receipted_at))
    disposition = dispositions.find(conn, row.feed_id, row.first_idx)
    if disposition is not None:
        delivery.disposition = feed_pb2.Disposition.FromString(disposition.message).outcome
    return delivery


def _change(logged: _Event) -> alert_service_pb2.AlertChange:
    event, origin_line, payload = logged
    origin = FeedOrigin.parse(origin_line)
    return alert_service_pb2.AlertChange(
        position=event.position,
        entry=alert_service_pb2.EntryReference(origin=origin.line, index=event.idx),
        alert=alert_pb2.AlertReference(publisher=event.key.publisher, alert_id=event.key.alert_id),
        recipient=event.key.recipient,
        event=wire.parse_event(payload) if payload else None,
        status=wire.status_value(event.status),
        committed_at=to_timestamp(event.committed_at),
    )
