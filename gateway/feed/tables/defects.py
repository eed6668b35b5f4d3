"""Statements on entries that weren't applied because of a software defect."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, insert, select

from gateway.db.statements import Prepared, storable_text
from gateway.feed.tables.schema import defects, feeds

_ADD = Prepared(insert(defects))
_OLDEST = Prepared(
    select(feeds.c.origin, defects.c.idx, defects.c.problem, defects.c.noted_at)
    .join(feeds, feeds.c.id == defects.c.feed_id)
    .order_by(defects.c.noted_at, defects.c.feed_id, defects.c.idx)
    .limit(bindparam("most"))
)


@dataclass(frozen=True, slots=True)
class DefectRow:
    """A defect at an entry; `noted_at` in milliseconds since 1970."""

    origin: str
    idx: int
    problem: str
    noted_at: int


def add(conn: Connection, feed_id: int, idx: int, problem: str, *, noted_at: int) -> None:
    """Records a defect."""
    _ADD(conn, feed_id=feed_id, idx=idx, problem=storable_text(problem), noted_at=noted_at)


def oldest(conn: Connection, limit: int) -> list[DefectRow]:
    """Defects, oldest first."""
    return [DefectRow(*row) for row in _OLDEST(conn, most=limit)]
