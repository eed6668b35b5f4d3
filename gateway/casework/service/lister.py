"""Prepares the inbox: reads alerts that changed and says what they want."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection

from gateway.alerts import codec as wire
from gateway.alerts.rules.life import Side
from gateway.alerts.tables import copies, events
from gateway.alerts.tables.copies import AlertRow
from gateway.casework.rules.urgency import act_by_unix_ms
from gateway.casework.rules.wanted import actions_of, due_unix_ms, wanted_of
from gateway.casework.tables import progress as casework_progress
from gateway.casework.tables.inbox import InboxItem
from gateway.db.database import Database
from gateway.feed.tables import progress

BATCH = 500
"""Steps of alerts in one transaction: some milliseconds."""


class ListBatch(NamedTuple):
    """Items of the alerts that changed between two positions of the local log."""

    after: int
    last: int
    items: tuple[InboxItem, ...]


class InboxLister:
    """Prepares batches."""

    def __init__(self, database: Database, *, batch: int = BATCH) -> None:
        self._database = database
        self._batch = batch

    def next(self) -> ListBatch | None:
        """The next batch; None while there is nothing new."""
        with self._database.read() as conn:
            after = casework_progress.read(conn).listed_position
            projected = progress.position(conn)
            if after >= projected:
                return None
            changed, reached = events.keys_after(conn, after, self._batch)
            last = max(projected, after) if reached is None else reached
            items = tuple(items_of(conn, {(key.publisher, key.alert_id) for key in changed}))
        return ListBatch(after, last, items)


def items_of(conn: Connection, alerts: set[tuple[str, str]]) -> list[InboxItem]:
    """Items of all copies of alerts (publisher, id), as they are now."""
    items: list[InboxItem] = []
    for row, payload in copies.with_payloads(conn, sorted({alert_id for _, alert_id in alerts})):
        alert = wire.alert_of(wire.parse_event(payload)) if payload else None
        items.append(item_of(row, tuple(alert.content.typologies) if alert is not None else ()))
    return items


def item_of(row: AlertRow, typologies: tuple[str, ...]) -> InboxItem:
    """The item of one copy."""
    life = row.life
    is_own = row.direction == "out"
    wanted = wanted_of(life, Side.PUBLISHER if is_own else Side.RECIPIENT)
    due_at, valid_until = due_unix_ms(wanted), life.valid_until_unix_ms or 0
    acts = act_by_unix_ms(due_at=due_at, priority=row.priority, published_at=row.published_at, valid_until=valid_until)
    return InboxItem(
        alert_id=row.key.alert_id,
        publisher=row.key.publisher,
        recipient=row.key.recipient,
        partner=row.key.recipient if is_own else row.key.publisher,
        direction=row.direction,
        status=life.status.value,
        priority=row.priority,
        typologies=f",{','.join(typologies)},",
        wanted=int(actions_of(wanted)),
        due_at=due_at,
        act_by=acts if wanted else 0,
        open_until=0 if life.status.is_terminal else valid_until,
    )
