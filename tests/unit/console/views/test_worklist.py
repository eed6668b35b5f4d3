"""The worklist's tabs and their counts, the parts of a row that a person chooses, and who has how much."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from gateway.console.current import CurrentPage, set_current_page
from gateway.console.languages import ReaderLocale
from gateway.console.views.worklist import LOADS, PARTS, RowLayout, counted, list_tabs, loads_of, nobodys
from gateway.v1.casework_service_pb2 import (
    ASSIGNEE_SCOPE_NOBODY,
    Colleague,
    InboxCount,
    InboxFilter,
    SavedView,
)


@pytest.fixture(autouse=True)
def _in_english() -> None:
    set_current_page(CurrentPage(ReaderLocale("en", ZoneInfo("Asia/Macau")), "", ""))


def test_each_tab_has_the_count_of_its_list_and_says_when_there_are_more() -> None:
    tabs = list_tabs([SavedView(view_id="v", name="Night", filter=InboxFilter(text="gallium"))])
    assert tabs[-1].asked.text == "gallium"
    counts = [InboxCount(total=number) for number in range(len(tabs) - 1)]
    counts[-1] = InboxCount(total=10_000, more_than_total=True)
    shown = counted(tabs, counts)
    assert shown[0] == ("/inbox", "To do", "0")
    assert shown[-2] == ("/inbox?scope=all&order=newest", "All", "10,000+")
    assert shown[-1] == ("/inbox?view=v", "Night", None), "beyond the lists that were counted"


def test_a_chosen_layout_is_kept_as_it_was_chosen() -> None:
    first = RowLayout.of(None)
    assert not first.compact
    assert set(PARTS) - first.parts == {"suspicion"}
    for names in ([], ["compact"], ["compact", "mass", "route"], ["sent"]):
        chosen = RowLayout.chosen(names)
        assert RowLayout.of(chosen.text) == chosen
        assert chosen.compact is ("compact" in names)
        assert chosen.parts == set(names) - {"compact"}


@pytest.mark.parametrize("text", ["", "none", "x" * 10_000, "compact.<script>", "....", "\x00"])
def test_what_a_browser_keeps_is_never_trusted(text: str) -> None:
    layout = RowLayout.of(text)
    assert layout.parts == frozenset()
    assert layout.compact is (text.startswith("compact"))


def test_who_has_most_overdue_stands_first_after_what_is_nobodys() -> None:
    colleagues = [
        Colleague(person="a", display_name="Ana", wanted=9, urgent=1),
        Colleague(person="b", display_name="Bo", wanted=2, overdue=1, due_within_hour=2),
    ]
    nobody = [InboxCount(total=number) for number in range(len(LOADS))]
    rows = loads_of(colleagues, nobody)
    assert [row.name for row in rows] == ["Nobody", "Bo", "Ana"]
    assert [amount for amount, _path in rows[0].loads] == [0, 1, 2, 3]
    assert rows[1].loads[2] == (1, "/inbox?assignee=person%3Ab&due=overdue")
    assert [one.assignees for one in nobodys()] == [ASSIGNEE_SCOPE_NOBODY] * len(LOADS)
