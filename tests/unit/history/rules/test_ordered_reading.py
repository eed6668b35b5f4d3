"""Pages over several nodes in one order, read from answers in another, against a plain sort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.history.rules.ordered_reading import (
    MOST_QUESTIONS,
    NodePlace,
    NodeReading,
    RecordKey,
    SpanQuestion,
    merge,
)

NOW_MS = 1_790_000_000_000
YEAR_MS = 365 * 86_400_000


class Answer(NamedTuple):
    """A node's answer: its records, and where it has more."""

    keys: Sequence[RecordKey]
    more_before: int


def ask(recorded: Sequence[RecordKey], question: SpanQuestion, before: int) -> Answer:
    """As a node answers: the newest recorded first, at most `limit` of the span."""
    inside = [
        (position, key)
        for position, key in enumerate(recorded, 1)
        if question.declared_from <= key.declared_ms
        and (not question.declared_until or key.declared_ms < question.declared_until)
        and (not before or position < before)
    ]
    newest = inside[::-1][: question.limit]
    return Answer([key for _, key in newest], newest[-1][0] if len(newest) < len(inside) else 0)


def read(recorded: Sequence[RecordKey], after: RecordKey | None, size: int, most: int) -> tuple[NodeReading, int]:
    """A node read until its first records are sure, and the number of questions."""
    reading, before = NodeReading(after, size, now_ms=NOW_MS, most=most), 0
    for number in range(MOST_QUESTIONS):
        question = reading.question
        if question is None:
            return reading, number
        answer = ask(recorded, question, before if question.goes_on else 0)
        before = answer.more_before
        reading.take(question, answer.keys, more=bool(answer.more_before))
    raise AssertionError("it asks without end")


def pages(
    nodes: Mapping[str, Sequence[RecordKey]], size: int, most: int, away: Sequence[str] = ()
) -> list[list[tuple[str, str]]]:
    """All pages; the n-th node of `away` doesn't answer for the n-th page."""
    found: list[list[tuple[str, str]]] = []
    places = dict.fromkeys(nodes, NodePlace())
    while places:
        gone = away[len(found)] if len(found) < len(away) else ""
        reached = {node: place for node, place in places.items() if node != gone}
        readings = {node: read(nodes[node], place.after, size, most)[0] for node, place in reached.items()}
        page = merge(readings, places, size)
        found.append(list(page.records))
        places = {**page.places, **({gone: places[gone]} if gone in places else {})}
    return found


def plain_sort(nodes: Mapping[str, Sequence[RecordKey]]) -> list[tuple[str, str]]:
    ranked = sorted((-key.declared_ms, node, key.record_id) for node, keys in nodes.items() for key in keys)
    return [(node, record_id) for _, node, record_id in ranked]


TIMES = st.one_of(
    st.integers(0, NOW_MS),
    st.integers(NOW_MS - 3, NOW_MS + 3),
    st.integers(0, 3),
    st.integers(0, 5).map(lambda years: NOW_MS - years * YEAR_MS),
)


@st.composite
def records(draw: st.DrawFn) -> list[RecordKey]:
    """A node's records in the order of recording: any, as they were declared, or the other way round."""
    times = draw(st.lists(TIMES, max_size=60))
    order = draw(st.sampled_from(("any", "declared", "reverse")))
    if order != "any":
        times.sort(reverse=order == "reverse")
    return [RecordKey(at, f"R{number}") for number, at in enumerate(times)]


NODES = st.fixed_dictionaries({node: records() for node in ("cn", "hk", "mo")})


@given(NODES, st.integers(1, 20), st.integers(1, 30))
@settings(max_examples=300)
def test_the_pages_are_the_plain_sort_cut_in_pages(
    nodes: Mapping[str, Sequence[RecordKey]], size: int, most: int
) -> None:
    expected = plain_sort(nodes)
    found = pages(nodes, size, max(size, most))
    assert [record for page in found for record in page] == expected
    assert all(len(page) == size for page in found[:-1])


@given(NODES, st.integers(1, 20), st.lists(st.sampled_from(("", "cn", "hk", "mo")), max_size=6))
def test_a_node_that_is_away_loses_nothing_and_nothing_comes_twice(
    nodes: Mapping[str, Sequence[RecordKey]], size: int, away: Sequence[str]
) -> None:
    expected = plain_sort(nodes)
    found = pages(nodes, size, 30, away)
    shown = [record for page in found for record in page]
    assert sorted(shown) == sorted(expected)
    assert all(page == sorted(page, key=expected.index) for page in found)
    for node in nodes:
        of_node = [record for record in expected if record[0] == node]
        assert [record for record in shown if record[0] == node] == of_node


def test_recorded_as_declared_two_questions_are_enough() -> None:
    recorded = [RecordKey(NOW_MS - (100_000 - at) * 1_000, f"R{at}") for at in range(100_000)]
    reading, questions = read(recorded, None, 50, 10_000)
    assert questions == 2
    assert [key.record_id for key in reading.keys] == [f"R{at}" for at in range(99_999, 99_949, -1)]


def test_an_old_year_recorded_last_takes_few_questions_more() -> None:
    this_year = [RecordKey(NOW_MS - (50_000 - at) * 600_000, f"N{at}") for at in range(50_000)]
    long_ago = [RecordKey(NOW_MS - 5 * YEAR_MS + at * 600_000, f"O{at}") for at in range(50_000)]
    reading, questions = read([*this_year, *long_ago], None, 50, 10_000)
    assert questions <= 16
    assert [key.record_id for key in reading.keys] == [f"N{at}" for at in range(49_999, 49_949, -1)]
