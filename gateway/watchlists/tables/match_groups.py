"""Statements on open matches that are alike: of one entry, or of one party."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Integer, and_, cast, distinct, func, or_, select

from gateway.v1.match_pb2 import MATCH_GROUPING_ENTRY, MatchGrouping
from gateway.v1.watchlist_pb2 import MATCH_CLASS_IDENTICAL
from gateway.watchlists.rules.matches import MatchStatus
from gateway.watchlists.tables.matches import MatchRow
from gateway.watchlists.tables.schema import matches as table

_OPEN = table.c.status == MatchStatus.OPEN.value
_ENTRY = (table.c.publisher, table.c.list, table.c.entry_id)


class GroupRow(NamedTuple):
    """A group: id of its newest match, numbers of matches, of identical ones and of parties or entries, first time."""

    newest: str
    matches: int
    identical: int
    others: int
    first_found_at: int


def largest(
    conn: Connection,
    by: MatchGrouping.ValueType,
    conditions: Sequence[ColumnElement[bool]],
    *,
    after: tuple[int, str] | None,
    limit: int,
) -> list[GroupRow]:
    """Groups of open matches, the largest first, after the (number, newest id) of one."""
    is_by_entry = by == MATCH_GROUPING_ENTRY
    count, newest = func.count(), func.max(table.c.match_id)
    entry = table.c.publisher + "/" + table.c.list + "/" + table.c.entry_id
    query = (
        select(
            newest,
            count,
            func.sum(cast(table.c.match_class == MATCH_CLASS_IDENTICAL, Integer)),
            func.count(distinct(table.c.subject if is_by_entry else entry)),
            func.min(table.c.found_at),
        )
        .where(_OPEN, *conditions)
        .group_by(*(_ENTRY if is_by_entry else (table.c.subject,)))
        .order_by(count.desc(), newest.desc())
        .limit(limit)
    )
    if after is not None:
        number, match_id = after
        query = query.having(or_(count < number, and_(count == number, newest < match_id)))
    return [GroupRow(*row) for row in conn.execute(query)]


def alike(row: MatchRow, by: MatchGrouping.ValueType) -> list[ColumnElement[bool]]:
    """Conditions of the matches that are alike with one."""
    if by == MATCH_GROUPING_ENTRY:
        return [table.c.publisher == row.publisher, table.c.list == row.list, table.c.entry_id == row.entry_id]
    return [table.c.subject == row.subject]


def count_open(conn: Connection, conditions: Sequence[ColumnElement[bool]], *, upto: str = "") -> int:
    """Number of open matches, of those up to an id if one is given."""
    query = select(func.count()).where(_OPEN, *conditions)
    return int(conn.execute(query.where(table.c.match_id <= upto) if upto else query).scalar_one())


def open_upto(conditions: Sequence[ColumnElement[bool]], match_id: str) -> list[ColumnElement[bool]]:
    """Conditions of the open ones up to an id."""
    return [_OPEN, table.c.match_id <= match_id, *conditions]
