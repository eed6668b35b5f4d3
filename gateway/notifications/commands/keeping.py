"""Writes who is told of what, in the writer's transactions: each event once, and with the cursors that led to it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables.journal import HeadMovedError
from gateway.notifications.rules.audience import (
    WEBHOOK,
    Addressee,
    Happening,
    RuleBook,
    ways_of,
    webhooks_of,
)
from gateway.notifications.rules.gathered import GATHERED_FOR_MS, PendingNotification, added, by_group, may_grow
from gateway.notifications.rules.warnings import DeadlineWarning, WarnedCopy
from gateway.notifications.tables import notifications as rows
from gateway.notifications.tables import notified_matches, warnings
from gateway.notifications.tables.notifications import DeliveryAttempts, NotificationRow
from gateway.notifications.tables.progress import PROGRESS, NotificationProgress
from gateway.v1.notification_service_pb2 import Notification as NotificationMessage

NOTIFICATIONS: Final = "notifications"
"""Topic: somebody was told of something, or has read it, or rules have changed."""

MOST_WAITING: Final = 10_000
"""Deliveries that may wait for one way; what comes then is given up, so that a dead server fills no disk."""


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom there is to tell, and by which rules."""

    addressees: Sequence[Addressee] = ()
    book: RuleBook = field(default_factory=RuleBook)


@dataclass(frozen=True, slots=True)
class Gathered:
    """What was read after some cursors.

    Attributes:
        since: the cursors before.
        reached: cursors after it, by column.
        told: notifications that follow from it.
        scheduled: warnings of deadlines that are to come, by copy.
        matches: ids of matches that are new.
    """

    since: NotificationProgress
    reached: Mapping[str, int]
    told: Sequence[PendingNotification] = ()
    scheduled: Mapping[WarnedCopy, Sequence[DeadlineWarning]] = field(default_factory=dict)
    matches: Sequence[str] = ()


def notifications_for(happening: Happening, audience: Audience) -> Iterator[PendingNotification]:
    """Notifications of one event: of persons and systems, and of webhooks."""
    message = happening.message
    plain = message.SerializeToString()
    for addressee in audience.addressees:
        ways = ways_of(happening, addressee, audience.book)
        if ways is not None:
            body = plain if happening.restricted is None else happening.message_for(addressee.roles).SerializeToString()
            yield PendingNotification(addressee.id, body, message.event_id, message.kind, ways, happening.group)
    for name in webhooks_of(happening, audience.book):
        way = f"{WEBHOOK}{name}"
        body = plain if happening.restricted is None else happening.message_for(frozenset()).SerializeToString()
        yield PendingNotification(way, body, message.event_id, message.kind, frozenset({way}), happening.group)


@dataclass(frozen=True, slots=True)
class Kept:
    """What was written: notifications by kind, and by way the deliveries that there was no room for."""

    kinds: Counter[int] = field(default_factory=Counter)
    given_up: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class KeepGatheredCommand:
    """Writes what was gathered; None when another replica has written it, or more, meanwhile."""

    gathered: Gathered

    @property
    def weight(self) -> int:
        return 1 + len(self.gathered.told)

    def execute(self, tx: Transaction) -> Kept | None:
        if locked(tx.conn) != self.gathered.since:
            return None
        for key, wanted in self.gathered.scheduled.items():
            warnings.schedule(tx.conn, key, wanted)
        PROGRESS.write(tx.conn, **self.gathered.reached)
        notified_matches.add(tx.conn, self.gathered.matches, tx.now_ms)
        return write_told(tx, self.gathered.told)


@dataclass(frozen=True, slots=True)
class TellCommand:
    """Writes notifications that follow from no cursor: alarms of this process."""

    told: Sequence[PendingNotification]

    @property
    def weight(self) -> int:
        return len(self.told)

    def execute(self, tx: Transaction) -> Kept:
        locked(tx.conn)
        return write_told(tx, self.told)


def locked(conn: Connection) -> NotificationProgress:
    """The cursors, locked until the transaction ends; raises HeadMovedError when another writer has just made them."""
    try:
        return PROGRESS.lock(conn)
    except IntegrityError as error:
        raise HeadMovedError("another writer has just made the progress of notifications") from error


def write_told(tx: Transaction, told: Iterable[PendingNotification]) -> Kept:
    """Writes those notifications that aren't known, with the deliveries that follow."""
    events: dict[str, list[PendingNotification]] = defaultdict(list)
    gathered: dict[str, list[PendingNotification]] = defaultdict(list)
    for one in told:
        (gathered if one.group else events)[one.recipient].append(one)
    new = [one for recipient, pending in events.items() for one in _unknown(tx.conn, recipient, pending)]
    grown: dict[int, PendingNotification] = {}
    for recipient, pending in gathered.items():
        new += _add_to_known(tx, recipient, by_group(pending), grown)
    if not new and not grown:
        return Kept()
    last = PROGRESS.read(tx.conn).last_number
    for number, (before, one) in enumerate(grown.items(), start=last + 1):
        rows.grow(tx.conn, before, _row(number, one, tx.now_ms))
    first_new = last + len(grown) + 1
    rows.add(tx.conn, [_row(number, one, tx.now_ms) for number, one in enumerate(new, start=first_new)])
    PROGRESS.write(tx.conn, last_number=last + len(grown) + len(new))
    given_up = _let_wait(
        tx,
        [
            (number, way, tx.now_ms + (GATHERED_FOR_MS if one.group else 0))
            for number, one in enumerate([*grown.values(), *new], start=last + 1)
            for way in sorted(one.ways)
        ],
    )
    tx.topics.add(NOTIFICATIONS)
    return Kept(Counter(one.kind for one in new), given_up)


def _row(number: int, one: PendingNotification, now_ms: int) -> NotificationRow:
    return NotificationRow(number, one.recipient, one.group or one.event_id, one.kind, now_ms, one.message)


def _unknown(conn: Connection, recipient: str, pending: Iterable[PendingNotification]) -> Iterator[PendingNotification]:
    events: dict[str, PendingNotification] = {}
    for one in pending:
        events.setdefault(one.event_id, one)
    known = rows.known(conn, recipient, list(events))
    return (one for event_id, one in events.items() if event_id not in known)


def _add_to_known(
    tx: Transaction,
    recipient: str,
    groups: Mapping[str, PendingNotification],
    grown: dict[int, PendingNotification],
) -> Iterator[PendingNotification]:
    """Notes what known notifications become by further matches, by number; gives those that are new."""
    known = rows.of_events(tx.conn, recipient, list(groups))
    waits: dict[int, list[DeliveryAttempts]] = defaultdict(list)
    for delivery in rows.deliveries_of(tx.conn, [row.number for row in known.values()]):
        waits[delivery.number].append(delivery)
    for group, one in groups.items():
        row = known.get(group)
        if row is None:
            yield one
            continue
        waiting = waits[row.number]
        attempts = [(delivery.attempts, delivery.next_at) for delivery in waiting]
        message = NotificationMessage.FromString(row.body)
        if not may_grow(recipient, message, is_read=row.read_at > 0, waits=attempts, now_ms=tx.now_ms):
            rows.close(tx.conn, row.number, f"{group}/{row.number}")
            yield one
            continue
        message = added(row.body, one.message)
        ways = one.ways - {delivery.way for delivery in waiting}
        grown[row.number] = replace(one, message=message.SerializeToString(), event_id=message.event_id, ways=ways)


def _let_wait(tx: Transaction, deliveries: Sequence[tuple[int, str, int]]) -> Counter[str]:
    """Lets deliveries wait for their ways, as far as there is room; returns how many there was none for."""
    given_up: Counter[str] = Counter()
    if not deliveries:
        return given_up
    room = {way: MOST_WAITING - rows.way_state(tx.conn, way).waiting for way in {way for _, way, _ in deliveries}}
    kept: list[tuple[int, str, int]] = []
    for number, way, due in deliveries:
        if room[way] > 0:
            room[way] -= 1
            kept.append((number, way, due))
        else:
            given_up[way] += 1
    rows.wait_for(tx.conn, kept, tx.now_ms)
    return given_up
