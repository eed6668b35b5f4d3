"""Orders alerts by urgency, in the sections of a worklist.

1. Now: what has priority A, is overdue, or is due within the hour. Priority A first, then B, then C; within each by the
   time by which somebody should act: its deadline, or without one a time after it came, by its priority, at the latest
   the end of its validity.
2. Due: what has a later deadline, by it.
3. Later: what has none, by the time by which somebody should act.
4. What wants nothing, the newest first.

Within one moment priority decides, then what came first. Neither sum of points nor learning: an officer can say why an
alert stands where it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import NamedTuple

_HOUR_MS = 3600 * 1000

ALLOWANCE_MS: Mapping[str, int] = MappingProxyType({"A": 0, "B": 8 * _HOUR_MS, "C": 72 * _HOUR_MS})
"""Time to act on an alert without a deadline, by priority: at once, for the working day, for information."""


SOON_MS = _HOUR_MS
"""What is due within this time is to be acted on now."""

FIRST_PRIORITY = "A"
"""What has it is to be acted on now, whatever its deadline."""


class UrgencyGroup(IntEnum):
    """Groups of the order, the first first."""

    NOW = 0
    DUE = 1
    LATER = 2
    REST = 3


class InboxUrgency(NamedTuple):
    """Sorts ascending; within REST the newest is first.

    Attributes:
        leading: priority within NOW, else empty.
        act_by: milliseconds since 1970; 0 in REST.
        priority: empty in REST.
    """

    group: UrgencyGroup
    leading: str
    act_by: int
    priority: str

    @classmethod
    def of(cls, group: UrgencyGroup, act_by: int, priority: str) -> InboxUrgency:
        """With what leads in this group."""
        return cls(group, priority if group is UrgencyGroup.NOW else "", act_by, priority)


@dataclass(frozen=True, slots=True)
class InboxTimes:
    """What the order depends on; times in milliseconds since 1970.

    Attributes:
        due_at: earliest deadline of what is wanted; 0 for none.
        act_by: by which somebody should act; 0 where nothing is wanted.
        open_until: end of the validity; 0 after a step that ended the alert.
    """

    wants_action: bool
    due_at: int
    act_by: int
    open_until: int
    priority: str


def act_by_unix_ms(*, due_at: int, priority: str, published_at: int, valid_until: int) -> int:
    """The time by which somebody should act on an alert that wants action."""
    if due_at:
        return due_at
    allowed = published_at + ALLOWANCE_MS.get(priority, ALLOWANCE_MS["C"])
    return min(allowed, valid_until) if valid_until else allowed


def urgency_of(times: InboxTimes, now_unix_ms: int) -> InboxUrgency:
    """Where an alert stands at a moment. One whose validity has passed by this clock wants nothing any more."""
    if not times.wants_action or times.open_until <= now_unix_ms:
        return InboxUrgency.of(UrgencyGroup.REST, 0, "")
    if times.priority == FIRST_PRIORITY or 0 < times.due_at <= now_unix_ms + SOON_MS:
        return InboxUrgency.of(UrgencyGroup.NOW, times.act_by, times.priority)
    return InboxUrgency.of(UrgencyGroup.DUE if times.due_at else UrgencyGroup.LATER, times.act_by, times.priority)
