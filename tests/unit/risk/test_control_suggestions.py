"""Suggested control codes: how often they are right, and that each says what led to it and what is lacking."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.control_codes import Counts, count
from gateway.risk.control_suggestions import ControlSuggester, ControlSuggestion, FactKind, holds_on
from gateway.risk.controlled_goods import ControlledGoods
from gateway.risk.controlled_goods_file import load_controlled_goods
from gateway.risk.goods_words import load_goods_words
from tests.support.shown_commands import ROOT

GOODS, WORDS = load_controlled_goods(), load_goods_words()
SUGGESTER = ControlSuggester(GOODS, WORDS)


def facts(suggestion: ControlSuggestion) -> dict[FactKind, tuple[str, str]]:
    return {fact.kind: (fact.value, fact.words) for fact in suggestion.because}


@pytest.mark.drift
def test_the_figures_are_those_of_the_document() -> None:
    known, new = count(seen=True), count(seen=False)
    text = " ".join((ROOT / "docs" / "controlled-goods.md").read_text("utf-8").split())
    said = re.search(
        r"(\d+) of (\d+) .*?; of those written after them (\d+) of (\d+), (\d+) among the first three", text
    )
    assert said is not None
    assert tuple(map(int, said.groups())) == (known.first, known.controlled, new.first, new.controlled, new.three)
    free = re.search(r"(\d+) of (\d+) under no control get none", text)
    assert free is not None
    assert tuple(map(int, free.groups())) == (known.silent + new.silent, known.free + new.free)


def test_most_descriptions_get_their_code_first() -> None:
    known, new = count(seen=True), count(seen=False)
    assert known.first >= 0.95 * known.controlled
    assert new.first >= 0.7 * new.controlled
    assert isinstance(new, Counts)


def test_a_suggestion_says_which_words_and_facts_led_to_it() -> None:
    first = SUGGESTER.suggest("Dysprosium oxide powder")[0]
    assert (first.good.control_code, first.fits) == ("1C905.b", True)
    assert facts(first) == {
        FactKind.ELEMENT: ("Dy", "dysprosium"),
        FactKind.KIND: ("oxide", "oxide"),
        FactKind.SHAPE: ("powder", "powder"),
    }
    assert first.codes[0] == "28469015"


def test_it_says_what_would_tell_it_from_its_neighbours() -> None:
    without = SUGGESTER.suggest("Bismuth ingots")
    assert {each.good.control_code for each in without} == {"6C001.a", "1C229"}
    (pure,) = [each for each in without if each.good.control_code == "1C229"]
    assert ("purity", ">= 99.99 %") in [(fact.kind, fact.value) for fact in pure.lacking]
    assert SUGGESTER.suggest("Bismuth ingots", purity=99.99)[0].good.control_code == "1C229"
    assert [each.good.control_code for each in SUGGESTER.suggest("Bismuth ingots", purity=99.9)] == ["6C001.a"]
    unnamed = SUGGESTER.suggest("Goods", element="Dy")
    assert unnamed
    assert all(any(fact.kind is FactKind.KIND for fact in each.lacking) for each in unnamed)


@pytest.mark.parametrize(
    "text",
    [
        "Antimony-free flame retardant",
        "sem antimónio",
        "不含锑",
        "Tungsten filament lamps",
        "Antimony trioxide 99.5 %",
        "Cotton shirts",
        "",
    ],
)
def test_what_is_absent_a_part_or_not_pure_enough_gives_no_suggestion(text: str) -> None:
    assert SUGGESTER.suggest(text) == []


def test_an_own_list_is_read_like_the_built_in_one() -> None:
    line = next(good for good in GOODS if good.control_code == "1C905.b")
    own = replace(line, substance="neodymium oxide >=99.5 %", element="Nd", control_code="9X999", code="28469013")
    suggester = ControlSuggester(ControlledGoods((own,), GOODS.announcements), WORDS)
    assert [each.good.control_code for each in suggester.suggest("氧化钕 99.9%")] == ["9X999"]
    assert suggester.suggest("氧化钕 98%") == []


def test_a_line_that_was_not_announced_yet_is_not_suggested() -> None:
    found = SUGGESTER.suggest("Dysprosium oxide")
    assert holds_on(found, date(2025, 4, 3)) == []
    assert holds_on(found, date(2025, 4, 4)) == found


@given(st.text(max_size=200), st.sampled_from(["", "Dy", "Xx"]), st.none() | st.floats(0, 100))
def test_any_text_gets_suggestions_with_their_grounds(text: str, element: str, purity: float | None) -> None:
    for each in SUGGESTER.suggest(text, element=element, purity=purity):
        assert each.because
        assert each.fits == (not each.lacking)
