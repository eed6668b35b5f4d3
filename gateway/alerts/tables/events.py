"""Statements on the steps of alerts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, func, select

from gateway.alerts.codec import AlertKey
from gateway.alerts.rules.life import AlertStatus
from gateway.alerts.tables.schema import alert_events
from gateway.db.database import insert_rows
from gateway.db.statements import Prepared, PreparedList
from gateway.feed.tables.schema import entries, feeds

_COLUMNS = ("position", "alert_id", "publisher", "recipient", "feed_id", "idx", "status", "committed_at")
_EVENTS = (
    select(alert_events, feeds.c.origin, entries.c.payload)
    .join(feeds, feeds.c.id == alert_events.c.feed_id)
    .join(entries, (entries.c.feed_id == alert_events.c.feed_id) & (entries.c.idx == alert_events.c.idx))
    .order_by(alert_events.c.position)
)
_AFTER = Prepared(_EVENTS.where(alert_events.c.position > bindparam("after")).limit(bindparam("most")))
_OF_ALERT = (alert_events.c.alert_id == bindparam("alert"), alert_events.c.publisher == bindparam("by"))
_OF_ALERT_AFTER = Prepared(
    _EVENTS.where(*_OF_ALERT, alert_events.c.position > bindparam("after")).limit(bindparam("most"))
)
_NEWEST_OF_ALERT = Prepared(
    _EVENTS.where(*_OF_ALERT, alert_events.c.position < bindparam("before"))
    .order_by(None)
    .order_by(alert_events.c.position.desc())
    .limit(bindparam("most"))
)
_COUNT_BEFORE = Prepared(
    select(func.count()).select_from(alert_events).where(*_OF_ALERT, alert_events.c.position < bindparam("before"))
)
_OF_ENTRY = Prepared(
    select(alert_events.c.position)
    .where(alert_events.c.feed_id == bindparam("feed"), alert_events.c.idx == bindparam("index"))
    .limit(1)
)
_NEWEST_ENTRIES = Prepared(
    select(alert_events.c.feed_id, func.max(alert_events.c.idx))
    .where(*_OF_ALERT, alert_events.c.recipient == bindparam("to"))
    .group_by(alert_events.c.feed_id)
    .order_by(func.max(alert_events.c.position))
)
_ids: BindParameter[Any] = bindparam("values", expanding=True)
_AT = PreparedList(_EVENTS.where(alert_events.c.position.in_(_ids)))
_FIRST_ACKNOWLEDGED = PreparedList(
    select(
        alert_events.c.alert_id,
        alert_events.c.publisher,
        alert_events.c.recipient,
        func.min(alert_events.c.position),
    )
    .where(alert_events.c.alert_id.in_(_ids), alert_events.c.status == bindparam("acknowledged"))
    .group_by(alert_events.c.alert_id, alert_events.c.publisher, alert_events.c.recipient)
)
_FIRST_CLOSED = PreparedList(
    select(alert_events.c.alert_id, alert_events.c.publisher, func.min(alert_events.c.position))
    .where(alert_events.c.alert_id.in_(_ids), alert_events.c.status == bindparam("closed"))
    .group_by(alert_events.c.alert_id, alert_events.c.publisher)
)
AT_ONCE = 50
"""Most events or copies with their payloads that are read together; a payload has up to MAX_PAYLOAD_BYTES."""

LAST_POSITION = 2**63 - 1


@dataclass(frozen=True, slots=True)
class AlertEventRow:
    """One step of one copy, at its local-log position."""

    position: int
    key: AlertKey
    feed_id: int
    idx: int
    status: AlertStatus
    committed_at: int


def add(conn: Connection, new: Sequence[AlertEventRow]) -> None:
    """Writes events in order of position."""
    if new:
        insert_rows(conn, alert_events, _COLUMNS, [_values(event) for event in new])


def exists(conn: Connection, feed_id: int, idx: int) -> bool:
    """Whether an entry was projected as a step of an alert."""
    return bool(_OF_ENTRY(conn, feed=feed_id, index=idx))


def after(conn: Connection, position: int, limit: int) -> list[tuple[AlertEventRow, str, bytes]]:
    """Events after a position in order, each with origin line and payload (empty when erased)."""
    return [_event(row) for row in _AFTER(conn, after=position, most=limit)]


def at_positions(conn: Connection, positions: Collection[int]) -> list[tuple[AlertEventRow, str, bytes]]:
    """Events at positions, in order, each with origin line and payload (empty when erased)."""
    return sorted(map(_event, _AT(conn, positions)), key=lambda event: event[0].position)


def of_alert(conn: Connection, publisher: str, alert_id: str) -> Iterator[tuple[AlertEventRow, str, bytes]]:
    """All events of one alert, oldest first, each with origin line and payload, read a few at a time."""
    position = 0
    while True:
        rows = [
            _event(row) for row in _OF_ALERT_AFTER(conn, alert=alert_id, by=publisher, after=position, most=AT_ONCE)
        ]
        yield from rows
        if len(rows) < AT_ONCE:
            return
        position = rows[-1][0].position


def newest_of(conn: Connection, publisher: str, alert_id: str) -> Iterator[tuple[AlertEventRow, str, bytes]]:
    """All events of one alert, newest first, read a few at a time: partners may have said much."""
    before = LAST_POSITION
    while before:
        rows = [
            _event(row) for row in _NEWEST_OF_ALERT(conn, alert=alert_id, by=publisher, before=before, most=AT_ONCE)
        ]
        yield from rows
        before = rows[-1][0].position if len(rows) == AT_ONCE else 0


def first_acknowledged(conn: Connection, keys: Collection[AlertKey]) -> dict[AlertKey, int]:
    """Position of the first acknowledgement of each copy; without copies that have none."""
    rows = _FIRST_ACKNOWLEDGED(conn, {key.alert_id for key in keys}, acknowledged=AlertStatus.ACKNOWLEDGED.value)
    first = {AlertKey(publisher, alert_id, recipient): position for alert_id, publisher, recipient, position in rows}
    return {key: position for key, position in first.items() if key in keys}


def first_closed(conn: Connection, alert_ids: Collection[str]) -> set[int]:
    """Positions of each alert's first closing, of whichever copy."""
    return {position for _, _, position in _FIRST_CLOSED(conn, alert_ids, closed=AlertStatus.CLOSED.value)}


def count_before(conn: Connection, publisher: str, alert_id: str, position: int) -> int:
    """Number of an alert's events before a position."""
    ((count,),) = _COUNT_BEFORE(conn, alert=alert_id, by=publisher, before=position)
    return int(count)


def newest_entries(conn: Connection, key: AlertKey) -> list[tuple[int, int]]:
    """Each feed with steps of a copy, as (feed id, index of its newest one); the newest step's feed last."""
    rows = _NEWEST_ENTRIES(conn, alert=key.alert_id, by=key.publisher, to=key.recipient)
    return [(feed_id, index) for feed_id, index in rows]


def _values(event: AlertEventRow) -> tuple[str | int, ...]:
    """In the order of _COLUMNS."""
    key = event.key
    place = (event.feed_id, event.idx, event.status.value, event.committed_at)
    return (event.position, key.alert_id, key.publisher, key.recipient, *place)


def _event(row: Iterable[Any]) -> tuple[AlertEventRow, str, bytes]:
    position, alert_id, publisher, recipient, feed_id, idx, status, committed_at, origin, payload = row
    key = AlertKey(publisher, alert_id, recipient)
    return AlertEventRow(position, key, feed_id, idx, AlertStatus(status), committed_at), origin, bytes(payload)
