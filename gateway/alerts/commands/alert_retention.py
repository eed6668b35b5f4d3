"""Erases alerts whose retention has ended, and says beforehand which these will be.

Both ask `due_alerts`, so that a rehearsal names what the purge takes, unless something happens in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.alerts.commands.erasing import AlertEraser, record_erasures
from gateway.alerts.tables import copies, erasures
from gateway.alerts.tables.copies import AlertRow
from gateway.contract.messages import to_timestamp
from gateway.db.database import Database
from gateway.errors import GatewayError
from gateway.feed.service.writing.transaction import Clock, Transaction
from gateway.v1 import alert_pb2, alert_service_pb2

PURGED_AT_ONCE = 50
"""Alerts that one transaction erases."""

MOST_REHEARSED = 1_000
"""Alerts that a rehearsal names."""

DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class AlertRetention:
    """How long alerts are kept after their last step.

    Attributes:
        days: by priority; a priority that isn't named is kept.
        legal_basis: article of law or arrangement, for partners and the audit log.
    """

    days: Mapping[str, int]
    legal_basis: str


@dataclass(frozen=True, slots=True)
class DueAlert:
    """An alert whose retention has ended.

    Attributes:
        copies: all of this node.
        ended_at: its last step, in milliseconds since 1970.
        kept: why it stays all the same, a hold or a step without receipt; empty: it goes.
    """

    copies: tuple[AlertRow, ...]
    priority: str
    ended_at: int
    kept: str


def due_alerts(
    conn: Connection, eraser: AlertEraser, retention: AlertRetention, *, by_ms: int, after: str = ""
) -> Iterator[DueAlert]:
    """Alerts whose retention has ended by a time, by priority and id, after an id; all entries are projected."""
    for priority, days in sorted(retention.days.items()):
        last = after
        while rows := erasures.ended_before(conn, priority, by_ms - days * DAY_MS, after=last, limit=PURGED_AT_ONCE):
            for publisher, alert_id, ended_at in rows:
                of_alert = tuple(copies.copies(conn, publisher, alert_id))
                if all(row.life.status.is_terminal for row in of_alert):
                    yield DueAlert(of_alert, priority, ended_at, _kept(conn, eraser, of_alert))
            last = rows[-1][1]


def _kept(conn: Connection, eraser: AlertEraser, of_alert: tuple[AlertRow, ...]) -> str:
    key = of_alert[0].key
    if named := eraser.holds(conn, key.publisher, key.alert_id):
        return f"legal hold {named}"
    try:
        for row in of_alert:
            eraser.require_erasable(conn, row)
    except GatewayError as error:
        return error.message
    return ""


@dataclass(frozen=True, slots=True)
class PurgeAlertsCommand:
    """Erases the next alerts whose retention has ended; the result is their number.

    `latest_ms`: the latest that it may be by partners' clocks: an erasure can't be taken back.
    """

    eraser: AlertEraser
    retention: AlertRetention
    latest_ms: int
    weight: int = PURGED_AT_ONCE

    def execute(self, tx: Transaction) -> int:
        tx.catch_up()
        going: dict[str, list[str]] = {}
        for due in due_alerts(tx.conn, self.eraser, self.retention, by_ms=min(tx.now_ms, self.latest_ms)):
            if due.kept:
                continue
            rule = f"retention.alerts.{due.priority.lower()}"
            for row in due.copies:
                asks = row.direction == "out" and self.eraser.may_ask(
                    row.key.publisher, row.partner, row.purpose, tx.now_ms
                )
                self.eraser.erase(
                    tx, row, actor="gateway", rule=rule, legal_basis=self.retention.legal_basis, asks=asks
                )
            going.setdefault(rule, []).append(due.copies[0].key.alert_id)
            if sum(map(len, going.values())) == PURGED_AT_ONCE:
                break
        for rule, alert_ids in going.items():
            record_erasures(tx, f"rule {rule}; legal basis: {self.retention.legal_basis}", alert_ids)
        return sum(map(len, going.values()))


class RetentionRehearsal:
    """Says what the retention of alerts will take. Thread-safe."""

    def __init__(self, database: Database, eraser: AlertEraser, retention: AlertRetention, *, clock: Clock) -> None:
        self._database = database
        self._eraser = eraser
        self._retention = retention
        self._clock = clock

    def within(self, days: int) -> alert_service_pb2.RehearseRetentionResponse:
        """What is due by then, and why some of it stays."""
        response = alert_service_pb2.RehearseRetentionResponse()
        with self._database.read() as conn:
            by_ms = self._clock() + days * DAY_MS
            for due in due_alerts(conn, self._eraser, self._retention, by_ms=by_ms):
                if len(response.alerts) == MOST_REHEARSED:
                    response.has_more = True
                    break
                key, kept_days = due.copies[0].key, self._retention.days[due.priority]
                response.alerts.add(
                    alert=alert_pb2.AlertReference(publisher=key.publisher, alert_id=key.alert_id),
                    rule=f"retention.alerts.{due.priority.lower()}",
                    due_at=to_timestamp(due.ended_at + kept_days * DAY_MS),
                    kept=due.kept,
                )
        return response
