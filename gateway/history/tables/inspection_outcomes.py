"""Statements on what inspections of own records came to, and on risk hits beside it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, delete, func, select

from gateway.db.statements import Prepared, PreparedList, insert_rows
from gateway.history.codec.batches import RecordOutcome
from gateway.history.tables.schema import inspection_outcomes, record_log, record_progress, risk_hits, shipments
from gateway.risk.facts.findings import Outcomes

WHOLE_RECORD = ""
"""In place of a subheading."""

_values: BindParameter[Any] = bindparam("values", expanding=True)
_COLUMNS = tuple(inspection_outcomes.c.keys())
_REMOVE = PreparedList(delete(inspection_outcomes).where(inspection_outcomes.c.record_id.in_(_values)))
_COUNT = Prepared(
    select(func.count(), func.coalesce(func.sum(inspection_outcomes.c.confirmed), 0)).where(
        inspection_outcomes.c.hs6 == bindparam("hs6"),
        inspection_outcomes.c.inspected_at < bindparam("before"),
        inspection_outcomes.c.record_id != bindparam("without"),
    )
)
_LOGGED = record_log.c.position == risk_hits.c.position
_OF_NEWEST = (shipments.c.record_id == record_log.c.record_id) & (shipments.c.position == risk_hits.c.position)
_OF_RECORD = (inspection_outcomes.c.record_id == shipments.c.record_id) & (inspection_outcomes.c.hs6 == WHOLE_RECORD)

END_OF_TIME_MS = 1 << 62


def replace(conn: Connection, record_ids: Collection[str], outcomes: Iterable[RecordOutcome]) -> None:
    """Replaces the outcomes of these records."""
    _REMOVE.execute(conn, record_ids)
    rows = [
        (hs6, outcome.record_id, outcome.inspected_at, int(outcome.confirmed))
        for outcome in outcomes
        for hs6 in (WHOLE_RECORD, *outcome.subheadings)
    ]
    if rows:
        insert_rows(conn, inspection_outcomes, _COLUMNS, rows)


def count(conn: Connection, hs6: str, *, before: int = END_OF_TIME_MS, without: str = "") -> Outcomes:
    """Outcomes under a subheading, inspected before a moment (milliseconds since 1970), without one record."""
    inspected, confirmed = _COUNT(conn, hs6=hs6, before=before, without=without).one()
    return Outcomes(int(inspected), int(confirmed))


def hits_by_rule(conn: Connection) -> dict[str, tuple[int, Outcomes]]:
    """By rule: own records with a hit on their newest revision, and the inspected ones of them."""
    records = (
        select(risk_hits.c.rule_id, shipments.c.record_id, inspection_outcomes.c.confirmed)
        .join(record_log, _LOGGED)
        .join(shipments, _OF_NEWEST)
        .outerjoin(inspection_outcomes, _OF_RECORD)
        .distinct()
        .subquery()
    )
    statement = select(
        records.c.rule_id,
        func.count(),
        func.count(records.c.confirmed),
        func.coalesce(func.sum(records.c.confirmed), 0),
    ).group_by(records.c.rule_id)
    return {rule: (int(hits), Outcomes(int(known), int(found))) for rule, hits, known, found in conn.execute(statement)}


def inspected_hits(conn: Connection, rule_id: str, limit: int) -> Sequence[tuple[bytes, bool]]:
    """Newest hits of a rule on inspected records: serialised discrepancies, and whether something was found."""
    statement = (
        select(risk_hits.c.message, inspection_outcomes.c.confirmed)
        .join(record_log, _LOGGED)
        .join(shipments, _OF_NEWEST)
        .join(inspection_outcomes, _OF_RECORD)
        .where(risk_hits.c.rule_id == rule_id)
        .order_by(risk_hits.c.position.desc())
        .limit(limit)
    )
    return [(message, bool(confirmed)) for message, confirmed in conn.execute(statement)]


def hits_since(conn: Connection, rule_id: str, since_ms: int) -> tuple[int, Outcomes]:
    """Records that were recorded since a time and have a hit of a rule, and the inspected ones of them."""
    records = (
        select(shipments.c.record_id, inspection_outcomes.c.confirmed)
        .select_from(risk_hits)
        .join(record_log, _LOGGED)
        .join(shipments, _OF_NEWEST)
        .outerjoin(inspection_outcomes, _OF_RECORD)
        .where(risk_hits.c.rule_id == rule_id, record_log.c.recorded_at >= since_ms)
        .distinct()
        .subquery()
    )
    confirmed = records.c.confirmed
    statement = select(func.count(), func.count(confirmed), func.coalesce(func.sum(confirmed), 0)).select_from(records)
    hits, inspected, found = conn.execute(statement).one()
    return int(hits), Outcomes(int(inspected), int(found))


def evaluated_since(conn: Connection, since_ms: int) -> int:
    """Records that were recorded since a time and are evaluated, in their newest revision."""
    evaluated = select(record_progress.c.evaluated_position).scalar_subquery()
    statement = (
        select(func.count())
        .select_from(shipments)
        .join(record_log, record_log.c.position == shipments.c.position)
        .where(record_log.c.recorded_at >= since_ms, shipments.c.position <= evaluated)
    )
    return int(conn.execute(statement).scalar_one())
