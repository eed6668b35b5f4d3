"""Figures as tables and charts: the same numbers for the page, its pictures and CSV."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from gateway.console.filters import duration, number
from gateway.console.pictures.charts import ChartSeries, bar_chart, column_chart
from gateway.console.pictures.svg import Illustration
from gateway.console.views.spreadsheet import csv_of
from gateway.console.views.words import capitalised
from gateway.translation.labels import TYPOLOGY, label
from gateway.translation.messages import gettext as _
from gateway.translation.messages import ngettext
from gateway.translation.substance_names import element_name
from gateway.v1.figure_service_pb2 import GetFiguresResponse
from gateway.v1.figures_pb2 import DurationFigure, FigureCount, NamedCount

Cell = str | int | float | None
"""A text, a number, or None for one that is withheld or isn't known."""


@dataclass(frozen=True, slots=True)
class FigureTable:
    """One figure.

    Attributes:
        name: of it in addresses and files.
        columns: heads; all but the first are of numbers.
        picture: the same as a chart; None where there is nothing to draw.
        note: how it is counted, in a sentence.
    """

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    picture: Illustration | None = None
    note: str = ""

    @property
    def shown(self) -> list[list[str]]:
        """Rows in the reader's numbers; a number that is withheld or not known says so."""
        return [[_shown(cell) for cell in row] for row in self.rows]


def figure_tables(figures: GetFiguresResponse) -> list[FigureTable]:
    """All figures, in the order in which a page shows them."""
    return [
        _months(figures),
        _typologies(figures),
        _named("partners", _("Alerts by partner"), _("Partner"), figures.by_partner, str.upper),
        _named("actions", _("Alerts by requested action"), _("Requested action"), figures.by_requested_action, _action),
        _times(
            "acknowledge",
            _("Time to acknowledge"),
            figures.time_to_acknowledge,
            _("From publication to the first acknowledgement, of alerts acknowledged in the period."),
        ),
        _times(
            "close",
            _("Time to close"),
            figures.time_to_close,
            _("From publication to closing, of alerts closed in the period."),
        ),
        _named("endings", _("How alerts ended"), _("Ending"), figures.by_ending, _ending),
        _named("flags", _("Why recipients couldn't act"), _("Reason"), figures.by_flag_reason, _flag),
        _named("findings", _("Findings"), _("Result"), figures.by_finding_result, _finding),
        _steps(figures),
        _measures(figures),
        _lists(figures),
    ]


def as_csv(table: FigureTable) -> bytes:
    """A table for spreadsheets; a number that is withheld or not known is an empty cell."""
    return csv_of(table.columns, table.rows)


def _shown(cell: Cell) -> str:
    if cell is None:
        return _("withheld or unknown")
    return cell if isinstance(cell, str) else number(cell)


def _value(count: FigureCount) -> int | None:
    return None if count.withheld else count.value


def _months(figures: GetFiguresResponse) -> FigureTable:
    priorities = [(name, f"priority_{name.lower()}") for name in "ABC"]
    names = [month.month for month in figures.months]
    series = [
        ChartSeries(_("Priority {letter}", letter=letter), tuple(_value(getattr(m, name)) for m in figures.months))
        for letter, name in priorities
    ]
    title = _("Alerts by month and priority")
    rows = [[name, *(each.values[at] for each in series)] for at, name in enumerate(names)]
    picture = column_chart(title, names, series, heading=_("Month"), wording=number)
    return FigureTable("months", title, [_("Month"), *(each.name for each in series)], rows, picture)


def _steps(figures: GetFiguresResponse) -> FigureTable:
    columns = [
        (_("Acknowledged"), "acknowledged"),
        (_("Findings"), "findings"),
        (_("Seizures"), "seizures"),
        (_("Closed"), "closed"),
    ]
    rows: list[list[Cell]] = [
        [month.month, *(_value(getattr(month, name)) for _title, name in columns), month.erased]
        for month in figures.months
    ]
    names = [month.month for month in figures.months]
    series = [ChartSeries(_("Seizures"), tuple(_value(month.seizures) for month in figures.months))]
    picture = column_chart(_("Seizures by month"), names, series, heading=_("Month"), wording=number)
    heads = [_("Month"), *(title for title, _name in columns), _("Erased, not counted")]
    note = _("Each counts in the month in which it happened. A seizure is a measure that a finding or a closing says.")
    return FigureTable("steps", _("Steps by month"), heads, rows, picture, note)


def _typologies(figures: GetFiguresResponse) -> FigureTable:
    note = _("As first published; an alert with several typologies counts in each.")
    counts = figures.by_typology
    return _named("typologies", _("Alerts by typology"), _("Typology"), counts, partial(label, TYPOLOGY), note=note)


def _named(
    name: str,
    title: str,
    heading: str,
    counts: Iterable[NamedCount],
    wording: Callable[[str], str],
    *,
    note: str = "",
) -> FigureTable:
    read = [(capitalised(wording(each.name)), _value(each.count)) for each in counts]
    series = [ChartSeries(_("Count"), tuple(value for _name, value in read))]
    picture = bar_chart(title, [each for each, _value in read], series, heading=heading, wording=number)
    return FigureTable(name, title, [heading, _("Count")], read, picture if read else None, note)


def _times(name: str, title: str, figure: DurationFigure, note: str) -> FigureTable:
    classes = [(_class_name(each.up_to_s, figure), _value(each.count)) for each in figure.classes]
    series = [ChartSeries(_("Alerts"), tuple(value for _name, value in classes))]
    picture = column_chart(title, [each for each, _value in classes], series, heading=_("Time"), wording=number)
    rows: list[list[Cell]] = [[each, value] for each, value in classes]
    rows += [
        [_("Sample"), _value(figure.sample)],
        [_("Half within (median)"), _time(figure, "median_s")],
        [_("Nine tenths within"), _time(figure, "p90_s")],
    ]
    has_sample = figure.sample.value > 0 and not figure.sample.withheld
    return FigureTable(name, title, [_("Time"), _("Alerts")], rows, picture if has_sample else None, note)


def _class_name(up_to_s: int, figure: DurationFigure) -> str:
    if up_to_s:
        return _("up to {time}", time=duration(up_to_s))
    return _("more than {time}", time=duration(max(each.up_to_s for each in figure.classes)))


def _time(figure: DurationFigure, field: str) -> str | None:
    return duration(getattr(figure, field)) if figure.HasField(field) else None  # type: ignore[arg-type]


def _measures(figures: GetFiguresResponse) -> FigureTable:
    rows: list[list[Cell]] = [
        [
            capitalised(label("MeasureKind", measure.kind)),
            element_name(measure.element) or _("not said"),
            _value(measure.count),
            measure.net_mass_kg if measure.HasField("net_mass_kg") else None,
            _value(measure.without_mass),
        ]
        for measure in figures.measures
    ]
    heads = [_("Measure"), _("Element"), _("Count"), _("Net mass in kg"), _("Without a mass")]
    note = _("Only what a finding or a closing says was done; what an alert asked for doesn't count.")
    return FigureTable("measures", _("Measures taken"), heads, rows, None, note)


def _lists(figures: GetFiguresResponse) -> FigureTable:
    names = ("confirmed", "dismissed", "open", "owner_confirmed", "owner_false", "owner_undecided")
    rows: list[list[Cell]] = [
        [f"{each.publisher}/{each.list}", *(_value(getattr(each, name)) for name in names)] for each in figures.lists
    ]
    heads = [
        _("List"),
        _("Matches confirmed"),
        _("Matches dismissed"),
        _("Matches open now"),
        _("Hits that the owner confirmed"),
        _("Hits that the owner called false"),
        _("Hits not decided"),
    ]
    title = _("Matches and hits by list")
    series = [ChartSeries(heads[at + 1], tuple(_number(row[at + 1]) for row in rows)) for at in (0, 1)]
    picture = bar_chart(title, [str(row[0]) for row in rows], series, heading=_("List"), wording=number)
    return FigureTable("lists", title, heads, rows, picture if rows else None)


def _number(cell: Cell) -> float | None:
    return cell if isinstance(cell, int) else None


def _action(name: str) -> str:
    return label("RequestedAction", name)


def _flag(name: str) -> str:
    return label("FlagReason", name)


def _finding(name: str) -> str:
    return label("FindingResult", name)


def _ending(name: str) -> str:
    kind, _closed, outcome = name.partition("closed_")
    return _("closed: {outcome}", outcome=label("CloseOutcome", outcome)) if outcome else label("AlertStatus", kind)


def problems_of(figures: GetFiguresResponse) -> Iterator[str]:
    """What these figures don't say, a sentence each."""
    if not figures.counted_from:
        yield _("Nothing is counted yet.")
    elif figures.counted_from > figures.first_day:
        yield _("Counts begin on {day}.", day=figures.counted_from)
    if figures.uncounted:
        yield ngettext(
            "{count} step is here and not counted yet: numbers grow still.",
            "{count} steps are here and not counted yet: numbers grow still.",
            figures.uncounted,
            count=number(figures.uncounted),
        )
    erased = [month.month for month in figures.months if month.erased]
    if erased:
        yield _("Retention has erased steps of these months before they were counted, so that their numbers are too "
                "small: {months}.", months=", ".join(erased))  # fmt: skip
