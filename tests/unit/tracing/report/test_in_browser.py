"""The report in a browser: printed without empty pages, and read on a phone without scrolling sideways."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway.tracing.report.html import render_html
from gateway.v1.trace_pb2 import Trace
from tests.support import traces
from tests.support.browser import printed_pages, scroll_width, shows_something

PHONE_PX = 360

TRACES = {"case": traces.the_case(), "nothing": traces.nothing(), "large": traces.large()}

each_trace = pytest.mark.parametrize("trace", TRACES.values(), ids=TRACES)


def written(trace: Trace, folder: Path) -> Path:
    file = folder / "report.html"
    file.write_text(render_html(trace), "utf-8")
    return file


@each_trace
def test_no_printed_page_is_empty(trace: Trace, tmp_path: Path) -> None:
    pages = printed_pages(written(trace, tmp_path), tmp_path)
    assert pages
    assert [number for number, page in enumerate(pages, 1) if not shows_something(page)] == []


@each_trace
def test_a_phone_shows_its_whole_width(trace: Trace, tmp_path: Path) -> None:
    taken, seen = scroll_width(written(trace, tmp_path), PHONE_PX, tmp_path)
    assert taken <= seen <= PHONE_PX


def test_an_empty_page_and_a_wide_one_are_found(tmp_path: Path) -> None:
    file = tmp_path / "bad.html"
    file.write_text("<p>one<div style='break-before:page;height:1px'></div><p style='break-before:page'>three")
    assert [shows_something(page) for page in printed_pages(file, tmp_path)] == [True, False, True]
    file.write_text("<div style='width:500px'>wide</div>")
    taken, seen = scroll_width(file, PHONE_PX, tmp_path)
    assert taken > seen


def rules(document: str) -> list[tuple[str, str]]:
    """Selectors and declarations of the report's CSS, those in @media too."""
    style = re.search(r"<style>(.*?)</style>", document, re.DOTALL)
    assert style
    return [(selector.strip(), body) for selector, body in re.findall(r"([^{}]+)\{([^{}]*)\}", style[1])]


def test_no_rule_of_its_css_makes_it_wider_than_a_phone_or_keeps_a_page_together() -> None:
    """What a browser would find in most cases, where there is none."""
    found = rules(render_html(TRACES["case"]))
    assert len(found) > 30
    for selector, body in found:
        for width in re.findall(r"(?<![-\w])(?:min-)?width:\s*([\d.]+)px", body):
            assert float(width) <= PHONE_PX - 40, selector
        if re.search(r"break-inside:\s*avoid", body):  # a part that is longer than a page would leave one empty
            assert not re.search(r"(^|,\s*)(body|section|table|ul|ol)\b\s*($|,)", selector), selector
    breaking = " ".join(selector for selector, body in found if "overflow-wrap: anywhere" in body)
    for element in ("p", "li", "td", "dd", "pre"):
        assert re.search(rf"\b{element}\b", breaking), f"long words of {element} aren't broken"
