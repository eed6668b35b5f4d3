"""Prepares the inbox: reads alerts that changed and says what they want."""

from __future__ import annotations

from collections.abc import Collection

from gateway.alerts import codec as wire
from gateway.alerts.rules.life import Side
from gateway.alerts.tables.copies import AlertRow
from gateway.alerts.tables.followed_steps import FollowedSteps
from gateway.casework.commands.indexing import ListBatch, ListCommand
from gateway.casework.rules.urgency import act_by_unix_ms
from gateway.casework.rules.wanted import actions_of, due_unix_ms, required_actions
from gateway.casework.tables import progress as casework_progress
from gateway.casework.tables.inbox import InboxItem


class InboxLister:
    """Follows alerts for the inbox."""

    name = "the inbox"

    def prepare(self, steps: FollowedSteps) -> ListCommand | None:
        """The next items to write; None while there is nothing new."""
        after = casework_progress.read(steps.conn).listed_position
        if after >= steps.projected:
            return None
        changed = {(step.row.key.publisher, step.row.key.alert_id) for step in steps.after(after)}
        return ListCommand(ListBatch(after, steps.reached(after), tuple(_items(steps, changed))))


def _items(steps: FollowedSteps, alerts: Collection[tuple[str, str]]) -> list[InboxItem]:
    """Items of all copies of alerts (publisher, id), as they are now."""
    items: list[InboxItem] = []
    for row, payload in steps.copies({alert_id for _, alert_id in alerts}).values():
        event = steps.event(payload)
        alert = None if event is None else wire.alert_of(event)
        items.append(item_of(row, tuple(alert.content.typologies) if alert is not None else ()))
    return items


def item_of(row: AlertRow, typologies: tuple[str, ...]) -> InboxItem:
    """The item of one copy."""
    life = row.life
    is_own = row.direction == "out"
    wanted = required_actions(life, Side.PUBLISHER if is_own else Side.RECIPIENT)
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
