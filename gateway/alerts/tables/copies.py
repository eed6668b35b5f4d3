"""Statements on copies of alerts, one for each recipient."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, literal_column, or_, select, tuple_, update

from gateway.alerts.codec import AlertKey
from gateway.alerts.rules.life import AlertLife, AlertStatus, Question, Side
from gateway.alerts.tables.schema import alerts
from gateway.db.statements import Prepared, PreparedList, insert_rows, storable_text
from gateway.feed.tables.schema import entries, feeds

_KEY = (alerts.c.alert_id, alerts.c.publisher, alerts.c.recipient)
_ALERT_COLUMNS = tuple(alerts.c.keys())
_LAST_TIME = 2**63 - 1
_BY_IDS = PreparedList(select(alerts).where(alerts.c.alert_id.in_(bindparam("values", expanding=True))))
_CASES = PreparedList(
    select(alerts.c.alert_id, alerts.c.case_reference).where(alerts.c.alert_id.in_(bindparam("values", expanding=True)))
)
_BY_ID = Prepared(select(alerts).where(alerts.c.alert_id == bindparam("alert")))
_WITH_PAYLOADS = PreparedList(
    select(alerts, entries.c.payload)
    .join(entries, (entries.c.feed_id == alerts.c.current_feed_id) & (entries.c.idx == alerts.c.current_idx))
    .where(alerts.c.alert_id.in_(bindparam("values", expanding=True)))
)
_FINDINGS = PreparedList(
    select(*_KEY, entries.c.payload)
    .join(entries, (entries.c.feed_id == alerts.c.finding_feed_id) & (entries.c.idx == alerts.c.finding_idx))
    .where(alerts.c.alert_id.in_(bindparam("values", expanding=True)))
)
_COPIES = Prepared(
    select(alerts)
    .where(alerts.c.alert_id == bindparam("alert"), alerts.c.publisher == bindparam("by"))
    .order_by(alerts.c.recipient)
)
_PAST_VALIDITY = and_(
    alerts.c.direction == "out",
    alerts.c.open_until > literal_column("0"),
    alerts.c.open_until <= bindparam("now"),
)
"""Own open copies past their valid-until time."""

_REPLACE = Prepared(
    update(alerts)
    .where(
        alerts.c.alert_id == bindparam("of_alert"),
        alerts.c.publisher == bindparam("of_publisher"),
        alerts.c.recipient == bindparam("of_recipient"),
    )
    .values({name: bindparam(name) for name in _ALERT_COLUMNS})
)


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One recipient's copy of an alert; times in milliseconds since 1970.

    Attributes:
        feed_id: the publisher's feed with the first entry.
        first_idx, current_idx: entries that published it and that hold its current revision.
        last_idx: entry of the publisher's newest step that says what the alert is: of its current revision or its end.
        current_feed_id, last_feed_id: feeds of `current_idx` and `last_idx`.
        finding_feed_id, finding_idx: entry of the newest finding of either side; feed 0 for none.
    """

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
    last_idx: int
    current_feed_id: int
    last_feed_id: int
    finding_feed_id: int = 0
    finding_idx: int = 0

    @property
    def partner(self) -> str:
        """The other side's node."""
        return self.key.recipient if self.direction == "out" else self.key.publisher


def find(conn: Connection, keys: Collection[AlertKey]) -> dict[AlertKey, AlertRow]:
    """Copies by key, without unknown keys."""
    if not keys:
        return {}
    ids = {key.alert_id for key in keys}
    rows = _BY_ID(conn, alert=ids.pop()) if len(ids) == 1 else _BY_IDS(conn, ids)
    found = {row.key: row for row in map(_alert, rows)}
    return {key: found[key] for key in keys if key in found}


def copies(conn: Connection, publisher: str, alert_id: str) -> list[AlertRow]:
    """All copies of one alert, by recipient."""
    return [_alert(row) for row in _COPIES(conn, alert=alert_id, by=publisher)]


def beginning(conn: Connection, text: str, *, publisher: str = "", limit: int) -> list[tuple[str, str]]:
    """Publisher and id of alerts whose id begins like this, of one publisher where it is named."""
    found = (
        select(alerts.c.publisher, alerts.c.alert_id)
        .where(alerts.c.alert_id.between(text, text + "z"), *([alerts.c.publisher == publisher] if publisher else []))
        .distinct()
        .limit(limit)
    )
    return [(row[0], row[1]) for row in conn.execute(found)]


def case_references(conn: Connection, alert_ids: Iterable[str]) -> dict[str, str]:
    """Case references by id of the alert; without alerts that have none, or aren't here."""
    return {row[0]: row[1] for row in _CASES(conn, set(alert_ids)) if row[1]}


def add(conn: Connection, new: Sequence[AlertRow]) -> None:
    """Writes new copies."""
    if new:
        insert_rows(conn, alerts, _ALERT_COLUMNS, [_values(row) for row in new])


def replace(conn: Connection, row: AlertRow) -> None:
    """Writes the new state of a copy."""
    key = row.key
    _REPLACE(
        conn,
        of_alert=key.alert_id,
        of_publisher=key.publisher,
        of_recipient=key.recipient,
        **dict(zip(_ALERT_COLUMNS, _values(row), strict=True)),
    )


def list_page(
    conn: Connection,
    conditions: Iterable[ColumnElement[bool]],
    *,
    before: tuple[str, str, str] | None,
    limit: int,
    order: Sequence[ColumnElement[Any]] = (),
    after: Sequence[int | str] = (),
) -> list[tuple[AlertRow, bytes]]:
    """Copies in an order, each with its current payload.

    Args:
        before: (alert id, publisher, recipient) of the previous page's last row, or None.
        order: sorts before the newest, ascending.
        after: values of `order` in the previous page's last row.
    """
    sorts = [column.label(f"sort_{number}") for number, column in enumerate(order)]
    keys = select(*_KEY, *sorts).where(*conditions).limit(limit)
    keys = keys.order_by(*sorts, *(column.desc() for column in _KEY))
    if before is not None:
        follows: ColumnElement[bool] = tuple_(*_KEY) < tuple_(*before)
        for column, value in reversed(list(zip(order, after, strict=True))):
            follows = or_(column > value, and_(column == value, follows))
        keys = keys.where(follows)
    page = keys.subquery()  # chosen by an index where a condition has one, and sorted without texts
    query = (
        select(alerts, entries.c.payload)
        .join(page, and_(*(column == page.c[column.name] for column in _KEY)))
        .join(entries, (entries.c.feed_id == alerts.c.current_feed_id) & (entries.c.idx == alerts.c.current_idx))
        # Of the page, or SQLite reads all rows in order.
        .order_by(*(page.c[sort.name] for sort in sorts), *(page.c[column.name].desc() for column in _KEY))
    )
    return [(_alert(row), bytes(row[-1])) for row in conn.execute(query)]


def with_payloads(conn: Connection, alert_ids: Collection[str]) -> Iterator[tuple[AlertRow, bytes]]:
    """All copies of alerts, each with its current payload."""
    yield from ((_alert(row), bytes(row[-1])) for row in _WITH_PAYLOADS(conn, alert_ids))


def finding_payloads(conn: Connection, alert_ids: Collection[str]) -> dict[AlertKey, bytes]:
    """Payloads of the newest findings on copies of alerts; empty where one was erased."""
    return {AlertKey(row[1], row[0], row[2]): bytes(row[3]) for row in _FINDINGS(conn, alert_ids)}


def is_past(time: ColumnElement[int], now_ms: int) -> ColumnElement[bool]:
    """Condition that a column has a time, and that this is before `now_ms`; for the column's index."""
    return and_(time > literal_column("0"), time < now_ms)


def is_not_past(time: ColumnElement[int], now_ms: int) -> ColumnElement[bool]:
    """Condition that a column has a time, and that this isn't before `now_ms`; for the column's index.

    SQLite chooses the index for a range with both ends alone.
    """
    return and_(time > literal_column("0"), time.between(now_ms, _LAST_TIME))


def has_ended() -> ColumnElement[bool]:
    """Condition that a step has ended the copy, or that it has no end; for the index."""
    return alerts.c.open_until == literal_column("0")


def due_to_expire(conn: Connection, now_ms: int, limit: int, *, except_to: Collection[str] = ()) -> list[AlertKey]:
    """Own open copies past their valid-until time, except to some recipients."""
    rows = conn.execute(
        select(alerts.c.publisher, alerts.c.alert_id, alerts.c.recipient)
        .where(_PAST_VALIDITY, alerts.c.recipient.not_in(except_to))
        .order_by(alerts.c.open_until)
        .limit(limit),
        {"now": now_ms},
    )
    return [AlertKey(*row) for row in rows]


def next_end(conn: Connection, before_ms: int, *, except_to: Collection[str] = ()) -> int | None:
    """The earliest valid-until time of own open copies up to a time, except to some recipients; None for none.

    In milliseconds since 1970.
    """
    query = select(alerts.c.open_until).where(_PAST_VALIDITY, alerts.c.recipient.not_in(except_to))
    end: int | None = conn.execute(query.order_by(alerts.c.open_until).limit(1), {"now": before_ms}).scalar()
    return end


def _values(row: AlertRow) -> tuple[str | int, ...]:
    """In the order of _ALERT_COLUMNS."""
    life = row.life
    own, other = (Side.PUBLISHER, Side.RECIPIENT) if row.direction == "out" else (Side.RECIPIENT, Side.PUBLISHER)
    return (
        row.key.alert_id,
        row.key.publisher,
        row.key.recipient,
        row.direction,
        life.revision,
        life.status.value,
        life.acknowledged_revision,
        life.replied_revision,
        _questions_text(life.questions) if life.questions else "",
        row.priority,
        row.purpose,
        storable_text(row.case_reference),
        row.published_at,
        life.valid_until_unix_ms or 0,
        life.reply_by_unix_ms or 0,
        life.informs,
        row.feed_id,
        row.first_idx,
        row.current_idx,
        row.last_idx,
        0 if life.status.is_terminal else life.valid_until_unix_ms or 0,
        life.reply_due_unix_ms or 0,
        life.answer_due_unix_ms(own) or 0,
        life.answer_due_unix_ms(other) or 0,
        row.current_feed_id,
        row.last_feed_id,
        row.finding_feed_id,
        row.finding_idx,
    )


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
            reply_by_unix_ms=v["reply_by"] or None,
            informs=bool(v["informs"]),
            replied_revision=v["replied_revision"],
        ),
        priority=v["priority"],
        purpose=v["purpose"],
        case_reference=v["case_reference"],
        published_at=v["published_at"],
        feed_id=v["feed_id"],
        first_idx=v["first_idx"],
        current_idx=v["current_idx"],
        last_idx=v["last_idx"],
        current_feed_id=v["current_feed_id"],
        last_feed_id=v["last_feed_id"],
        finding_feed_id=v["finding_feed_id"],
        finding_idx=v["finding_idx"],
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
        .join(alerts, (entries.c.feed_id == alerts.c.current_feed_id) & (entries.c.idx == alerts.c.current_idx))
        .where(alerts.c.alert_id == alert_id, alerts.c.publisher == publisher)
        .limit(1)
    ).scalar_one_or_none()
    return None if row is None else bytes(row)


def origin_line(conn: Connection, feed_id: int) -> str:
    """Name of the feed with this id."""
    return str(conn.execute(select(feeds.c.origin).where(feeds.c.id == feed_id)).scalar_one())
