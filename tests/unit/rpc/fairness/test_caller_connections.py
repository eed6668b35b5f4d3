"""Who calls on which connection, by a port's open connections."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gateway.errors import OverloadedError
from gateway.rpc.fairness.caller_connections import CallerConnections, Disconnector
from gateway.rpc.fairness.sockets import Address

ONE, TWO, THREE = (Address("10.0.0.1", port) for port in (1, 2, 3))


class Port:
    """A port's connections with a time of their own, and those that were ended."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.ended: list[str] = []
        self.callers = CallerConnections(
            2, Disconnector(self.ended.append, answer_s=0.0), silent_s=10.0, monotonic_s=lambda: self.now_s
        )

    async def ended_after(self, seconds: float, *connected: Address) -> list[str]:
        """What is ended when these are connected so much later."""
        self.now_s += seconds
        self.callers.sweep(set(connected))
        await asyncio.sleep(0.02)
        return self.ended


def at_port(test: Callable[[Port], Awaitable[None]]) -> None:
    async def run() -> None:
        await test(Port())

    asyncio.run(run())


def test_a_connection_on_which_nobody_calls_is_ended() -> None:
    async def test(port: Port) -> None:
        port.callers.admit(ONE.peer, "hk")
        assert await port.ended_after(0.0, ONE, TWO) == []
        assert await port.ended_after(9.9, ONE, TWO) == []
        assert await port.ended_after(0.2, ONE, TWO) == [TWO.peer]

    at_port(test)


def test_a_call_in_time_keeps_it() -> None:
    async def test(port: Port) -> None:
        await port.ended_after(0.0, ONE)
        port.callers.admit(ONE.peer, "hk")
        assert await port.ended_after(100.0, ONE) == []

    at_port(test)


def test_the_same_address_later_begins_anew() -> None:
    async def test(port: Port) -> None:
        await port.ended_after(0.0, ONE)
        await port.ended_after(9.0)
        assert await port.ended_after(9.0, ONE) == []

    at_port(test)


def test_a_caller_has_so_many_and_others_have_theirs() -> None:
    async def test(port: Port) -> None:
        for _ in range(3):
            port.callers.admit(ONE.peer, "hk")
        port.callers.admit(TWO.peer, "hk")
        with pytest.raises(OverloadedError, match="2 connections are open"):
            port.callers.admit(THREE.peer, "hk")
        port.callers.admit(THREE.peer, "mo")
        await asyncio.sleep(0.02)
        assert port.ended == [THREE.peer]

    at_port(test)


def test_connections_that_ended_make_room() -> None:
    async def test(port: Port) -> None:
        port.callers.admit(ONE.peer, "hk")
        port.callers.admit(TWO.peer, "hk")
        await port.ended_after(1.0, TWO)
        port.callers.admit(THREE.peer, "hk")
        with pytest.raises(OverloadedError):
            port.callers.admit(ONE.peer, "hk")

    at_port(test)


def test_an_address_that_another_caller_has_now_counts_for_that_one() -> None:
    async def test(port: Port) -> None:
        port.callers.admit(ONE.peer, "hk")
        port.callers.admit(ONE.peer, "mo")
        port.callers.admit(TWO.peer, "hk")
        port.callers.admit(THREE.peer, "hk")

    at_port(test)
