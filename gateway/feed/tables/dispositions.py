"""Statements on what came of entries: recipients' dispositions, and defects here that kept some from being applied."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select

from gateway.db.statements import Prepared, storable_text, upsert
from gateway.feed.tables.schema import defects, dispositions, feeds

HELD = "held"

_PUT = upsert(dispositions, [column.name for column in dispositions.columns if not column.primary_key])
_UP_TO = Prepared(
    select(dispositions)
    .where(dispositions.c.feed_id == bindparam("feed"), dispositions.c.first_idx <= bindparam("index"))
    .order_by(dispositions.c.first_idx.desc())
    .limit(1)
)
_HELD_HERE = Prepared(
    select(feeds.c.origin, dispositions.c.feed_id, dispositions.c.first_idx)
    .join(feeds, feeds.c.id == dispositions.c.feed_id)
    .where(dispositions.c.outcome == HELD, feeds.c.direction == "in")
    .order_by(dispositions.c.feed_id, dispositions.c.first_idx)
)
_NEWEST_END = (
    select(dispositions.c.first_idx + dispositions.c.count)
    .where(dispositions.c.feed_id == feeds.c.id)
    .order_by(dispositions.c.first_idx.desc())
    .limit(1)
    .scalar_subquery()
)
_OWN_PROGRESS = Prepared(
    select(feeds.c.origin, feeds.c.receipted_size, func.coalesce(_NEWEST_END, 0)).where(feeds.c.direction == "out")
)


@dataclass(frozen=True, slots=True)
class DispositionRow:
    """A disposition of a run of entries, stated by the entry at `position`."""

    feed_id: int
    first_idx: int
    count: int
    outcome: str
    reason: str
    message: bytes
    position: int


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A partner's entry with the answer HELD."""

    origin: str
    feed_id: int
    idx: int


def add(conn: Connection, row: DispositionRow) -> None:
    """Writes a disposition; it replaces an earlier one."""
    _PUT(
        conn,
        feed_id=row.feed_id,
        first_idx=row.first_idx,
        count=row.count,
        outcome=row.outcome,
        reason=storable_text(row.reason),
        message=row.message,
        position=row.position,
    )


def find(conn: Connection, feed_id: int, idx: int) -> DispositionRow | None:
    """The recipient's disposition of an entry."""
    row = _UP_TO(conn, feed=feed_id, index=idx).one_or_none()
    disposition = None if row is None else _row(row)
    return None if disposition is None or idx >= disposition.first_idx + disposition.count else disposition


def held_here(conn: Connection) -> list[HeldRow]:
    """Held entries of partners, by feed and index."""
    return [HeldRow(*row) for row in _HELD_HERE(conn)]


def own_progress(conn: Connection) -> list[tuple[str, int, int]]:
    """Each own feed's name, the number of its receipted entries, and the end of its newest disposition."""
    return [(origin, receipted, answered) for origin, receipted, answered in _OWN_PROGRESS(conn)]


def _row(row: Iterable[Any]) -> DispositionRow:
    feed_id, first_idx, count, outcome, reason, message, position = row
    return DispositionRow(feed_id, first_idx, count, outcome, reason, bytes(message), position)


_ADD_DEFECT = Prepared(insert(defects))
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


def add_defect(conn: Connection, feed_id: int, idx: int, problem: str, *, noted_at: int) -> None:
    """Records a defect."""
    _ADD_DEFECT(conn, feed_id=feed_id, idx=idx, problem=storable_text(problem), noted_at=noted_at)


def oldest_defects(conn: Connection, limit: int) -> list[DefectRow]:
    """Defects, oldest first."""
    return [DefectRow(*row) for row in _OLDEST(conn, most=limit)]
