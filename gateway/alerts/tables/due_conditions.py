"""Deadlines of copies in the database: conditions on the first open ones, and the order of lists by them.

Sorted are alerts by urgency: the first open deadline, then what is open before what has ended, then priority. Overdue
ones come first, since their deadline is the earliest. An alert that has ended, whose validity has passed by the
reader's clock, or whose other side is a former partner has no deadline.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import ColumnElement, Connection, and_, case, func, literal, not_, or_, select

from gateway.alerts.rules.life import Side
from gateway.alerts.tables.copies import AlertRow, is_not_past, is_past
from gateway.alerts.tables.schema import alerts

NO_DEADLINE = 2**63 - 1
"""In place of the deadline of an alert that asks for nothing: it sorts last."""

SortValues = tuple[int, int, str]
"""Deadline in milliseconds since 1970, 1 after the end, priority; in the order of lists."""


def deadline_columns(
    now_ms: int, former: Collection[str]
) -> tuple[ColumnElement[int], ColumnElement[int], ColumnElement[str]]:
    """What lists are sorted by, ascending, before the newest."""
    columns = alerts.c
    reply, inwards, outwards = (
        case((due > 0, due), else_=NO_DEADLINE)
        for due in (columns.reply_due, columns.question_in_due, columns.question_out_due)
    )
    first = case((and_(reply <= inwards, reply <= outwards), reply), (inwards <= outwards, inwards), else_=outwards)
    is_open = valid(now_ms, former)
    return (
        case((is_open, first), else_=NO_DEADLINE),
        case((is_open, literal(0)), else_=literal(1)),
        columns.priority,
    )


def deadline_values(row: AlertRow, now_ms: int, former: Collection[str]) -> SortValues:
    """The same of a row that was read."""
    life = row.life
    until = life.valid_until_unix_ms or 0
    if life.status.is_terminal or until <= now_ms or row.partner in former:
        return NO_DEADLINE, 1, row.priority
    dues = (life.reply_due_unix_ms, *(life.answer_due_unix_ms(side) for side in Side))
    return min((due for due in dues if due), default=NO_DEADLINE), 0, row.priority


DUE_COLUMNS = {"reply": "reply_due", "question_in": "question_in_due", "question_out": "question_out_due"}
"""Names of deadlines, as in filters, and their columns."""


def count_overdue(conn: Connection, now_ms: int, former: Collection[str]) -> dict[tuple[str, ...], float]:
    """How many open copies have a deadline that has passed, by its name and the copy's direction."""
    found: dict[tuple[str, ...], float] = {}
    for name in DUE_COLUMNS:
        query = (
            select(alerts.c.direction, func.count()).where(*overdue(name, now_ms, former)).group_by(alerts.c.direction)
        )
        found |= {(name, direction): count for direction, count in conn.execute(query)}
    return found


def valid(now_ms: int, former: Collection[str]) -> ColumnElement[bool]:
    """Copies that no step and no clock has ended, and no former partner's."""
    left = [column.not_in(former) for column in (alerts.c.publisher, alerts.c.recipient)] if former else []
    return and_(alerts.c.open_until > now_ms, *left)


def overdue(name: str, now_ms: int, former: Collection[str]) -> list[ColumnElement[bool]]:
    """Copies whose deadline of this name has passed."""
    return [is_past(alerts.c[DUE_COLUMNS[name]], now_ms), valid(now_ms, former)]


def due(name: str, now_ms: int, former: Collection[str]) -> list[ColumnElement[bool]]:
    """Copies whose deadline of this name is to come."""
    return [is_not_past(alerts.c[DUE_COLUMNS[name]], now_ms), valid(now_ms, former)]


def any_overdue(now_ms: int, former: Collection[str]) -> list[ColumnElement[bool]]:
    """Copies of which some deadline has passed: a reply's, or a question's of either side."""
    return [_any(is_past(alerts.c[column], now_ms) for column in DUE_COLUMNS.values()), valid(now_ms, former)]


def none_overdue(now_ms: int, former: Collection[str]) -> list[ColumnElement[bool]]:
    """All other copies."""
    return [not_(and_(*any_overdue(now_ms, former)))]


def any_due_before(now_ms: int, until_ms: int, former: Collection[str]) -> list[ColumnElement[bool]]:
    """Copies of which some deadline is to come, by a time at the latest."""
    columns = (alerts.c[column] for column in DUE_COLUMNS.values())
    return [_any(and_(is_past(column, until_ms + 1), column >= now_ms) for column in columns), valid(now_ms, former)]


def _any(conditions: Iterable[ColumnElement[bool]]) -> ColumnElement[bool]:
    return or_(*conditions)
