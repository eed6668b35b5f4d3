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

from gateway.alerts.tables import events
from gateway.db.database import Database
from gateway.errors import GatewayError, UnavailableError
from gateway.feed.rpc.writer_client import ChangeNotifier, WriterClient, set_within
from gateway.feed.service.alarms import OUTBOX_WAITS, Alarms
from gateway.feed.tables import journal
from gateway.feed.tables import progress as projected
from gateway.notifications.codec.outbox import OutboxMessage, match_change, step_change, warning_change
from gateway.notifications.commands.delivering import MoveOutboxCommand
from gateway.notifications.commands.keeping import NOTIFICATIONS
from gateway.notifications.rpc.delivery import ALARM_AFTER, pause_after
from gateway.notifications.tables import warnings
from gateway.notifications.tables.progress import OUTBOX, PROGRESS, OutboxProgress
from gateway.telemetry.metrics import Metrics
from gateway.watchlists.tables import matches

log = logging.getLogger(__name__)

PUBLISHING: Final = "outbox"
"""Role of the replica that publishes."""

AT_ONCE: Final = 100
"""Changes under way: what a crash repeats, and what waits in memory."""

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
        writer: WriterClient,
        notifier: ChangeNotifier,
        alarms: Alarms,
        metrics: Metrics,
    ) -> None:
        self.publisher = publisher
        self.progress = PublishingProgress()
        self._database = database
        self._node = node
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
            if OUTBOX.read(conn).alert_position is not None:
                return {}
            return {
                "alert_position": projected.position(conn),
                "match_change": matches.last_change(conn),
                "warning": PROGRESS.read(conn).last_warning,
            }

    def _read(self) -> tuple[list[OutboxMessage], dict[str, int]]:
        """Changes after the cursors, and the cursors after them, by column; none where nothing has changed."""
        reached: dict[str, int] = {}
        with self._database.read() as conn:
            since = OutboxProgress(*(value or 0 for value in OUTBOX.read(conn)))
            assert since.alert_position is not None  # noqa: S101  for the type checker: 0 stands for None
            logged = events.after(conn, since.alert_position, AT_ONCE)
            end = logged[-1][0].position if len(logged) == AT_ONCE else projected.position(conn)
            if end > since.alert_position:
                reached["alert_position"] = end
            changed = matches.changed_after(conn, since.match_change or 0, limit=AT_ONCE)
            fired = warnings.fired_after(conn, since.warning or 0, AT_ONCE)
        if changed:
            reached["match_change"] = changed[-1].change
        if fired:
            reached["warning"] = fired[-1][0]
        messages = [step_change(event, line, payload, node=self._node) for event, line, payload in logged]
        messages += [match_change(match, node=self._node) for match in changed]
        messages += [warning_change(warning, node=self._node) for _, warning in fired]
        return messages, reached
