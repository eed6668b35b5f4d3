"""Statements on counts by day, and on how far steps are counted."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import chain
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, or_, select

from gateway.db.schema import Progress
from gateway.db.statements import run, storable_text
from gateway.figures.rules.periods import Period, month_row
from gateway.figures.tables.schema import figure_counts, figure_progress

_ROWS_PER_STATEMENT = 100
_COLUMNS = ("day", "measure", "direction", "partner", "key", "count", "amount")
_KEYS = _COLUMNS[:5]


class CountKey(NamedTuple):
    """What a count is of; `direction` of the alert: in or out. `day`: or the row of a month, periods.month_row."""

    day: int
    measure: str
    direction: str
    partner: str
    key: str


class CountTally(NamedTuple):
    """A number, and a mass in grams."""

    number: int = 0
    grams: int = 0

    def plus(self, number: int, grams: int) -> CountTally:
        return CountTally(self.number + number, self.grams + grams)


class FigureProgress(NamedTuple):
    """Last counted position in the local log, and the offset by which days are cut."""

    position: int = 0
    utc_offset_minutes: int = 0


_PROGRESS = Progress(figure_progress, FigureProgress)


def progress(conn: Connection) -> FigureProgress:
    """How far steps are counted."""
    return _PROGRESS.read(conn)


def move(conn: Connection, to: FigureProgress) -> None:
    """Sets how far."""
    _PROGRESS.write(conn, **to._asdict())


def clear(conn: Connection) -> None:
    """Removes all counts and starts again."""
    conn.execute(delete(figure_counts))
    conn.execute(delete(figure_progress))


def add(conn: Connection, tallies: Mapping[CountKey, CountTally]) -> None:
    """Adds to counts of days, and of their months, so that a year is read from twelve."""
    both = dict(tallies)
    for key, tally in tallies.items():
        of_month = key._replace(day=month_row(key.day))
        both[of_month] = both.get(of_month, CountTally()).plus(*tally)
    rows = [(*key[:4], storable_text(key.key), *tally) for key, tally in sorted(both.items())]
    for at in range(0, len(rows), _ROWS_PER_STATEMENT):
        chunk = rows[at : at + _ROWS_PER_STATEMENT]
        run(conn, _add_text(conn.dialect.name, len(chunk)), tuple(chain.from_iterable(chunk)))


@cache
def _add_text(dialect: str, rows: int) -> str:
    mark = "?" if dialect == "sqlite" else "%s"
    values = ", ".join([f"({', '.join([mark] * len(_COLUMNS))})"] * rows)
    return (
        f"INSERT INTO figure_counts ({', '.join(_COLUMNS)}) VALUES {values} "
        f"ON CONFLICT ({', '.join(_KEYS)}) DO UPDATE SET "
        "count = figure_counts.count + excluded.count, amount = figure_counts.amount + excluded.amount"
    )


class CountRow(NamedTuple):
    """Counts of a day, or of a month (periods.month_of_row)."""

    row: int
    measure: str
    direction: str
    partner: str
    key: str
    number: int
    grams: int


def read(conn: Connection, period: Period) -> list[CountRow]:
    """All counts of a period, each day once."""
    columns = figure_counts.c
    within = or_(*(columns.day.between(low, high) for low, high in period.rows()))
    return [CountRow(*row) for row in conn.execute(select(*(columns[name] for name in _COLUMNS)).where(within))]


def first_day(conn: Connection) -> int | None:
    """First day of which anything is counted."""
    days = select(func.min(figure_counts.c.day)).where(figure_counts.c.day >= 0)
    day: int | None = conn.execute(days).scalar_one()
    return day
