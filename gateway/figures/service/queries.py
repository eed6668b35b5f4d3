"""Answers with figures of a period."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from sqlalchemy import Connection, func, select

from gateway.alerts.tables.schema import alert_events
from gateway.db.database import Database
from gateway.feed.service.writing.transaction import Clock
from gateway.feed.tables import journal
from gateway.figures.rules.counting import CLOSED, FigureMeasure
from gateway.figures.rules.durations import SHOWN_UP_TO_S, quantile_s, shown_class
from gateway.figures.rules.periods import Period, date_of, day_number, month_of_row, period_of
from gateway.figures.rules.small_numbers import ALL, Cell, NumberTable
from gateway.figures.tables import counts, list_results
from gateway.figures.tables.counts import CountRow
from gateway.figures.tables.list_results import ListResults
from gateway.v1 import figure_service_pb2 as pb
from gateway.v1 import figures_pb2
from gateway.watchlists.rules.visibility import Hidden

_DIRECTIONS = {
    figures_pb2.FIGURE_DIRECTION_UNSPECIFIED: ALL,
    figures_pb2.FIGURE_DIRECTION_SENT: "out",
    figures_pb2.FIGURE_DIRECTION_RECEIVED: "in",
}
_DAY_MS = 86_400_000
_COLUMNS: Mapping[str, tuple[FigureMeasure, str, str]] = {
    "priority_a": (FigureMeasure.PRIORITY, "", "a"),
    "priority_b": (FigureMeasure.PRIORITY, "", "b"),
    "priority_c": (FigureMeasure.PRIORITY, "", "c"),
    "acknowledged": (FigureMeasure.ACKNOWLEDGED, "", ALL),
    "closed": (FigureMeasure.ENDING, "closed", ALL),
    "findings": (FigureMeasure.FINDING, "", ALL),
    "seizures": (FigureMeasure.TAKEN, "seized", ALL),
}
"""Columns of a month: measure, group and name."""

_SAME_SUMS = (
    (FigureMeasure.PRIORITY, FigureMeasure.ACTION),
    (FigureMeasure.ACKNOWLEDGED, FigureMeasure.TIME_TO_ACKNOWLEDGE),
)
"""Measures that count the same alerts by different names: a sum that is withheld in one is in the other."""

_TIMES = (FigureMeasure.TIME_TO_ACKNOWLEDGE, FigureMeasure.TIME_TO_CLOSE)

_WITH_MASS, _WITHOUT_MASS = "with", "without"


@dataclass(frozen=True, slots=True)
class _Read:
    """What the database says."""

    rows: Sequence[CountRow]
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
        with self._database.read() as conn:
            read = self._read(conn, period)
        response = pb.GetFiguresResponse(
            first_day=date_of(period.first).isoformat(),
            last_day=date_of(period.last).isoformat(),
            utc_offset_minutes=self._offset,
            uncounted=read.uncounted,
            counted_from="" if read.first_day is None else date_of(read.first_day).isoformat(),
        )
        tables = _tables(read.rows, request.least_count)
        figures = _Figures(tables, request.partner or ALL, _DIRECTIONS[request.direction])
        response.months.extend(figures.months(period))
        _fill(response, figures)
        response.lists.extend(
            _of_list(publisher, name, results, request.least_count)
            for (publisher, name), results in read.lists.items()
            if (publisher, name) not in hidden and any(results)
        )
        return response

    def _read(self, conn: Connection, period: Period) -> _Read:
        begin, end = (day * _DAY_MS - self._offset * 60_000 for day in (period.first, period.last + 1))
        return _Read(
            counts.read(conn, period), list_results.read(conn, begin, end), _uncounted(conn), counts.first_day(conn)
        )


def _uncounted(conn: Connection) -> int:
    """Steps that are projected and not counted, and entries that aren't projected."""
    position = counts.progress(conn).position
    behind = select(func.count()).select_from(alert_events).where(alert_events.c.position > position)
    return int(conn.execute(behind).scalar_one()) + journal.head_position(conn) - journal.projected_position(conn)


@dataclass(frozen=True, slots=True)
class _Tables:
    """What is counted: cells are (group, name, month, partner, direction), before them whether measures have a mass."""

    numbers: Mapping[str, NumberTable]
    grams: Mapping[Cell, int]
    times: Mapping[Cell, Mapping[int, int]]  # number by class of a duration; cells are (measure, partner, direction)


def _tables(rows: Iterable[CountRow], least: int) -> _Tables:
    numbers: dict[str, dict[Cell, int]] = {measure: {} for measure in FigureMeasure}
    grams: dict[Cell, int] = {}
    times: dict[Cell, dict[int, int]] = {}
    for row in rows:
        group, name = _placed(row.measure, row.key)
        cell = (group, name, month_of_row(row.row), row.partner, row.direction)
        of_measure = numbers[row.measure]
        of_measure[cell] = of_measure.get(cell, 0) + row.number
        if row.measure == FigureMeasure.TAKEN:
            grams[cell] = grams.get(cell, 0) + row.grams
        elif row.measure in _TIMES:
            for partner, direction in product((row.partner, ALL), (row.direction, ALL)):
                by_class = times.setdefault((row.measure, partner, direction), {})
                by_class[int(row.key)] = by_class.get(int(row.key), 0) + row.number
    numbers[FigureMeasure.TAKEN] = _by_mass(numbers[FigureMeasure.TAKEN], numbers.pop(FigureMeasure.TAKEN_WITHOUT_MASS))
    tables = {
        measure: NumberTable(of, least, apart=1, is_shown=_BY_MONTH.get(measure, _never_by_month))
        for measure, of in numbers.items()
    }
    for one, other in _SAME_SUMS:
        _withhold_alike(tables[one], tables[other])
    return _Tables(tables, NumberTable(grams, 0, apart=1).cells, times)


def _never_by_month(cell: Cell) -> bool:
    return cell[_MONTH] == ALL


def _sums_by_month(cell: Cell) -> bool:
    return cell[_MONTH] == ALL or set(cell[1:_MONTH]) == {ALL}


def _names_by_month(cell: Cell) -> bool:
    return cell[_MONTH] == ALL or ALL not in cell[1:_MONTH]


_MONTH = -3
"""Place of the month in a cell."""

_BY_MONTH: Mapping[str, Callable[[Cell], bool]] = {
    FigureMeasure.PRIORITY: _names_by_month,
    FigureMeasure.ACKNOWLEDGED: _sums_by_month,
    FigureMeasure.ENDING: _sums_by_month,
    FigureMeasure.FINDING: _sums_by_month,
    FigureMeasure.TAKEN: _sums_by_month,
    FigureMeasure.ERASED: _sums_by_month,
}


def _placed(measure: str, key: str) -> tuple[str, str]:
    """Group and name of a count: the numbers of a group have a sum that somebody may know."""
    if measure == FigureMeasure.ENDING:
        return ("closed", key) if key.startswith(CLOSED) else (key, key)
    if measure in {FigureMeasure.TAKEN, FigureMeasure.TAKEN_WITHOUT_MASS}:
        kind, _, element = key.partition("|")
        return kind, element
    if measure in {FigureMeasure.TYPOLOGY, FigureMeasure.FLAG}:
        return key, key
    if measure in _TIMES:
        return "", str(shown_class(int(key)))
    return "", key


def _by_mass(taken: Mapping[Cell, int], without_mass: Mapping[Cell, int]) -> dict[Cell, int]:
    """Measures by group, and whether they say a mass."""
    with_mass = {cell: number - without_mass.get(cell, 0) for cell, number in taken.items()}
    return {
        (cell[0], known, *cell[1:]): number
        for known, numbers in ((_WITH_MASS, with_mass), (_WITHOUT_MASS, without_mass))
        for cell, number in numbers.items()
    }


def _withhold_alike(one: NumberTable, other: NumberTable) -> None:
    while one.withhold(_sums_withheld(other)) or other.withhold(_sums_withheld(one)):
        pass


def _sums_withheld(table: NumberTable) -> list[Cell]:
    return [cell for cell in table.withheld if cell[1] == ALL]


def _fill(response: pb.GetFiguresResponse, figures: _Figures) -> None:
    response.published.CopyFrom(figures.count(FigureMeasure.PRIORITY))
    response.by_priority.extend(figures.named(FigureMeasure.PRIORITY, names="abc"))
    response.by_typology.extend(figures.named(FigureMeasure.TYPOLOGY))
    response.by_partner.extend(figures.by_partner())
    response.by_requested_action.extend(figures.named(FigureMeasure.ACTION))
    response.by_ending.extend(figures.named(FigureMeasure.ENDING))
    response.by_flag_reason.extend(figures.named(FigureMeasure.FLAG))
    response.by_finding_result.extend(figures.named(FigureMeasure.FINDING))
    response.time_to_acknowledge.CopyFrom(figures.duration(FigureMeasure.TIME_TO_ACKNOWLEDGE))
    response.time_to_close.CopyFrom(figures.duration(FigureMeasure.TIME_TO_CLOSE))
    response.measures.extend(figures.measures())


class _Figures:
    """Makes the contract's numbers of one partner and direction, or of all."""

    def __init__(self, tables: _Tables, partner: str, direction: str) -> None:
        self._numbers, self._grams, self._times = tables.numbers, tables.grams, tables.times
        self._partner, self._direction = partner, direction

    def count(self, measure: str, group: str = "", *names: str, month: str = ALL) -> figures_pb2.FigureCount:
        """A number; without names the sum of a group."""
        return _shown(self._numbers[measure], (group, *(names or (ALL,)), month, self._partner, self._direction))

    def named(self, measure: str, names: Iterable[str] = ()) -> list[figures_pb2.NamedCount]:
        """Numbers by name: these in their order, or all that aren't 0, most first and those withheld last."""
        table = self._numbers[measure]
        places = [("", name) for name in names] or sorted(
            {(cell[0], cell[1]) for cell in table.cells if cell[1] != ALL}
        )
        found = [
            figures_pb2.NamedCount(name=name, count=self.count(measure, group, name))
            for group, name in places
            if names or table.number(group, name, ALL, self._partner, self._direction)
        ]
        return found if names else _most_first(found)

    def by_partner(self) -> list[figures_pb2.NamedCount]:
        """Alerts by partner."""
        table = self._numbers[FigureMeasure.PRIORITY]
        partners = {cell[3] for cell in table.cells} - {ALL} if self._partner == ALL else {self._partner}
        cells = {partner: ("", ALL, ALL, partner, self._direction) for partner in sorted(partners)}
        return _most_first(
            [
                figures_pb2.NamedCount(name=partner, count=_shown(table, cell))
                for partner, cell in cells.items()
                if table.number(*cell)
            ]
        )

    def months(self, period: Period) -> Iterator[figures_pb2.MonthFigures]:
        """Each month."""
        erased = self._numbers[FigureMeasure.ERASED]
        for month in period.months():
            shown = {
                column: self._of_month(measure, group, name, month)
                for column, (measure, group, name) in _COLUMNS.items()
            }
            number = erased.number("", ALL, month, self._partner, self._direction)
            yield figures_pb2.MonthFigures(month=month, erased=number, **shown)

    def _of_month(self, measure: str, group: str, name: str, month: str) -> figures_pb2.FigureCount:
        names = (ALL, name) if measure == FigureMeasure.TAKEN else (name,)
        return self.count(measure, group, *names, month=month)

    def duration(self, measure: str) -> figures_pb2.DurationFigure:
        """Quantiles and distribution of a sample; none where it is withheld."""
        sample = self._times.get((measure, self._partner, self._direction), {})
        figure = figures_pb2.DurationFigure(sample=self.count(measure))
        median, p90 = quantile_s(sample, 0.5), quantile_s(sample, 0.9)
        if median is not None and p90 is not None and not figure.sample.withheld:
            figure.median_s, figure.p90_s = median, p90
        for at, up_to in enumerate((*SHOWN_UP_TO_S, 0)):
            number = self.count(measure, "", str(at))
            figure.classes.add(up_to_s=up_to, count=_count(0, hidden=True) if figure.sample.withheld else number)
        return figure

    def measures(self) -> Iterator[figures_pb2.MeasureFigure]:
        """Measures by kind and element."""
        table = self._numbers[FigureMeasure.TAKEN]
        at = (ALL, self._partner, self._direction)
        for kind, element in sorted({(cell[0], cell[2]) for cell in table.cells if cell[2] != ALL}):
            if not table.number(kind, ALL, element, *at):
                continue
            figure = figures_pb2.MeasureFigure(
                kind=kind,
                element=element,
                count=_shown(table, (kind, ALL, element, *at)),
                without_mass=_shown(table, (kind, _WITHOUT_MASS, element, *at)),
            )
            with_mass = _shown(table, (kind, _WITH_MASS, element, *at))
            if with_mass.value and not figure.count.withheld:
                figure.net_mass_kg = self._grams.get((kind, element, *at), 0) / 1000
            yield figure


def _of_list(publisher: str, name: str, results: ListResults, least: int) -> figures_pb2.ListFigures:
    """One list's numbers."""
    shown = {what: _count(number, hidden=0 < number < least) for what, number in results._asdict().items()}
    return figures_pb2.ListFigures(publisher=publisher, list=name, **shown)


def _most_first(counts: list[figures_pb2.NamedCount]) -> list[figures_pb2.NamedCount]:
    """Most first; then those that are withheld, by name: their order would tell."""
    return sorted(counts, key=lambda row: (row.count.withheld, -row.count.value, row.name))


def _shown(table: NumberTable, cell: Cell) -> figures_pb2.FigureCount:
    return _count(table.number(*cell), hidden=cell in table.withheld)


def _count(number: int, *, hidden: bool) -> figures_pb2.FigureCount:
    return figures_pb2.FigureCount(withheld=True) if hidden else figures_pb2.FigureCount(value=number)
