"""Watches what a node depends on, and tells health checks: is it alive, is it ready, and if not, why."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from gateway.errors import GatewayError, SigningKeyUnavailableError, StoreDamagedError, StoreUnavailableError
from gateway.feed.rpc.writer_client import WriterClient, set_within
from gateway.feed.service.alarms import DATABASE, DISK, Alarms
from gateway.feed.service.writing.transaction import Transaction
from gateway.rpc.listener.server import LIVENESS, READINESS, Listener
from gateway.telemetry.metrics import Metrics

log = logging.getLogger(__name__)

CHECK_S: Final = 1.0
"""Seconds between checks while something is wrong."""

WELL_S: Final = 5.0
"""Seconds between checks otherwise. A commit that fails is checked at once."""

ANSWER_S: Final = 15.0
"""Seconds after which a database without an answer counts as gone: three of SQLite's longest waits for another
writer."""

STUCK_S: Final = 2 * ANSWER_S
"""Seconds without a check after which the node isn't alive: its event loop is stuck."""

LEAST_FREE_BYTES: Final = 16 * 1024 * 1024
"""Free disk below which the node isn't ready: a group commit and its copy in the WAL no longer fit for sure."""

MIB: Final = 1024 * 1024


class Dependency(StrEnum):
    """What a node needs to be ready."""

    DATABASE = "database"
    WRITER = "writer"
    DISK = "disk"
    MARKS = "marks"
    DIRECTORY = "directory"


EVENT_LOOP: Final = "event loop"
STOPPING: Final = "node"
"""Further lines of the pages: the first of /livez, the second of /readyz once the node stops."""

SERVES_WITHOUT: Final = (Dependency.DIRECTORY,)
"""Dependencies without which own systems are served: only partners are refused when a directory has ended."""


@dataclass(frozen=True, slots=True)
class DiskSpace:
    """Free and total bytes of a file system."""

    free: int
    total: int


class NodeHealth:
    """What is known of the node's health. Reads are thread-safe."""

    def __init__(self) -> None:
        self._writer_alive = True
        self._problems: Mapping[str, str] = dict.fromkeys(Dependency, "not checked yet")
        self._checked_at = time.monotonic()
        self._stopping = False

    def checked(self, problems: Mapping[str, str], *, writer_alive: bool) -> None:
        """Notes a check."""
        self._writer_alive = writer_alive
        self._problems, self._checked_at = problems, time.monotonic()

    def stopping(self) -> None:
        """The node takes no new work any more."""
        self._stopping = True

    def live(self) -> Mapping[str, str]:
        """What only a restart mends: a stuck event loop, a dead writer."""
        stuck = time.monotonic() - self._checked_at > STUCK_S
        return {
            EVENT_LOOP: f"no check for {STUCK_S:g} s" if stuck else "",
            Dependency.WRITER: "" if self._writer_alive or self._stopping else "the writer's thread has ended",
        }

    def ready(self) -> Mapping[str, str]:
        """The problem of each dependency; empty when it works."""
        return {**self._problems, STOPPING: "it is stopping"} if self._stopping else self._problems


class HealthMonitor:
    """Checks each dependency every few seconds, and every second while one fails.

    It says so on both ports, in alarms and in metrics.

    Args:
        marks_problem: why nothing can be signed for want of its mark; empty when it can.
        directory_problem: why partners aren't served under the directory in force; empty when they are.
        read: reads something from the database; raises GatewayError when that fails.
        disk_warning_mib: free MiB below which the alarm rises.
    """

    def __init__(
        self,
        health: NodeHealth,
        *,
        writer: WriterClient,
        writer_alive: Callable[[], bool],
        read: Callable[[], object],
        data_dir: Path,
        disk_warning_mib: int,
        marks_problem: Callable[[], str],
        directory_problem: Callable[[], str],
        peer: Listener,
        local: Listener,
        alarms: Alarms,
        metrics: Metrics,
    ) -> None:
        self._health = health
        self._writer = writer
        self._writer_alive = writer_alive
        self._read = read
        self._data_dir = data_dir
        self._disk_warning = disk_warning_mib * MIB
        self._marks_problem = marks_problem
        self._directory_problem = directory_problem
        self._peer, self._local = peer, local
        self._alarms = alarms
        self._metrics = metrics

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            self._alarms.remind()  # here, since nothing of this waits for a database that hangs
            self._writer.failed.clear()
            is_well = False
            try:
                is_well = await self.check()
            except Exception:
                log.exception("the check of the node's health failed; it is tried again")
            if is_well:
                await set_within(self._writer.failed, WELL_S)
            else:
                await asyncio.sleep(CHECK_S)

    async def check(self) -> bool:
        """Checks everything once; whether all is well."""
        database, writer = await self._database_and_writer()
        problems: dict[str, str] = {
            Dependency.DATABASE: database,
            Dependency.WRITER: writer,
            Dependency.DISK: await asyncio.to_thread(self._disk),
            Dependency.MARKS: self._marks_problem(),
            Dependency.DIRECTORY: self._directory_problem(),
        }
        if problem := database or writer:
            self._alarms.set(DATABASE, "own", problem)
        else:
            self._alarms.clear(DATABASE, "own")
        self._health.checked(problems, writer_alive=self._writer_alive())
        self._metrics.ready.replace({(name,): float(not problem) for name, problem in problems.items()})
        await self._report(problems)
        return not any(problems.values())

    async def _database_and_writer(self) -> tuple[str, str]:
        """Lets the writer commit a transaction; a writer that is silent beside a database that answers is the fault."""
        began = time.perf_counter()
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._writer.run(_Probe())
        except SigningKeyUnavailableError:  # of a group with others: the database works, and the token has an alarm
            return "", ""
        except (StoreUnavailableError, StoreDamagedError) as error:
            return error.message, ""
        except TimeoutError:
            if await self._answers():
                return "", f"the writer has not answered for {ANSWER_S:g} s"
            return f"the database has not answered for {ANSWER_S:g} s", ""
        except GatewayError:  # overloaded: it works
            return "", ""
        self._metrics.database_seconds.set(time.perf_counter() - began)
        return "", ""

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(ANSWER_S):
                await asyncio.to_thread(self._read)
        except (GatewayError, TimeoutError):
            return False
        return True

    def _disk(self) -> str:
        """The problem of the data folder's disk; raises and clears the alarm before it comes to that."""
        try:
            space = disk_space(self._data_dir)
        except OSError as error:
            problem = f"the data folder {self._data_dir} can't be read: {error.strerror}"
            self._alarms.set(DISK, "own", problem)
            return problem
        self._metrics.disk_free.set(space.free)
        self._metrics.disk_size.set(space.total)
        problem = ""
        if not os.access(self._data_dir, os.W_OK):
            problem = f"the data folder {self._data_dir} can't be written"
        elif space.free < LEAST_FREE_BYTES:
            problem = f"{space.free // MIB:,} MiB of disk are free for {self._data_dir}: publishing stops"
        if problem:
            self._alarms.set(DISK, "own", problem)
        elif space.free < self._disk_warning:
            limit = self._disk_warning // MIB
            self._alarms.set(
                DISK, "own", f"{space.free // MIB:,} MiB of disk are free for {self._data_dir}, less than {limit:,} MiB"
            )
        else:
            self._alarms.clear(DISK, "own")
        return problem

    async def _report(self, problems: Mapping[str, str]) -> None:
        named = {LIVENESS: True, READINESS: not any(problems.values())}
        named |= {f"{READINESS}/{name}": not problem for name, problem in problems.items()}
        serving = not any(problem for name, problem in problems.items() if name not in SERVES_WITHOUT)
        await self._peer.report({**named, **_all(self._peer.services, serving and not any(problems.values()))})
        await self._local.report({**named, **_all(self._local.services, serving)})


def disk_space(folder: Path) -> DiskSpace:
    """Space of the file system of a folder; raises OSError."""
    usage = shutil.disk_usage(folder)
    return DiskSpace(usage.free, usage.total)


def _all(services: Sequence[str], serving: bool) -> dict[str, bool]:
    return dict.fromkeys(("", *services), serving)


class _Probe:
    """A command without effect."""

    weight = 1

    def execute(self, tx: Transaction) -> None:
        return
