"""Sorts alerts by urgency: the first open deadline, then what is open before what has ended, then priority.

Overdue ones come first, since their deadline is the earliest. An alert that has ended, or whose validity has passed by
the reader's clock, has no deadline.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, case, literal

from gateway.alerts.rules.life import Side
from gateway.alerts.tables.copies import AlertRow
from gateway.alerts.tables.schema import alerts

NO_DEADLINE = 2**63 - 1
"""In place of the deadline of an alert that asks for nothing: it sorts last."""

SortValues = tuple[int, int, str]
"""Deadline in milliseconds since 1970, 1 after the end, priority; in the order of lists."""


def deadline_columns(now_ms: int) -> tuple[ColumnElement[int], ColumnElement[int], ColumnElement[str]]:
    """What lists are sorted by, ascending, before the newest."""
    columns = alerts.c
    reply, inwards, outwards = (
        case((due > 0, due), else_=NO_DEADLINE)
        for due in (columns.reply_due, columns.question_in_due, columns.question_out_due)
    )
    first = case((and_(reply <= inwards, reply <= outwards), reply), (inwards <= outwards, inwards), else_=outwards)
    is_open = columns.open_until > now_ms
    return (
        case((is_open, first), else_=NO_DEADLINE),
        case((is_open, literal(0)), else_=literal(1)),
        columns.priority,
    )


def deadline_values(row: AlertRow, now_ms: int) -> SortValues:
    """The same of a row that was read."""
    life = row.life
    until = life.valid_until_unix_ms or 0
    if life.status.is_terminal or until <= now_ms:
        return NO_DEADLINE, 1, row.priority
    dues = (life.reply_due_unix_ms, *(life.answer_due_unix_ms(side) for side in Side))
    return min((due for due in dues if due), default=NO_DEADLINE), 0, row.priority
