"""Waits until recorded items are indexed."""

from __future__ import annotations

import asyncio
import math

from gateway.db.standby import Reads
from gateway.feed.rpc.writer_client import ChangeNotifier, set_within
from gateway.history.service.backlog import Lag
from gateway.history.tables import progress as record_progress

DEFAULT_WAIT_S = 2.0
"""Seconds that a question waits unless it says otherwise."""

MAX_PARTNER_WAIT_S = 5.0
"""Most seconds that a partner's question waits here: it holds one of the partner's streams."""

SHARE = 0.75
"""Most of the time for an answer that is spent on waiting for the index; the rest is for the answer."""

STANDBY_LOOK_S = 0.1
"""Seconds between two looks at a standby, which has what was indexed some milliseconds after the notification."""

INDEXED_A_SECOND = 2_000
"""Most items that are indexed in a second: more of a backlog than can be indexed in time isn't waited for."""


def wait_s(wanted_ms: int | None, timeout_s: float | None) -> float:
    """Seconds to wait for the index, of a question that has `timeout_s` (None: no limit)."""
    wanted_s = DEFAULT_WAIT_S if wanted_ms is None else wanted_ms / 1000
    return wanted_s if timeout_s is None else max(0.0, min(wanted_s, timeout_s * SHARE))


class IndexWait:
    """Waits for the index; used in one event loop."""

    def __init__(self, database: Reads, notifier: ChangeNotifier, *, look_s: float = math.inf) -> None:
        """`database`: where searches read; `look_s`: most seconds between two looks there."""
        self._database = database
        self._look_s = look_s
        self._notifier = notifier

    async def reached(self, lag: Lag, timeout_s: float) -> bool:
        """Whether a lag is indexed, after at most `timeout_s` seconds; False at once if that can't be enough."""
        if lag.records > INDEXED_A_SECOND * timeout_s:
            return False
        loop, moved = asyncio.get_running_loop(), asyncio.Event()
        ends_at = loop.time() + timeout_s
        end_subscription = self._notifier.subscribe(ChangeNotifier.INDEXED, moved)
        try:
            while True:
                moved.clear()
                if await asyncio.to_thread(self._is_indexed, lag.position):
                    return True
                left = ends_at - loop.time()
                if not await set_within(moved, min(left, self._look_s)) and left <= self._look_s:
                    return False
        finally:
            end_subscription()

    def _is_indexed(self, position: int) -> bool:
        with self._database.read() as conn:
            return record_progress.indexed(conn) >= position
