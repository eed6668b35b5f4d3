"""Says whether a measure holds on a day, from intervals and suspensions, and how reliably that is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import IntEnum, StrEnum

from gateway.errors import MalformedError


class Confidence(IntEnum):
    """How reliable a statement is, in order."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3


class ControlStatus(StrEnum):
    """State of a control or restriction on a day.

    `suspension ended, not verified`: the announced last day of a suspension is over. So it holds again; that the
    suspension was extended isn't known to the tables, and isn't ruled out.
    """

    NOT_YET = "not yet"
    IN_FORCE = "in force"
    SUSPENDED = "suspended"
    SUSPENSION_ENDED = "suspension ended, not verified"
    ENDED = "ended"


HOLDS = frozenset({ControlStatus.IN_FORCE, ControlStatus.SUSPENSION_ENDED})
"""States in which goods may not leave without a licence."""

OUTSIDE = frozenset({ControlStatus.NOT_YET, ControlStatus.ENDED})
"""States before and after the days on which something holds."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Days from `first` to `last`, inclusive; `last` is None without a known end.

    Raises:
        MalformedError: the last day comes before the first.
    """

    first: date
    last: date | None = None

    def __post_init__(self) -> None:
        if self.last is not None and self.last < self.first:
            raise MalformedError(f"an interval can't end on {self.last} before it begins on {self.first}")

    def __contains__(self, on: date) -> bool:
        return self.first <= on and (self.last is None or on <= self.last)


@dataclass(frozen=True, slots=True)
class Suspension:
    """Days on which a measure doesn't hold.

    Attributes:
        by: the announcement of the suspension.
        resumed: whether it is verified that the measure held again afterwards.
    """

    days: Interval
    by: str = ""
    resumed: bool = False

    def over_on(self, on: date) -> bool:
        return self.days.last is not None and self.days.last < on


@dataclass(frozen=True, slots=True)
class ControlPeriod:
    """When a measure holds."""

    effective: Interval
    suspensions: tuple[Suspension, ...] = ()

    def status_on(self, on: date) -> ControlStatus:
        """Its state on a day; of several suspensions the last one that is over decides."""
        if on < self.effective.first:
            return ControlStatus.NOT_YET
        if on not in self.effective:
            return ControlStatus.ENDED
        if self.suspension_on(on) is not None:
            return ControlStatus.SUSPENDED
        last = self.last_suspension(on)
        return ControlStatus.IN_FORCE if last is None or last.resumed else ControlStatus.SUSPENSION_ENDED

    def suspension_on(self, on: date) -> Suspension | None:
        """The suspension of a day."""
        return next((suspension for suspension in self.suspensions if on in suspension.days), None)

    def last_suspension(self, on: date) -> Suspension | None:
        """The newest suspension that was over before a day."""
        return _newest(suspension for suspension in self.suspensions if suspension.over_on(on))


def _newest(suspensions: Iterable[Suspension]) -> Suspension | None:
    return max(suspensions, key=lambda suspension: suspension.days.last or date.max, default=None)
