"""Statements on acknowledgements that leave later, or that couldn't leave."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Connection, bindparam, delete, insert, literal_column, select, update

from gateway.casework.tables.cases import AlertId
from gateway.casework.tables.schema import scheduled_acknowledgements
from gateway.db.statements import Prepared, PreparedList

_C = scheduled_acknowledgements.c
_values: BindParameter[Any] = bindparam("values", expanding=True)
_WAITS, _REFUSED = _C.reason == literal_column("''"), _C.reason != literal_column("''")
"""Not parameters: or the databases couldn't see that an index of some rows will do."""

_OF_ALERTS = PreparedList(select(scheduled_acknowledgements).where(_C.alert_id.in_(_values)))
_REFUSED_OF = Prepared(
    select(scheduled_acknowledgements)
    .where(_REFUSED, _C.person == bindparam("by"))
    .order_by(_C.asked_at.desc(), _C.alert_id, _C.publisher)
    .limit(bindparam("most"))
)


class AcknowledgementRow(NamedTuple):
    """An acknowledgement; as the table's columns. Times in milliseconds since 1970."""

    alert_id: str
    publisher: str
    revision: int
    request_id: str
    person: str
    principal: str
    actor: str
    system: str
    asked_at: int
    leaves_at: int
    reason: str = ""
    message: str = ""

    @property
    def alert(self) -> AlertId:
        return self.publisher, self.alert_id


def of_alerts(conn: Connection, alert_ids: Collection[str]) -> dict[AlertId, AcknowledgementRow]:
    """Those of some alerts."""
    rows = (AcknowledgementRow(*row) for row in _OF_ALERTS(conn, alert_ids)) if alert_ids else ()
    return {row.alert: row for row in rows}


def refused_of(conn: Connection, person: str, limit: int) -> list[AcknowledgementRow]:
    """Those of a person that weren't sent, the newest first."""
    return [AcknowledgementRow(*row) for row in _REFUSED_OF(conn, by=person, most=limit)]


def waiting(conn: Connection, limit: int) -> list[AcknowledgementRow]:
    """Those that wait, the first to leave first."""
    query = select(scheduled_acknowledgements).where(_WAITS).order_by(_C.leaves_at).limit(limit)
    return [AcknowledgementRow(*row) for row in conn.execute(query)]


def put(conn: Connection, row: AcknowledgementRow) -> None:
    """Writes one in place of the alert's earlier one."""
    remove(conn, row.alert)
    conn.execute(insert(scheduled_acknowledgements).values(row._asdict()))


def remove(conn: Connection, alert: AlertId) -> None:
    """Removes an alert's."""
    conn.execute(delete(scheduled_acknowledgements).where(*_of(alert)))


def refuse(conn: Connection, alert: AlertId, *, reason: str, message: str) -> None:
    """Notes why one wasn't sent."""
    conn.execute(update(scheduled_acknowledgements).where(*_of(alert)).values(reason=reason, message=message))


def forget_refused(conn: Connection, before_ms: int) -> None:
    """Removes old ones that weren't sent."""
    conn.execute(delete(scheduled_acknowledgements).where(_REFUSED, _C.asked_at < before_ms))


def _of(alert: AlertId) -> tuple[Any, ...]:
    publisher, alert_id = alert
    return _C.alert_id == alert_id, _C.publisher == publisher
