"""Statements on hits on entries."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, bindparam, func, select, tuple_

from gateway.db.statements import Prepared
from gateway.watchlists.tables.schema import list_hits
from gateway.watchlists.tables.upsert import upsert, values_of


@dataclass(frozen=True, slots=True)
class HitRow:
    """A hit and its feed position; `outcome` is a HitOutcome, 0 without; then where the owner's last answer stands."""

    hit_id: str
    reporter: str
    publisher: str
    list: str
    entry_id: str
    outcome: int
    feed_id: int
    idx: int
    outcome_feed_id: int | None = None
    outcome_idx: int | None = None

    def answered(self, outcome: int, feed_id: int, idx: int) -> HitRow:
        """The hit with the owner's answer, which stands at this place."""
        return replace(self, outcome=outcome, outcome_feed_id=feed_id, outcome_idx=idx)


_HIT_COLUMNS = tuple(list_hits.c.keys())

_HIT = Prepared(select(list_hits).where(list_hits.c.reporter == bindparam("by"), list_hits.c.hit_id == bindparam("id")))


def _of_range(feed: Column[Any], idx: Column[Any]) -> Prepared:
    """Hits of which these columns name entries of a feed from `first` to before `end`, in their order."""
    within = (feed == bindparam("feed"), idx >= bindparam("first"), idx < bindparam("end"))
    return Prepared(select(list_hits).where(*within).order_by(idx))


_OF_ENTRIES = _of_range(list_hits.c.feed_id, list_hits.c.idx)
_ANSWERED_BY_ENTRIES = _of_range(list_hits.c.outcome_feed_id, list_hits.c.outcome_idx)


def hit(conn: Connection, reporter: str, hit_id: str) -> HitRow | None:
    """A hit by its reporter and id, or None."""
    row = _HIT(conn, by=reporter, id=hit_id).one_or_none()
    return None if row is None else HitRow(*row)


def of_entries(conn: Connection, feed_id: int, first: int, end: int) -> list[HitRow]:
    """Hits that entries of a feed report, `end` excluded, in their order."""
    return [HitRow(*row) for row in _OF_ENTRIES(conn, feed=feed_id, first=first, end=end)]


def answered_by_entries(conn: Connection, feed_id: int, first: int, end: int) -> list[HitRow]:
    """Hits whose last answer is one of these entries of a feed, `end` excluded, in their order."""
    return [HitRow(*row) for row in _ANSWERED_BY_ENTRIES(conn, feed=feed_id, first=first, end=end)]


def put_hit(conn: Connection, row: HitRow) -> None:
    """Writes the current state of a hit."""
    upsert(conn, list_hits, _HIT_COLUMNS, [values_of(row, _HIT_COLUMNS)])


def hits_page(
    conn: Connection, conditions: Iterable[ColumnElement[bool]], *, before: tuple[str, str] | None, limit: int
) -> list[HitRow]:
    """Hits, newest first, after `before`: (hit id, reporter)."""
    key = (list_hits.c.hit_id, list_hits.c.reporter)
    query = select(list_hits).where(*conditions).order_by(*(column.desc() for column in key)).limit(limit)
    if before is not None:
        query = query.where(tuple_(*key) < tuple_(*before))
    return [HitRow(*row) for row in conn.execute(query)]


def hits_by_list(conn: Connection) -> dict[tuple[str, str], dict[int, int]]:
    """Counts hits by (publisher, list) and outcome."""
    columns = (list_hits.c.publisher, list_hits.c.list, list_hits.c.outcome)
    counted: dict[tuple[str, str], dict[int, int]] = {}
    for publisher, name, outcome, number in conn.execute(select(*columns, func.count()).group_by(*columns)):
        counted.setdefault((publisher, name), {})[outcome] = number
    return counted
