"""Connections that are ended: once each, at once or after the answer."""

from __future__ import annotations

import asyncio
import threading

from gateway.rpc.fairness.caller_connections import Disconnector


class Ended:
    def __init__(self) -> None:
        self.peers: list[str] = []
        self.threads: set[int] = set()

    def __call__(self, peer: str) -> bool:
        self.peers.append(peer)
        self.threads.add(threading.get_ident())
        return True

    async def count(self, count: int) -> None:
        async with asyncio.timeout(30):
            while len(self.peers) < count:  # noqa: ASYNC110  another thread adds to it
                await asyncio.sleep(0.001)


def test_each_connection_is_ended_once_and_off_the_event_loop() -> None:
    async def run() -> None:
        ended = Ended()
        disconnector = Disconnector(ended, answer_s=0.01)
        for peer in ("ipv4:10.0.0.1:1", "ipv4:10.0.0.1:1", "ipv4:10.0.0.2:1"):
            disconnector.soon(peer)
        disconnector.now("ipv4:10.0.0.1:1")
        await ended.count(2)
        await asyncio.sleep(0.05)
        assert sorted(ended.peers) == ["ipv4:10.0.0.1:1", "ipv4:10.0.0.2:1"]
        assert threading.get_ident() not in ended.threads

    asyncio.run(run())


def test_the_same_address_may_come_again() -> None:
    async def run() -> None:
        ended = Ended()
        disconnector = Disconnector(ended)
        disconnector.now("ipv4:10.0.0.1:1")
        await ended.count(1)
        await asyncio.sleep(0.01)
        disconnector.now("ipv4:10.0.0.1:1")
        await ended.count(2)

    asyncio.run(run())


def test_an_answer_has_time_to_arrive() -> None:
    async def run() -> None:
        ended = Ended()
        Disconnector(ended, answer_s=60.0).soon("ipv4:10.0.0.1:1")
        await asyncio.sleep(0.02)
        assert ended.peers == []

    asyncio.run(run())
