"""One transaction of the writer: commands append entries to own feeds and store those of partners through it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import Connection

from gateway.contract import limits
from gateway.contract.ids import Channel, FeedOrigin
from gateway.errors import FeedBehindError, FeedForkedError
from gateway.feed.codec import EncodedEntry, EntryFormat
from gateway.feed.service import local_log
from gateway.feed.tables import feeds
from gateway.feed.tables.checkpoints import StoredCheckpoint
from gateway.feed.tables.feeds import Feed, FeedState
from gateway.tlog.checkpoint import Checkpoint, sign_checkpoint
from gateway.tlog.merkle import Growth
from gateway.tlog.note import Signer

Clock = Callable[[], int]
"""Gives the time in milliseconds since 1970."""

_PROJECT_AT_ONCE = 1_000
"""Entries projected in one step while a command waits for the present state."""


class LogSigners(Protocol):
    """Gives the signer of each own feed; thread-safe."""

    def for_feed(self, origin: FeedOrigin) -> Signer:
        """The own log key under the feed's name."""


class EntryProjector(Protocol):
    """Builds projections in the writer's transactions; used in the writer's thread alone."""

    @property
    def formats(self) -> Mapping[Channel, EntryFormat]:
        """What the entries of each channel hold."""

    def advance(self, tx: Transaction, limit: int) -> bool:
        """Projects up to `limit` entries; True when more are left."""

    def clear(self, conn: Connection) -> None:
        """Empties all projections; they are built again from the first entry."""


class Command(Protocol):
    """What the writer runs in a transaction, together with other commands.

    `execute` checks everything first and writes after: a GatewayError is raised before any write.
    """

    @property
    def weight(self) -> int:
        """How many items it holds."""

    def execute(self, tx: Transaction) -> Any:
        """Does it and returns its result."""


@dataclass(frozen=True, slots=True)
class EntryPosition:
    """Where an entry lies."""

    origin: FeedOrigin
    index: int


@dataclass(slots=True)
class _PendingEntries:
    """Entries that are appended to a feed and not sealed yet."""

    feed: Feed
    entries: list[EncodedEntry] = field(default_factory=list)


class Transaction:
    """What the commands of one group share. Not thread-safe.

    Attributes:
        conn: the database's transaction.
        now_ms: one time for all of it, in milliseconds since 1970.
        own_node: this node's name.
        touched: feeds that it moved.
        urgent: own feeds with something to send at once.
        sizes: of the own feeds that it moved, in entries.
    """

    def __init__(
        self, conn: Connection, *, own_node: str, signers: LogSigners, now_ms: int, projector: EntryProjector
    ) -> None:
        self.conn = conn
        self.now_ms = now_ms
        self.own_node = own_node
        self.touched: set[FeedOrigin] = set()
        self.urgent: set[FeedOrigin] = set()
        self.sizes: dict[FeedOrigin, int] = {}
        self._signers = signers
        self._projector = projector
        self._pending: dict[FeedOrigin, _PendingEntries] = {}
        self._followed: set[FeedOrigin] = set()  # feeds for whose entries others wait

    @property
    def formats(self) -> Mapping[Channel, EntryFormat]:
        """What the entries of each channel hold."""
        return self._projector.formats

    def append(self, origin: FeedOrigin, entry: EncodedEntry, *, urgent: bool = True) -> EntryPosition:
        """Adds an entry to an own feed; it is written when the transaction is sealed.

        Args:
            origin: the feed.
            entry: what to add.
            urgent: whether it is sent at once; otherwise it may wait a moment for more.

        Raises:
            FeedBehindError, FeedForkedError: the feed must not be extended.
        """
        pending = self._pending_of(origin)
        require_extensible(pending.feed)
        pending.entries.append(entry)
        if urgent:
            self.urgent.add(origin)
        return EntryPosition(origin, pending.feed.size + len(pending.entries) - 1)

    def next_index(self, origin: FeedOrigin) -> int:
        """Index that the next appended entry gets."""
        pending = self._pending_of(origin)
        return pending.feed.size + len(pending.entries)

    def require_extensible(self, origin: FeedOrigin) -> None:
        """Raises what `append` would raise, before anything is written."""
        require_extensible(self._pending_of(origin).feed)

    def store(self, feed: Feed, entries: Sequence[EncodedEntry], growth: Growth, checkpoint: StoredCheckpoint) -> Feed:
        """Writes entries that came from a partner; a causal dependency may keep them out of the local log for now."""
        stored = local_log.append(self.conn, feed, entries, growth, checkpoint, now_ms=self.now_ms)
        if stored.waiting:
            self._followed.add(feed.origin.reverse)
        self.touched.add(feed.origin)
        return stored

    def seal(self) -> bool:
        """Writes what was appended, each chunk under a signed checkpoint of its own.

        Signing happens here, release after the commit: a crash between the two leaves no trace of the checkpoint, and
        no partner has seen it, so the next one of that size may differ.

        Returns:
            Whether there was anything.
        """
        sealed = False
        for origin, pending in self._pending.items():
            feed = pending.feed
            for chunk in _chunks(pending.entries):
                feed = self._seal_chunk(origin, feed, chunk)
                self.touched.add(origin)
                sealed = True
        self._pending.clear()
        while self._followed:  # what was stored after `pending` was read may wait for this feed
            local_log.release_pending(self.conn, feeds.get(self.conn, self._followed.pop()), now_ms=self.now_ms)
        return sealed

    def project(self, limit: int) -> bool:
        """Projects up to `limit` entries and seals what that appended; True when more may be left."""
        more = self._projector.advance(self, limit)
        return self.seal() or more

    def catch_up(self) -> None:
        """Projects everything committed or appended so far, so that a command is judged by the present state."""
        self.seal()
        while self.project(_PROJECT_AT_ONCE):
            pass

    def clear_projections(self) -> None:
        """Empties all projections; they are built again from the first entry."""
        self._projector.clear(self.conn)

    def _pending_of(self, origin: FeedOrigin) -> _PendingEntries:
        pending = self._pending.get(origin)
        if pending is None:
            pending = self._pending[origin] = _PendingEntries(feeds.ensure(self.conn, origin, self.own_node))
        return pending

    def _seal_chunk(self, origin: FeedOrigin, feed: Feed, chunk: Sequence[EncodedEntry]) -> Feed:
        growth = feed.tree.append([entry.leaf for entry in chunk])
        root = growth.tree.root
        note = sign_checkpoint(Checkpoint(origin.line, growth.tree.size, root), self._signers.for_feed(origin))
        checkpoint = StoredCheckpoint(growth.tree.size, root, note, b"", 0)
        grown = feeds.append(self.conn, feed, chunk, growth, checkpoint, committed_at=self.now_ms)
        local_log.release_pending(self.conn, grown, now_ms=self.now_ms)
        self.sizes[origin] = growth.tree.size
        return grown


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
