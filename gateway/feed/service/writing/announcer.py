"""Tells this process's tasks and other replicas of commits, once these are durable and marked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from gateway.db.membership import Membership
from gateway.errors import MarksBehindError
from gateway.feed.service.writing.commits import PROJECTED, Commit, encode_notice
from gateway.feed.service.writing.transaction import Transaction


class Announcer:
    """For the writer's thread; `pass_on` is thread-safe."""

    def __init__(self, membership: Membership) -> None:
        self._membership = membership
        self._listeners: list[Callable[[Commit], None]] = []
        self._commit: Commit | None = None
        self._unmarked: list[Commit] = []  # committed, while their marks failed: not released yet

    def add(self, listener: Callable[[Commit], None]) -> None:
        """Calls `listener` with each commit, of other replicas too, in any thread; it must not block."""
        self._listeners.append(listener)

    def pass_on(self, commit: Commit) -> None:
        """Calls the listeners."""
        for listener in self._listeners:
            listener(commit)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """For one transaction: where its marks fail, its commit is announced with the next one whose marks don't."""
        self._forget()
        try:
            yield
        except MarksBehindError:
            if self._commit is not None:
                self._unmarked.append(self._commit)
            raise

    def _forget(self) -> None:
        self._commit = None

    def tell(self, tx: Transaction, *, projected: bool, unprojected: bool) -> None:
        """Tells other replicas, with the commit; nothing if nothing has changed that anybody waits for."""
        topics = tx.topics | {PROJECTED} if projected else tx.topics
        if not (tx.touched or topics):
            return
        self._commit = Commit(
            frozenset(tx.touched),
            frozenset(tx.urgent),
            tx.sizes,
            frozenset(topics),
            unprojected,
            traces=tx.traces,
            own_traces=tx.own_traces,
            projected=tx.projected,
            sealed=tx.sealed,
        )
        self._membership.tell(tx.conn, partial(encode_notice, self._commit))

    def announce(self) -> None:
        """Tells this process, after the commit."""
        unmarked, self._unmarked = self._unmarked, []
        for commit in unmarked:
            self.pass_on(commit)
        if self._commit is not None:
            self.pass_on(self._commit)
