"""Statements on notifications and on what waits for a way out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, case, delete, func, select, text, update

from gateway.db.statements import Prepared, PreparedList, insert_rows
from gateway.notifications.tables.schema import notification_deliveries as deliveries
from gateway.notifications.tables.schema import notifications

MOST_COUNTED = 1_000
"""Unread notifications are counted up to here."""

MOST_COUNTED_BY_KIND = 10_000
"""Newest notifications of a recipient that are counted by kind."""

_COLUMNS = ("number", "recipient", "event_id", "kind", "created_at", "body", "read_at")
_AFTER = Prepared(
    select(notifications)
    .where(notifications.c.recipient == bindparam("whose"), notifications.c.number > bindparam("after"))
    .order_by(notifications.c.number)
    .limit(bindparam("most"))
)
_UNREAD = Prepared(
    select(func.count()).select_from(
        select(notifications.c.number)
        .where(notifications.c.recipient == bindparam("whose"), notifications.c.read_at == 0)
        .limit(MOST_COUNTED)
        .subquery()
    )
)
_NEWEST = Prepared(select(func.max(notifications.c.number)).where(notifications.c.recipient == bindparam("whose")))
_KNOWN = PreparedList(
    select(notifications.c.event_id, notifications.c.recipient).where(
        notifications.c.event_id.in_(bindparam("values", expanding=True)),
        notifications.c.recipient == bindparam("whose"),
    )
)
_OF_EVENTS = PreparedList(
    select(notifications).where(
        notifications.c.event_id.in_(bindparam("values", expanding=True)),
        notifications.c.recipient == bindparam("whose"),
    )
)
_DELIVERIES_OF = PreparedList(
    select(deliveries.c.number, deliveries.c.way, deliveries.c.attempts, deliveries.c.next_at).where(
        deliveries.c.number.in_(bindparam("values", expanding=True))
    )
)
_GROW = Prepared(
    update(notifications)
    .where(notifications.c.number == bindparam("before"))
    .values(number=bindparam("number"), created_at=bindparam("created_at"), body=bindparam("body"))
)
_GROW_DELIVERIES = Prepared(
    update(deliveries).where(deliveries.c.number == bindparam("before")).values(number=bindparam("number"))
)
_CLOSE = Prepared(
    update(notifications).where(notifications.c.number == bindparam("which")).values(event_id=bindparam("event"))
)
_WAITING = Prepared(
    select(func.count(), func.min(deliveries.c.created_at), func.min(deliveries.c.next_at)).where(
        deliveries.c.way == bindparam("which"), deliveries.c.next_at > 0
    )
)
_GIVEN_UP = Prepared(select(func.count()).where(deliveries.c.way == bindparam("which"), deliveries.c.next_at == 0))
_DUE = Prepared(
    select(notifications, deliveries.c.attempts, deliveries.c.created_at)
    .join(deliveries, deliveries.c.number == notifications.c.number)
    .where(deliveries.c.way == bindparam("which"), deliveries.c.next_at > 0, deliveries.c.next_at <= bindparam("now"))
    .order_by(deliveries.c.next_at, deliveries.c.number)
    .limit(bindparam("most"))
)


@dataclass(frozen=True, slots=True)
class NotificationRow:
    """A notification; times in milliseconds since 1970."""

    number: int
    recipient: str
    event_id: str
    kind: int
    created_at: int
    body: bytes
    read_at: int = 0


@dataclass(frozen=True, slots=True)
class WaitingDelivery:
    """A notification that waits for a way out, after some attempts."""

    row: NotificationRow
    attempts: int
    created_at: int


class DeliveryAttempts(NamedTuple):
    """What waits, or was given up, of one notification by one way; `next_at` 0: given up."""

    number: int
    way: str
    attempts: int
    next_at: int


@dataclass(frozen=True, slots=True)
class WayState:
    """What waits for a way: how many, since when, and when the next is tried; 0 for never."""

    waiting: int
    oldest_at: int
    next_at: int
    given_up: int


def add(conn: Connection, rows: Sequence[NotificationRow]) -> None:
    """Writes new notifications; none of the pairs of recipient and event may be known."""
    if rows:
        insert_rows(conn, notifications, _COLUMNS, [_values(row) for row in rows])


def known(conn: Connection, recipient: str, event_ids: Collection[str]) -> set[str]:
    """Those events of which a recipient was told."""
    return {row[0] for row in _KNOWN(conn, event_ids, whose=recipient)}


def of_events(conn: Connection, recipient: str, event_ids: Collection[str]) -> dict[str, NotificationRow]:
    """A recipient's notifications of events, by event."""
    rows = map(_row, _OF_EVENTS(conn, event_ids, whose=recipient))
    return {row.event_id: row for row in rows}


def deliveries_of(conn: Connection, numbers: Collection[int]) -> list[DeliveryAttempts]:
    """What waits, or was given up, of notifications."""
    return [DeliveryAttempts(*row) for row in _DELIVERIES_OF(conn, numbers)] if numbers else []


def grow(conn: Connection, before: int, row: NotificationRow) -> None:
    """Writes a notification anew, with another number; what waits of it waits on."""
    _GROW(conn, before=before, number=row.number, created_at=row.created_at, body=row.body)
    _GROW_DELIVERIES(conn, before=before, number=row.number)


def close(conn: Connection, number: int, event_id: str) -> None:
    """Renames the event of a notification, so that there may be another of it."""
    _CLOSE(conn, which=number, event=event_id)


def after(conn: Connection, recipient: str, number: int, limit: int) -> list[NotificationRow]:
    """A recipient's notifications after a number, oldest first."""
    return [_row(row) for row in _AFTER(conn, whose=recipient, after=number, most=limit)]


def page(
    conn: Connection, recipient: str, kinds: Collection[int], *, unread: bool, before: int | None, limit: int
) -> list[NotificationRow]:
    """A recipient's notifications of some kinds before a number (None: the newest), newest first."""
    c = notifications.c
    query = select(notifications).where(c.recipient == recipient, c.kind.in_(sorted(kinds)))
    if unread:
        query = query.where(c.read_at == 0)
    if before is not None:
        query = query.where(c.number < before)
    return [_row(row) for row in conn.execute(query.order_by(c.number.desc()).limit(limit))]


def unread(conn: Connection, recipient: str) -> int:
    """How many a recipient hasn't read, up to MOST_COUNTED."""
    return int(_UNREAD(conn, whose=recipient).scalar_one())


def newest(conn: Connection, recipient: str) -> int:
    """Number of a recipient's newest; 0 for none."""
    return _NEWEST(conn, whose=recipient).scalar_one_or_none() or 0


def counts_by_kind(conn: Connection, recipient: str) -> list[tuple[int, int, int]]:
    """Kinds of a recipient's notifications, with how many there are and how many weren't read."""
    c = notifications.c
    newest_ones = (
        select(c.kind, c.read_at)
        .where(c.recipient == recipient)
        .order_by(c.number.desc())
        .limit(MOST_COUNTED_BY_KIND)
        .subquery()
    )
    is_unread = case((newest_ones.c.read_at == 0, 1), else_=0)
    query = select(newest_ones.c.kind, func.count(), func.sum(is_unread)).group_by(newest_ones.c.kind)
    return [(kind, number, int(unread_ones)) for kind, number, unread_ones in conn.execute(query)]


def mark_read(conn: Connection, recipient: str, numbers: Sequence[int], up_to: int, now_ms: int) -> int:
    """Marks a recipient's notifications as read: these, or all up to a number; returns how many weren't."""
    c = notifications.c
    which = c.number <= up_to if up_to else c.number.in_(numbers)
    statement = update(notifications).where(c.recipient == recipient, c.read_at == 0, which).values(read_at=now_ms)
    return conn.execute(statement).rowcount


def wait_for(conn: Connection, waiting: Iterable[tuple[int, str, int]], now_ms: int) -> None:
    """Lets notifications, by number, wait for a way, until a time."""
    rows = [(number, way, now_ms, 0, next_at, "") for number, way, next_at in waiting]
    if rows:
        insert_rows(conn, deliveries, ("number", "way", "created_at", "attempts", "next_at", "error"), rows)


def due(conn: Connection, way: str, now_ms: int, limit: int) -> list[WaitingDelivery]:
    """What is to be tried now, the longest due first."""
    return [WaitingDelivery(_row(row[:7]), row[7], row[8]) for row in _DUE(conn, which=way, now=now_ms, most=limit)]


def way_state(conn: Connection, way: str) -> WayState:
    """What waits for a way."""
    count, oldest, following = _WAITING(conn, which=way).one()
    return WayState(count, oldest or 0, following or 0, int(_GIVEN_UP(conn, which=way).scalar_one()))


def taken(conn: Connection, way: str, numbers: Sequence[int]) -> None:
    """Forgets deliveries that the other side has taken."""
    c = deliveries.c
    conn.execute(delete(deliveries).where(c.way == way, c.number.in_(numbers)))


def failed(conn: Connection, way: str, numbers: Sequence[int], *, next_at: int, error: str) -> None:
    """Notes a failed attempt; `next_at` 0 gives them up."""
    c = deliveries.c
    conn.execute(
        update(deliveries)
        .where(c.way == way, c.number.in_(numbers))
        .values(attempts=c.attempts + 1, next_at=next_at, error=error)
    )


def recipients(conn: Connection) -> list[tuple[str, int]]:
    """Everybody who has notifications, with how many are kept."""
    c = notifications.c
    return [(row[0], row[1]) for row in conn.execute(select(c.recipient, func.count()).group_by(c.recipient))]


def forget_oldest(conn: Connection, recipient: str, keep: int) -> None:
    """Forgets all but a recipient's newest."""
    c = notifications.c
    first = select(c.number).where(c.recipient == recipient).order_by(c.number.desc()).offset(keep - 1).limit(1)
    oldest = conn.execute(first).scalar_one_or_none()
    if oldest is not None:
        _forget(
            conn, [row[0] for row in conn.execute(select(c.number).where(c.recipient == recipient, c.number < oldest))]
        )


def forget_before(conn: Connection, time_ms: int, limit: int) -> int:
    """Forgets up to `limit` notifications made before a time, with their deliveries; returns how many."""
    c = notifications.c
    old = [row[0] for row in conn.execute(select(c.number).where(c.created_at < time_ms).limit(limit))]
    _forget(conn, old)
    return len(old)


def forget_alert(conn: Connection, alert_id: str) -> None:
    """Forgets what was told of an alert that was erased: every body that names it; reads all that are kept."""
    named = "instr(body, :id)" if conn.dialect.name == "sqlite" else "position(:id in body)"
    query = select(notifications.c.number).where(text(f"{named} > 0").bindparams(id=alert_id.encode()))
    _forget(conn, list(conn.execute(query).scalars()))


def _forget(conn: Connection, numbers: Sequence[int]) -> None:
    for at in range(0, len(numbers), MOST_COUNTED):
        chunk = numbers[at : at + MOST_COUNTED]
        conn.execute(delete(deliveries).where(deliveries.c.number.in_(chunk)))
        conn.execute(delete(notifications).where(notifications.c.number.in_(chunk)))


def _values(row: NotificationRow) -> tuple[object, ...]:
    return (row.number, row.recipient, row.event_id, row.kind, row.created_at, row.body, row.read_at)


def _row(row: Sequence[Any]) -> NotificationRow:
    number, recipient, event_id, kind, created_at, body, read_at = row
    return NotificationRow(number, recipient, event_id, kind, created_at, bytes(body), read_at)
