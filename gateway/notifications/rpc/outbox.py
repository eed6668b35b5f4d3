"""Gives each change of the node to a case system once: reads the log from a cursor, and moves it after the answer.

1. Changes after the stored cursors are read, in order.
2. They are published, each with its id, and each publication is answered when the other side has stored it.
3. The cursors move.

A crash before step 3 publishes again what was published; the other side recognises the ids.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Final, Protocol

from gateway.contract.ids import FeedOrigin
from gateway.db.database import Database
from gateway.errors import GatewayError, UnavailableError
from gateway.feed.rpc.writer_client import ChangeNotifier, WriterClient, set_within
from gateway.feed.service.alarms import OUTBOX_WAITS, Alarms
from gateway.feed.tables import journal
from gateway.notifications.codec.outbox import OutboxMessage
from gateway.notifications.commands.delivering import MoveOutboxCommand
from gateway.notifications.commands.keeping import NOTIFICATIONS
from gateway.notifications.rpc.delivery import ALARM_AFTER, pause_after
from gateway.notifications.service.outbox_changes import OutboxChanges, first_cursors, read_outbox
from gateway.notifications.tables.progress import OUTBOX
from gateway.telemetry.metrics import Metrics

log = logging.getLogger(__name__)

PUBLISHING: Final = "outbox"
"""Role of the replica that publishes."""

LONGEST_SLEEP_S: Final = 60.0
"""Seconds between two looks without news."""

RETRY_S: Final = 2.0
"""Seconds after a failure of the database."""


class OutboxPublisher(Protocol):
    """The other side. Used in one event loop."""

    @property
    def target(self) -> str:
        """Host and port that it goes to."""

    async def publish(self, messages: Sequence[OutboxMessage]) -> None:
        """Publishes in order; returns when all are durable at the other side.

        Raises:
            UnavailableError: some may be there, and some not.
        """

    async def close(self) -> None:
        """Ends the connection."""


@dataclass(slots=True)
class PublishingProgress:
    """What the outbox has done in this process, and its last error."""

    sent: int = 0
    failures: int = 0
    last_error: str = ""


class OutboxLoop:
    """The outbox of one node, for one event loop."""

    def __init__(
        self,
        publisher: OutboxPublisher,
        database: Database,
        *,
        node: str,
        lists: FeedOrigin,
        writer: WriterClient,
        notifier: ChangeNotifier,
        alarms: Alarms,
        metrics: Metrics,
    ) -> None:
        """`lists`: the feed of the node's own lists."""
        self.publisher = publisher
        self.progress = PublishingProgress()
        self._database = database
        self._node, self._lists = node, lists
        self._writer = writer
        self._notifier = notifier
        self._alarms = alarms
        self._metrics = metrics

    async def run(self) -> None:
        """Publishes, for one replica, until cancelled."""
        moved = asyncio.Event()
        with ExitStack() as ends:
            for topic in (ChangeNotifier.PROJECTED, ChangeNotifier.MATCHES, NOTIFICATIONS):
                ends.callback(self._notifier.subscribe(topic, moved))
            try:
                await self._begin()
                while True:
                    moved.clear()
                    if not await self._turn():
                        await set_within(moved, LONGEST_SLEEP_S)
            finally:
                await self.publisher.close()

    def lag(self) -> tuple[int, int]:
        """Position that was taken, and entries of the local log after it; raises StoreUnavailableError."""
        with self._database.read() as conn:
            reached = OUTBOX.read(conn).alert_position or 0
            return reached, max(journal.head_position(conn) - reached, 0)

    async def _begin(self) -> None:
        """Sets the cursors to the present when the outbox is first on."""
        begun = False
        while not begun:
            try:
                present = await asyncio.to_thread(self._present)
                if present:
                    await self._writer.run(MoveOutboxCommand(present))
                begun = True
            except GatewayError as error:
                log.warning("the outbox waits: %s", error.message)
                await asyncio.sleep(RETRY_S)

    async def _turn(self) -> bool:
        """Steps 1 to 3 with some changes; True when there may be more."""
        try:
            messages, reached = await asyncio.to_thread(self._read)  # 1
            if not reached:
                return False
            if messages:
                await self.publisher.publish(messages)  # 2
            await self._writer.run(MoveOutboxCommand(reached))  # 3
        except UnavailableError as error:
            await self._failed(error.message)
            return True
        except GatewayError as error:
            log.warning("the outbox waits: %s", error.message)
            await asyncio.sleep(RETRY_S)
            return True
        self.progress.sent += len(messages)
        self._metrics.outbox_messages.inc(len(messages))
        self._metrics.outbox_lag.set((await asyncio.to_thread(self.lag))[1])
        self._recovered()
        return True

    async def _failed(self, problem: str) -> None:
        progress = self.progress
        progress.failures, progress.last_error = progress.failures + 1, problem
        with suppress(GatewayError):
            self._metrics.outbox_lag.set((await asyncio.to_thread(self.lag))[1])
        log.warning("the outbox's changes weren't taken: %s", problem)
        if progress.failures >= ALARM_AFTER:
            self._alarms.set(OUTBOX_WAITS, "", f"{self.publisher.target} takes no changes: {problem}")
        await asyncio.sleep(pause_after(progress.failures))

    def _recovered(self) -> None:
        self.progress.failures, self.progress.last_error = 0, ""
        self._alarms.clear(OUTBOX_WAITS, "")

    def _present(self) -> dict[str, int]:
        with self._database.read() as conn:
            return first_cursors(conn, self._lists)

    def _read(self) -> OutboxChanges:
        with self._database.read() as conn:
            return read_outbox(conn, node=self._node, own_lists=self._lists)
