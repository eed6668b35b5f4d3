"""Days and months by the clock of an authority."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from gateway.errors import InvalidRequestError, Violation

MAX_MONTHS = 120
"""Most months of a period: ten years, the longest that records of alerts are usually kept."""

DEFAULT_MONTHS = 12

_EPOCH = date(1970, 1, 1)
_DAY_MS = 86_400_000
_LAST_DAY = (date(9999, 12, 31) - _EPOCH).days


def day_number(at_ms: int, utc_offset_minutes: int) -> int:
    """Days since 1970 by a clock with this offset; times outside of the calendar count at its ends."""
    return min(max((at_ms + utc_offset_minutes * 60_000) // _DAY_MS, 0), _LAST_DAY)


def date_of(day: int) -> date:
    """The date of a day number."""
    return _EPOCH + timedelta(days=day)


def month_of(day: int) -> str:
    """The month of a day number, e.g. "2026-03"."""
    return f"{date_of(day):%Y-%m}"


def month_row(day: int) -> int:
    """Number of the row that holds the counts of a day's whole month: negative, and smaller for later months."""
    date_ = date_of(day)
    return -(date_.year * 12 + date_.month - 1)


def month_of_row(row: int) -> str:
    """The month of a row of a day or of a month."""
    return month_of(row) if row >= 0 else f"{-row // 12}-{-row % 12 + 1:02}"


def _first_of_month(row: int) -> int:
    """The first day of a month by its row."""
    return (date(-row // 12, -row % 12 + 1, 1) - _EPOCH).days


@dataclass(frozen=True, slots=True)
class Period:
    """First and last day, inclusive, as day numbers."""

    first: int
    last: int

    def months(self) -> Iterator[str]:
        """Each month, in order."""
        day, last = date_of(self.first).replace(day=1), date_of(self.last)
        while day <= last:
            yield f"{day:%Y-%m}"
            day = (day + timedelta(days=32)).replace(day=1)

    def rows(self) -> list[tuple[int, int]]:
        """Ranges of rows, inclusive, that hold each day once: of whole months first, then of days beside them."""
        after = self.last + 1
        first_whole = month_row(self.first) if _first_of_month(month_row(self.first)) == self.first else None
        begin = first_whole if first_whole is not None else month_row(self.first) - 1
        end = month_row(after) + 1  # the month before that of the day after
        if begin < end:
            return [(self.first, self.last)]
        ranges = [(end, begin), (self.first, _first_of_month(begin) - 1), (_first_of_month(end - 1), self.last)]
        return [(low, high) for low, high in ranges if low <= high]

    @property
    def is_long(self) -> bool:
        """Whether it has more than MAX_MONTHS."""
        first, last = date_of(self.first), date_of(self.last)
        return (last.year - first.year) * 12 + last.month - first.month >= MAX_MONTHS


def period_of(first: str, last: str, *, today: int) -> Period:
    """Reads a period.

    Args:
        first, last: ISO 8601, inclusive, or empty for the default: DEFAULT_MONTHS months up to today.
        today: as a day number.

    Raises:
        InvalidRequestError: not a date, the end before the beginning, or too long.
    """
    end = _day(last, "last_day") if last else today
    begin = _day(first, "first_day") if first else _first_by_default(end)
    if begin > end:
        raise _invalid("first_day", "period.order", "the first day lies after the last")
    period = Period(begin, end)
    if period.is_long:
        raise _invalid("first_day", "period.length", f"a period has at most {MAX_MONTHS} months")
    return period


def _first_by_default(end: int) -> int:
    last = date_of(end)
    months = last.year * 12 + last.month - 1 - (DEFAULT_MONTHS - 1)
    if months < 1970 * 12:
        return 0
    return (date(months // 12, months % 12 + 1, 1) - _EPOCH).days


def _day(text: str, field: str) -> int:
    try:
        day = (date.fromisoformat(text) - _EPOCH).days
    except ValueError:
        raise _invalid(field, "period.date", "must be a date, e.g. 2026-03-31") from None
    if day < 0:
        raise _invalid(field, "period.date", "must not lie before 1970")
    return day


def _invalid(field: str, rule: str, message: str) -> InvalidRequestError:
    return InvalidRequestError([Violation(field, rule, message)])
