"""What the demo prints fits a terminal of 80 columns, and loses neither ticks nor measurements."""

from __future__ import annotations

import re
from dataclasses import replace
from io import StringIO

import pytest
from rich.cells import cell_len
from rich.console import Console

from demo.facts import Carried, Evidence, Facts
from demo.screen import FeedView, Screen, wrap_cells
from demo.summary import judge, medians
from tests.unit.demo.test_summary import good

TITLES = {"cn": "Mainland", "hk": "Hong Kong", "mo": "Macao"}


def screen(width: int) -> Screen:
    return Screen(Console(file=StringIO(), width=width, force_terminal=False), TITLES)


def printed(shown: Screen) -> str:
    assert isinstance(shown.console.file, StringIO)
    text = shown.console.file.getvalue()
    assert max(map(cell_len, text.splitlines())) <= shown.console.width
    return text


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("holds", [True, False])
def test_the_summary_has_every_tick_and_measurement(width: int, holds: bool) -> None:
    facts: Facts = good()
    long = Evidence("evidence.zip", 1, {"a checkpoint of another feed": "5 inclusion"}, {})
    facts = facts if holds else replace(facts, evidence=long)
    shown = screen(width)
    checks = judge(facts)
    shown.summary(checks, medians(facts), 12.0)
    text = printed(shown)
    assert text.count("✓") + text.count("✗") == len(checks)
    letters = squeezed(text)
    for check in checks:
        assert check.measured.replace(" ", "")[:8] in letters
        assert check.what.split()[0] in letters
    for word in ("5 inclusion",) if not holds else ():
        assert squeezed(word) in letters


def test_a_message_that_is_long_goes_on_below_its_times() -> None:
    shown = screen(80)
    shown.legend()
    shown.carried(Carried("cn", "hk", "an alert about antimony ingots that were declared as lead 锑锭", 5, 12, 15, 18))
    first, *rest = printed(shown).splitlines()[7:]
    assert first.endswith("18.0")
    assert squeezed(first[12:-36] + "".join(rest)) == squeezed(
        "an alert about antimony ingots that were declared as lead 锑锭"
    )


def test_lines_are_filled_by_cells() -> None:
    assert wrap_cells("锑锭 lead", 5) == ["锑锭", "lead"]
    assert wrap_cells("x" * 12, 5) == ["xxxxx", "xxxxx", "xx"]


def test_the_live_view_shows_a_cut_link_as_cut() -> None:
    shown = screen(100)
    shown.feeds["cn", "hk"] = FeedView(9, 0, "cut")
    shown.feeds["hk", "cn"] = FeedView(9, 3)
    shown.feeds["cn", "mo"] = FeedView(9, 0)
    shown.console.print(shown._view())
    text = printed(shown)
    assert "CUT, 0 wait" in " ".join(text.split())
    assert "backlog 3" in text
    assert text.count("receipted") == 1
