"""Notes what became of deliveries, and forgets what is old."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from gateway.feed.service.writing.transaction import Transaction
from gateway.notifications.commands.keeping import NOTIFICATIONS
from gateway.notifications.rules.retry import next_attempt
from gateway.notifications.service.sending import DeliveryAttempt
from gateway.notifications.tables import notifications as rows
from gateway.notifications.tables import notified_matches, rules, warnings
from gateway.notifications.tables.notifications import WaitingDelivery
from gateway.notifications.tables.progress import OUTBOX, OUTBOX_LISTS
from gateway.v1.notification_service_pb2 import SetNotificationRulesRequest

FORGOTTEN_AT_ONCE = 1_000
"""Notifications that one transaction forgets."""


@dataclass(frozen=True, slots=True)
class NoteAttemptCommand:
    """Writes what became of deliveries; returns how many were taken, failed and given up."""

    way: str
    tried: Sequence[WaitingDelivery]
    attempt: DeliveryAttempt
    give_up_ms: int

    @property
    def weight(self) -> int:
        return len(self.tried)

    def execute(self, tx: Transaction) -> Counter[str]:
        attempt = self.attempt
        rows.taken(tx.conn, self.way, attempt.taken)
        again: dict[tuple[int, str], list[int]] = defaultdict(list)
        for delivery in self.tried:
            number = delivery.row.number
            if number in attempt.refused:
                again[0, attempt.refused[number]].append(number)
            elif number in attempt.failed:
                at = next_attempt(
                    delivery.attempts + 1,
                    now_ms=tx.now_ms,
                    created_at=delivery.created_at,
                    give_up_ms=self.give_up_ms,
                )
                again[at, attempt.failed[number]].append(number)
        for (at, error), numbers in again.items():
            rows.failed(tx.conn, self.way, numbers, next_at=at, error=error)
        given_up = sum(len(numbers) for (at, _), numbers in again.items() if not at)
        return Counter(taken=len(attempt.taken), failed=len(attempt.failed), given_up=given_up)


@dataclass(frozen=True, slots=True)
class ForgetCommand:
    """Forgets notifications made before a time, and all but the newest of each recipient; True when more are left."""

    before_ms: int
    keep: int
    weight: int = 1

    def execute(self, tx: Transaction) -> bool:
        forgotten = rows.forget_before(tx.conn, self.before_ms, FORGOTTEN_AT_ONCE)
        matches = notified_matches.forget_before(tx.conn, self.before_ms, FORGOTTEN_AT_ONCE)
        for recipient, count in rows.recipients(tx.conn):
            if count > self.keep:
                rows.forget_oldest(tx.conn, recipient, self.keep)
        warnings.forget_fired(tx.conn, self.before_ms)
        return FORGOTTEN_AT_ONCE in (forgotten, matches)


@dataclass(frozen=True, slots=True)
class MarkReadCommand:
    """Marks a recipient's notifications as read; returns how many weren't, and how many aren't now."""

    recipient: str
    numbers: Sequence[int]
    up_to: int
    weight: int = 1

    def execute(self, tx: Transaction) -> tuple[int, int]:
        marked = rows.mark_read(tx.conn, self.recipient, self.numbers, self.up_to, tx.now_ms)
        if marked:
            tx.topics.add(NOTIFICATIONS)
        return marked, rows.unread(tx.conn, self.recipient)


@dataclass(frozen=True, slots=True)
class PutRulesCommand:
    """Replaces the rules of an owner."""

    owner: str
    rules: SetNotificationRulesRequest
    weight: int = 1

    def execute(self, tx: Transaction) -> None:
        rules.put(tx.conn, self.owner, self.rules)
        tx.topics.add(NOTIFICATIONS)


@dataclass(frozen=True, slots=True)
class MoveOutboxCommand:
    """Notes how far the outbox's other side has taken changes, by column.

    A cursor never goes back: a replica that has lost its role meanwhile says what the next one has passed long ago.
    """

    reached: dict[str, int]
    weight: int = 1

    def execute(self, tx: Transaction) -> None:
        for table in (OUTBOX, OUTBOX_LISTS):
            known = table.lock(tx.conn)._asdict()
            ahead = {
                name: value
                for name, value in self.reached.items()
                if name in known and (known[name] is None or value > known[name])
            }
            table.write(tx.conn, **ahead)
