"""What one node's officers are shown: every change of alerts, when it came, and whether it came once.

Uses the product's own client, which reconnects by itself and goes on where it was.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

from demo.pairs import pair_of
from gateway.client import GatewayClient
from gateway.errors import GatewayError
from gateway.v1.alert_service_pb2 import AlertChange

Place = tuple[str, int]
"""An entry: the feed's name, and the index in it."""


@dataclass(frozen=True, slots=True)
class Sight:
    """A change as it came; `at_s` by the clock `time.perf_counter`."""

    at_s: float
    change: AlertChange

    @property
    def place(self) -> Place:
        return self.change.entry.origin, self.change.entry.index

    @property
    def kind(self) -> str:
        return self.change.event.WhichOneof("event") or ""


class Eyes:
    """Officers of one node, watching from the first position on."""

    def __init__(self, node: str, on_sight: Callable[[str, Sight], None] = lambda _node, _sight: None) -> None:
        self.node = node
        self.on_sight = on_sight
        self.sights: list[Sight] = []
        self.times_seen: Counter[Place] = Counter()
        self.interruptions = 0
        self._first: dict[Place, Sight] = {}
        self._waiting: dict[Place, asyncio.Event] = {}
        self._task: asyncio.Task[None] | None = None

    def open(self, client: GatewayClient) -> None:
        """Begins to watch."""
        self._task = asyncio.create_task(self._watch(client))

    async def close(self) -> None:
        """Ends the watch."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def see(self, origin: str, index: int) -> Sight:
        """Waits until an entry has been shown; returns its first sight."""
        place = (origin, index)
        if place not in self._first:
            await self._waiting.setdefault(place, asyncio.Event()).wait()
        return self._first[place]

    def published(self, pair: str) -> list[str]:
        """Ids of the alerts that were shown as published between a pair, in the order in which they came."""
        return [
            sight.change.alert.alert_id
            for sight in self.sights
            if sight.kind == "published" and pair_of(sight.change.entry.origin) == pair
        ]

    async def _watch(self, client: GatewayClient) -> None:
        async with aclosing(client.watch(on_interruption=self._interrupted)) as changes:
            async for change in changes:
                self._note(Sight(time.perf_counter(), change))

    def _note(self, sight: Sight) -> None:
        self.sights.append(sight)
        self.times_seen[sight.place] += 1
        self._first.setdefault(sight.place, sight)
        waiting = self._waiting.pop(sight.place, None)
        if waiting is not None:
            waiting.set()
        self.on_sight(self.node, sight)

    def _interrupted(self, _: GatewayError) -> None:
        self.interruptions += 1
