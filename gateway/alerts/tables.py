"""Statements on the alerts projection: alerts' copies, events, dispositions, what failed, and the projector's
cursor."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, delete, exists, insert, or_, select, tuple_, update
from sqlalchemy.exc import IntegrityError

from gateway.alerts.codec import AlertKey
from gateway.alerts.rules import AlertLife, AlertStatus, Question, Side
from gateway.db.database import insert_rows
from gateway.db.schema import PROJECTIONS, alert_events, alerts, cursors, defects, dispositions, entries, feeds
from gateway.db.statements import Prepared
from gateway.feed.tables.journal import HeadMovedError
from gateway.history.tables import risk_hits as risk
from gateway.history.tables import shipments
from gateway.watchlists.tables import lists as watchlists
from gateway.watchlists.tables import matches

_CURSOR = "alerts"
_KNOWN = "known"
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
_THIS_CURSOR = cursors.c.name == _CURSOR
_LOCK_CURSOR = Prepared(select(cursors.c.position).where(_THIS_CURSOR).with_for_update())
_PEEK_CURSOR = Prepared(select(cursors.c.position).where(_THIS_CURSOR))
_MOVE_CURSOR = Prepared(update(cursors).where(_THIS_CURSOR).values(position=bindparam("position")))
_SLOTS = tuple(f"id_{number}" for number in range(50))
"""Parameters of one look-up of many alerts; unused ones repeat the last."""
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
    _EVENTS.where(alert_events.c.alert_id == bindparam("alert"), alert_events.c.publisher == bindparam("by"))
)
_DROP_DISPOSITION = Prepared(
    delete(dispositions).where(
        dispositions.c.feed_id == bindparam("feed"), dispositions.c.first_idx == bindparam("first")
    )
)
_ADD_DISPOSITION = Prepared(insert(dispositions))
_EVENT_COLUMNS = ("position", *_KEY_COLUMNS, "feed_id", "idx", "status", "committed_at")


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One recipient's copy of an alert as projected; times in milliseconds since 1970."""

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
    """One step of one copy, at its position in this node's order."""

    position: int
    key: AlertKey
    feed_id: int
    idx: int
    status: AlertStatus
    committed_at: int


@dataclass(frozen=True, slots=True)
class DispositionRow:
    """What a recipient made of a run of entries in the feed `feed_id`, said by the entry at `position`."""

    feed_id: int
    first_idx: int
    count: int
    outcome: str
    reason: str
    message: bytes
    position: int


def cursor(conn: Connection) -> int:
    """Position up to which entries are projected; locks it against other writers where the database can."""
    found = _LOCK_CURSOR(conn).scalar_one_or_none()
    if found is None:
        try:
            conn.execute(insert(cursors).values(name=_CURSOR, position=0))
        except IntegrityError as error:
            raise HeadMovedError("another writer has just made the projector's cursor") from error
        return 0
    return int(found)


def peek_cursor(conn: Connection) -> int:
    """Position up to which entries are projected."""
    return _PEEK_CURSOR(conn).scalar_one_or_none() or 0


def move_cursor(conn: Connection, position: int) -> None:
    """Notes up to which position entries are projected."""
    _MOVE_CURSOR(conn, position=position)


def clear(conn: Connection) -> None:
    """Drops every projection; the projector builds them again from the feeds."""
    for table in PROJECTIONS:
        conn.execute(delete(table))
    move_cursor(conn, 0)
    watchlists.move_applied(conn, 0)
    shipments.move_cursor(conn, shipments.INDEXED, 0)
    shipments.move_cursor(conn, risk.SCREENED, 0)
    matches.look_at_all_lists_again(conn)


def find(conn: Connection, keys: Collection[AlertKey]) -> dict[AlertKey, AlertRow]:
    """Copies by key; unknown keys are left out."""
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
    """All copies of one alert that this node knows, by recipient."""
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


def add_dispositions(conn: Connection, new: Sequence[DispositionRow]) -> None:
    """Writes dispositions; of two about the same run the later one counts."""
    for row in new:
        _DROP_DISPOSITION(conn, feed=row.feed_id, first=row.first_idx)
        _ADD_DISPOSITION(
            conn,
            feed_id=row.feed_id,
            first_idx=row.first_idx,
            count=row.count,
            outcome=row.outcome,
            reason=_text(row.reason),
            message=row.message,
            position=row.position,
        )


def disposition_of(conn: Connection, feed_id: int, idx: int) -> DispositionRow | None:
    """What the recipient made of an entry, or None while it hasn't said so."""
    row = conn.execute(
        select(dispositions)
        .where(dispositions.c.feed_id == feed_id, dispositions.c.first_idx <= idx)
        .order_by(dispositions.c.first_idx.desc())
        .limit(1)
    ).one_or_none()
    if row is None or idx >= row.first_idx + row.count:
        return None
    return DispositionRow(row[0], row[1], row[2], row[3], row[4], bytes(row[5]), row[6])


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A partner's entry that this node has answered with HELD, and whether it is applied by now."""

    origin: str
    idx: int
    applied: bool


def held_here(conn: Connection) -> list[HeldRow]:
    """Partners' entries whose last answer is HELD, by feed and index."""
    applied = exists().where(
        alert_events.c.feed_id == dispositions.c.feed_id, alert_events.c.idx == dispositions.c.first_idx
    )
    rows = conn.execute(
        select(feeds.c.origin, dispositions.c.first_idx, applied)
        .join(feeds, feeds.c.id == dispositions.c.feed_id)
        .where(dispositions.c.outcome == "held", feeds.c.direction == "in")
        .order_by(dispositions.c.feed_id, dispositions.c.first_idx)
    )
    return [HeldRow(origin, idx, bool(found)) for origin, idx, found in rows]


def known_then(conn: Connection) -> int | None:
    """What was noted last of what the software knew; None when nothing was."""
    return conn.execute(select(cursors.c.position).where(cursors.c.name == _KNOWN)).scalar_one_or_none()


def note_known(conn: Connection, known: int) -> None:
    """Notes what the software knows, as a number."""
    if known_then(conn) is None:
        conn.execute(insert(cursors).values(name=_KNOWN, position=known))
    else:
        conn.execute(update(cursors).where(cursors.c.name == _KNOWN).values(position=known))


@dataclass(frozen=True, slots=True)
class DefectRow:
    """An entry that couldn't be applied because of a defect of this software; noted in milliseconds since 1970."""

    origin: str
    idx: int
    problem: str
    noted_at: int


def add_defect(conn: Connection, feed_id: int, idx: int, problem: str, *, noted_at: int) -> None:
    """Marks an entry as not applied."""
    conn.execute(insert(defects).values(feed_id=feed_id, idx=idx, problem=_text(problem), noted_at=noted_at))


def list_defects(conn: Connection, limit: int) -> list[DefectRow]:
    """Entries that are marked as not applied, oldest first."""
    rows = conn.execute(
        select(feeds.c.origin, defects.c.idx, defects.c.problem, defects.c.noted_at)
        .join(feeds, feeds.c.id == defects.c.feed_id)
        .order_by(defects.c.noted_at, defects.c.feed_id, defects.c.idx)
        .limit(limit)
    )
    return [DefectRow(*row) for row in rows]


def events_after(conn: Connection, position: int, limit: int) -> list[tuple[AlertEventRow, str, bytes]]:
    """Events after a position in order, each with its feed's origin line and its payload (empty when erased)."""
    return [_event(row) for row in _EVENTS_AFTER(conn, after=position, most=limit)]


def events_of(conn: Connection, publisher: str, alert_id: str) -> list[tuple[AlertEventRow, str, bytes]]:
    """All events of one alert, oldest first, each with its feed's origin line and its payload."""
    return [_event(row) for row in _EVENTS_OF(conn, alert=alert_id, by=publisher)]


def list_page(
    conn: Connection,
    conditions: Iterable[ColumnElement[bool]],
    *,
    before: tuple[str, str, str] | None,
    limit: int,
) -> list[tuple[AlertRow, bytes]]:
    """Copies, newest first, each with the payload of its current revision.

    Args:
        conditions: SQL conditions on the alerts table.
        before: (alert id, publisher, recipient) of the last row of the page before, or None.
        limit: most rows.
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
    """Own copies that are open past their valid-until time, less those to some recipients."""
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
        _text(row.case_reference),
        row.published_at,
        life.valid_until_unix_ms or 0,
        row.feed_id,
        row.first_idx,
        row.current_idx,
    )


def _text(text: str) -> str:
    """PostgreSQL keeps no NUL in a text; the projection shows that one was there, the entry has it as it came."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


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
    """Payload of the current revision of any copy of an alert, or None when this node doesn't have it."""
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
