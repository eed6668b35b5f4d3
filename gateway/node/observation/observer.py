"""Looks at the node every few seconds, for gauges and alarms."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final

from gateway.db.commit_watch import NewsSince
from gateway.db.database import Database
from gateway.errors import GatewayError
from gateway.feed.service.maintenance import Announced
from gateway.feed.service.quotas import Usage
from gateway.node.host.capacity import ResourceUsage
from gateway.node.observation.feeds import FeedObserver
from gateway.node.observation.partners import PartnerObserver
from gateway.node.observation.workers import WorkerObserver
from gateway.rpc.beats import next_beat
from gateway.telemetry.gauges import Labels
from gateway.telemetry.metrics import Metrics

log = logging.getLogger(__name__)

OBSERVE_S: Final = 5.0
"""Seconds between looks: below a scrape's usual interval, and some ten rows each."""

QUIET_S: Final = 15.0
"""The same for the database while nothing is committed: ages grow, and nothing else changes."""

SIZE_S: Final = 60.0
"""Seconds between looks at the database's size, which PostgreSQL counts file by file."""


class Observer:
    """Runs what looks at one node.

    Args:
        usage: of descriptors and connections.
        stored: what partners have had stored today.
    """

    def __init__(
        self,
        *,
        database: Database,
        feeds: FeedObserver,
        partners: PartnerObserver,
        workers: WorkerObserver,
        usage: Callable[[], Sequence[ResourceUsage]],
        stored: Callable[[], Sequence[Usage]],
        metrics: Metrics,
        now: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._feeds = feeds
        self._partners = partners
        self._workers = workers
        self._usage = usage
        self._stored = stored
        self._metrics = metrics
        self._now = now
        self._size_at = float("-inf")
        self._announced = Announced({}, {})
        self._news = NewsSince(database.commits, most_s=QUIET_S)

    async def run(self) -> None:
        """Runs until cancelled. What needs the database has a loop of its own: it may hang."""
        async with asyncio.TaskGroup() as loops:
            loops.create_task(self._look_again(self._look_around), name="observer of memory")
            loops.create_task(self._look_again(self._look_for_news), name="observer of the database")

    async def _look_again(self, look: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await look()
            except GatewayError as error:
                log.debug("%s", error.message)  # its alarm is DATABASE
            except Exception:
                log.exception("a look at the node failed; it is tried again")
            await next_beat(OBSERVE_S)

    async def _look_around(self) -> None:
        self._partners.observe(self._now(), self._announced)
        await asyncio.to_thread(self._workers.observe)

    async def _look_for_news(self) -> None:
        if self._news.is_due:
            await asyncio.to_thread(self._look_into_database)
            self._news.looked()

    def _look_into_database(self) -> None:
        self._announced = Announced.read(self._database)
        self._feeds.observe()
        self._look_at_limits()
        self._look_at_size()

    def _look_at_limits(self) -> None:
        used = self._usage()
        self._metrics.resource_used.replace({(usage.name,): usage.used for usage in used})
        self._metrics.resource_limit.replace({(usage.name,): usage.limit for usage in used})
        of_day: dict[Labels, float] = {}
        bounds: dict[Labels, float] = {}
        for stored in self._stored():
            items, size = ((stored.partner, stored.stored.value, unit) for unit in ("items", "bytes"))
            of_day[items], of_day[size] = stored.items, stored.bytes
            bounds[items], bounds[size] = stored.bound.items, stored.bound.bytes
        self._metrics.quota_used.replace(of_day)
        self._metrics.quota_limit.replace(bounds)

    def _look_at_size(self) -> None:
        if time.monotonic() - self._size_at >= SIZE_S:
            self._metrics.database_bytes.set(self._database.size_bytes())
            self._size_at = time.monotonic()
