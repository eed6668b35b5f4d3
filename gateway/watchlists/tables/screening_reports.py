"""Statements on reports of whose verdict a list's change has changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, bindparam, delete, func, or_, select, update

from gateway.db.statements import Prepared
from gateway.watchlists.rules.matches import SourceKind
from gateway.watchlists.tables.schema import screening_report_lines as lines
from gateway.watchlists.tables.schema import screening_reports as reports
from gateway.watchlists.tables.upsert import upsert


class ReportRow(NamedTuple):
    """As in the columns."""

    number: int
    publisher: str
    list: str
    began_at: int
    ended_at: int = 0
    became: int = 0
    ceased: int = 0
    regraded: int = 0
    lines: int = 0


class LineRow(NamedTuple):
    """As in the columns."""

    number: int
    source: str
    source_publisher: str
    source_id: str
    entry_id: str
    field: str
    match_id: str
    class_before: int
    class_after: int


_OPEN = Prepared(select(reports).where(reports.c.ended_at == 0).order_by(reports.c.number))
_OPEN_AND_LAST = Prepared(
    select(reports)
    .where(or_(reports.c.ended_at == 0, reports.c.number == select(func.max(reports.c.number)).scalar_subquery()))
    .order_by(reports.c.number)
)
_LAST = Prepared(select(func.coalesce(func.max(reports.c.number), 0)))
_LINES = Prepared(
    select(lines)
    .where(lines.c.number == bindparam("of_report"))
    .order_by(lines.c.source, lines.c.source_publisher, lines.c.source_id, lines.c.entry_id)
)
_IDS_AT_ONCE = 500


def open_reports(conn: Connection) -> list[ReportRow]:
    """Reports that more may come to, by number."""
    return [ReportRow._make(row) for row in _OPEN(conn)]


def open_and_last(conn: Connection) -> list[ReportRow]:
    """Open reports and the newest one, by number, in one statement."""
    return [ReportRow._make(row) for row in _OPEN_AND_LAST(conn)]


def last_number(conn: Connection) -> int:
    """Number of the newest report, or 0."""
    return int(_LAST(conn).scalar_one())


def put(conn: Connection, rows: Sequence[ReportRow]) -> None:
    """Stores reports."""
    upsert(conn, reports, ReportRow._fields, rows)


def put_lines(conn: Connection, rows: Sequence[LineRow]) -> None:
    """Stores lines of reports."""
    upsert(conn, lines, LineRow._fields, rows)


def lines_of(conn: Connection, number: int) -> list[LineRow]:
    """A report's lines, by source and entry."""
    return [LineRow._make(row) for row in _LINES(conn, of_report=number)]


def remove_lines(conn: Connection, rows: Iterable[LineRow]) -> None:
    """Removes lines of verdicts that are as before again."""
    for row in rows:
        conn.execute(
            delete(lines).where(
                lines.c.number == row.number,
                lines.c.source == row.source,
                lines.c.source_publisher == row.source_publisher,
                lines.c.source_id == row.source_id,
                lines.c.entry_id == row.entry_id,
            )
        )


def end(conn: Connection, numbers: Collection[int], at_ms: int) -> None:
    """Ends reports: they are shown and told from now on."""
    conn.execute(update(reports).where(reports.c.number.in_(numbers)).values(ended_at=at_ms))


def page(conn: Connection, conditions: Iterable[ColumnElement[bool]], *, before: int, limit: int) -> list[ReportRow]:
    """Ended reports that name or count something, newest first, before a number; 0: from the newest."""
    is_shown = (reports.c.ended_at > 0, reports.c.became + reports.c.ceased + reports.c.regraded > 0)
    query = select(reports).where(*conditions, *is_shown).order_by(reports.c.number.desc()).limit(limit)
    if before:
        query = query.where(reports.c.number < before)
    return [ReportRow._make(row) for row in conn.execute(query)]


def ended_since(conn: Connection, at_ms: int, limit: int) -> list[ReportRow]:
    """The newest reports that ended at or after a time, in milliseconds since 1970."""
    return page(conn, [reports.c.ended_at >= at_ms], before=0, limit=limit)


def forget_before(conn: Connection, at_ms: int) -> None:
    """Removes reports that ended before a time, in milliseconds since 1970; the newest stays, for its number."""
    old = select(reports.c.number).where(
        reports.c.ended_at > 0, reports.c.ended_at < at_ms, reports.c.number < last_number(conn)
    )
    conn.execute(delete(lines).where(lines.c.number.in_(old)))
    conn.execute(delete(reports).where(reports.c.number.in_(old)))


def forget_sources(conn: Connection, kind: SourceKind, ids: Sequence[str]) -> None:
    """Removes lines about erased sources; the counts stay."""
    for at in range(0, len(ids), _IDS_AT_ONCE):
        some = ids[at : at + _IDS_AT_ONCE]
        conn.execute(delete(lines).where(lines.c.source == kind.value, lines.c.source_id.in_(some)))
