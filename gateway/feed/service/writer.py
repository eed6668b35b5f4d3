"""Group commit: concurrent work shares one transaction, one signature per feed and one fsync.

Guarantees: work is acknowledged after its commit and never before; a work that raises a GatewayError before it has
written anything doesn't disturb the others of its group; when the transaction fails, all of them fail and nothing is
written; anything else that is raised makes the group run again one by one, so that it hits only its cause.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import Connection

from gateway.contract import limits
from gateway.contract.ids import FeedOrigin
from gateway.db.database import Database
from gateway.errors import FeedBehindError, FeedForkedError, GatewayError, OverloadedError, StoreUnavailableError
from gateway.feed.codec import EncodedEntry
from gateway.feed.service import local_log as order
from gateway.feed.tables import feeds
from gateway.feed.tables.feeds import Feed, FeedState, StoredCheckpoint
from gateway.feed.tables.journal import HeadMovedError
from gateway.tlog.checkpoint import Checkpoint, sign_checkpoint
from gateway.tlog.merkle import Growth
from gateway.tlog.note import Signer
from gateway.trust import tables as audit
from gateway.trust.service.audit_queue import AuditQueue

log = logging.getLogger(__name__)

Clock = Callable[[], int]
"""Gives the time in milliseconds since 1970."""

QUEUE_WEIGHT = 20_000
"""Most items waiting for the writer: a second of full load; beyond it callers are told to wait."""

GROUP_WEIGHT = 1_000
"""Most items in one transaction: bounds how long a lone alert waits behind a bulk load."""

PROJECTION_CHUNK = 500
"""Entries projected in one transaction: a fraction of a second in which publishing waits."""

TURN_S = 0.1
"""How long projecting goes on in one transaction while no work waits, in seconds: what is read and written is shared by
many chunks then, and their commits' waits for the disk are one. Work that comes waits for the chunk under way alone."""

PROJECTION_SHARE = 0.25
"""Part of the writer's time that projecting gets while other work is waiting: durable first, shown a little later. With
nothing else to do it gets all of it."""

PROJECT_ALONG_WEIGHT = 100
"""A group of at most so many items is projected in its own transaction: a lone alert then takes one commit, not two."""

GATHER_S_EACH = 0.0003
GATHER_S_MOST = 0.005
"""How long the writer waits for a group to gather: as many as came together last time are likely to come again, each
in about the time that a call takes. Whoever comes alone never waits."""

DEFER_S = 0.02
"""How long work that nobody waits for is kept back, so that it shares the next group's commit, in seconds."""

PAGES_ALONG = 3
"""Chunks that are projected with a group at most: the group itself, what it answers, and a little more."""

_IDLE_S = 0.1
"""How often an idle writer flushes audit events and looks for leftover projection work, in seconds."""

_RETRY_AFTER_S = 1.0
_HEAD_RETRIES = 20


class LogSigners(Protocol):
    """Gives the signer of each own feed; thread-safe."""

    def for_feed(self, origin: FeedOrigin) -> Signer:
        """The own log key under the feed's name."""


@dataclass(frozen=True, slots=True)
class EntryPosition:
    """Where an entry lies."""

    origin: FeedOrigin
    index: int


@dataclass(slots=True)
class _Staged:
    feed: Feed
    entries: list[EncodedEntry] = field(default_factory=list)


class Transaction:
    """What the works of one group share; lives as long as the transaction. Not thread-safe."""

    def __init__(self, conn: Connection, *, own_node: str, signers: LogSigners, now_ms: int) -> None:
        self.conn = conn
        self.now_ms = now_ms
        self.own_node = own_node
        self.touched: set[FeedOrigin] = set()
        self._awaited: set[FeedOrigin] = set()
        self.urgent: set[FeedOrigin] = set()
        self.sizes: dict[FeedOrigin, int] = {}
        self._signers = signers
        self._staged: dict[FeedOrigin, _Staged] = {}

    def _stage(self, origin: FeedOrigin) -> _Staged:
        staged = self._staged.get(origin)
        if staged is None:
            staged = self._staged[origin] = _Staged(feeds.ensure(self.conn, origin, self.own_node))
        return staged

    def append(self, origin: FeedOrigin, entry: EncodedEntry, *, urgent: bool = True) -> EntryPosition:
        """Puts an entry at the end of an own feed; written and signed when the transaction seals.

        Args:
            origin: the feed.
            entry: what to append.
            urgent: whether to send it at once; what isn't may wait a moment for more of its kind.

        Raises:
            FeedBehindError, FeedForkedError: the feed must not be extended.
        """
        staged = self._stage(origin)
        require_extensible(staged.feed)
        staged.entries.append(entry)
        if urgent:
            self.urgent.add(origin)
        return EntryPosition(origin, staged.feed.size + len(staged.entries) - 1)

    def next_index(self, origin: FeedOrigin) -> int:
        """The index that the next entry appended to an own feed will have."""
        staged = self._stage(origin)
        return staged.feed.size + len(staged.entries)

    def require_extensible(self, origin: FeedOrigin) -> None:
        """Raises what `append` would raise, before anything is written."""
        require_extensible(self._stage(origin).feed)

    def seal(self) -> bool:
        """Writes what was appended, each chunk under its own signed checkpoint. Signing happens here, release after
        the commit: no checkpoint leaves the node before its transaction is durable.

        Returns:
            Whether there was anything.
        """
        sealed = False
        for origin, staged in self._staged.items():
            feed = staged.feed
            for chunk in _chunks(staged.entries):
                feed = self._seal_chunk(origin, feed, chunk)
                self.touched.add(origin)
                sealed = True
        self._staged.clear()
        while self._awaited:  # by what was stored after the feed had been staged
            order.settle(self.conn, feeds.get(self.conn, self._awaited.pop()), now_ms=self.now_ms)
        return sealed

    def store(self, feed: Feed, entries: Sequence[EncodedEntry], growth: Growth, checkpoint: StoredCheckpoint) -> Feed:
        """Writes entries that came from a partner; what they follow may keep them out of this node's order for now."""
        stored = order.append(self.conn, feed, entries, growth, checkpoint, now_ms=self.now_ms)
        if stored.waiting:
            self._awaited.add(feed.origin.counter)
        self.touched.add(feed.origin)
        return stored

    def _seal_chunk(self, origin: FeedOrigin, feed: Feed, chunk: Sequence[EncodedEntry]) -> Feed:
        growth = feed.tree.append([entry.leaf for entry in chunk])
        root = growth.tree.root
        note = sign_checkpoint(Checkpoint(origin.line, growth.tree.size, root), self._signers.for_feed(origin))
        checkpoint = StoredCheckpoint(growth.tree.size, root, note, b"", 0)
        grown = feeds.append(self.conn, feed, chunk, growth, checkpoint, committed_at=self.now_ms)
        order.settle(self.conn, grown, now_ms=self.now_ms)
        self.sizes[origin] = growth.tree.size
        return grown


class Command(Protocol):
    """Something that the writer does in a group's transaction.

    `execute` checks everything first and writes after; a GatewayError that it raises must come before any write.
    """

    @property
    def weight(self) -> int:
        """How many items it holds."""

    def execute(self, tx: Transaction) -> Any:
        """Does it and returns its result."""


class Projector(Protocol):
    """Builds projections in the writer's transactions."""

    def advance(self, tx: Transaction, limit: int) -> bool:
        """Projects up to `limit` entries; True when more are left."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a work: a result or an error."""

    result: Any = None
    error: Exception | None = None


Done = Callable[[Outcome], None]


@dataclass(frozen=True, slots=True)
class Commit:
    """A transaction that is durable.

    Attributes:
        feeds: those that it moved.
        urgent: own feeds with something new to send at once.
        sizes: of the own feeds that it moved, in entries.
        projected: whether projections moved.
    """

    feeds: frozenset[FeedOrigin]
    urgent: frozenset[FeedOrigin]
    sizes: Mapping[FeedOrigin, int]
    projected: bool


class Writer:
    """The writer. `submit` and `run` may be called from any thread; everything else happens in its own."""

    def __init__(
        self,
        database: Database,
        *,
        own_node: str,
        signers: LogSigners,
        clock: Clock,
        audit_queue: AuditQueue,
        projector: Projector,
    ) -> None:
        self._database = database
        self._own_node = own_node
        self._signers = signers
        self._clock = clock
        self._audit = audit_queue
        self._projector = projector
        self._queue: queue.SimpleQueue[tuple[Command, Done] | None] = queue.SimpleQueue()
        self._deferred: deque[tuple[Command, Done]] = deque()
        self._deferred_until = 0.0
        self._waiting_weight = 0
        self._door = threading.Lock()
        self._listeners: list[Callable[[Commit], None]] = []
        self._thread = threading.Thread(target=self._loop, name="writer", daemon=True)
        self._stopping = False
        self._more_to_project = True
        self._turn_s = TURN_S
        self._project_again_at = 0.0  # under load: when its share of time lets the projector run again
        self._gather_s = 0.0
        self._blocked_until = 0.0  # after a failure: when it is tried again

    def start(self) -> None:
        """Starts the writer thread."""
        self._thread.start()

    def stop(self) -> None:
        """Finishes what was submitted and stops."""
        with self._door:
            self._stopping = True
            self._queue.put(None)
        self._thread.join()

    def on_commit(self, listener: Callable[[Commit], None]) -> None:
        """Calls `listener` in the writer thread after each commit; it must return at once."""
        self._listeners.append(listener)

    def submit(self, command: Command, done: Done, *, deferrable: bool = False) -> None:
        """Queues work; `done` is called in the writer thread after the commit or the failure.

        Args:
            command: what to do.
            done: told of the outcome.
            deferrable: nobody waits for it: it shares a commit with the next work, or has its own a little later.

        Raises:
            OverloadedError: too much is waiting.
            StoreUnavailableError: the gateway is stopping.
        """
        weight = command.weight
        with self._door:  # nothing comes into the queue behind its end, where nobody would answer it
            if self._stopping:
                raise StoreUnavailableError("the gateway is stopping", retry_after_s=_RETRY_AFTER_S)
            if self._waiting_weight >= QUEUE_WEIGHT:
                raise OverloadedError("too many requests are waiting for the database", retry_after_s=_RETRY_AFTER_S)
            self._waiting_weight += weight
            if deferrable:
                if not self._deferred:
                    self._deferred_until = time.monotonic() + DEFER_S
                self._deferred.append((command, done))
            else:
                self._queue.put((command, done))

    def run(self, command: Command) -> Any:
        """Does work and waits for its result; raises its error."""
        future: Future[Any] = Future()

        def done(outcome: Outcome) -> None:
            if outcome.error is not None:
                future.set_exception(outcome.error)
            else:
                future.set_result(outcome.result)

        self.submit(command, done)
        return future.result()

    def _loop(self) -> None:
        running = True
        while running:
            group, running = self._next_group()
            if group:
                self._gather_s = min(GATHER_S_EACH * (len(group) - 1), GATHER_S_MOST)
                self._commit(group)
            elif len(self._audit):
                self._commit([])
            if self._may_project():
                self._project()

    def _next_group(self) -> tuple[list[tuple[Command, Done]], bool]:
        group: list[tuple[Command, Done]] = []
        weight, running = 0, True
        try:
            item = self._queue.get(timeout=self._wait_s())
            if self._gather_s and item is not None:
                time.sleep(self._gather_s)
            while True:
                if item is None:
                    running = False
                    break
                group.append(item)
                weight += item[0].weight
                if weight >= GROUP_WEIGHT:
                    break
                item = self._queue.get_nowait()
        except queue.Empty:
            pass
        with self._door:
            if group or not running or time.monotonic() >= self._deferred_until:
                group.extend(self._deferred)
                weight += sum(command.weight for command, _ in self._deferred)
                self._deferred.clear()
            self._waiting_weight -= weight
        return group, running

    def _wait_s(self) -> float:
        """How long to wait for work: not at all while there is something to project."""
        now = time.monotonic()
        wait_s = max(0.0, self._deferred_until - now) if self._deferred else _IDLE_S
        if self._more_to_project:
            wait_s = min(wait_s, max(0.0, self._blocked_until - now))
        return min(wait_s, _IDLE_S)

    def _may_project(self) -> bool:
        if not self._more_to_project:
            return False
        now = time.monotonic()
        return now >= self._blocked_until and (now >= self._project_again_at or self._queue.empty())

    def _commit(self, group: list[tuple[Command, Done]]) -> None:
        try:
            outcomes = self._with_moving_head(lambda: self._transact([command for command, _ in group]))
        except StoreUnavailableError as error:
            log.error("commit failed: %s", error)
            outcomes = [Outcome(error=error)] * len(group)
        except Exception as error:
            log.exception("a work failed unexpectedly")
            if len(group) > 1:
                for one in group:
                    self._commit([one])
                return
            outcomes = [Outcome(error=error)] * len(group)
        for (_, done), outcome in zip(group, outcomes, strict=True):
            done(outcome)

    def _transact(self, commands: Sequence[Command]) -> list[Outcome]:
        along = not self._more_to_project and sum(command.weight for command in commands) <= PROJECT_ALONG_WEIGHT
        try:
            return self._transact_once(commands, along=along)
        except _ProjectionFailedError:
            log.exception("projection failed; it is tried again after the commit")
            return self._transact_once(commands, along=False)

    def _transact_once(self, commands: Sequence[Command], *, along: bool) -> list[Outcome]:
        with self._audit.drained() as events, self._database.write() as conn:
            tx = self._transaction(conn)
            outcomes = [_stage(command, tx) for command in commands]
            tx.seal()
            along = along and bool(tx.touched)
            more = self._project_along(tx) if along else True
            if events:
                audit.append(conn, events)
        if tx.touched:
            self._more_to_project = more
            self._announce(tx, projected=along)
        return outcomes

    def _project_along(self, tx: Transaction) -> bool:
        """Projects what the group has appended, and what this node has to say to it, in the group's transaction; True
        when more is left: a work may have let much into the order, or have had everything projected again."""
        try:
            more, pages = True, 0
            while more and pages < PAGES_ALONG:
                more = self._projector.advance(tx, PROJECTION_CHUNK)
                more = tx.seal() or more
                pages += 1
            return more
        except (StoreUnavailableError, HeadMovedError):
            raise
        except Exception as error:
            raise _ProjectionFailedError("projecting a group along with its commit failed") from error

    def _project(self) -> None:
        def once() -> None:
            with self._database.write() as conn:
                tx = self._transaction(conn)
                until = time.monotonic() + self._turn_s
                more = True
                while more:
                    more = self._projector.advance(tx, PROJECTION_CHUNK)
                    more = tx.seal() or more
                    if time.monotonic() >= until or self._waiting_weight:
                        break
            self._more_to_project = more
            self._announce(tx, projected=True)

        started = time.monotonic()
        try:
            self._with_moving_head(once)
            self._turn_s = TURN_S
        except Exception as error:
            if isinstance(error, StoreUnavailableError):
                log.error("projection waits for the database: %s", error)
            else:
                log.exception("projection failed; it is tried again")
            self._turn_s = 0.0  # chunk by chunk: what fails again takes nothing else back with it
            self._blocked_until = time.monotonic() + _RETRY_AFTER_S
        ended = time.monotonic()
        self._project_again_at = ended + (ended - started) * (1 / PROJECTION_SHARE - 1)

    def _with_moving_head(self, attempt: Callable[[], Any]) -> Any:
        for _ in range(_HEAD_RETRIES):
            try:
                return attempt()
            except HeadMovedError as error:
                log.info("retrying: %s", error)
        raise StoreUnavailableError("other writers kept moving the feed's head", retry_after_s=_RETRY_AFTER_S)

    def _transaction(self, conn: Connection) -> Transaction:
        return Transaction(conn, own_node=self._own_node, signers=self._signers, now_ms=self._clock())

    def _announce(self, tx: Transaction, *, projected: bool) -> None:
        committed = Commit(frozenset(tx.touched), frozenset(tx.urgent), tx.sizes, projected)
        for listener in self._listeners:
            listener(committed)


class _ProjectionFailedError(Exception):
    """Raised in front of a rollback: what was committed along must be done again without projecting."""


def require_extensible(feed: Feed) -> None:
    """Raises when an own feed must not be extended: the partner holds another or a longer history."""
    if feed.state is FeedState.BEHIND:
        raise FeedBehindError(f"feed {feed.origin}: {feed.state_reason}")
    if feed.state is FeedState.FORKED:
        raise FeedForkedError(f"feed {feed.origin}: {feed.state_reason}")
    if feed.waiting:
        raise FeedBehindError(f"feed {feed.origin}: {waiting_reason(feed)}")


def waiting_reason(feed: Feed) -> str:
    """Why an own feed with entries that wait mustn't be extended."""
    return (
        f"recovered; {feed.waiting} own entries wait for entries of {feed.partner} that this node had seen: "
        "they come with the link"
    )


def _stage(command: Command, tx: Transaction) -> Outcome:
    try:
        return Outcome(result=command.execute(tx))
    except (StoreUnavailableError, HeadMovedError):
        raise
    except GatewayError as error:
        return Outcome(error=error)


def _chunks(entries: Sequence[EncodedEntry]) -> list[Sequence[EncodedEntry]]:
    chunks: list[Sequence[EncodedEntry]] = []
    start = size = 0
    for at, entry in enumerate(entries):
        if at - start >= limits.BATCH_ENTRIES or (at > start and size + entry.size_bytes > limits.BATCH_BYTES):
            chunks.append(entries[start:at])
            start, size = at, 0
        size += entry.size_bytes
    if start < len(entries):
        chunks.append(entries[start:])
    return chunks
