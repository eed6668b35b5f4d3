"""Runs a node's loops at one of its replicas each: a loop runs while this replica holds its role."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from sqlalchemy import Connection

from gateway.db.membership import Membership, Replica, SoleProcess
from gateway.feed.rpc.writer_client import set_within

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
    def alone(self) -> bool:
        """Whether there can be no other replica."""
        return isinstance(self._membership, SoleProcess)

    def want(self, role: str) -> None:
        self._known.add(role)
        self._membership.want(role)

    def holds(self, role: str) -> bool:
        return self._membership.holds(role)

    def share(self, role: str, *, shared: bool) -> None:
        self._membership.share(role, shared=shared)

    def others_share(self, role: str) -> bool:
        """As `Membership`."""
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
                running = asyncio.ensure_future(work())
                try:
                    while self.holds(role) and not running.done():
                        await asyncio.wait({running}, timeout=CHECK_S)
                    if running.done():
                        return running.result()
                finally:
                    running.cancel()
                    await asyncio.gather(running, return_exceptions=True)
        finally:
            self._changes.discard(changed)

    def _changed(self) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_set, self._changes)


def _set(events: Iterable[asyncio.Event]) -> None:
    for event in list(events):
        event.set()
