"""Pacing: a batch alone isn't slowed, and beside others it is; counts, not times."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from gateway.errors import OverloadedError
from gateway.rpc.fairness import pacing
from gateway.rpc.fairness.pacing import PROMPT_CALLS, PROMPT_DEBT, REFUSAL_BURST, CallPacer

MANY = 2_000


def paced(test: Callable[[CallPacer], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        await asyncio.wait_for(test(CallPacer()), 30)

    asyncio.run(run())


async def one_call(pacer: CallPacer, caller: str, seconds: float = 0.0) -> None:
    turn = await pacer.enter(caller)
    try:
        await asyncio.sleep(seconds)
    finally:
        pacer.leave(turn)


async def one_after_the_other(pacer: CallPacer, caller: str, calls: int) -> None:
    """As somebody calls who waits for each answer; the node takes 5 ms for each."""
    for _ in range(calls):
        turn = await pacer.enter(caller)
        assert turn.prompt
        await asyncio.sleep(0.005)
        pacer.leave(turn)


async def cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def batch(pacer: CallPacer, caller: str, calls: int) -> tuple[list[asyncio.Task[None]], list[int]]:
    """Calls at once, and what has been answered of them."""
    answered: list[int] = []

    async def call(number: int) -> None:
        await one_call(pacer, caller)
        answered.append(number)

    return [asyncio.create_task(call(number)) for number in range(calls)], answered


def test_a_batch_alone_waits_for_nothing() -> None:
    async def test(pacer: CallPacer) -> None:
        tasks, answered = batch(pacer, "many", MANY)
        for _ in range(100):  # turns of the loop, not times
            await asyncio.sleep(0)
        assert len(answered) == MANY
        await asyncio.gather(*tasks)

    paced(test)


def test_a_batch_beside_others_goes_on_slowly_and_in_order_and_the_others_wait_for_nothing() -> None:
    async def test(pacer: CallPacer) -> None:
        await one_after_the_other(pacer, "few", 20)
        tasks, answered = batch(pacer, "many", MANY)
        await one_after_the_other(pacer, "few", 100)  # each of them at once
        assert PROMPT_CALLS < len(answered) < MANY / 4
        assert answered == sorted(answered)
        await cancelled(tasks)

    paced(test)


def test_a_call_of_another_caller_slows_a_batch_before_it_is_answered() -> None:
    async def test(pacer: CallPacer) -> None:
        first, answered = batch(pacer, "many", MANY)
        await asyncio.gather(*first)
        waits = await pacer.enter("few")  # and nothing of it is answered yet
        await asyncio.sleep(0.3)
        tasks, answered = batch(pacer, "many", MANY)
        await asyncio.sleep(0.05)
        assert len(answered) < MANY / 4
        pacer.leave(waits)
        await cancelled(tasks)

    paced(test)


def test_two_batches_alone_are_left_to_the_fair_queues() -> None:
    async def test(pacer: CallPacer) -> None:
        async def waves(caller: str) -> None:
            """As group commits answer: all at once."""
            for _ in range(20):
                await asyncio.gather(*(one_call(pacer, caller, 0.02) for _ in range(60)))

        async with asyncio.timeout(8):  # a second is enough; at a batch's share it would be twenty
            await asyncio.gather(waves("a"), waves("b"))

    paced(test)


def test_a_costly_call_is_paid_for_by_the_next_ones_of_its_caller() -> None:
    async def test(pacer: CallPacer) -> None:
        await one_call(pacer, "large")
        pacer.charge("large", 20 * PROMPT_DEBT)
        await one_call(pacer, "large")  # nobody else is there
        await one_after_the_other(pacer, "few", 20)
        pacer.charge("large", PROMPT_DEBT / 2)
        await one_call(pacer, "large")
        pacer.charge("large", 2 * PROMPT_DEBT)
        waiting = asyncio.create_task(one_call(pacer, "large"))
        await one_after_the_other(pacer, "few", 20)
        assert not waiting.done()
        await waiting  # as soon as the others are gone

    paced(test)


def test_what_would_wait_too_long_is_refused_with_a_time_to_come_back() -> None:
    async def test(pacer: CallPacer) -> None:
        await one_call(pacer, "large")
        await one_after_the_other(pacer, "few", 40)
        pacer.charge("large", 1_000_000)
        with pytest.raises(OverloadedError) as refused:
            await pacer.enter("large")
        assert refused.value.retry_after_s
        stream = asyncio.create_task(pacer.enter("large", most_s=float("inf")))
        await one_after_the_other(pacer, "few", 5)
        assert not stream.done()
        stream.cancel()

    paced(test)


def test_who_leaves_while_waiting_holds_up_nobody_behind() -> None:
    async def test(pacer: CallPacer) -> None:
        await one_after_the_other(pacer, "few", 20)
        tasks, answered = batch(pacer, "many", 400)
        await asyncio.sleep(0)
        await cancelled(tasks[:-1])
        await tasks[-1]
        assert answered[-1] == 399
        await one_call(pacer, "many")

    paced(test)


def test_many_refusals_of_one_caller_are_held_back_and_those_of_others_are_not() -> None:
    async def test(pacer: CallPacer) -> None:
        answered: list[str] = []

        async def refuse(caller: str) -> None:
            await pacer.hold_refusal(caller)
            answered.append(caller)

        tasks = [asyncio.create_task(refuse("many")) for _ in range(500)]
        await asyncio.sleep(0)
        await refuse("other")
        assert answered[-1] == "other"
        assert REFUSAL_BURST <= len(answered) <= REFUSAL_BURST + 2
        await cancelled(tasks)

    paced(test)


def test_refusals_that_are_held_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "MAX_HELD", 10)
    monkeypatch.setattr(pacing, "MAX_REFUSED", 3)

    async def test(pacer: CallPacer) -> None:
        tasks = [asyncio.create_task(pacer.hold_refusal(f"many {number % 5}")) for number in range(500)]
        await asyncio.sleep(0.05)
        assert sum(not task.done() for task in tasks) <= 10
        await cancelled(tasks)

    paced(test)
