"""Links to a partner that isn't reached wait together: one tries at times, and all once it is connected."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from gateway.errors import DirectoryError
from gateway.rpc.peers import Peers, Reconnection

LINKS = 4


class Line:
    """The line to a partner; stands in for `Peers`, which would need a partner. Each `connected` takes an answer."""

    def __init__(self) -> None:
        self.answers: asyncio.Queue[bool] = asyncio.Queue()
        self.asked = 0

    async def connected(self, partner: str, *, within_s: float) -> bool:
        assert (partner, within_s > 0) == ("hk", True)
        self.asked += 1
        return await self.answers.get()


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def run(test: Callable[[Line, Reconnection, list[asyncio.Event], list[asyncio.Task[None]]], Awaitable[None]]) -> None:
    async def main() -> None:
        line = Line()
        reconnection = Reconnection("hk", cast("Peers", line))
        kicks = [asyncio.Event() for _ in range(LINKS)]
        links = [asyncio.create_task(reconnection.wait(kick)) for kick in kicks]
        await settled()
        await test(line, reconnection, kicks, links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)
        await settled()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


def test_one_attempt_serves_all_links() -> None:
    async def test(line: Line, _: Reconnection, kicks: list[asyncio.Event], links: list[asyncio.Task[None]]) -> None:
        assert line.asked == 1
        line.answers.put_nowait(True)
        await settled()
        assert all(link.done() for link in links)
        assert all(kick.is_set() for kick in kicks)
        assert line.asked == 1

    run(test)


def test_without_a_connection_one_link_after_the_other_tries() -> None:
    async def test(
        line: Line, reconnection: Reconnection, kicks: list[asyncio.Event], links: list[asyncio.Task[None]]
    ) -> None:
        line.answers.put_nowait(False)
        await settled()
        assert [link.done() for link in links] == [True, False, False, False]
        kicks[0].clear()
        links.append(asyncio.create_task(reconnection.wait(kicks[0])))  # its attempt has failed
        await settled()
        line.answers.put_nowait(False)
        await settled()
        assert [kick.is_set() for kick in kicks] == [False, True, False, False]

    run(test)


def test_a_link_that_is_kicked_leaves_and_the_last_one_ends_the_attempt() -> None:
    async def test(
        line: Line, reconnection: Reconnection, kicks: list[asyncio.Event], links: list[asyncio.Task[None]]
    ) -> None:
        for kick in kicks:
            kick.set()
        await settled()
        assert all(link.done() for link in links)
        assert [task.get_name() for task in asyncio.all_tasks() if task.get_name().startswith("connection")] == []
        kicks[0].clear()
        links.append(asyncio.create_task(reconnection.wait(kicks[0])))
        await settled()
        assert line.asked == 2

    run(test)


def test_a_partner_without_address_is_tried_by_one_link_at_times(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_address(*_: object, **__: object) -> bool:
        raise DirectoryError("no endpoint")

    monkeypatch.setattr(Line, "connected", no_address)
    monkeypatch.setattr("gateway.rpc.peers.ATTEMPT_EVERY_S", 0.01)

    async def test(_: Line, __: Reconnection, kicks: list[asyncio.Event], ___: list[asyncio.Task[None]]) -> None:
        await kicks[0].wait()
        assert not kicks[-1].is_set()

    run(test)


def test_all_links_log_once_why_a_partner_isn_t_reached_and_that_it_is_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    reconnection = Reconnection("hk", cast("Peers", Line()))
    for _ in range(LINKS):
        reconnection.lost("UNAVAILABLE: refused")
    reconnection.lost("UNAVAILABLE: timed out")
    for _ in range(LINKS):
        reconnection.regained()
    assert [record.getMessage() for record in caplog.records] == [
        "hk isn't reached: UNAVAILABLE: refused",
        "hk isn't reached: UNAVAILABLE: timed out",
        "hk is reached again",
    ]
