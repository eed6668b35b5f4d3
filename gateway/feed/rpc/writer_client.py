"""Connects the event loop to the writer's thread."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import aclosing
from typing import Any, Protocol, TypeVar

from gateway.contract.ids import FeedOrigin
from gateway.errors import SigningKeyUnavailableError, StoreUnavailableError
from gateway.feed.rpc.committed_entries import FreshEntries
from gateway.feed.service.writing.command_queue import Outcome, Urgency
from gateway.feed.service.writing.commits import (
    ACKNOWLEDGEMENTS,
    ALERT_CHANGES,
    CASEWORK,
    FINDINGS,
    INDEXED,
    LIST_CHANGES,
    MATCHES,
    PROJECTED,
    VERDICTS,
    Commit,
)
from gateway.feed.service.writing.transaction import Command, Transaction
from gateway.feed.service.writing.writer import Writer
from gateway.rpc.calls import current_caller

RequestT = TypeVar("RequestT")
ResultT = TypeVar("ResultT")
ChangesT = TypeVar("ChangesT", bound="Changes")

_END = object()


class _Nothing:
    """A command without effect; its commit carries deferred ones."""

    weight = 0

    def execute(self, tx: Transaction) -> None:
        return


_NOTHING = _Nothing()


class WriterClient:
    """Submits commands to the writer and resolves the results of a group at once in the loop.

    Used in one event loop; only `_done` is called from the writer's thread.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._ready: list[tuple[asyncio.Future[Any], Outcome]] = []
        self._scheduled = False
        self.failed = asyncio.Event()
        """Is set when a group couldn't be committed, for who watches the database."""

    def submit(
        self, command: Command[ResultT], *, deferrable: bool = False, urgency: Urgency = Urgency.ORDINARY
    ) -> asyncio.Future[ResultT]:
        """Queues a command for the current caller; its future resolves after the commit.

        A deferrable one may share the next commit.
        """
        future: asyncio.Future[ResultT] = self._loop.create_future()
        self._writer.submit(
            command,
            lambda outcome: self._done(future, outcome),
            caller=current_caller(),
            deferrable=deferrable,
            urgency=urgency,
        )
        return future

    async def run(self, command: Command[ResultT], *, urgency: Urgency = Urgency.ORDINARY) -> ResultT:
        """Runs a command; returns its result after the commit, or raises its error."""
        return await self.submit(command, urgency=urgency)

    async def flush(self, futures: Collection[asyncio.Future[Any]]) -> None:
        """Runs deferred commands now and waits for them; raises the first error."""
        if not all(future.done() for future in futures):
            await self.run(_NOTHING)
        await asyncio.gather(*futures)

    def _done(self, future: asyncio.Future[Any], outcome: Outcome) -> None:
        self._ready.append((future, outcome))
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon_threadsafe(self._resolve)

    def _resolve(self) -> None:
        self._scheduled = False  # before the swap: what arrives from now on schedules again
        ready, self._ready = self._ready, []
        for future, outcome in ready:
            if isinstance(outcome.error, StoreUnavailableError) and not isinstance(
                outcome.error, SigningKeyUnavailableError
            ):
                self.failed.set()
            if future.done():
                continue
            if outcome.error is not None:
                future.set_exception(outcome.error)
            else:
                future.set_result(outcome.result)


async def set_within(event: asyncio.Event, seconds: float) -> bool:
    """Waits for an event; True when it came in time.

    `asyncio.wait_for` in Python 3.11 loses a cancellation that comes together with the event, so that a loop and its
    node never stop: https://github.com/python/cpython/issues/86296
    """
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


LOW_PRIORITY_DELAY_S = 0.05
"""How long entries that aren't urgent wait for more, in seconds."""


COALESCE_S = 0.25
"""How long a task that follows the projections for work of its own sleeps at least, in seconds: nobody waits for that,
and a hundred alerts a second would wake it a hundred times.
"""


class ChangeNotifier:
    """Notifies tasks when feeds, projections or matches change. Topics: an origin, and those of commits."""

    PROJECTED = PROJECTED
    ALERT_CHANGES = ALERT_CHANGES
    FINDINGS = FINDINGS
    LIST_CHANGES = LIST_CHANGES
    INDEXED = INDEXED
    MATCHES = MATCHES
    VERDICTS = VERDICTS
    CASEWORK = CASEWORK
    ACKNOWLEDGEMENTS = ACKNOWLEDGEMENTS

    def __init__(self, writer: Writer) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[FeedOrigin | str, set[asyncio.Event]] = defaultdict(set)
        self._coalesced: dict[FeedOrigin | str, set[asyncio.Event]] = defaultdict(set)
        self._coalescing: set[FeedOrigin | str] = set()  # topics whose patient tasks are notified soon
        self._sizes: dict[FeedOrigin, int] = {}
        self.fresh = FreshEntries()
        self._low_priority: set[FeedOrigin] = set()
        self._projected = 0  # at the last look
        writer.on_commit(self.committed)

    def size(self, origin: FeedOrigin) -> int:
        """Size of an own feed after the newest commit to it that is known here; 0 before the first."""
        return self._sizes.get(origin, 0)

    def subscribe(self, topic: FeedOrigin | str, event: asyncio.Event, *, coalesce: bool = False) -> Callable[[], None]:
        """Sets `event` at each change of the topic; returns a function that unsubscribes.

        Args:
            coalesce: once for all changes within COALESCE_S.
        """
        waiting = self._coalesced if coalesce else self._waiting
        waiting[topic].add(event)
        return lambda: waiting[topic].discard(event)

    def committed(self, commit: Commit) -> None:
        """Notifies of a commit, of this process or another replica; thread-safe."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake, commit)

    def catch_up(self, sizes: Mapping[FeedOrigin, int], projected: int, *, lost: bool) -> None:
        """Makes up for notices that didn't come; thread-safe.

        Args:
            sizes: entries in each own feed.
            projected: last projected position.
            lost: whether anything may have changed: everybody looks again.
        """
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._catch_up, sizes, projected, lost)

    def _catch_up(self, sizes: Mapping[FeedOrigin, int], projected: int, lost: bool) -> None:
        missed = [origin for origin, size in sizes.items() if size > self.size(origin)]
        if lost:  # also the last commits of a database that failed over
            self._sizes.clear()
            self.fresh.forget()
        self._sizes.update({origin: max(size, self.size(origin)) for origin, size in sizes.items()})
        topics: list[FeedOrigin | str] = [*{*self._waiting, *self._coalesced}] if lost else [*missed]
        if projected != self._projected:
            self._projected = projected
            topics += [PROJECTED, ALERT_CHANGES, LIST_CHANGES]
        for topic in topics:
            self._notify(topic)

    def _wake(self, commit: Commit) -> None:
        self.fresh.committed(commit)
        for origin, size in commit.sizes.items():
            self._sizes[origin] = max(size, self.size(origin))  # notices of replicas may come late
        for origin in commit.feeds:
            if origin not in commit.sizes or origin in commit.urgent:
                self._notify(origin)
            elif origin not in self._low_priority:
                self._low_priority.add(origin)
                self._loop.call_later(LOW_PRIORITY_DELAY_S, self._notify_later, origin)
        for topic in commit.topics:
            self._notify(topic)

    def _notify_later(self, origin: FeedOrigin) -> None:
        self._low_priority.discard(origin)
        self._notify(origin)

    def _notify(self, topic: FeedOrigin | str) -> None:
        for event in self._waiting.get(topic, ()):
            event.set()
        if self._coalesced.get(topic) and topic not in self._coalescing:
            self._coalescing.add(topic)
            self._loop.call_later(COALESCE_S, self._notify_coalesced, topic)

    def _notify_coalesced(self, topic: FeedOrigin | str) -> None:
        self._coalescing.discard(topic)
        for event in self._coalesced.get(topic, ()):
            event.set()


HEARTBEAT_S = 15.0
"""How often an idle watch sends its position, in seconds, to show that it is alive."""


class Changes(Protocol):
    """One message of a watch: changes, perhaps none, and the position after them."""

    position: int

    @property
    def changes(self) -> Collection[Any]: ...


async def follow_changes(
    notifier: ChangeNotifier,
    read: Callable[[int], tuple[ChangesT, bool]],
    position: int,
    *,
    until_current: bool,
    topic: str = ChangeNotifier.PROJECTED,
) -> AsyncGenerator[ChangesT, None]:
    """Yields changes as they are projected, and a heartbeat while there are none.

    Args:
        notifier: announces new changes.
        read: changes after a position, and whether there may be more already; called in a worker thread.
        position: where to begin.
        until_current: end after the last known change.
        topic: to subscribe to.
    """
    loop, moved = asyncio.get_running_loop(), asyncio.Event()
    end_subscription = notifier.subscribe(topic, moved)
    sent_at = loop.time()
    try:
        while True:
            moved.clear()
            response, more = await asyncio.to_thread(read, position)
            position = response.position
            if response.changes or until_current or loop.time() >= sent_at + HEARTBEAT_S:
                yield response
                sent_at = loop.time()
            if until_current and not response.changes:
                return
            if not (more or until_current):
                await set_within(moved, max(0.0, sent_at + HEARTBEAT_S - loop.time()))
    finally:
        end_subscription()


async def in_order(
    requests: AsyncIterator[RequestT], begin: Callable[[RequestT], Awaitable[Awaitable[ResultT]]], *, depth: int
) -> AsyncIterator[ResultT]:
    """Handles requests concurrently and yields the results in order.

    Args:
        requests: a stream; after its end and the last result this one ends.
        begin: starts a request's work; returns an awaitable of the result.
        depth: most requests under way; bounds memory, and through flow control the sender.
    """
    async with aclosing(in_moments(requests, begin, depth=depth, wait_s=lambda _: 0.0)) as moments:
        async for results in moments:
            for result in results:
                yield result


async def in_moments(
    requests: AsyncIterator[RequestT],
    begin: Callable[[RequestT], Awaitable[Awaitable[ResultT]]],
    *,
    depth: int,
    wait_s: Callable[[ResultT], float],
) -> AsyncGenerator[list[ResultT], None]:
    """As `in_order`, with the results that are there together.

    Args:
        wait_s: how long a first result waits for further ones, in seconds.
    """
    queue: asyncio.Queue[Any] = asyncio.Queue(depth)

    async def pump() -> None:
        try:
            async for request in requests:
                await queue.put(await begin(request))
        except Exception as error:
            await queue.put(error)
        else:
            await queue.put(_END)

    pumping = asyncio.create_task(pump())
    item: Any = None
    try:
        while (item := await queue.get() if item is None else item) is not _END:
            if isinstance(item, Exception):
                raise item
            results: list[ResultT] = [await item]
            item = None
            if (seconds := wait_s(results[0])) > 0:
                await asyncio.sleep(seconds)
            while item is None and not queue.empty():
                item = queue.get_nowait()
                if isinstance(item, asyncio.Future) and item.done() and item.exception() is None:
                    results.append(item.result())
                    item = None
            yield results
    finally:
        pumping.cancel()
        left = [] if item is None else [item]
        while not queue.empty():
            left.append(queue.get_nowait())
        for one in left:
            if isinstance(one, asyncio.Future):
                forget(one)


def forget(future: asyncio.Future[Any]) -> None:
    """Ignores a future's outcome."""
    future.add_done_callback(_retrieve)


def _retrieve(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()  # or asyncio would log that nobody retrieved it
