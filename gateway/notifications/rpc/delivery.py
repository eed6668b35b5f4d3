"""Sends what waits for one way, in a thread of its own; what fails is tried again with growing pauses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from gateway.db.database import Database
from gateway.errors import GatewayError
from gateway.feed.rpc.writer_client import ChangeNotifier, WriterClient, set_within
from gateway.feed.service.alarms import NOTIFICATIONS_WAIT, Alarms
from gateway.notifications.commands.delivering import NoteAttemptCommand
from gateway.notifications.commands.keeping import NOTIFICATIONS
from gateway.notifications.service.sending import DeliveryWay
from gateway.notifications.tables import notifications as rows
from gateway.notifications.tables.notifications import WaitingDelivery, WayState
from gateway.telemetry.metrics import Metrics

log = logging.getLogger(__name__)

AT_ONCE: Final = 200
"""Deliveries tried in one turn."""

ALARM_AFTER: Final = 3
"""Turns that fail one after the other before it is an alarm: some half a minute."""

LONGEST_SLEEP_S: Final = 60.0
"""Seconds between two looks without news."""

RETRY_S: Final = 2.0
"""Seconds after a failure of the database."""

FIRST_PAUSE_S: Final = 5.0
LONGEST_PAUSE_S: Final = 60.0
"""Bounds in seconds of the pause after a turn in which the server couldn't be used; it doubles."""


def pause_after(failures: int) -> float:
    """Seconds until the next turn, after failed turns in a row."""
    return min(FIRST_PAUSE_S * 2.0 ** min(failures - 1, 10), LONGEST_PAUSE_S)


@dataclass(slots=True)
class WayProgress:
    """What a way has done in this process, and its last error; `taken_at`: in milliseconds since 1970, 0 for never."""

    sent: int = 0
    failures: int = 0
    last_error: str = ""
    taken_at: int = 0


class DeliveryLoop:
    """Serves one way. Nothing of it is called from another event loop or thread but `way.send`.

    Args:
        give_up_ms: how long a delivery may wait.
        spacing_s: least seconds between two turns, so that several notifications share one mail.
    """

    def __init__(
        self,
        way: DeliveryWay,
        database: Database,
        *,
        writer: WriterClient,
        notifier: ChangeNotifier,
        alarms: Alarms,
        metrics: Metrics,
        give_up_ms: int,
        spacing_s: float,
        clock: Callable[[], int],
    ) -> None:
        self.way = way
        self.progress = WayProgress()
        self._database = database
        self._writer = writer
        self._notifier = notifier
        self._alarms = alarms
        self._metrics = metrics
        self._give_up_ms = give_up_ms
        self._spacing_s = spacing_s
        self._clock = clock

    async def run(self) -> None:
        """Sends, for one replica, until cancelled."""
        moved = asyncio.Event()
        end_subscription = self._notifier.subscribe(NOTIFICATIONS, moved)
        executor = ThreadPoolExecutor(1, thread_name_prefix=self.way.name)
        try:
            while True:
                moved.clear()
                try:
                    pause_s = await self._turn(executor)
                except GatewayError as error:
                    log.warning("%s waits: %s", self.way.name, error.message)
                    pause_s = RETRY_S
                if pause_s is None:
                    await set_within(moved, await self._until_next_s())
                await asyncio.sleep(self._spacing_s if pause_s is None else pause_s)
        finally:
            end_subscription()
            executor.shutdown(wait=False, cancel_futures=True)

    def state(self) -> WayState:
        """What waits for it now; raises StoreUnavailableError."""
        with self._database.look() as conn:
            return rows.way_state(conn, self.way.name)

    async def _turn(self, executor: ThreadPoolExecutor) -> float | None:
        """Tries what is due; returns seconds until the next turn, None when nothing was due."""
        due = await asyncio.to_thread(self._due)
        self._metrics.deliveries_waiting.set((await asyncio.to_thread(self.state)).waiting, self.way.name)
        if not due:
            return None
        attempt = await asyncio.get_running_loop().run_in_executor(executor, self.way.send, due)
        noted = await self._writer.run(NoteAttemptCommand(self.way.name, due, attempt, self._give_up_ms))
        for result, number in noted.items():
            self._metrics.deliveries.labels(self.way.name, result).inc(number)
        self.progress.sent += noted["taken"]
        if noted["taken"]:
            self.progress.taken_at = self._clock()
        self._judge(attempt.is_down, next(iter((attempt.failed | attempt.refused).values()), ""))
        if not attempt.is_down:
            return self._spacing_s
        return pause_after(self.progress.failures)

    def _judge(self, is_down: bool, error: str) -> None:
        self.progress.last_error = error
        name = self.way.name
        if not is_down:
            self.progress.failures = 0
            self._alarms.clear(NOTIFICATIONS_WAIT, name)
            return
        self.progress.failures += 1
        log.warning("%s: %s can't be used: %s", name, self.way.target, error)
        if self.progress.failures >= ALARM_AFTER:
            self._alarms.set(NOTIFICATIONS_WAIT, name, f"{name}: {self.way.target} takes nothing: {error}")

    async def _until_next_s(self) -> float:
        state = await asyncio.to_thread(self.state)
        if not state.next_at:
            return LONGEST_SLEEP_S
        return min(max((state.next_at - self._clock()) / 1000, 0.0), LONGEST_SLEEP_S)

    def _due(self) -> list[WaitingDelivery]:
        with self._database.read() as conn:
            return rows.due(conn, self.way.name, self._clock(), AT_ONCE)
