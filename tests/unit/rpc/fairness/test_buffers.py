"""What is held for one caller."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import grpc.aio
import pytest

from gateway.errors import DeadlineExceededError, MalformedError, OverloadedError
from gateway.rpc.fairness.limits import MAX_UNSENT_BYTES, CallerBuffers

FOREVER_S = 3600.0


def reading(content: object) -> Callable[[], Awaitable[object]]:
    async def read() -> object:
        return content

    return read


async def never() -> object:
    await asyncio.sleep(FOREVER_S)
    return b""


def test_a_request_is_received() -> None:
    assert asyncio.run(CallerBuffers().receive("cn/desk", reading(b"request"))) == b"request"


def test_a_call_without_a_request_is_malformed() -> None:
    with pytest.raises(MalformedError, match="no request"):
        asyncio.run(CallerBuffers().receive("cn/desk", reading(grpc.aio.EOF)))


def test_a_request_that_does_not_come_ends_the_call() -> None:
    with pytest.raises(DeadlineExceededError, match=r"within 0\.01 s"):
        asyncio.run(CallerBuffers(receive_s=0.01).receive("cn/desk", never))


def test_so_many_requests_of_a_caller_are_received_at_once_and_others_do_not_wait() -> None:
    async def run() -> None:
        buffers = CallerBuffers(receiving=2)
        stuck = [asyncio.create_task(buffers.receive("hostile", never)) for _ in range(2)]
        await asyncio.sleep(0)
        waiting = asyncio.create_task(buffers.receive("hostile", reading(b"late")))
        assert await buffers.receive("good", reading(b"at once")) == b"at once"
        assert not waiting.done()
        stuck[0].cancel()
        assert await waiting == b"late"
        stuck[1].cancel()

    asyncio.run(run())


def test_a_caller_that_takes_no_answers_may_not_call_until_it_does() -> None:
    buffers = CallerBuffers()
    buffers.hold("cn/desk", MAX_UNSENT_BYTES - 1)
    buffers.require_room("cn/desk")
    buffers.hold("cn/desk", 1)
    with pytest.raises(OverloadedError) as caught:
        buffers.require_room("cn/desk")
    assert caught.value.retry_after_s == 1.0
    buffers.require_room("cn/other")
    buffers.drop("cn/desk", 1)
    buffers.require_room("cn/desk")
