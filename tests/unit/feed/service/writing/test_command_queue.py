"""The writer's queue: callers in turn, bounded for each, and each caller's order."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import OverloadedError, StoreUnavailableError
from gateway.feed.service.writing import command_queue
from gateway.feed.service.writing.command_queue import (
    CALLER_WEIGHT,
    GROUP_WEIGHT,
    SHARED_GROUP_WEIGHT,
    CommandQueue,
    Outcome,
    Urgency,
)
from gateway.feed.service.writing.transaction import Transaction


@dataclass
class Numbered:
    caller: str
    number: int
    weight: int = 1

    def execute(self, tx: Transaction) -> None:
        return


def ignore(_: Outcome) -> None:
    return


def put(queue: CommandQueue, caller: str, number: int = 0, *, weight: int = 1, deferrable: bool = False) -> None:
    queue.put((Numbered(caller, number, weight), ignore), caller=caller, deferrable=deferrable)


def test_an_urgent_command_goes_before_its_callers_others_and_takes_no_turn_of_another() -> None:
    queue = CommandQueue()
    queue.put((Numbered("bulk", 7), ignore), caller="bulk", deferrable=False, urgency=Urgency.LISTS)
    for number in range(3):
        put(queue, "bulk", number, weight=SHARED_GROUP_WEIGHT)
        put(queue, "officer", number, weight=SHARED_GROUP_WEIGHT)
    for number, urgency in ((8, Urgency.URGENT), (9, Urgency.URGENT)):
        queue.put((Numbered("bulk", number), ignore), caller="bulk", deferrable=False, urgency=urgency)

    order: list[tuple[str, int]] = []
    while queue.wait(0):
        order += take(queue)

    assert [number for caller, number in order if caller == "bulk"] == [8, 9, 0, 1, 2, 7]
    assert [number for caller, number in order if caller == "officer"] == [0, 1, 2]
    assert order.index(("officer", 0)) == 1
    assert queue.weight == 0


def take(queue: CommandQueue) -> list[tuple[str, int]]:
    return [(command.caller, command.number) for command, _ in queue.take() if isinstance(command, Numbered)]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 120)), max_size=60))
def test_callers_take_turns_and_keep_their_order(commands: list[tuple[str, int]]) -> None:
    queue = CommandQueue()
    for number, (caller, weight) in enumerate(commands):
        put(queue, caller, number, weight=weight)

    order: list[tuple[str, int]] = []
    while queue.wait(0):
        order += take(queue)

    assert sorted(number for _, number in order) == list(range(len(commands)))
    for caller in "abc":
        numbers = [number for name, number in order if name == caller]
        assert numbers == sorted(numbers)
    for at, (caller, _) in enumerate(order):
        others = {later for later, _ in order[at + 1 :]} - {caller}
        assert {later for later, _ in order[at + 1 : at + 1 + len(others)]} == others
    assert queue.weight == 0


def test_a_small_command_waits_for_a_part_of_a_bulk_load_alone() -> None:
    queue = CommandQueue()
    for number in range(2 * GROUP_WEIGHT):
        put(queue, "many", number)
    put(queue, "few")
    group = take(queue)
    assert ("few", 0) in group
    assert len(group) == SHARED_GROUP_WEIGHT
    assert len(take(queue)) == GROUP_WEIGHT  # alone again


def test_a_caller_that_fills_its_part_leaves_room_to_the_others() -> None:
    queue = CommandQueue()
    put(queue, "many", weight=CALLER_WEIGHT)
    with pytest.raises(OverloadedError) as refused:
        put(queue, "many")
    assert refused.value.retry_after_s
    put(queue, "few")
    take(queue)
    put(queue, "many")


def test_deferred_commands_wait_for_others_or_a_moment() -> None:
    queue = CommandQueue()
    put(queue, "a", 1, deferrable=True)
    assert not queue.wait(0)
    put(queue, "b", 2)
    assert take(queue) == [("a", 1), ("b", 2)], "it came first"
    put(queue, "a", 3, deferrable=True)
    time.sleep(command_queue.DEFER_S)
    assert take(queue) == [("a", 3)]


def test_a_closed_queue_gives_what_it_has() -> None:
    queue = CommandQueue()
    put(queue, "a", 1)
    put(queue, "a", 2, deferrable=True)
    queue.close()
    with pytest.raises(StoreUnavailableError):
        put(queue, "a", 3)
    assert not queue.is_closed
    assert take(queue) == [("a", 2), ("a", 1)]
    assert queue.is_closed
