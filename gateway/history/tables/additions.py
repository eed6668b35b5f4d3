"""Statements on what was added to recorded shipments: which items are additions, and as of when they count.

An addition is found under the time and procedure of its record (history.projection.index says when they change).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, bindparam, select, update

from gateway.db.statements import Prepared
from gateway.history.tables import segments
from gateway.history.tables.schema import record_log, shipment_revisions
from gateway.history.tables.shipments import MOST_IN_STATEMENT

_DATE = Prepared(
    update(shipment_revisions)
    .where(shipment_revisions.c.position == bindparam("at"))
    .values(declared_at=bindparam("declared"), procedure=bindparam("done"))
)


def among(conn: Connection, positions: Collection[int], kind: int) -> set[int]:
    """Those of some positions at which an addition was recorded; `kind` is that of additions in the log."""
    found: set[int] = set()
    ordered = sorted(positions)
    for at in range(0, len(ordered), MOST_IN_STATEMENT):
        statement = select(record_log.c.position).where(
            record_log.c.position.in_(ordered[at : at + MOST_IN_STATEMENT]), record_log.c.kind == kind
        )
        found.update(conn.execute(statement).scalars())
    return found


def date(conn: Connection, positions: Sequence[int], declared_at: int, procedure: int) -> None:
    """Has additions count as declared at a time, in milliseconds since 1970, and under a procedure."""
    for position in positions:
        _DATE(conn, at=position, declared=declared_at, done=procedure)
    segments.widen(conn, [(position, declared_at) for position in positions])
