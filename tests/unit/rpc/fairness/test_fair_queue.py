"""The queue of a worker process: callers in turn, bounded for each."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import UnavailableError
from gateway.rpc.fairness.pacing import FairQueue


@given(st.lists(st.sampled_from("abc"), max_size=40))
def test_callers_take_turns_and_keep_their_order(callers: list[str]) -> None:
    queue: FairQueue[tuple[str, int]] = FairQueue()
    for number, caller in enumerate(callers):
        queue.put(caller, (caller, number), 1)

    order = [item for _ in callers for item in queue.get()]

    for caller in set(callers):
        assert [item for item in order if item[0] == caller] == [
            (one, number) for number, one in enumerate(callers) if one == caller
        ]
    for at, (caller, _) in enumerate(order):
        others = {later for later, _ in order[at + 1 :]} - {caller}
        following = [later for later, _ in order[at + 1 : at + 1 + len(others)]]
        assert set(following) == others  # each other caller that waits is order before this one again


def test_a_caller_with_a_thousand_items_holds_up_another_by_one() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(1_000):
        queue.put("many", f"many {number}", 1)
    queue.put("few", "few", 1)

    assert queue.get(2, 100) == ["many 0", "few"]


def test_what_waits_for_a_caller_is_bounded_and_the_others_have_room() -> None:
    queue: FairQueue[int] = FairQueue(max_caller_bytes=100)
    queue.put("a", 1, 60)
    with pytest.raises(UnavailableError, match="too much is waiting") as refused:
        queue.put("a", 2, 60)
    assert refused.value.retry_after_s
    queue.put("b", 3, 60)

    assert queue.get() == [1]
    queue.put("a", 4, 60)
    assert [queue.get(), queue.get()] == [[3], [4]]
    queue.put("a", 5, 1_000)  # one item, however large: the listeners bound it
    assert queue.get() == [5]


def test_close_ends_the_wait_and_returns_the_rest() -> None:
    queue: FairQueue[int] = FairQueue()
    got: list[list[int]] = []
    thread = threading.Thread(target=lambda: got.append(queue.get()))
    thread.start()
    time.sleep(0.05)  # it waits by then; should it not, the result is the same
    assert queue.close() == []
    thread.join(5)
    assert got == [[]]

    other: FairQueue[int] = FairQueue()
    for number, caller in enumerate("aab"):
        other.put(caller, number, 1)
    assert sorted(other.close()) == [0, 1, 2]
    assert other.get() == []
    with pytest.raises(UnavailableError):
        other.put("a", 3, 1)


def test_small_items_are_taken_together_and_large_ones_alone() -> None:
    queue: FairQueue[int] = FairQueue()
    for number, size in enumerate((10, 10, 100, 10, 40, 10)):
        queue.put("a", number, size)

    assert queue.get(max_items=9, max_bytes=50, wait=False) == [0, 1]
    assert queue.get(max_items=9, max_bytes=50, wait=False) == []  # the next one is too large to go unasked
    assert queue.get(max_items=9, max_bytes=50) == [2]
    assert queue.get(max_items=9, max_bytes=50) == [3, 4]
    assert queue.get(max_items=9, max_bytes=50, wait=False) == [5]
    assert queue.get(wait=False) == []
