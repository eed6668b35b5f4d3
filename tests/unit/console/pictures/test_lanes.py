"""A trace's pictures have every record in its lane, contradictions where they are, and the same words as a table."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest

from gateway.console.pictures.lanes import trace_lanes
from gateway.console.pictures.svg import Illustration
from gateway.tracing.report import words
from gateway.v1.trace_pb2 import Trace
from tests.support import traces
from tests.support.console.pictures import check_svg, texts_of
from tests.support.hostile_text import HOSTILE


def drawings(markup: str) -> list[str]:
    return re.findall(r"<svg.*?</svg>", markup, re.DOTALL)


def all_texts(pictures: list[Illustration]) -> str:
    return " ".join(text for each in pictures for svg in drawings(each.wide) for text in texts_of(svg))


@pytest.mark.parametrize("made", [traces.the_case, traces.the_twin, traces.in_trouble])
def test_pictures_are_valid_and_whole(made: Callable[[], Trace]) -> None:
    trace = made()
    pictures = trace_lanes(trace)
    for each in pictures:
        for svg in (*drawings(each.wide), *drawings(each.narrow)):
            check_svg(svg)
    shown = all_texts(pictures)
    cells = " ".join(cell for each in pictures for row in each.rows for cell in row)
    for leg in trace.legs:
        assert leg.record.shipment.record_id[:8] in shown
        assert words.leg_name(leg) in cells
    for discrepancy in trace.discrepancies:
        assert discrepancy.rule_id in shown
        assert discrepancy.rule_id in cells


def test_narrow_pictures_fit_a_phone() -> None:
    for each in trace_lanes(traces.the_case()):
        for svg in drawings(each.narrow):
            assert float(check_svg(svg).attrib["width"]) <= 328


def test_a_long_time_without_records_is_said() -> None:
    trace = traces.the_case()
    last = trace.events[-1]
    later = last.at.ToDatetime() + timedelta(days=3)
    trace.events.add(kind="arrived", leg=last.leg, node=last.node, utc_offset_minutes=480).at.FromDatetime(later)
    assert any("without any record" in note for each in trace_lanes(trace) for note in each.notes)


def test_nothing_found_is_no_picture() -> None:
    assert trace_lanes(Trace()) == []


def test_hostile_texts_are_text() -> None:
    trace = traces.the_case()
    for text in HOSTILE:
        trace.legs[0].record.shipment.goods[0].description = text
        for each in trace_lanes(trace):
            for svg in (*drawings(each.wide), *drawings(each.narrow)):
                check_svg(svg)
