"""Statements on warnings of deadlines: each is a row before it is fired and afterwards, so that it fires once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, select, tuple_, update

from gateway.db.statements import Prepared, insert_rows
from gateway.notifications.rules.warnings import DeadlineWarning, Stage, WarnedCopy, WarnedDeadline
from gateway.notifications.tables.schema import deadline_warnings

_KEY = ("alert_id", "publisher", "recipient", "deadline", "due", "stage")
_KEY_COLUMNS = tuple(deadline_warnings.c[name] for name in _KEY)
_TO_COME = Prepared(
    select(*_KEY_COLUMNS, deadline_warnings.c.warn_at)
    .where(deadline_warnings.c.number == 0, deadline_warnings.c.warn_at <= bindparam("now"))
    .order_by(deadline_warnings.c.warn_at)
    .limit(bindparam("most"))
)
_NEXT = Prepared(select(func.min(deadline_warnings.c.warn_at)).where(deadline_warnings.c.number == 0))
_OF_ALERT = Prepared(
    select(*_KEY_COLUMNS, deadline_warnings.c.warn_at, deadline_warnings.c.number).where(
        deadline_warnings.c.alert_id == bindparam("alert"),
        deadline_warnings.c.publisher == bindparam("by"),
        deadline_warnings.c.recipient == bindparam("to"),
    )
)
_FIRED_AFTER = Prepared(
    select(*_KEY_COLUMNS, deadline_warnings.c.warn_at, deadline_warnings.c.number)
    .where(deadline_warnings.c.number > bindparam("after"))
    .order_by(deadline_warnings.c.number)
    .limit(bindparam("most"))
)


def schedule(conn: Connection, key: WarnedCopy, wanted: Collection[DeadlineWarning]) -> None:
    """Makes the warnings of a copy that are to come those given; what was fired stays, and isn't fired again."""
    rows = list(_OF_ALERT(conn, alert=key.alert_id, by=key.publisher, to=key.recipient))
    known = {_warning(row) for row in rows}
    stale = [row[:6] for row in rows if row[7] == 0 and _warning(row) not in wanted]
    if stale:
        conn.execute(delete(deadline_warnings).where(tuple_(*_KEY_COLUMNS).in_(stale)))
    kept = {_key(warning) for warning in known} - set(stale)
    new = [(*_key(warning), warning.warn_at, 0) for warning in wanted if _key(warning) not in kept]
    if new:
        insert_rows(conn, deadline_warnings, (*_KEY, "warn_at", "number"), new)


def due(conn: Connection, now_ms: int, limit: int) -> list[DeadlineWarning]:
    """Warnings whose time has come, the earliest first."""
    return [_warning(row) for row in _TO_COME(conn, now=now_ms, most=limit)]


def next_at(conn: Connection) -> int:
    """When the next warning is to be fired, in milliseconds since 1970; 0 without one."""
    return _NEXT(conn).scalar_one_or_none() or 0


def fire(conn: Connection, warning: DeadlineWarning, number: int) -> None:
    """Marks a warning as fired."""
    conn.execute(update(deadline_warnings).where(tuple_(*_KEY_COLUMNS) == tuple_(*_key(warning))).values(number=number))


def drop(conn: Connection, unneeded: Iterable[DeadlineWarning]) -> None:
    """Removes warnings that aren't to be fired any more."""
    keys = [_key(warning) for warning in unneeded]
    if keys:
        conn.execute(delete(deadline_warnings).where(tuple_(*_KEY_COLUMNS).in_(keys)))


def fired_after(conn: Connection, number: int, limit: int) -> list[tuple[int, DeadlineWarning]]:
    """Fired warnings after a number, in the order of firing."""
    return [(row[7], _warning(row)) for row in _FIRED_AFTER(conn, after=number, most=limit)]


def forget_fired(conn: Connection, before_ms: int) -> None:
    """Forgets warnings that were to be fired before a time and were."""
    c = deadline_warnings.c
    conn.execute(delete(deadline_warnings).where(c.number > 0, c.warn_at < before_ms))


def forget_alert(conn: Connection, publisher: str, alert_id: str) -> None:
    """Removes the warnings of an alert that was erased."""
    c = deadline_warnings.c
    conn.execute(delete(deadline_warnings).where(c.alert_id == alert_id, c.publisher == publisher))


def _key(warning: DeadlineWarning) -> tuple[str, str, str, str, int, str]:
    key = warning.key
    return (key.alert_id, key.publisher, key.recipient, warning.deadline.value, warning.due, warning.stage.value)


def _warning(row: Sequence[Any]) -> DeadlineWarning:
    alert_id, publisher, recipient, deadline, due_ms, stage, warn_at = row[:7]
    return DeadlineWarning(
        key=WarnedCopy(publisher, alert_id, recipient),
        deadline=WarnedDeadline(deadline),
        due=due_ms,
        stage=Stage(stage),
        warn_at=warn_at,
    )
