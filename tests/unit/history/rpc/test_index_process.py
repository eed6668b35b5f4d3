"""The index goes before rules, since they share a process, and not for ever."""

from __future__ import annotations

import pytest

from gateway.history.rpc.index_process import (
    EVALUATE,
    INDEX,
    MOST_UNEVALUATED,
    MOST_UNINDEXED,
    is_behind,
)
from gateway.history.tables.progress import RecordProgress


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
