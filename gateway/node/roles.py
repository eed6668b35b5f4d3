"""Runs a node's loops at one of its replicas each: a loop runs while this replica holds its role."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from sqlalchemy import Connection

from gateway.db.membership import Membership, Replica, SoleProcess
from gateway.feed.rpc.writer_client import set_within

log = logging.getLogger(__name__)

CHECK_S = 1.0
"""Seconds between two looks at a role: it also ends without a word, when this process was stopped for a while."""


class Roles:
    """The roles of one node, for one event loop."""

    def __init__(self, membership: Membership) -> None:
        self._membership = membership
        self._loop = asyncio.get_running_loop()
        self._changes: set[asyncio.Event] = set()
        self._known: set[str] = set()
        membership.on_change(self._changed)

    @property
    def replica(self) -> str:
        """This replica's name; empty for a sole process."""
        return self._membership.name

    @property
    def alone(self) -> bool:
        """Whether there can be no other replica."""
        return isinstance(self._membership, SoleProcess)

    def want(self, role: str) -> None:
        self._known.add(role)
        self._membership.want(role)

    def holds(self, role: str) -> bool:
        return self._membership.holds(role)

    def share(self, role: str, *, shared: bool) -> None:
        self._known.add(role)
        self._membership.share(role, shared=shared)

    def others_share(self, role: str) -> bool:
        """As `Membership`."""
        self._known.add(role)
        return self._membership.others_share(role)

    def replicas(self, conn: Connection) -> list[Replica]:
        """All replicas with what they hold of the roles that this one knows."""
        return self._membership.replicas(conn, self._known)

    def run(self, role: str, work: Callable[[], Awaitable[None]], *, name: str = "") -> asyncio.Task[None]:
        """Runs `work` whenever this replica gets the role, and cancels it when the role is lost.

        The task ends when `work` ends by itself.
        """
        self.want(role)
        return asyncio.create_task(self._run(role, work), name=name or role)

    async def _run(self, role: str, work: Callable[[], Awaitable[None]]) -> None:
        changed = asyncio.Event()
        self._changes.add(changed)
        try:
            while True:
                while not self.holds(role):
                    changed.clear()
                    await set_within(changed, CHECK_S)
                if await self._while_held(role, asyncio.ensure_future(work()), changed):
                    return
        finally:
            self._changes.discard(changed)

    async def _while_held(self, role: str, running: asyncio.Future[None], changed: asyncio.Event) -> bool:
        """Waits for the end of the work or of the role; True when the work has ended by itself."""
        waiting = asyncio.ensure_future(changed.wait())
        try:
            while self.holds(role) and not running.done():
                either: set[asyncio.Future[Any]] = {running, waiting}
                timeout = None if self.alone else CHECK_S  # nobody else takes a role from a sole process
                await asyncio.wait(either, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
                if waiting.done():
                    changed.clear()
                    waiting = asyncio.ensure_future(changed.wait())
            if not running.done():
                return False
            if running.exception() is None:
                return True
            log.error("%s failed; it is started again", role, exc_info=running.exception())
            await asyncio.sleep(CHECK_S)
            return False
        finally:
            running.cancel()
            waiting.cancel()
            await asyncio.gather(running, waiting, return_exceptions=True)

    def _changed(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_set, self._changes)


def _set(events: Iterable[asyncio.Event]) -> None:
    for event in list(events):
        event.set()
