"""Puts the parts of shipment history together, as node.assembly does with the rest of a node.

Owns construction and which tasks run. Doesn't own what the parts do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from gateway.node.settings import HistorySettings
from gateway.services.history_index import HistoryIndexer, Retention
from gateway.services.history_record import records_feed
from gateway.services.history_search import HistorySearch
from gateway.store.database import Database
from gateway.transport.bridge import Bridge, Wakeups
from gateway.transport.history_loops import IndexLoop
from gateway.transport.history_service import HistoryServicer
from gateway.wire.controlled_goods import load_controlled_goods, reference_controlled_goods

_DAY_MS = 24 * 3600 * 1000


class History:
    """The parts of one node."""

    def __init__(
        self,
        settings: HistorySettings,
        *,
        federation: str,
        node: str,
        database: Database,
        bridge: Bridge,
        wakeups: Wakeups,
    ) -> None:
        origin = records_feed(federation, node)
        goods = load_controlled_goods(settings.controlled_goods) if settings.controlled_goods else None
        self.search = HistorySearch(database, node=node, substances=goods or reference_controlled_goods())
        self.servicer = HistoryServicer(
            origin=origin,
            search=self.search,
            bridge=bridge,
            retention_classes=settings.retention_days.__contains__,
        )
        self._index = IndexLoop(
            HistoryIndexer(database),
            origin=origin,
            bridge=bridge,
            wakeups=wakeups,
            retention=retention_of(settings),
        )

    def tasks(self) -> Sequence[asyncio.Task[None]]:
        """Starts what runs by itself."""
        loops: dict[str, Coroutine[Any, Any, None]] = {"history-index": self._index.run()}
        return [asyncio.create_task(loop, name=name) for name, loop in loops.items()]


def retention_of(settings: HistorySettings) -> Retention:
    """How long records are kept, by the node's settings."""

    def retention(given: str, declared_at: int) -> tuple[str, int]:
        named = given if given in settings.retention_days else settings.retention_class
        return named, declared_at + settings.retention_days[named] * _DAY_MS

    return retention
