"""How long a client waits between attempts: longer each time up to a bound, and shortest again after a success."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from types import SimpleNamespace
from typing import Any, cast

import grpc
import grpc.aio
import pytest

from gateway.client.connection import FIRST_BACKOFF_S, LONGEST_BACKOFF_S, Backoff, Connection
from gateway.client.resuming import resumed
from gateway.errors import UnavailableError
from gateway.v1.alert_service_pb2 import WatchAlertsResponse

JITTER = 0.2
NOBODY = UnavailableError("nobody listens")
BROKEN = grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata())
DOUBLING = [min(FIRST_BACKOFF_S * 2**number, LONGEST_BACKOFF_S) for number in range(12)]


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds of each pause, of which none is made."""
    made: list[float] = []

    async def noted(pause_s: float) -> None:
        made.append(pause_s)

    monkeypatch.setattr(asyncio, "sleep", noted)
    return made


class Call:
    """A stream that says so much, and breaks."""

    def __init__(self, responses: int) -> None:
        self._responses = responses

    async def __aiter__(self) -> AsyncIterator[WatchAlertsResponse]:
        for _ in range(self._responses):
            yield WatchAlertsResponse()
        raise BROKEN

    async def wait_for_connection(self) -> None:
        if not self._responses:
            raise BROKEN

    def cancel(self) -> None:
        pass


def watch(open_stream: Callable[[], Call]) -> AsyncGenerator[WatchAlertsResponse, None]:
    connection = cast(Connection, SimpleNamespace(error=lambda _: NOBODY))
    return resumed(connection, cast(Any, open_stream), until_end=False, on_interruption=None)


def test_a_watch_against_nobody_waits_twice_as_long_each_time_up_to_a_bound(waits: list[float]) -> None:
    answers = iter([0] * len(DOUBLING) + [1])

    async def run() -> None:
        async with aclosing(watch(lambda: Call(next(answers)))) as responses:
            await anext(responses)

    asyncio.run(run())
    assert waits == [pytest.approx(pause_s, rel=JITTER) for pause_s in DOUBLING]


def test_a_watch_that_went_on_begins_with_the_shortest_again(waits: list[float]) -> None:
    answers = iter([0, 0, 0, 1, 1])

    async def run() -> None:
        async with aclosing(watch(lambda: Call(next(answers)))) as responses:
            await anext(responses)
            await anext(responses)

    asyncio.run(run())
    assert waits == [pytest.approx(pause_s, rel=JITTER) for pause_s in (*DOUBLING[:3], FIRST_BACKOFF_S)]


def test_what_the_gateway_demands_is_waited_for(waits: list[float]) -> None:
    asyncio.run(Backoff().pause(UnavailableError("full", retry_after_s=30)))
    assert waits == [30]
