"""Tells watchers how far own feeds have come at partners, beside the changes that they follow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import TypeVar

from gateway.contract.ids import FeedOrigin
from gateway.feed.rpc.writer_client import HEARTBEAT_S, ChangeNotifier, set_within
from gateway.feed.service.delivery import FeedProgress

ItemT = TypeVar("ItemT")

Progress = Mapping[FeedOrigin, FeedProgress]


async def follow_progress(notifier: ChangeNotifier, read: Callable[[], Progress]) -> AsyncGenerator[Progress, None]:
    """Yields the progress of all feeds, then of those that have moved.

    A disposition is an entry of the local log, which announces it. A receipt isn't, so that a thousand a second wake
    nobody: it is seen with the disposition that follows it, or after HEARTBEAT_S.

    Args:
        notifier: announces new dispositions.
        read: the progress of all feeds; called in a worker thread.
    """
    moved = asyncio.Event()
    end_subscription = notifier.subscribe(ChangeNotifier.PROJECTED, moved, coalesce=True)
    known: Progress = {}
    try:
        while True:
            moved.clear()
            present = await asyncio.to_thread(read)
            news = {origin: progress for origin, progress in present.items() if known.get(origin) != progress}
            known = present
            if news:
                yield news
            await set_within(moved, HEARTBEAT_S)
    finally:
        end_subscription()


async def merged(*sources: AsyncGenerator[ItemT, None]) -> AsyncGenerator[ItemT, None]:
    """Items of several sources as they come, each source in its order, until one of them ends; closes all."""
    waiting: dict[asyncio.Task[ItemT], AsyncGenerator[ItemT, None]] = {_next(source): source for source in sources}
    try:
        while True:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                source = waiting.pop(task)
                try:
                    item = task.result()
                except StopAsyncIteration:
                    return
                waiting[_next(source)] = source
                yield item
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        for source in sources:
            await source.aclose()


def _next(source: AsyncGenerator[ItemT, None]) -> asyncio.Task[ItemT]:
    async def item() -> ItemT:
        return await anext(source)

    return asyncio.create_task(item())
