"""Keeps conditions that need an operator, while they last."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from gateway.contract.limits import MAX_CLOCK_SKEW_MS

log = logging.getLogger(__name__)

CLOCK_SKEW = "CLOCK_SKEW"
DIRECTORY = "DIRECTORY"
FEED = "FEED"
FEED_WAITING = f"{FEED}_WAITING"
FEED_DEFECT = f"{FEED}_DEFECT"
CERTIFICATE = "CERTIFICATE_EXPIRES"
ANSWER_WRONG = "ANSWER_WRONG"
"""Stays until the node restarts: later right answers don't make up for a wrong one."""
LIST_EXPIRES = "LIST_EXPIRES"


@dataclass(frozen=True, slots=True)
class Alarm:
    """A lasting condition; `since` is in milliseconds since 1970."""

    code: str
    subject: str
    message: str
    since: int


class Alarms:
    """The alarms of one node; thread-safe."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._lasting: dict[tuple[str, str], Alarm] = {}

    def set(self, code: str, subject: str, message: str) -> None:
        """Raises an alarm, or changes its message; logs it when new."""
        with self._lock:
            before = self._lasting.get((code, subject))
            since = before.since if before is not None else self._clock()
            self._lasting[code, subject] = Alarm(code, subject, message, since)
        if before is None:
            log.error("alarm %s: %s", code, message)

    def clear(self, code: str, subject: str) -> None:
        with self._lock:
            ended = self._lasting.pop((code, subject), None)
        if ended is not None:
            log.warning("alarm %s has passed: %s", code, ended.message)

    def list(self) -> list[Alarm]:
        """All alarms, oldest first."""
        with self._lock:
            return sorted(self._lasting.values(), key=lambda alarm: alarm.since)

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
