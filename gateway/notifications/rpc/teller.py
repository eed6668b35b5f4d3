"""Tells what has happened: gathers changes as they come, and sleeps until the next deadline is to be warned of."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Final

from gateway.contract.ids import FeedOrigin
from gateway.db.database import Database
from gateway.errors import GatewayError
from gateway.feed.rpc.writer_client import ChangeNotifier, WriterClient, set_within
from gateway.feed.service.alarms import Alarm, Alarms
from gateway.notifications.codec.messages import alarm_message
from gateway.notifications.commands.delivering import ForgetCommand
from gateway.notifications.commands.gathering import BeginCommand, FireCommand, Sources, gather
from gateway.notifications.commands.keeping import Gathered, KeepGatheredCommand, Kept, TellCommand, notifications_for
from gateway.notifications.rpc.audience_source import AudienceSource
from gateway.notifications.rules.audience import Happening
from gateway.notifications.tables import warnings
from gateway.telemetry.metrics import Metrics
from gateway.trust.rules.permissions import Role
from gateway.v1.notification_service_pb2 import NotificationKind

log = logging.getLogger(__name__)

TELLING: Final = "notifications"
"""Role of the replica that tells."""

LONGEST_SLEEP_S: Final = 60.0
"""Seconds between two looks without news: a clock may have been set."""

PAUSE_S: Final = 0.02
"""Seconds between two looks at a stream of changes, so that many become few."""

RETRY_S: Final = 2.0
"""Seconds after a failure of the database."""

REPORTS_LOOK_BACK_MS: Final = 60_000
"""Milliseconds: another replica's report may be committed so much later than it was ended."""

CONTROLS_S: Final = 3_600.0
"""Seconds between looks at the days on which controls change."""

FORGET_S: Final = 600.0
"""Seconds between removals of what is old."""

MOST_ALARMS: Final = 200
"""Alarms that wait to be told; the list of alarms has all."""

_DAY_MS = 24 * 3_600_000


class Teller:
    """The teller of one node, for one event loop.

    Args:
        lists: the node's feed of its own lists.
        topics: of further changes that lead to notifications.
        keep_days: after which a notification is forgotten.
        most_kept: notifications of one recipient.
        control_changes: changes of export control that came into force in these days.
    """

    def __init__(
        self,
        database: Database,
        *,
        writer: WriterClient,
        notifier: ChangeNotifier,
        sources: Sources,
        audience: AudienceSource,
        alarms: Alarms,
        metrics: Metrics,
        lists: FeedOrigin,
        keep_days: int,
        most_kept: int,
        clock: Callable[[], int],
        control_changes: Callable[[], Sequence[Happening]],
    ) -> None:
        self._control_changes = control_changes
        self._database = database
        self._writer = writer
        self._notifier = notifier
        self._sources = sources
        self._audience = audience
        self._metrics = metrics
        self._lists = lists
        self._keep_ms = keep_days * _DAY_MS
        self._most_kept = most_kept
        self._clock = clock
        self._reports_since = 0  # at first all: a process before may have ended without telling
        self._raised: deque[Alarm] = deque(maxlen=MOST_ALARMS)
        self._alarm_raised = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        for alarm in alarms.list():  # those before this moment
            self._raised.append(alarm)
        alarms.on_begin(self._note_alarm)

    async def run(self) -> None:
        """Tells of changes and deadlines, for one replica, until cancelled."""
        moved, lists_moved, reports_moved = asyncio.Event(), asyncio.Event(), asyncio.Event()
        lists_moved.set()
        reports_moved.set()
        with ExitStack() as ends:
            for topic in (
                ChangeNotifier.PROJECTED,
                ChangeNotifier.MATCHES,
                ChangeNotifier.VERDICTS,
                ChangeNotifier.CASEWORK,
            ):
                ends.callback(self._notifier.subscribe(topic, moved, coalesce=True))
            ends.callback(self._notifier.subscribe(ChangeNotifier.VERDICTS, reports_moved, coalesce=True))
            for event in (moved, lists_moved):
                ends.callback(self._notifier.subscribe(self._lists, event))
            begun = False
            while True:
                try:
                    begun = begun or await self._begin()
                    await self._follow(moved, lists_moved, reports_moved)
                except GatewayError as error:
                    log.warning("notifications wait: %s", error.message)
                    await asyncio.sleep(RETRY_S)

    async def run_alarms(self) -> None:
        """Tells of this process's alarms, until cancelled; each replica its own."""
        while True:
            if not self._raised:
                await self._alarm_raised.wait()
            self._alarm_raised.clear()
            raised = [self._raised.popleft() for _ in range(len(self._raised))]
            try:
                await self._tell_alarms(raised)
            except GatewayError as error:
                log.warning("alarms aren't told yet: %s", error.message)
                self._raised.extendleft(reversed(raised))
                await asyncio.sleep(RETRY_S)

    async def run_controls(self) -> None:
        """Tells of changes of export control on their day, for one replica, until cancelled; each once."""
        while True:
            try:
                audience = await asyncio.to_thread(self._audience)
                changed = await asyncio.to_thread(self._control_changes)
                told = [one for happening in changed for one in notifications_for(happening, audience)]
                if told:
                    self._count(await self._writer.run(TellCommand(told)))
            except GatewayError as error:
                log.warning("changes of export control aren't told yet: %s", error.message)
            await asyncio.sleep(CONTROLS_S)

    async def keep_house(self) -> None:
        """Forgets what is old, for one replica, until cancelled."""
        while True:
            try:
                await self._forget()
            except GatewayError as error:
                log.warning("old notifications stay: %s", error.message)
            await asyncio.sleep(FORGET_S)

    async def _forget(self) -> None:
        more = True
        while more:
            more = await self._writer.run(ForgetCommand(self._clock() - self._keep_ms, self._most_kept))

    async def _begin(self) -> bool:
        if await self._writer.run(BeginCommand(self._sources)):
            log.info("notifications are on: what happens from now on is told")
        return True

    async def _follow(self, moved: asyncio.Event, lists_moved: asyncio.Event, reports_moved: asyncio.Event) -> None:
        """One round: everything that has changed, then what is due, then sleep until the next of either."""
        moved.clear()
        proposals_too = lists_moved.is_set()
        reports_since = self._reports_since if reports_moved.is_set() else None
        lists_moved.clear()
        reports_moved.clear()
        if await self._gather(proposals_too=proposals_too, reports_since=reports_since):
            await asyncio.sleep(PAUSE_S)
            return
        next_at = await asyncio.to_thread(self._next_warning)
        now = self._clock()
        if next_at and next_at <= now:
            self._count(await self._writer.run(FireCommand(self._sources, await asyncio.to_thread(self._audience))))
            return
        sleep_s = min((next_at - now) / 1000, LONGEST_SLEEP_S) if next_at else LONGEST_SLEEP_S
        await set_within(moved, sleep_s)
        await asyncio.sleep(PAUSE_S)

    async def _gather(self, *, proposals_too: bool, reports_since: int | None) -> bool:
        """Whether there was something, so that more may be left."""
        looked_at = self._clock()
        gathered = await asyncio.to_thread(self._read, proposals_too, reports_since)
        if gathered is None:
            return False
        kept = await self._writer.run(KeepGatheredCommand(gathered))
        self._count(kept)
        if reports_since is not None:
            self._reports_since = looked_at - REPORTS_LOOK_BACK_MS
        return bool(gathered.reached)

    def _read(self, proposals_too: bool, reports_since: int | None) -> Gathered | None:
        audience = self._audience()
        with self._database.read() as conn:
            return gather(
                conn,
                self._sources,
                audience,
                now_ms=self._clock(),
                proposals_too=proposals_too,
                reports_since=reports_since,
            )

    def _next_warning(self) -> int:
        with self._database.look() as conn:
            return warnings.next_at(conn)

    async def _tell_alarms(self, raised: list[Alarm]) -> None:
        audience = await asyncio.to_thread(self._audience)
        happenings = [_raised(alarm) for alarm in raised]
        told = [one for happening in happenings for one in notifications_for(happening, audience)]
        if told:
            self._count(await self._writer.run(TellCommand(told)))

    def _note_alarm(self, alarm: Alarm) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._queue_alarm, alarm)

    def _queue_alarm(self, alarm: Alarm) -> None:
        self._raised.append(alarm)
        self._alarm_raised.set()

    def _count(self, kept: Kept | None) -> None:
        if kept is None:
            return
        for kind, number in kept.kinds.items():
            name = NotificationKind.Name(NotificationKind.ValueType(kind)).removeprefix("NOTIFICATION_KIND_").lower()
            self._metrics.notifications.labels(name).inc(number)
        count_given_up(self._metrics, kept.given_up)


def count_given_up(metrics: Metrics, given_up: Counter[str]) -> None:
    """Counts deliveries that were given up, by way."""
    for way, number in given_up.items():
        metrics.deliveries.labels(way, "given_up").inc(number)


def _raised(alarm: Alarm) -> Happening:
    message = alarm_message(alarm)
    return Happening(message, restricted=_restricted(alarm), not_to=message.by)


def _restricted(alarm: Alarm) -> tuple[frozenset[Role], str] | None:
    return None if alarm.restriction is None else (alarm.restriction.roles, alarm.restriction.message)
