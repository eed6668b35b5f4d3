"""Calls that are left at once: counted for each caller, who is shut out after too many."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from gateway.errors import OverloadedError
from gateway.rpc.fairness.caller_connections import (
    ABANDONED_BURST,
    ABANDONED_PER_S,
    SHARED_BURST,
    SHUT_OUT_S,
    AbandonedCalls,
)


class Seconds:
    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def run(test: Callable[[AbandonedCalls, Seconds], Coroutine[Any, Any, None]]) -> None:
    clock = Seconds()
    asyncio.run(test(AbandonedCalls(clock), clock))


def leave(calls: AbandonedCalls, caller: str, count: float, *, through: str = "") -> list[bool]:
    return [calls.count(caller, shared_with=through) for _ in range(int(count))]


def test_a_caller_that_leaves_too_many_is_shut_out_for_a_while_and_no_other_is() -> None:
    async def test(calls: AbandonedCalls, clock: Seconds) -> None:
        leave(calls, "gateway/hk", ABANDONED_BURST)
        calls.require_served("gateway/hk")
        assert calls.shut_out_nodes() == frozenset()
        leave(calls, "gateway/hk", 1)
        with pytest.raises(OverloadedError) as refused:
            calls.require_served("gateway/hk")
        assert refused.value.retry_after_s == SHUT_OUT_S
        calls.require_served("gateway/mo")
        assert calls.shut_out_nodes() == {"hk"}
        clock.now_s += SHUT_OUT_S
        calls.require_served("gateway/hk")
        assert calls.shut_out_nodes() == frozenset()

    run(test)


def test_own_systems_are_shut_out_without_their_node() -> None:
    async def test(calls: AbandonedCalls, _: Seconds) -> None:
        leave(calls, "system/cn/desk", ABANDONED_BURST + 1)
        with pytest.raises(OverloadedError):
            calls.require_served("system/cn/desk")
        assert calls.shut_out_nodes() == frozenset()

    run(test)


def test_a_few_a_second_are_no_harm() -> None:
    async def test(calls: AbandonedCalls, clock: Seconds) -> None:
        leave(calls, "gateway/hk", ABANDONED_BURST)
        for _ in range(100):
            clock.now_s += 1
            leave(calls, "gateway/hk", ABANDONED_PER_S)
        calls.require_served("gateway/hk")

    run(test)


def test_persons_count_each_for_itself_and_their_console_only_for_those_who_are_shut_out() -> None:
    async def test(calls: AbandonedCalls, _: Seconds) -> None:
        console = "system/cn/console"
        for number in range(200):
            assert not any(leave(calls, f"person/cn/{number}", ABANDONED_BURST / 2, through=console))
        calls.require_served(console)
        ends = leave(calls, "person/cn/0", ABANDONED_BURST / 2 + SHARED_BURST, through=console)
        assert not any(ends)  # others call through these connections
        with pytest.raises(OverloadedError):
            calls.require_served("person/cn/0")
        calls.require_served("person/cn/1")
        calls.require_served(console)
        assert leave(calls, "person/cn/0", 1, through=console) == [True]
        with pytest.raises(OverloadedError):
            calls.require_served(console)

    run(test)
