"""Statements on risk hits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Connection, bindparam, delete, select

from gateway.db.statements import PreparedList, insert_rows
from gateway.history.tables.schema import record_log, risk_hits, shipments


@dataclass(frozen=True, slots=True)
class RiskRow:
    """A rule that fired on a revision; `message` is a Discrepancy."""

    position: int
    ordinal: int
    rule_id: str
    severity: int
    found_at: int
    message: bytes


@dataclass(frozen=True, slots=True)
class RecordRisk:
    """A rule that fired on a record's newest revision."""

    row: RiskRow
    record_id: str
    revision: int
    procedure: int


_values: BindParameter[Any] = bindparam("values", expanding=True)
_REMOVE = PreparedList(delete(risk_hits).where(risk_hits.c.position.in_(_values)))
_COLUMNS = tuple(risk_hits.c.keys())


def replace(conn: Connection, positions: Sequence[int], rows: Sequence[RiskRow]) -> None:
    """Replaces the hits on these positions."""
    _REMOVE.execute(conn, positions)
    if rows:
        values = [(row.position, row.ordinal, row.rule_id, row.severity, row.found_at, row.message) for row in rows]
        insert_rows(conn, risk_hits, _COLUMNS, values)


def page(
    conn: Connection, conditions: Sequence[ColumnElement[bool]], *, before: tuple[int, int] | None, limit: int
) -> list[RecordRisk]:
    """Hits on newest revisions, newest first."""
    statement = (
        select(risk_hits, shipments.c.record_id, shipments.c.revision, shipments.c.procedure)
        .join(record_log, record_log.c.position == risk_hits.c.position)
        .join(
            shipments,
            (shipments.c.record_id == record_log.c.record_id) & (shipments.c.position == risk_hits.c.position),
        )
        .where(*conditions)
        .order_by(risk_hits.c.position.desc(), risk_hits.c.ordinal)
        .limit(limit)
    )
    if before is not None:
        position, ordinal = before
        statement = statement.where(
            (risk_hits.c.position < position) | ((risk_hits.c.position == position) & (risk_hits.c.ordinal > ordinal))
        )
    return [RecordRisk(RiskRow(*row[:6]), *row[6:]) for row in conn.execute(statement)]
