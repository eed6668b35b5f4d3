"""Gathers new matches of one entry into one notification for each recipient and span of time."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from functools import reduce
from hashlib import sha256
from typing import Final

from gateway.contract.messages import to_ms
from gateway.notifications.rules.audience import WEBHOOK
from gateway.v1.notification_service_pb2 import Notification as NotificationMessage

GATHERED_FOR_MS: Final = 20_000
"""Milliseconds for which mails and webhooks wait for further matches of the entry; the console doesn't."""

LEAST_WAIT_MS: Final = 2_000
"""Milliseconds before a request to a webhook from which on nothing is added: its turn may have begun."""

SPAN_MS: Final = 24 * 3_600_000
"""Milliseconds from the first match for which an unread notification takes further ones."""


@dataclass(frozen=True, slots=True)
class PendingNotification:
    """One notification to be written.

    Attributes:
        ways: by which it goes out beside the console.
        group: of matches: their entry's key; empty: each event is a notification.
    """

    recipient: str
    message: bytes
    event_id: str
    kind: int
    ways: frozenset[str]
    group: str = ""


def group_of(publisher: str, name: str, entry_id: str) -> str:
    """Key of an entry's matches; short, whatever its id has."""
    return "matches/" + sha256("\n".join((publisher, name, entry_id)).encode()).hexdigest()[:32]


def by_group(pending: Iterable[PendingNotification]) -> dict[str, PendingNotification]:
    """One notification for each entry, from those of one recipient, which count disjoint matches."""
    groups: dict[str, PendingNotification] = {}
    for one in pending:
        before = groups.get(one.group)
        if before is None:
            groups[one.group] = one
            continue
        message = added(before.message, one.message)
        groups[one.group] = replace(
            one, message=message.SerializeToString(), event_id=message.event_id, ways=before.ways | one.ways
        )
    return groups


def added(*bodies: bytes) -> NotificationMessage:
    """One notification for all of these, the oldest first; a partner that not all of them name isn't named."""
    return reduce(_added, map(NotificationMessage.FromString, bodies))


def may_grow(
    recipient: str, message: NotificationMessage, *, is_read: bool, waits: Collection[tuple[int, int]], now_ms: int
) -> bool:
    """Whether further matches are added to a notification; otherwise they are another one.

    What a webhook may have got stays as it is: nobody reads it there, and it counts each match once.

    Args:
        waits: attempts and time of the next one (0: given up) by each way by which it hasn't gone out.
    """
    if recipient.startswith(WEBHOOK):
        return any(not attempts and next_at > now_ms + LEAST_WAIT_MS for attempts, next_at in waits)
    return not is_read and now_ms < to_ms(message.since) + SPAN_MS and all(next_at for _, next_at in waits)


def _added(older: NotificationMessage, newer: NotificationMessage) -> NotificationMessage:
    first, last = sorted((older, newer), key=lambda message: message.match_id)  # time leads UUIDv7
    both = NotificationMessage()
    both.CopyFrom(last)
    both.matches = older.matches + newer.matches
    both.since.CopyFrom(min(first.since, last.since, key=to_ms))
    if first.partner != last.partner:
        both.ClearField("partner")
    return both
