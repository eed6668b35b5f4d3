"""Charts hold for any values; zero and missing differ; axes have few, round ticks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.console.pictures.charts import ChartSeries, bar_chart, column_chart
from gateway.console.pictures.scale import linear_scale
from tests.support.console.pictures import check_svg, texts_of

values = st.none() | st.integers(0, 10**7).map(float) | st.floats(0, 10**6)
series = st.lists(st.builds(ChartSeries, st.text(max_size=30), st.lists(values, max_size=14).map(tuple)), max_size=8)
categories = st.lists(st.text(max_size=40), max_size=14)


@settings(max_examples=30, deadline=None)
@given(categories, series)
def test_any_values_give_valid_charts(names: list[str], shown: list[ChartSeries]) -> None:
    for chart in (column_chart, bar_chart):
        drawn = chart("<b>Title</b>", names, shown, heading="Name")
        check_svg(drawn.wide)
        check_svg(drawn.narrow)
        assert len(drawn.rows) == len(names)
        assert all(len(row) == len(drawn.columns) for row in drawn.rows)
        assert chart("<b>Title</b>", names, shown, heading="Name") == drawn


def test_zero_and_missing_differ() -> None:
    drawn = column_chart("Alerts", ["Jan", "Feb"], [ChartSeries("Alerts", (0.0, None))], heading="Month")
    assert "0" in texts_of(drawn.wide)
    assert "–" in texts_of(drawn.wide)
    assert drawn.rows == (("Jan", "0"), ("Feb", "no value"))


def test_a_stack_says_its_total() -> None:
    drawn = bar_chart("Alerts", ["hk"], [ChartSeries("in", (2.0,)), ChartSeries("out", (3.0,))], heading="Partner")
    assert "5" in texts_of(drawn.wide)
    assert drawn.rows == (("hk", "2", "3", "5"),)
    assert drawn.columns == ("Partner", "in", "out", "Together")


@pytest.mark.parametrize(
    ("largest", "ticks"),
    [(0, (0, 1)), (1, (0, 1)), (3, (0, 1, 2, 3)), (41, (0, 10, 20, 30, 40, 50)), (1200, (0, 500, 1000, 1500))],
)
def test_ticks_are_round_and_whole(largest: float, ticks: tuple[float, ...]) -> None:
    assert linear_scale(largest).ticks == ticks


@given(st.floats(0, 1e12))
def test_ticks_hold_the_largest_value(largest: float) -> None:
    scale = linear_scale(largest)
    assert scale.ticks[-1] >= largest * (1 - 1e-6)
    assert len(scale.ticks) <= 7
