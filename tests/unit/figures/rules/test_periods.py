"""Days and months by an authority's clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequestError
from gateway.figures.rules.periods import Period, date_of, day_number, month_of, month_of_row, month_row, period_of

TODAY = day_number(int(datetime(2026, 11, 26, 1, tzinfo=UTC).timestamp() * 1000), 480)


@given(st.datetimes(datetime(1971, 1, 1), datetime(2999, 12, 31)), st.integers(-840, 840))
def test_a_day_is_that_of_the_clock(at: datetime, offset: int) -> None:
    moment = at.replace(tzinfo=UTC)
    there = moment.astimezone(timezone(timedelta(minutes=offset)))
    day = day_number(round(moment.timestamp() * 1000), offset)
    assert date_of(day) == there.date()
    assert month_of(day) == f"{there:%Y-%m}"


def test_times_outside_of_the_calendar_count_at_its_ends() -> None:
    assert day_number(-(10**15), 0) == 0
    assert date_of(day_number(2**62, 0)).year == 9999


def test_by_default_the_last_twelve_months() -> None:
    period = period_of("", "", today=TODAY)
    assert date_of(period.first).isoformat() == "2025-12-01"
    assert period.last == TODAY
    assert next(iter(period.months())) == "2025-12"
    assert len(list(period.months())) == 12
    assert period_of("", "1970-03-05", today=TODAY).first == 0


def test_a_period_is_cut_into_its_months() -> None:
    period = period_of("2026-01-31", "2026-03-01", today=TODAY)
    assert list(period.months()) == ["2026-01", "2026-02", "2026-03"]
    assert list(Period(TODAY, TODAY).months()) == ["2026-11"]


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2026-02-30", ""),
        ("", "2026-13-01"),
        ("2026-03-02", "2026-03-01"),
        ("2016-03-01", "2026-03-01"),
        ("1969-12-31", "1970-01-01"),
    ],
)
def test_what_is_no_period_is_refused(first: str, last: str) -> None:
    with pytest.raises(InvalidRequestError):
        period_of(first, last, today=TODAY)


def test_ten_years_are_a_period() -> None:
    assert len(list(period_of("2016-04-15", "2026-03-01", today=TODAY).months())) == 120


@given(st.integers(0, 20_000), st.integers(0, 1_000))
def test_rows_hold_each_day_of_a_period_once(first: int, length: int) -> None:
    period = Period(first, first + length)
    days: list[int] = []
    for low, high in period.rows():
        if low >= 0:
            days += range(low, high + 1)
        else:
            months = set(range(low, high + 1))
            days += [day for day in range(first - 40, first + length + 41) if day >= 0 and month_row(day) in months]
    assert sorted(days) == list(range(period.first, period.last + 1))


def test_a_year_is_read_from_its_months() -> None:
    (months,) = period_of("2025-01-01", "2025-12-31", today=TODAY).rows()
    assert months[1] - months[0] == 11
    assert month_of_row(months[1]) == "2025-01"
    assert month_of_row(months[0]) == "2025-12"
    assert month_of_row(TODAY) == "2026-11"
