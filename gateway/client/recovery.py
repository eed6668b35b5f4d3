"""Fetches all own feeds of a restored node back from its partners."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import GatewayError
from gateway.v1.node_service_pb2 import LINK_STATE_RECOVERY_REQUIRED, Link

if TYPE_CHECKING:
    from gateway.client.operations import NodeClient

SETTLE_S = 20.0
"""Seconds without progress after which what is left is left to the operator: a partner is away, or lost it too."""

PAUSE_S = 0.5
"""Seconds between two looks at the links, which deliver what recovered entries wait for."""


@dataclass(slots=True)
class RecoveredFeed:
    """What became of an own feed.

    Attributes:
        recovered: entries fetched back.
        size: entries now.
        waiting: entries that wait for others.
        forced: entries applied although what they follow is lost.
        lost: entries signed here that nobody holds any more.
        problem: why it can't be published on yet; empty when it can.
    """

    feed: str
    recovered: int = 0
    size: int = 0
    waiting: int = 0
    forced: int = 0
    lost: int = 0
    problem: str = ""


async def recover_all(
    client: NodeClient, *, settle_s: float = SETTLE_S, on_progress: Callable[[int], None] = lambda _: None
) -> list[RecoveredFeed]:
    """Recovers every own feed that is blocked or waits, until all may be published on or nothing moves any more.

    Args:
        on_progress: is called with numbers of further entries fetched back.
    """
    feeds: dict[str, RecoveredFeed] = {}
    deadline = time.monotonic() + settle_s
    before: list[tuple[int, int, str]] = []
    while True:
        blocked = [link for link in await client.links() if _blocked(link)]
        for feed in feeds.values():
            feed.problem, feed.waiting = "", 0
        for link in blocked:
            feed = feeds.setdefault(link.origin, RecoveredFeed(link.origin))
            await _recover(client, link, feed, on_progress)
        standing = [(feed.size, feed.waiting, feed.problem) for feed in feeds.values()]
        if standing != before:
            before, deadline = standing, time.monotonic() + settle_s
        if not blocked or time.monotonic() > deadline:
            return [feeds[name] for name in sorted(feeds)]
        await asyncio.sleep(PAUSE_S)


def _blocked(link: Link) -> bool:
    return link.direction == "out" and (link.state == LINK_STATE_RECOVERY_REQUIRED or link.waiting > 0)


async def _recover(client: NodeClient, link: Link, feed: RecoveredFeed, on_progress: Callable[[int], None]) -> None:
    feed.size, feed.problem = link.size, link.last_error or "not compared with its recipient yet"
    try:
        response = await client.recover_feed(link.origin)
    except GatewayError as error:
        feed.problem = f"{error.reason}: {error.message}"
        return
    feed.recovered += response.recovered
    feed.forced += response.forced
    feed.lost += response.lost
    feed.size, feed.waiting = response.size, response.waiting
    on_progress(response.recovered)
