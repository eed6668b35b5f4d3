"""Figures as tables, charts and CSV: the same numbers in each, and nothing that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest

from gateway.console.current import CurrentPage, set_current_page
from gateway.console.languages import ReaderLocale
from gateway.console.views.figures import FigureTable, as_csv, figure_tables, problems_of
from gateway.translation.messages import in_language
from gateway.v1.figure_service_pb2 import GetFiguresResponse
from gateway.v1.figures_pb2 import (
    DurationClass,
    DurationFigure,
    FigureCount,
    ListFigures,
    MeasureFigure,
    MonthFigures,
    NamedCount,
)


@pytest.fixture(autouse=True)
def page() -> Iterator[None]:
    set_current_page(CurrentPage(ReaderLocale("en", ZoneInfo("UTC")), "", ""))
    with in_language("en"):
        yield


def count(value: int = 0, *, withheld: bool = False) -> FigureCount:
    return FigureCount(value=value, withheld=withheld)


def figures(**changes: object) -> GetFiguresResponse:
    made = GetFiguresResponse(
        first_day="2026-01-01",
        last_day="2026-02-28",
        counted_from="2026-01-01",
        months=[
            MonthFigures(month="2026-01", priority_a=count(3), seizures=count(2)),
            MonthFigures(month="2026-02", priority_a=count(withheld=True)),
        ],
        by_typology=[NamedCount(name="concealment", count=count(1234)), NamedCount(name="a_new_one", count=count(1))],
        by_ending=[NamedCount(name="closed_confirmed", count=count(2)), NamedCount(name="expired", count=count(1))],
        time_to_close=DurationFigure(
            sample=count(2),
            median_s=7200,
            p90_s=86_400,
            classes=[DurationClass(up_to_s=86_400, count=count(2)), DurationClass(count=count())],
        ),
        measures=[
            MeasureFigure(kind="seized", element="Sb", count=count(2), net_mass_kg=1250.5, without_mass=count(1)),
            MeasureFigure(kind="detained", count=count(1), without_mass=count(1)),
        ],
        lists=[ListFigures(publisher="cn", list="minerals", confirmed=count(4), open=count(7))],
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def table(name: str, made: GetFiguresResponse | None = None) -> FigureTable:
    return next(each for each in figure_tables(made or figures()) if each.name == name)


def shown(name: str) -> list[list[str]]:
    return table(name).shown


def test_a_withheld_number_is_none_and_says_so() -> None:
    assert table("months").rows[1][1] is None
    assert shown("months")[1][1] == "withheld or unknown"
    assert table("months").rows[0][1] == 3


def test_numbers_have_the_readers_separators_and_words_are_labels() -> None:
    assert shown("typologies") == [["Concealment", "1,234"], ["A new one", "1"]]
    assert [row[0] for row in shown("endings")] == ["Closed: confirmed", "Expired"]


def test_a_mass_that_nobody_said_is_unknown() -> None:
    seized, detained = shown("measures")
    assert seized == ["Seized", "antimony", "2", "1,250.5", "1"]
    assert detained[3] == "withheld or unknown"


def test_times_have_their_sample_beside_them() -> None:
    rows = dict(shown("close"))
    assert rows["Sample"] == "2"
    assert rows["Half within (median)"] == "2 hours"
    assert rows["more than 24 hours"] == "0"
    assert table("close").picture is not None
    assert table("acknowledge").picture is None  # without a sample there is nothing to draw


def test_the_chart_says_what_the_table_says() -> None:
    picture = table("typologies").picture
    assert picture is not None
    assert [list(row) for row in picture.rows] == shown("typologies")


def test_csv_has_plain_numbers_and_empty_cells_for_what_is_withheld() -> None:
    text = as_csv(table("months")).decode("utf-8-sig")
    heads, january, february = csv.reader(io.StringIO(text))
    assert heads[0] == "Month"
    assert january[:2] == ["2026-01", "3"]
    assert february[1] == ""
    assert text.endswith("\r\n")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@sum", "\tx"])
def test_csv_holds_nothing_that_a_spreadsheet_runs(text: str) -> None:
    made = FigureTable("t", "T", ["Name", text], [[text, -1]])
    heads, row = csv.reader(io.StringIO(as_csv(made).decode("utf-8-sig")))
    assert heads[1] == row[0] == f"'{text}"
    assert row[1] == "-1"  # a number stays one


def test_what_figures_dont_say_is_said() -> None:
    assert not list(problems_of(figures()))
    assert "begin on 2026-02-01" in next(problems_of(figures(counted_from="2026-02-01")))
    assert "Nothing is counted" in next(problems_of(figures(counted_from="")))
    assert "3 steps" in next(problems_of(figures(uncounted=3)))
    erased = figures()
    erased.months[0].erased = 2
    assert "2026-01" in next(problems_of(erased))
