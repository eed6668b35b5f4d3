"""docs/performance.md and its charts equal what `python -m bench.charts` makes from docs/performance.json."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import charts, performance_results
from bench.chart_drawing import Bar, Chart, drawn
from bench.performance_results import Figure
from bench.performance_targets import TARGETS, Limit, Target

FILE = charts.DOCS / "performance.json"


def figure(median: float, least: float | None = None, greatest: float | None = None) -> Figure:
    return Figure("ms", median, least or median, greatest or median, "2026-11-27", "two cores", "python -m bench")


@pytest.mark.drift
def test_page_and_charts_equal_the_figures() -> None:
    page = (charts.DOCS / charts.PAGE).read_text(encoding="utf-8")
    files = charts.made(performance_results.read(FILE), page)
    stale = [str(path) for path, text in files.items() if (charts.DOCS / path).read_text(encoding="utf-8") != text]
    assert not stale, "run: python -m bench.charts docs/performance.json"
    pictures = {path.name for path in (charts.DOCS / charts.PICTURES).glob("*.svg")}
    assert pictures == {f"{chart.name}.svg" for chart in charts.CHARTS}


@pytest.mark.drift
def test_every_figure_of_the_file_is_shown() -> None:
    shown = {limit.figure for target in TARGETS for limit in target.limits}
    shown |= {bar.figure for chart in charts.CHARTS for bar in chart.bars}
    page = (charts.DOCS / charts.PAGE).read_text(encoding="utf-8")
    unseen = [name for name in performance_results.read(FILE) if name not in shown and f"| {name} |" not in page]
    assert not unseen


def test_a_target_is_met_only_when_every_limit_is() -> None:
    target = Target("latency", "p50 ≤ 10; p99 ≤ 40 ms", (Limit("p50", at_most=10), Limit("p99", at_most=40)))
    assert target.verdict({}) == "not measured"
    assert target.verdict({"p50": figure(10)}) == "met so far"
    assert target.verdict({"p50": figure(10), "p99": figure(40.5)}) == "**not met**"
    assert target.verdict({"p50": figure(10), "p99": figure(40)}) == "met"


def test_a_chart_is_well_formed_and_says_in_words_what_it_shows() -> None:
    chart = Chart(
        "x", "Alerts & lists", "ms", (Bar("a", "lone"), Bar("b", "bulk", "peer"), Bar("c", "wanted", wanted=5))
    )
    svg = ElementTree.fromstring(drawn(chart, {"a": figure(4, 3, 6), "b": figure(2)}))  # noqa: S314  drawn here
    title = svg.find("{http://www.w3.org/2000/svg}title")
    assert title is not None
    assert title.text == "Alerts & lists, ms: lone 4; bulk 2; wanted not measured"
    width = float(svg.attrib["viewBox"].split()[2])
    assert all(float(part.attrib.get("x", 0)) < width for part in svg.iter())


def test_figures_of_a_benchmark_replace_those_of_the_same_name(tmp_path: Path) -> None:
    series = {"unit": "µs each", "median": 3.0, "min": 2.0, "max": 5.0}
    (tmp_path / "run.json").write_text(
        json.dumps({"environment": {"date": "2026-12-01T10:00:00Z"}, "figures": {"a": series}}), encoding="utf-8"
    )
    results = performance_results.added({"a": figure(1), "b": figure(2)}, tmp_path / "run.json", machine="idle")
    assert results["a"] == Figure("µs", 3.0, 2.0, 5.0, "2026-12-01", "idle", "python -m bench")
    assert results["b"] == figure(2)
    results = performance_results.with_value(results, "b=7,6,8", date="2026-12-02", machine="busy")
    assert results["b"] == Figure("ms", 7, 6, 8, "2026-12-02", "busy", "python -m bench")
    performance_results.write(tmp_path / "file.json", results)
    assert performance_results.read(tmp_path / "file.json") == results


def test_wrong_files_and_settings_end_the_command(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("[]", encoding="utf-8")
    for attempt in (
        lambda: performance_results.read(tmp_path / "broken.json"),
        lambda: performance_results.added({}, tmp_path / "broken.json", machine=""),
        lambda: performance_results.with_value({}, "unknown=3", date="", machine=""),
        lambda: performance_results.with_value({"a": figure(1)}, "a=much", date="", machine=""),
    ):
        with pytest.raises(SystemExit):
            attempt()
