"""Answers with figures of a period."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from gateway.alerts.tables.schema import alert_events
from gateway.db.database import Database
from gateway.feed.service.writing.transaction import Clock
from gateway.feed.tables import journal
from gateway.figures.rules import small_numbers
from gateway.figures.rules.counting import CLOSED, FigureMeasure
from gateway.figures.rules.durations import SHOWN_UP_TO_S, quantile_s, shown_classes
from gateway.figures.rules.periods import Period, date_of, day_number, month_of_row, period_of
from gateway.figures.tables import counts, list_results
from gateway.figures.tables.counts import CountFilter, CountTally
from gateway.figures.tables.list_results import ListResults
from gateway.v1 import figure_service_pb2 as pb
from gateway.v1 import figures_pb2
from gateway.watchlists.rules.visibility import Hidden

_DIRECTIONS = {
    figures_pb2.FIGURE_DIRECTION_UNSPECIFIED: "",
    figures_pb2.FIGURE_DIRECTION_SENT: "out",
    figures_pb2.FIGURE_DIRECTION_RECEIVED: "in",
}
_DAY_MS = 86_400_000
_MONTHLY = (
    FigureMeasure.PRIORITY,
    FigureMeasure.ACKNOWLEDGED,
    FigureMeasure.ENDING,
    FigureMeasure.FINDING,
    FigureMeasure.TAKEN,
    FigureMeasure.ERASED,
)
_COLUMNS = ("priority_a", "priority_b", "priority_c", "acknowledged", "closed", "findings", "seizures")
_WHOLE_COLUMNS: Mapping[str, str] = {
    FigureMeasure.ACKNOWLEDGED: "acknowledged",
    FigureMeasure.FINDING: "findings",
    FigureMeasure.ERASED: "erased",
}
_SEIZED = "seized|"


@dataclass(frozen=True, slots=True)
class _Read:
    """What the database says."""

    sums: Mapping[str, Mapping[str, CountTally]]
    months: Mapping[str, Mapping[str, int]]
    partners: Mapping[str, int]
    lists: Mapping[tuple[str, str], ListResults]
    uncounted: int
    first_day: int | None


class FigureQueries:
    """Reads figures. Thread-safe."""

    def __init__(self, database: Database, *, utc_offset_minutes: int, clock: Clock) -> None:
        self._database = database
        self._offset = utc_offset_minutes
        self._clock = clock

    def get(self, request: pb.GetFiguresRequest, *, hidden: Hidden) -> pb.GetFiguresResponse:
        """Figures of a period.

        Args:
            hidden: lists that the caller may not see.

        Raises:
            InvalidRequestError: the period is none.
        """
        today = day_number(self._clock(), self._offset)
        period = period_of(request.first_day, request.last_day, today=today)
        wanted = CountFilter(period, request.partner, _DIRECTIONS[request.direction])
        with self._database.read() as conn:
            read = self._read(conn, wanted)
        figures = _Figures(request.least_count)
        response = pb.GetFiguresResponse(
            first_day=date_of(period.first).isoformat(),
            last_day=date_of(period.last).isoformat(),
            utc_offset_minutes=self._offset,
            uncounted=read.uncounted,
            counted_from="" if read.first_day is None else date_of(read.first_day).isoformat(),
        )
        response.months.extend(figures.months(period, read.months))
        _fill(response, figures, read)
        response.lists.extend(
            figures.of_list(publisher, name, results)
            for (publisher, name), results in read.lists.items()
            if (publisher, name) not in hidden and any(results)
        )
        return response

    def _read(self, conn: Connection, wanted: CountFilter) -> _Read:
        period = wanted.period
        begin, end = (day * _DAY_MS - self._offset * 60_000 for day in (period.first, period.last + 1))
        return _Read(
            counts.sums(conn, wanted),
            _by_month(counts.by_row(conn, wanted, _MONTHLY)),
            counts.by_partner(conn, wanted, FigureMeasure.PRIORITY),
            list_results.read(conn, begin, end),
            _uncounted(conn),
            counts.first_day(conn),
        )


def _uncounted(conn: Connection) -> int:
    """Steps that are projected and not counted, and entries that aren't projected."""
    position = counts.progress(conn).position
    behind = select(func.count()).select_from(alert_events).where(alert_events.c.position > position)
    return int(conn.execute(behind).scalar_one()) + journal.head_position(conn) - journal.projected_position(conn)


def _by_month(rows: Iterable[tuple[int, str, str, int]]) -> dict[str, dict[str, int]]:
    """Numbers of the columns by month."""
    months: dict[str, dict[str, int]] = {}
    for row, measure, key, number in rows:
        column = _column(measure, key)
        if column:
            of_month = months.setdefault(month_of_row(row), {})
            of_month[column] = of_month.get(column, 0) + number
    return months


def _column(measure: str, key: str) -> str:
    """The column of a month in which a count stands; empty for none."""
    if measure == FigureMeasure.PRIORITY:
        return f"priority_{key}"
    if measure == FigureMeasure.ENDING:
        return "closed" if key.startswith(CLOSED) else ""
    if measure == FigureMeasure.TAKEN:
        return "seizures" if key.startswith(_SEIZED) else ""
    return _WHOLE_COLUMNS[measure]


def _fill(response: pb.GetFiguresResponse, figures: _Figures, read: _Read) -> None:
    def counted(measure: FigureMeasure) -> dict[str, int]:
        return {key: tally.number for key, tally in read.sums.get(measure, {}).items()}

    priorities = counted(FigureMeasure.PRIORITY)
    response.published.CopyFrom(figures.alone(sum(priorities.values())))
    response.by_priority.extend(figures.named({name: priorities.get(name, 0) for name in "abc"}, ordered=False))
    response.by_typology.extend(figures.named(counted(FigureMeasure.TYPOLOGY), sum_is_known=False))
    response.by_partner.extend(figures.named(read.partners))
    response.by_requested_action.extend(figures.named(counted(FigureMeasure.ACTION)))
    response.by_ending.extend(figures.named(counted(FigureMeasure.ENDING), sum_is_known=False))
    response.by_flag_reason.extend(figures.named(counted(FigureMeasure.FLAG), sum_is_known=False))
    response.by_finding_result.extend(figures.named(counted(FigureMeasure.FINDING), sum_is_known=False))
    response.time_to_acknowledge.CopyFrom(figures.duration(counted(FigureMeasure.TIME_TO_ACKNOWLEDGE)))
    response.time_to_close.CopyFrom(figures.duration(counted(FigureMeasure.TIME_TO_CLOSE)))
    taken = read.sums.get(FigureMeasure.TAKEN, {})
    response.measures.extend(figures.measures(taken, counted(FigureMeasure.TAKEN_WITHOUT_MASS)))


class _Figures:
    """Makes the contract's numbers; those below `least` are withheld."""

    def __init__(self, least: int) -> None:
        self._least = least

    def alone(self, number: int) -> figures_pb2.FigureCount:
        """A number that is no part of a shown sum."""
        return _count(number, hidden=0 < number < self._least)

    def named(
        self, numbers: Mapping[str, int], *, sum_is_known: bool = True, ordered: bool = True
    ) -> Iterator[figures_pb2.NamedCount]:
        """Numbers by name, most first, or in their order."""
        names = sorted(numbers, key=lambda name: (-numbers[name], name)) if ordered else list(numbers)
        hidden = small_numbers.withheld([numbers[name] for name in names], self._least, sum_is_known=sum_is_known)
        if any(hidden) and ordered:  # the order would tell
            names, hidden = _last_by_name(names, hidden)
        for name, is_hidden in zip(names, hidden, strict=True):
            yield figures_pb2.NamedCount(name=name, count=_count(numbers[name], hidden=is_hidden))

    def months(self, period: Period, numbers: Mapping[str, Mapping[str, int]]) -> Iterator[figures_pb2.MonthFigures]:
        """Each month; a column's sum may be known from another figure, so each is withheld as parts of a sum."""
        months = list(period.months())
        hidden = {
            column: small_numbers.withheld([numbers.get(month, {}).get(column, 0) for month in months], self._least)
            for column in _COLUMNS
        }
        for at, month in enumerate(months):
            of_month = numbers.get(month, {})
            shown = {column: _count(of_month.get(column, 0), hidden=hidden[column][at]) for column in _COLUMNS}
            yield figures_pb2.MonthFigures(month=month, erased=of_month.get("erased", 0), **shown)

    def duration(self, by_class: Mapping[str, int]) -> figures_pb2.DurationFigure:
        """Quantiles and distribution of a sample; none where it is withheld."""
        sample = {int(key): number for key, number in by_class.items()}
        size = sum(sample.values())
        figure = figures_pb2.DurationFigure(sample=self.alone(size))
        median, p90 = quantile_s(sample, 0.5), quantile_s(sample, 0.9)
        if median is not None and p90 is not None and not figure.sample.withheld:
            figure.median_s, figure.p90_s = median, p90
        classes = shown_classes(sample)
        hidden = small_numbers.withheld(classes, self._least)
        for up_to, number, is_hidden in zip((*SHOWN_UP_TO_S, 0), classes, hidden, strict=True):
            figure.classes.add(up_to_s=up_to, count=_count(number, hidden=is_hidden or figure.sample.withheld))
        return figure

    def measures(
        self, taken: Mapping[str, CountTally], without_mass: Mapping[str, int]
    ) -> Iterator[figures_pb2.MeasureFigure]:
        """Measures by kind and element."""
        for key in sorted(taken):
            kind, _, element = key.partition("|")
            number, missing = taken[key].number, without_mass.get(key, 0)
            figure = figures_pb2.MeasureFigure(
                kind=kind, element=element, count=self.alone(number), without_mass=self.alone(missing)
            )
            with_mass = number - missing
            if with_mass and not (figure.count.withheld or 0 < with_mass < self._least):
                figure.net_mass_kg = taken[key].grams / 1000
            yield figure

    def of_list(self, publisher: str, name: str, results: ListResults) -> figures_pb2.ListFigures:
        """One list's numbers."""
        shown = {what: self.alone(number) for what, number in results._asdict().items()}
        return figures_pb2.ListFigures(publisher=publisher, list=name, **shown)


def _last_by_name(names: list[str], hidden: list[bool]) -> tuple[list[str], list[bool]]:
    """Shown numbers first, then the withheld ones by name."""
    shown = [name for name, is_hidden in zip(names, hidden, strict=True) if not is_hidden]
    others = sorted(name for name, is_hidden in zip(names, hidden, strict=True) if is_hidden)
    return [*shown, *others], [False] * len(shown) + [True] * len(others)


def _count(number: int, *, hidden: bool) -> figures_pb2.FigureCount:
    return figures_pb2.FigureCount(withheld=True) if hidden else figures_pb2.FigureCount(value=number)
