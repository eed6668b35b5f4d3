"""How far own feeds have come, told beside other changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

import pytest

from gateway.contract.ids import Channel, FeedOrigin
from gateway.feed.rpc.progress import follow_progress, merged
from gateway.feed.rpc.writer_client import ChangeNotifier
from gateway.feed.service.delivery import FeedProgress
from gateway.feed.service.writing.commits import PROJECTED, Commit
from gateway.feed.service.writing.writer import Writer

HK = FeedOrigin("gba.customs.example", "cn", "hk", Channel.ALERTS)
MO = FeedOrigin("gba.customs.example", "cn", "mo", Channel.ALERTS)


class Commits:
    """Stands where the writer announces commits."""

    def on_commit(self, listener: object) -> None:
        self.tell = listener

    def projected(self) -> None:
        self.tell(Commit(topics=frozenset({PROJECTED})))  # type: ignore[operator]


def test_all_feeds_come_first_and_then_those_that_moved() -> None:
    async def main() -> None:
        commits, present = Commits(), {HK: FeedProgress(3, 3), MO: FeedProgress(1, 0)}
        notifier = ChangeNotifier(cast("Writer", commits))
        async with aclosing(follow_progress(notifier, lambda: dict(present))) as moves:
            assert await anext(moves) == present
            coming = asyncio.ensure_future(anext(moves))
            await asyncio.sleep(0)
            commits.projected()  # of something else
            present[MO] = FeedProgress(2, 2)
            commits.projected()
            assert await asyncio.wait_for(coming, 10) == {MO: FeedProgress(2, 2)}

    asyncio.run(main())


async def numbers(first: int, ended: list[int], *, fails: bool = False) -> AsyncGenerator[int, None]:
    try:
        for number in range(first, first + 3):
            await asyncio.sleep(0)
            yield number
        if fails:
            raise ValueError("a source failed")
        await asyncio.Event().wait()
    finally:
        ended.append(first)


def test_merged_sources_keep_their_order_and_are_closed() -> None:
    async def main() -> None:
        ended: list[int] = []
        seen: list[int] = []
        async with aclosing(merged(numbers(0, ended), numbers(10, ended))) as items:
            async for item in items:
                seen.append(item)
                if len(seen) == 6:
                    break
        assert [number for number in seen if number < 10] == [0, 1, 2]
        assert [number for number in seen if number >= 10] == [10, 11, 12]
        assert sorted(ended) == [0, 10]

    asyncio.run(main())


def test_a_source_that_fails_ends_all() -> None:
    async def main() -> None:
        ended: list[int] = []
        with pytest.raises(ValueError, match="a source failed"):
            async for _ in merged(numbers(0, ended, fails=True), numbers(10, ended)):
                pass
        assert sorted(ended) == [0, 10]

    asyncio.run(main())
