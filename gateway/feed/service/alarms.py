"""Keeps conditions that need an operator, while they last, and the newest time that partners have told."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.contract.limits import MAX_CLOCK_SKEW_MS
from gateway.trust.rules.permissions import Role

log = logging.getLogger(__name__)

CLOCK_SKEW = "CLOCK_SKEW"
DIRECTORY = "DIRECTORY"
DIRECTORY_VERSIONS = "DIRECTORY_VERSIONS"
DIRECTORY_OFFERED = "DIRECTORY_OFFERED"
DIRECTORY_REFUSED = "DIRECTORY_REFUSED"
DIRECTORY_SPLIT = "DIRECTORY_SPLIT"
REVOKED_BY_OWNER = "REVOKED_BY_OWNER"
REVOCATION_REFUSED = "REVOCATION_REFUSED"
FEED = "FEED"
FEED_WAITING = f"{FEED}_WAITING"
FEED_DEFECT = f"{FEED}_DEFECT"
FEED_DAMAGED = f"{FEED}_DAMAGED"
LINK_SUSPENDED = "LINK_SUSPENDED"
QUARANTINED_AT_PARTNER = "QUARANTINED_AT_PARTNER"
RECEIPT_DENIED = "RECEIPT_DENIED"
"""Stays until the node restarts: entries that come again don't make up for a receipt that was denied."""
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
DATABASE_ASYNCHRONOUS = "DATABASE_ASYNCHRONOUS"
MARKS = "MARKS"
SCREENING = "SCREENING"
SETTINGS = "SETTINGS"
EXPIRY_WAITS = "EXPIRY_WAITS"
BREAK_GLASS = "BREAK_GLASS"
"""Lasts as long as the roles that a supervisor has taken."""
NOTIFICATIONS_WAIT = "NOTIFICATIONS_WAIT"
OUTBOX_WAITS = "OUTBOX_WAITS"
FILE_WRONG = "FILE_WRONG"
"""Stays until the node restarts, as ANSWER_WRONG."""
FILE_SCANNER = "FILE_SCANNER"
TIME_STAMPS = "TIME_STAMPS"
WITNESS = "WITNESS"
WITNESS_CONFLICT = "WITNESS_CONFLICT"
"""Lasts: the contradiction is kept in the database."""
SIGNING_TOKEN = "SIGNING_TOKEN"  # noqa: S105  the alarm's name

REPEAT_MS = 3_600_000
"""Milliseconds after which a lasting alarm is logged again, so that a log of one day shows it."""


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
    """The alarms of one node; thread-safe.

    Each is logged when it begins, again each `repeat_ms` while it lasts (`remind`), and when it ends.
    """

    def __init__(self, clock: Callable[[], int], *, repeat_ms: int = REPEAT_MS) -> None:
        self._clock = clock
        self._repeat_ms = repeat_ms
        self.partner_clocks = PartnerClocks()
        self._lock = threading.Lock()
        self._lasting: dict[tuple[str, str], Alarm] = {}
        self._logged: dict[tuple[str, str], int] = {}
        self._listeners: list[Callable[[Alarm], None]] = []

    def set(
        self, code: str, subject: str, message: str, *, since: int = 0, restriction: Restriction | None = None
    ) -> None:
        """Raises an alarm, or changes its message; logs it when new. `since`: when it began, if that isn't now."""
        with self._lock:
            now = self._clock()
            before = self._lasting.get((code, subject))
            began = since or (before.since if before is not None else now)
            alarm = self._lasting[code, subject] = Alarm(code, subject, message, began, restriction)
            if before is None:
                self._logged[code, subject] = now
        if before is None:
            log.error("alarm %s: %s", code, alarm.public_message)
            for listener in self._listeners:
                listener(alarm)

    def on_begin(self, listener: Callable[[Alarm], None]) -> None:
        """Calls `listener` with each alarm that begins, in any thread; it must not block."""
        self._listeners.append(listener)

    def clear(self, code: str, subject: str) -> None:
        with self._lock:
            ended = self._lasting.pop((code, subject), None)
            self._logged.pop((code, subject), None)
        if ended is not None:
            log.warning("alarm %s has passed: %s", code, ended.public_message)

    def keep(self, code: str, messages: Mapping[str, tuple[str, int]]) -> None:
        """Makes the alarms of a code those given, by subject: the message, and since when (0: now); others end."""
        with self._lock:
            ended = [subject for lasting, subject in self._lasting if lasting == code and subject not in messages]
        for subject in ended:
            self.clear(code, subject)
        for subject, (message, since) in messages.items():
            self.set(code, subject, message, since=since)

    def remind(self) -> None:
        """Logs again what was last logged `repeat_ms` ago, and lasts."""
        with self._lock:
            now = self._clock()
            due = [alarm for key, alarm in self._lasting.items() if now - self._logged[key] >= self._repeat_ms]
            self._logged.update({(alarm.code, alarm.subject): now for alarm in due})
        for alarm in due:
            minutes = (now - alarm.since) // 60_000
            log.error("alarm %s lasts for %d min: %s", alarm.code, minutes, alarm.public_message)

    def counts(self) -> Mapping[str, int]:
        """Number of alarms by code."""
        with self._lock:
            return Counter(code for code, _ in self._lasting)

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

    def time_ms(self) -> int:
        """This node's time, in milliseconds since 1970."""
        return self._clock()

    def compare_clocks(self, partner: str, their_time_ms: int, *, not_before_ms: int = 0) -> None:
        """Raises an alarm when a partner's signed time can't be right by this node's clock: one of the two is wrong.

        A time in the future can't be. One in the past proves nothing, since the message may have waited, unless it
        answers what this node sent: then it is no earlier than that.

        Args:
            not_before_ms: when this node sent what the time answers; 0 if it answers nothing.
        """
        self.partner_clocks.note(their_time_ms)
        ahead_ms = their_time_ms - self._clock()
        self._keep(partner, f"the clock of {partner} is {ahead_ms // 1000} s ahead of this one's; check both", ahead_ms)
        if not_before_ms:
            behind_ms = not_before_ms - their_time_ms
            message = f"the clock of {partner} is {behind_ms // 1000} s behind this one's; check both"
            self._keep(f"{partner} behind", message, behind_ms)

    def _keep(self, subject: str, message: str, difference_ms: int) -> None:
        if difference_ms > MAX_CLOCK_SKEW_MS:
            self.set(CLOCK_SKEW, subject, message)
        else:
            self.clear(CLOCK_SKEW, subject)


class PartnerClocks:
    """Partners' times, which go on as this machine's monotonic clock does; thread-safe."""

    def __init__(self, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._newest_ms: int | None = None  # less the monotonic time

    def note(self, their_time_ms: int) -> None:
        """Notes a partner's time, in milliseconds since 1970. One in the past says nothing."""
        with self._lock:
            moved = their_time_ms - self._elapsed_ms()
            self._newest_ms = moved if self._newest_ms is None else max(self._newest_ms, moved)

    def latest_ms(self) -> int | None:
        """The latest that it may be by any partner's clock and the tolerance; None before the first was told."""
        with self._lock:
            if self._newest_ms is None:
                return None
            return self._newest_ms + self._elapsed_ms() + MAX_CLOCK_SKEW_MS

    def _elapsed_ms(self) -> int:
        return int(self._monotonic_s() * 1000)
