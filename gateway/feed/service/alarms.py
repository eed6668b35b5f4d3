"""Keeps conditions that need an operator, while they last."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gateway.contract.limits import MAX_CLOCK_SKEW_MS
from gateway.trust.rules.permissions import Role

log = logging.getLogger(__name__)

CLOCK_SKEW = "CLOCK_SKEW"
DIRECTORY = "DIRECTORY"
FEED = "FEED"
FEED_WAITING = f"{FEED}_WAITING"
FEED_DEFECT = f"{FEED}_DEFECT"
FEED_DAMAGED = f"{FEED}_DAMAGED"
CERTIFICATE = "CERTIFICATE_EXPIRES"
ANSWER_WRONG = "ANSWER_WRONG"
"""Stays until the node restarts: later right answers don't make up for a wrong one."""
LIST_EXPIRES = "LIST_EXPIRES"
QUOTA = "PARTNER_QUOTA"
AUDIT_LOG = "AUDIT_LOG"
"""Stays until the node restarts: the audit log isn't the one that was signed."""
CAPACITY = "CAPACITY"
DATABASE = "DATABASE"
DISK = "DISK"
UNREACHABLE = "PARTNER_UNREACHABLE"
BACKLOG = "BACKLOG"
UNRECEIPTED = "UNRECEIPTED_ALERT"
WORKER = "WORKER"
SCREENING = "SCREENING"


@dataclass(frozen=True, slots=True)
class Restriction:
    """Roles that may read an alarm's message, and the message for everybody else and for the log."""

    roles: frozenset[Role]
    message: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """A lasting condition; `since` is in milliseconds since 1970."""

    code: str
    subject: str
    message: str
    since: int
    restriction: Restriction | None = None

    def message_for(self, roles: frozenset[Role]) -> str:
        """What a caller with these roles may read."""
        open_to_all = self.restriction is None or not roles.isdisjoint(self.restriction.roles)
        return self.message if open_to_all else self.public_message

    @property
    def public_message(self) -> str:
        """What everybody may read."""
        return self.message if self.restriction is None else self.restriction.message


class Alarms:
    """The alarms of one node; thread-safe."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._lasting: dict[tuple[str, str], Alarm] = {}

    def set(self, code: str, subject: str, message: str, *, restriction: Restriction | None = None) -> None:
        """Raises an alarm, or changes its message; logs it when new."""
        with self._lock:
            before = self._lasting.get((code, subject))
            since = before.since if before is not None else self._clock()
            alarm = self._lasting[code, subject] = Alarm(code, subject, message, since, restriction)
        if before is None:
            log.error("alarm %s: %s", code, alarm.public_message)

    def clear(self, code: str, subject: str) -> None:
        with self._lock:
            ended = self._lasting.pop((code, subject), None)
        if ended is not None:
            log.warning("alarm %s has passed: %s", code, ended.public_message)

    def list(self) -> list[Alarm]:
        """All alarms, oldest first."""
        with self._lock:
            return sorted(self._lasting.values(), key=lambda alarm: alarm.since)

    def seen_by(self, roles: frozenset[Role]) -> Sequence[Alarm]:
        """All alarms, oldest first, with the messages that a caller with these roles may read.

        Equal ones are one: their number would say what the restricted ones are about.
        """
        shown: dict[tuple[str, str], Alarm] = {}
        for alarm in self.list():
            message = alarm.message_for(roles)
            shown.setdefault((alarm.code, message), replace(alarm, message=message, restriction=None))
        return tuple(shown.values())

    def compare_clocks(self, partner: str, their_time_ms: int) -> None:
        """Raises an alarm when a partner's stated time lies in the future: one of the two clocks is wrong.

        A past time proves nothing, since the message may have waited. If the partner's clock is slow, the alarm rises
        there.
        """
        ahead = their_time_ms - self._clock()
        if ahead > MAX_CLOCK_SKEW_MS:
            self.set(
                CLOCK_SKEW, partner, f"the clock of {partner} is {ahead // 1000} s ahead of this one's; check both"
            )
        else:
            self.clear(CLOCK_SKEW, partner)
