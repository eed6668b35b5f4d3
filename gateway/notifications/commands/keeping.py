"""Writes who is told of what, in the writer's transactions: each event once, and with the cursors that led to it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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
from gateway.notifications.rules.warnings import DeadlineWarning, WarnedCopy
from gateway.notifications.tables import notifications as rows
from gateway.notifications.tables import warnings
from gateway.notifications.tables.notifications import NotificationRow
from gateway.notifications.tables.progress import PROGRESS, NotificationProgress

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
class PendingNotification:
    """One notification to be written; `ways`: by which it goes out beside the console."""

    recipient: str
    message: bytes
    event_id: str
    kind: int
    ways: frozenset[str]


@dataclass(frozen=True, slots=True)
class Gathered:
    """What was read after some cursors.

    Attributes:
        since: the cursors before.
        reached: cursors after it, by column.
        told: notifications that follow from it.
        scheduled: warnings of deadlines that are to come, by copy.
    """

    since: NotificationProgress
    reached: Mapping[str, int]
    told: Sequence[PendingNotification] = ()
    scheduled: Mapping[WarnedCopy, Sequence[DeadlineWarning]] = field(default_factory=dict)


def notifications_for(happening: Happening, audience: Audience) -> Iterator[PendingNotification]:
    """Notifications of one event: of persons and systems, and of webhooks."""
    message = happening.message
    plain = message.SerializeToString()
    for addressee in audience.addressees:
        ways = ways_of(happening, addressee, audience.book)
        if ways is not None:
            body = plain if happening.restricted is None else happening.message_for(addressee.roles).SerializeToString()
            yield PendingNotification(addressee.id, body, message.event_id, message.kind, ways)
    for name in webhooks_of(happening, audience.book):
        way = f"{WEBHOOK}{name}"
        body = plain if happening.restricted is None else happening.message_for(frozenset()).SerializeToString()
        yield PendingNotification(way, body, message.event_id, message.kind, frozenset({way}))


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
    by_recipient: dict[str, dict[str, PendingNotification]] = defaultdict(dict)
    for one in told:
        by_recipient[one.recipient].setdefault(one.event_id, one)
    new = [
        one
        for recipient, events in by_recipient.items()
        for one in _unknown(events, rows.known(tx.conn, recipient, list(events)))
    ]
    if not new:
        return Kept()
    number = PROGRESS.read(tx.conn).last_number
    numbered = list(enumerate(new, start=number + 1))
    rows.add(
        tx.conn,
        [NotificationRow(at, one.recipient, one.event_id, one.kind, tx.now_ms, one.message) for at, one in numbered],
    )
    PROGRESS.write(tx.conn, last_number=numbered[-1][0])
    given_up = _let_wait(tx, [(at, way) for at, one in numbered for way in sorted(one.ways)])
    tx.topics.add(NOTIFICATIONS)
    return Kept(Counter(one.kind for one in new), given_up)


def _unknown(events: Mapping[str, PendingNotification], known: set[str]) -> Iterator[PendingNotification]:
    return (one for event_id, one in events.items() if event_id not in known)


def _let_wait(tx: Transaction, deliveries: Sequence[tuple[int, str]]) -> Counter[str]:
    """Lets deliveries wait for their ways, as far as there is room; returns how many there was none for."""
    given_up: Counter[str] = Counter()
    if not deliveries:
        return given_up
    room = {way: MOST_WAITING - rows.way_state(tx.conn, way).waiting for way in {way for _, way in deliveries}}
    kept: list[tuple[int, str]] = []
    for number, way in deliveries:
        if room[way] > 0:
            room[way] -= 1
            kept.append((number, way))
        else:
            given_up[way] += 1
    rows.wait_for(tx.conn, kept, tx.now_ms)
    return given_up
