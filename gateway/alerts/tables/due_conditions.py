"""Conditions on the first open deadlines of copies, each for the indexes of what is open."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, and_, func, not_, or_, select

from gateway.alerts.tables.copies import is_not_past, is_past
from gateway.alerts.tables.schema import alerts

DUE_COLUMNS = {"reply": "reply_due", "question_in": "question_in_due", "question_out": "question_out_due"}
"""Names of deadlines, as in filters, and their columns."""


def count_overdue(conn: Connection, now_ms: int) -> dict[tuple[str, ...], float]:
    """How many open copies have a deadline that has passed, by its name and the copy's direction."""
    found: dict[tuple[str, ...], float] = {}
    for name in DUE_COLUMNS:
        query = select(alerts.c.direction, func.count()).where(*overdue(name, now_ms)).group_by(alerts.c.direction)
        found |= {(name, direction): count for direction, count in conn.execute(query)}
    return found


def valid(now_ms: int) -> ColumnElement[bool]:
    """Copies that no step and no clock has ended."""
    return alerts.c.open_until > now_ms


def overdue(name: str, now_ms: int) -> list[ColumnElement[bool]]:
    """Copies whose deadline of this name has passed."""
    return [is_past(alerts.c[DUE_COLUMNS[name]], now_ms), valid(now_ms)]


def due(name: str, now_ms: int) -> list[ColumnElement[bool]]:
    """Copies whose deadline of this name is to come."""
    return [is_not_past(alerts.c[DUE_COLUMNS[name]], now_ms), valid(now_ms)]


def any_overdue(now_ms: int) -> list[ColumnElement[bool]]:
    """Copies of which some deadline has passed: a reply's, or a question's of either side."""
    return [_any(is_past(alerts.c[column], now_ms) for column in DUE_COLUMNS.values()), valid(now_ms)]


def none_overdue(now_ms: int) -> list[ColumnElement[bool]]:
    """All other copies."""
    return [not_(and_(*any_overdue(now_ms)))]


def any_due_before(now_ms: int, until_ms: int) -> list[ColumnElement[bool]]:
    """Copies of which some deadline is to come, by a time at the latest."""
    columns = (alerts.c[column] for column in DUE_COLUMNS.values())
    return [_any(and_(is_past(column, until_ms + 1), column >= now_ms) for column in columns), valid(now_ms)]


def _any(conditions: Iterable[ColumnElement[bool]]) -> ColumnElement[bool]:
    return or_(*conditions)
