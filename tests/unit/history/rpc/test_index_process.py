"""The index goes before rules and filters, since they share a process, and not for ever."""

from __future__ import annotations

import pytest

from gateway.history.rpc.index_process import (
    EVALUATE,
    INDEX,
    MOST_UNEVALUATED,
    MOST_UNFILTERED,
    MOST_UNINDEXED,
    is_behind,
    is_filter_due,
)
from gateway.history.tables.progress import RecordProgress
from gateway.history.tables.segments import SEGMENT_BITS


@pytest.mark.parametrize(
    ("indexed", "evaluated", "last", "evaluates"),
    [
        (0, 0, 0, False),
        (10, 10, 10, False),
        (10, 0, 10, True),
        (10, 0, 9 + MOST_UNINDEXED, True),
        (10, 0, 10 + MOST_UNINDEXED, False),  # the index first
        (MOST_UNEVALUATED, 1, MOST_UNEVALUATED + MOST_UNINDEXED, False),
        (MOST_UNEVALUATED, 0, MOST_UNEVALUATED + MOST_UNINDEXED, True),  # and not for ever
    ],
)
def test_rules_wait_for_a_long_backlog_of_the_index(indexed: int, evaluated: int, last: int, evaluates: bool) -> None:
    done = RecordProgress(indexed, evaluated)
    assert is_behind(EVALUATE, done, last) is evaluates
    assert is_behind(INDEX, done, last) is (indexed < last)


def test_what_is_prepared_ahead_counts_as_done() -> None:
    done = RecordProgress(10, 0)
    assert is_behind(INDEX, done, 20, after=19)
    assert not is_behind(INDEX, done, 20, after=20)
    assert is_behind(EVALUATE, done, 20, after=9)
    assert not is_behind(EVALUATE, done, 20, after=10)


def test_a_filter_waits_for_index_and_rules_until_another_segment_is_full() -> None:
    last = (1 << SEGMENT_BITS) - 1
    one_full = RecordProgress(last, last)
    more_full = RecordProgress((MOST_UNFILTERED << SEGMENT_BITS) - 1, 0)
    assert is_filter_due(one_full, last, segment=0)
    assert not is_filter_due(one_full, last + MOST_UNINDEXED, segment=0)
    assert not is_filter_due(RecordProgress(last, last - MOST_UNINDEXED), last, segment=0)  # for the rules
    assert is_filter_due(more_full, more_full.indexed_position + MOST_UNINDEXED, segment=0)
