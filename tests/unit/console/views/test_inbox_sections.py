"""The sections of the worklist: what is to be acted on now, what is due later, what has no deadline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.console.current import CurrentPage, set_current_page
from gateway.console.languages import ReaderLocale
from gateway.console.views.inbox import InboxLine, inbox_lines, sections_of
from gateway.v1 import alert_pb2, casework_service_pb2
from tests.support.federation import alert

NOW = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)


def row(name: str, *, priority: str = "C", due: timedelta | None = None, wanted: bool = True) -> InboxLine:
    made = casework_service_pb2.InboxRow(partner="cn")
    made.summary.alert.id = name
    made.summary.alert.content.CopyFrom(alert(priority=alert_pb2.Priority.Value(f"PRIORITY_{priority}")))
    made.summary.alert.content.goods.add(net_mass_kg=12_000)
    made.summary.alert.content.goods.add(gross_mass_kg=500.5)
    if wanted:
        made.wanted.add(action=casework_service_pb2.WANTED_ACTION_ACKNOWLEDGE)
    if due is not None:
        made.due_at.FromDatetime(NOW + due)
    (line,) = inbox_lines([made], person="li", names={}, now=NOW)
    return line


@pytest.fixture(autouse=True)
def _in_english() -> None:
    set_current_page(CurrentPage(ReaderLocale("en", ZoneInfo("Asia/Macau")), "", ""))


@pytest.mark.parametrize(
    ("told", "section"),
    [
        ({"priority": "A"}, "now"),
        ({"priority": "A", "due": timedelta(days=1)}, "now"),
        ({"due": timedelta(minutes=-5)}, "now"),
        ({"due": timedelta(minutes=60)}, "now"),
        ({"due": timedelta(minutes=61)}, "due"),
        ({"priority": "B"}, "later"),
        ({"priority": "A", "wanted": False}, ""),
    ],
)
def test_a_row_stands_in_the_section_that_says_when_to_act(told: dict[str, Any], section: str) -> None:
    assert row("1", **told).section == section


def test_sections_keep_the_order_within_and_name_no_empty_one() -> None:
    lines = [row("1", due=timedelta(hours=2)), row("2", priority="A"), row("3"), row("4", due=timedelta(hours=1))]
    found = sections_of(lines, by_urgency=True)
    assert [(heading, [line.key[-1] for line in lines]) for heading, lines in found] == [
        ("Act now", ["2", "4"]),
        ("Due later", ["1"]),
        ("Without a deadline", ["3"]),
    ]
    assert [heading for heading, _ in sections_of(lines, by_urgency=False)] == [""]


def test_a_row_says_what_is_asked_how_much_and_in_which_case() -> None:
    line = row("1")
    assert (line.asked, line.asked_kind) == ("Inspect", "warn")
    assert line.mass == "12,500.5 kg"
    assert line.case_reference == "CASE-2026-0001"
