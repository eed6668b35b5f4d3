"""Has receipts of own feeds stamped by a third party, where the settings name one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from gateway.db.commit_watch import NewsSince
from gateway.errors import ConfigurationError, GatewayError
from gateway.evidence.codec.time_stamp import read_certificates, time_stamp_library
from gateway.evidence.service.time_stamping import (
    DueStamp,
    KeepTimeStampsCommand,
    StampPolicy,
    TimeStampAuthority,
    TimeStamping,
)
from gateway.feed.service.alarms import TIME_STAMPS
from gateway.node.capabilities.capability import Capability
from gateway.node.capabilities.parts import NodeParts
from gateway.node.sections.time_stamp_settings import TimeStampSettings

log = logging.getLogger(__name__)

LOOK_S: Final = 5.0
"""Seconds between two looks: a receipt of an urgent alert is stamped within a minute."""

QUIET_S: Final = 60.0
"""Seconds between looks at a database to which nothing was committed."""

LONGEST_PAUSE_S: Final = 300.0
"""Most seconds after a turn that failed; the pause doubles from LOOK_S."""

_MINUTE_MS = 60_000


def time_stamps(parts: NodeParts) -> Capability | None:
    """Time stamps; None where they are off.

    Raises:
        ConfigurationError: the certificates can't be read, or the library is missing.
    """
    chosen = parts.settings.time_stamps
    if not chosen.url:
        return None
    time_stamp_library()
    policy = StampPolicy(chosen.every_minutes * _MINUTE_MS, chosen.urgent)
    authority = time_stamp_authority(chosen, clock=parts.clock)
    loop = StampLoop(parts, TimeStamping(parts.database, authority, policy))
    return Capability({}, {"time stamps": loop.run})


def time_stamp_authority(chosen: TimeStampSettings, *, clock: Callable[[], int]) -> TimeStampAuthority:
    """The TSA of the settings, which name one; raises ConfigurationError."""
    path = chosen.certificates or Path()
    try:
        certificates = read_certificates(path)
    except ConfigurationError as error:
        raise ConfigurationError(f"time_stamps.certificates: {error.message}", way_out=error.way_out) from error
    return TimeStampAuthority(chosen.url, certificates, clock=clock)


class StampLoop:
    """Stamps what is due, outside the event loop, until cancelled."""

    def __init__(self, parts: NodeParts, stamping: TimeStamping) -> None:
        self._parts = parts
        self._stamping = stamping
        self._failures = 0

    async def run(self) -> None:
        """Runs for one replica."""
        executor = ThreadPoolExecutor(1, thread_name_prefix="time stamps")  # a slow TSA holds no other work's thread
        news = NewsSince(self._parts.database.commits, most_s=QUIET_S)
        try:
            while True:
                try:
                    if news.is_due:
                        await self._turn(executor)
                        if not self._failures:
                            news.looked()
                except GatewayError as error:
                    log.warning("time stamps wait: %s", error.message)
                await asyncio.sleep(min(LOOK_S * 2.0**self._failures, LONGEST_PAUSE_S))
        finally:
            executor.shutdown(wait=False, cancel_futures=True)

    async def _turn(self, executor: ThreadPoolExecutor) -> None:
        due = await asyncio.to_thread(self._stamping.due, self._parts.clock())
        turn = await asyncio.get_running_loop().run_in_executor(executor, self._stamping.run, due)
        if turn.stamps:
            await self._parts.writer.run(KeepTimeStampsCommand(turn.stamps))
        self._failures = min(self._failures + 1, 10) if turn.problem else 0
        self._judge(due[len(turn.stamps) :], turn.problem)

    def _judge(self, waiting: list[DueStamp], problem: str) -> None:
        now = self._parts.clock()
        age_ms = max((now - due.waits_since for due in waiting), default=0)
        self._parts.metrics.time_stamp_lag.set(max(age_ms, 0) / 1000)
        if not problem:
            self._parts.alarms.clear(TIME_STAMPS, "tsa")
            return
        target = self._stamping.target
        log.warning("no time stamp from %s: %s", target, problem)
        if age_ms >= self._parts.settings.alarms.unstamped_minutes * _MINUTE_MS:
            message = (
                f"receipts wait for a time stamp for {age_ms // _MINUTE_MS} min: {target} stamps nothing: {problem}"
            )
            self._parts.alarms.set(TIME_STAMPS, "tsa", message)
