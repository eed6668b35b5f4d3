"""Stores projected alerts: copies and steps."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    bindparam,
    func,
    or_,
    select,
    tuple_,
    update,
)

from gateway.alerts.codec import AlertKey
from gateway.alerts.rules import AlertLife, AlertStatus, Question, Side
from gateway.db.database import insert_rows
from gateway.db.schema import metadata
from gateway.db.statements import Prepared, storable_text
from gateway.feed.tables.schema import entries, feeds

alerts = Table(
    "alerts",
    metadata,
    Column("alert_id", String(36), primary_key=True),
    Column("publisher", String(32), primary_key=True),
    Column("recipient", String(32), primary_key=True),
    Column("direction", String(3), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("acknowledged_revision", Integer, nullable=False),
    Column("questions", Text, nullable=False),  # JSON; empty when there are none
    Column("priority", String(1), nullable=False),
    Column("purpose", String(64), nullable=False),
    Column("case_reference", String(128), nullable=False),
    Column("published_at", BigInteger, nullable=False),
    Column("valid_until", BigInteger, nullable=False),
    Column("feed_id", ForeignKey("feeds.id"), nullable=False),
    Column("first_idx", BigInteger, nullable=False),  # entry that published it
    Column("current_idx", BigInteger, nullable=False),  # entry with its current revision
    Index(None, "direction", "valid_until"),
    sqlite_with_rowid=False,
)

alert_events = Table(
    "alert_events",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("alert_id", String(36), nullable=False),
    Column("publisher", String(32), nullable=False),
    Column("recipient", String(32), nullable=False),
    Column("feed_id", ForeignKey("feeds.id"), nullable=False),
    Column("idx", BigInteger, nullable=False),
    Column("status", String(16), nullable=False),
    Column("committed_at", BigInteger, nullable=False),
    Index(None, "alert_id"),
)

_KEY_COLUMNS = ("alert_id", "publisher", "recipient")
_ALERT_COLUMNS = (
    *_KEY_COLUMNS,
    "direction",
    "revision",
    "status",
    "acknowledged_revision",
    "questions",
    "priority",
    "purpose",
    "case_reference",
    "published_at",
    "valid_until",
    "feed_id",
    "first_idx",
    "current_idx",
)
_SLOTS = tuple(f"id_{number}" for number in range(50))
"""Parameters of a look-up of many alerts; unused ones repeat the last."""
_BY_IDS = Prepared(select(alerts).where(or_(*(alerts.c.alert_id == bindparam(slot) for slot in _SLOTS))))
_BY_ID = Prepared(select(alerts).where(alerts.c.alert_id == bindparam("alert")))
_COPIES = Prepared(
    select(alerts)
    .where(alerts.c.alert_id == bindparam("alert"), alerts.c.publisher == bindparam("by"))
    .order_by(alerts.c.recipient)
)
_EVENTS = (
    select(alert_events, feeds.c.origin, entries.c.payload)
    .join(feeds, feeds.c.id == alert_events.c.feed_id)
    .join(entries, (entries.c.feed_id == alert_events.c.feed_id) & (entries.c.idx == alert_events.c.idx))
    .order_by(alert_events.c.position)
)
_EVENTS_AFTER = Prepared(_EVENTS.where(alert_events.c.position > bindparam("after")).limit(bindparam("most")))
_EVENTS_OF = Prepared(
    _EVENTS.where(
        alert_events.c.alert_id == bindparam("alert"),
        alert_events.c.publisher == bindparam("by"),
        alert_events.c.position > bindparam("after"),
    ).limit(bindparam("most"))
)
_NEWEST_EVENTS_OF = Prepared(
    _EVENTS.where(
        alert_events.c.alert_id == bindparam("alert"),
        alert_events.c.publisher == bindparam("by"),
        alert_events.c.position < bindparam("before"),
    )
    .order_by(None)
    .order_by(alert_events.c.position.desc())
    .limit(bindparam("most"))
)
_COUNT_EVENTS = Prepared(
    select(func.count())
    .select_from(alert_events)
    .where(
        alert_events.c.alert_id == bindparam("alert"),
        alert_events.c.publisher == bindparam("by"),
        alert_events.c.position < bindparam("before"),
    )
)
_HAS_EVENT = Prepared(
    select(alert_events.c.position)
    .where(alert_events.c.feed_id == bindparam("feed"), alert_events.c.idx == bindparam("index"))
    .limit(1)
)
AT_ONCE = 50
"""Most events or copies with their payloads that are read together; a payload has up to MAX_PAYLOAD_BYTES."""

LAST_POSITION = 2**63 - 1
_EVENT_COLUMNS = ("position", *_KEY_COLUMNS, "feed_id", "idx", "status", "committed_at")


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One recipient's copy of an alert; times in milliseconds since 1970."""

    key: AlertKey
    direction: str
    life: AlertLife
    priority: str
    purpose: str
    case_reference: str
    published_at: int
    feed_id: int
    first_idx: int
    current_idx: int


@dataclass(frozen=True, slots=True)
class AlertEventRow:
    """One step of one copy, at its local-log position."""

    position: int
    key: AlertKey
    feed_id: int
    idx: int
    status: AlertStatus
    committed_at: int


def find(conn: Connection, keys: Collection[AlertKey]) -> dict[AlertKey, AlertRow]:
    """Copies by key, without unknown keys."""
    if not keys:
        return {}
    ids = sorted({key.alert_id for key in keys})
    if len(ids) == 1:
        found = {row.key: row for row in map(_alert, _BY_ID(conn, alert=ids[0]))}
        return {key: found[key] for key in keys if key in found}
    found = {}
    for chunk in (ids[at : at + len(_SLOTS)] for at in range(0, len(ids), len(_SLOTS))):
        slots = chunk + [chunk[-1]] * (len(_SLOTS) - len(chunk))
        rows = _BY_IDS(conn, **dict(zip(_SLOTS, slots, strict=True)))
        found.update((row.key, row) for row in map(_alert, rows))
    return {key: found[key] for key in keys if key in found}


def copies(conn: Connection, publisher: str, alert_id: str) -> list[AlertRow]:
    """All copies of one alert, by recipient."""
    return [_alert(row) for row in _COPIES(conn, alert=alert_id, by=publisher)]


def add(conn: Connection, new: Sequence[AlertRow]) -> None:
    """Writes new copies."""
    if new:
        insert_rows(conn, alerts, _ALERT_COLUMNS, [_values(row) for row in new])


def replace(conn: Connection, row: AlertRow) -> None:
    """Writes the new state of a copy."""
    values = _values(row)
    conn.execute(
        update(alerts)
        .where(
            alerts.c.alert_id == row.key.alert_id,
            alerts.c.publisher == row.key.publisher,
            alerts.c.recipient == row.key.recipient,
        )
        .values(dict(zip(_ALERT_COLUMNS, values, strict=True)))
    )


def add_events(conn: Connection, new: Sequence[AlertEventRow]) -> None:
    """Writes events in order of position."""
    if new:
        insert_rows(
            conn,
            alert_events,
            _EVENT_COLUMNS,
            [(e.position, *_key_values(e.key), e.feed_id, e.idx, e.status.value, e.committed_at) for e in new],
        )


def has_event(conn: Connection, feed_id: int, idx: int) -> bool:
    """Whether an entry was projected as a step of an alert."""
    return bool(_HAS_EVENT(conn, feed=feed_id, index=idx))


def events_after(conn: Connection, position: int, limit: int) -> list[tuple[AlertEventRow, str, bytes]]:
    """Events after a position in order, each with origin line and payload (empty when erased)."""
    return [_event(row) for row in _EVENTS_AFTER(conn, after=position, most=limit)]


def events_of(conn: Connection, publisher: str, alert_id: str) -> Iterator[tuple[AlertEventRow, str, bytes]]:
    """All events of one alert, oldest first, each with origin line and payload, read a few at a time."""
    after = 0
    while True:
        rows = [_event(row) for row in _EVENTS_OF(conn, alert=alert_id, by=publisher, after=after, most=AT_ONCE)]
        yield from rows
        if len(rows) < AT_ONCE:
            return
        after = rows[-1][0].position


def newest_events_of(conn: Connection, publisher: str, alert_id: str) -> Iterator[tuple[AlertEventRow, str, bytes]]:
    """All events of one alert, newest first, read a few at a time: partners may have said much."""
    before = LAST_POSITION
    while before:
        rows = [
            _event(row) for row in _NEWEST_EVENTS_OF(conn, alert=alert_id, by=publisher, before=before, most=AT_ONCE)
        ]
        yield from rows
        before = rows[-1][0].position if len(rows) == AT_ONCE else 0


def count_events_before(conn: Connection, publisher: str, alert_id: str, position: int) -> int:
    """Number of an alert's events before a position."""
    ((count,),) = _COUNT_EVENTS(conn, alert=alert_id, by=publisher, before=position)
    return int(count)


def list_page(
    conn: Connection,
    conditions: Iterable[ColumnElement[bool]],
    *,
    before: tuple[str, str, str] | None,
    limit: int,
) -> list[tuple[AlertRow, bytes]]:
    """Copies, newest first, each with its current payload.

    `before` is (alert id, publisher, recipient) of the previous page's last row, or None.
    """
    key = (alerts.c.alert_id, alerts.c.publisher, alerts.c.recipient)
    query = (
        select(alerts, entries.c.payload)
        .join(entries, (entries.c.feed_id == alerts.c.feed_id) & (entries.c.idx == alerts.c.current_idx))
        .where(*conditions)
        .order_by(*(column.desc() for column in key))
        .limit(limit)
    )
    if before is not None:
        query = query.where(tuple_(*key) < tuple_(*before))
    return [(_alert(row), bytes(row[-1])) for row in conn.execute(query)]


def due_to_expire(conn: Connection, now_ms: int, limit: int, *, except_to: Collection[str] = ()) -> list[AlertKey]:
    """Own open copies past their valid-until time, except to some recipients."""
    open_states = [status.value for status in AlertStatus if not status.is_terminal]
    rows = conn.execute(
        select(alerts.c.publisher, alerts.c.alert_id, alerts.c.recipient)
        .where(
            alerts.c.direction == "out",
            alerts.c.valid_until <= now_ms,
            alerts.c.status.in_(open_states),
            alerts.c.recipient.not_in(except_to),
        )
        .order_by(alerts.c.valid_until)
        .limit(limit)
    )
    return [AlertKey(*row) for row in rows]


def _event(row: Iterable[Any]) -> tuple[AlertEventRow, str, bytes]:
    position, alert_id, publisher, recipient, feed_id, idx, status, committed_at, origin, payload = row
    key = AlertKey(publisher, alert_id, recipient)
    return AlertEventRow(position, key, feed_id, idx, AlertStatus(status), committed_at), origin, bytes(payload)


def _values(row: AlertRow) -> tuple[str | int, ...]:
    """In the order of _ALERT_COLUMNS."""
    life = row.life
    return (
        *_key_values(row.key),
        row.direction,
        life.revision,
        life.status.value,
        life.acknowledged_revision,
        _questions_text(life.questions) if life.questions else "",
        row.priority,
        row.purpose,
        storable_text(row.case_reference),
        row.published_at,
        life.valid_until_unix_ms or 0,
        row.feed_id,
        row.first_idx,
        row.current_idx,
    )


def _key_values(key: AlertKey) -> tuple[str, str, str]:
    return key.alert_id, key.publisher, key.recipient


def _alert(row: Iterable[Any]) -> AlertRow:
    v = dict(zip(_ALERT_COLUMNS, row, strict=False))  # a page's rows have the payload at their end
    return AlertRow(
        key=AlertKey(v["publisher"], v["alert_id"], v["recipient"]),
        direction=v["direction"],
        life=AlertLife(
            revision=v["revision"],
            status=AlertStatus(v["status"]),
            acknowledged_revision=v["acknowledged_revision"],
            valid_until_unix_ms=v["valid_until"],  # of every alert: the contract requires it
            questions=_questions(v["questions"]),
        ),
        priority=v["priority"],
        purpose=v["purpose"],
        case_reference=v["case_reference"],
        published_at=v["published_at"],
        feed_id=v["feed_id"],
        first_idx=v["first_idx"],
        current_idx=v["current_idx"],
    )


def _questions_text(questions: tuple[Question, ...]) -> str:
    return json.dumps([[q.asked_by.value, q.question_id, q.deadline_unix_ms, q.answered] for q in questions])


def _questions(text: str) -> tuple[Question, ...]:
    if not text:
        return ()
    return tuple(Question(Side(side), qid, deadline, answered) for side, qid, deadline, answered in json.loads(text))


def current_payload(conn: Connection, publisher: str, alert_id: str) -> bytes | None:
    """Payload of an alert's current revision, or None."""
    row = conn.execute(
        select(entries.c.payload)
        .join(alerts, (entries.c.feed_id == alerts.c.feed_id) & (entries.c.idx == alerts.c.current_idx))
        .where(alerts.c.alert_id == alert_id, alerts.c.publisher == publisher)
        .limit(1)
    ).scalar_one_or_none()
    return None if row is None else bytes(row)


def origin_line(conn: Connection, feed_id: int) -> str:
    """Name of the feed with this id."""
    return str(conn.execute(select(feeds.c.origin).where(feeds.c.id == feed_id)).scalar_one())
