"""A writer's transaction, in which commands append and store entries; its own feeds are compared with their marks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from gateway.contract import limits
from gateway.contract.ids import Channel, FeedOrigin
from gateway.db.database import Database
from gateway.errors import FeedBehindError, FeedForkedError, FeedUncomparedError, MarksBehindError
from gateway.feed.codec import EncodedEntry, EntryFormat
from gateway.feed.service import local_log
from gateway.feed.service.continuity.own_history import UNCOMPARED, OwnHistory
from gateway.feed.service.continuity.soundness import provable_root_at
from gateway.feed.tables import feeds, heads, journal
from gateway.feed.tables.feeds import Feed, FeedState
from gateway.feed.tables.heads import StoredCheckpoint
from gateway.plurals import counted
from gateway.tlog.checkpoint import Checkpoint, second_line, sign_checkpoint
from gateway.tlog.merkle import Growth, Tree
from gateway.tlog.note import Signer, parse_note

ResultT_co = TypeVar("ResultT_co", covariant=True)

Clock = Callable[[], int]
"""Milliseconds since 1970."""

_PROJECT_AT_ONCE = 1_000
"""Entries projected per step of `catch_up`."""


class LogSigners(Protocol):
    """Signers of own feeds; thread-safe."""

    def for_feed(self, origin: FeedOrigin) -> Signer:
        """The log key under the feed's name."""


class EntryProjector(Protocol):
    """Builds projections, in the writer's thread only."""

    @property
    def formats(self) -> Mapping[Channel, EntryFormat]:
        """Entry format of each channel."""

    def advance(self, tx: Transaction, limit: int, *, isolated: bool) -> bool:
        """Projects up to `limit` entries; True when more are left.

        Args:
            isolated: leave out an entry at which the software fails; else its error ends the transaction.
        """

    def answer(self, tx: Transaction) -> None:
        """Answers applied entries whose answers have waited for others."""

    def clear(self, conn: Connection) -> None:
        """Empties all projections for a rebuild."""


class Command(Protocol[ResultT_co]):
    """Work in a shared transaction, with its result.

    `execute` raises a GatewayError only before any write.
    """

    @property
    def weight(self) -> int:
        """Number of items."""

    def execute(self, tx: Transaction) -> ResultT_co:
        """Returns the result."""


@dataclass(frozen=True, slots=True)
class EntryPosition:
    """An entry's feed and index."""

    origin: FeedOrigin
    index: int


@dataclass(frozen=True, slots=True)
class SealedEntries:
    """New entries of an own feed under one new checkpoint.

    Attributes:
        feed: its state with them.
        first: index of the first one.
        checkpoint: the signed note, of the size after the last one.
    """

    feed: Feed
    first: int
    entries: Sequence[EncodedEntry]
    checkpoint: bytes

    @property
    def end(self) -> int:
        return self.first + len(self.entries)

    @property
    def size_bytes(self) -> int:
        return sum(entry.size_bytes for entry in self.entries)


class PlacedEntry(Protocol):
    """An entry of the local log with its place in its feed; made in the writer's thread, and not changed afterwards."""

    @property
    def feed(self) -> Feed: ...

    @property
    def index(self) -> int: ...

    @property
    def committed_at(self) -> int:
        """Milliseconds since 1970."""


@dataclass(slots=True)
class _PendingEntries:
    """Appended entries that aren't sealed yet."""

    feed: Feed
    entries: list[EncodedEntry] = field(default_factory=list)


class Transaction:
    """Transaction of one group of commands. Not thread-safe.

    Attributes:
        now_ms: time of every write, in milliseconds since 1970.
        touched: changed feeds.
        urgent: own feeds to send at once.
        sizes: entries in each changed own feed.
        added: new entries of each feed, partners' too.
        traces: trace contexts of appended entries, to travel beside them.
        own_traces: those that stay here, since no agreement lets them travel.
        topics: what else changes, as in `Commit`.
        trees: signed heads of these.
        sealed: new entries of own feeds, in order.
        projected: entries that were projected, in pages.
        unanswered: whether applied entries may wait for their answers.
        history: marks of what was signed before; None for a database that nobody else was told of.
    """

    def __init__(
        self,
        conn: Connection,
        *,
        own_node: str,
        signers: LogSigners,
        now_ms: int,
        projector: EntryProjector,
        history: OwnHistory | None = None,
    ) -> None:
        self.conn = conn
        self.now_ms = now_ms
        self.own_node = own_node
        self.touched: set[FeedOrigin] = set()
        self.urgent: set[FeedOrigin] = set()
        self.sizes: dict[FeedOrigin, int] = {}
        self.added: Counter[FeedOrigin] = Counter()
        self.traces: dict[EntryPosition, str] = {}
        self.own_traces: dict[EntryPosition, str] = {}
        self.projected: list[Sequence[PlacedEntry]] = []
        self.topics: set[str] = set()
        self.trees: dict[FeedOrigin, Tree] = {}
        self.sealed: list[SealedEntries] = []
        self.unanswered = False
        self.history = history
        self._signers = signers
        self._projector = projector
        self._pending: dict[FeedOrigin, _PendingEntries] = {}
        self._followed: set[FeedOrigin] = set()  # by pending entries
        self._accepted: dict[FeedOrigin, bool] = {}
        self._found: dict[FeedOrigin, Feed | None] = {}  # true until something touches the feed

    @property
    def formats(self) -> Mapping[Channel, EntryFormat]:
        return self._projector.formats

    def append(
        self, origin: FeedOrigin, entry: EncodedEntry, *, urgent: bool = True, trace: str = "", own_trace: str = ""
    ) -> EntryPosition:
        """Adds an entry to an own feed; `seal` writes it.

        Args:
            urgent: send at once.
            trace: context to travel beside it; empty for none.
            own_trace: context that stays here, where `trace` is empty.

        Raises:
            FeedBehindError, FeedForkedError, FeedDamagedError: the feed must not be extended.
        """
        pending = self._pending_of(origin)
        require_extensible(pending.feed)
        pending.entries.append(entry)
        if urgent:
            self.urgent.add(origin)
        position = EntryPosition(origin, pending.feed.size + len(pending.entries) - 1)
        if trace:
            self.traces[position] = trace
        elif own_trace:
            self.own_traces[position] = own_trace
        return position

    def next_index(self, origin: FeedOrigin) -> int:
        """Index of the next appended entry."""
        pending = self._pending_of(origin)
        return pending.feed.size + len(pending.entries)

    def require_extensible(self, origin: FeedOrigin) -> None:
        """Raises as `append`, before any write."""
        require_extensible(self._pending_of(origin).feed)

    def is_extensible(self, origin: FeedOrigin) -> bool:
        """Whether `append` would succeed; it finds the feed read then."""
        pending = self._pending.get(origin)
        feed = feeds.find(self.conn, origin) if pending is None else pending.feed
        if feed is None or not feed.extensible:
            return feed is None
        if pending is None:
            self._pending[origin] = _PendingEntries(feed)
        return True

    def is_accepted(self, origin: FeedOrigin) -> bool:
        """Whether the recipient takes an own feed: it has opened it, or publishes its reverse feed here."""
        accepted = self._accepted.get(origin)
        if accepted is None:
            feed = self._found[origin] = feeds.find(self.conn, origin)
            opened = feed is not None and feed.accepted_at > 0
            accepted = self._accepted[origin] = opened or feeds.size_of(self.conn, origin.reverse) > 0
        return accepted

    def store(self, feed: Feed, entries: Sequence[EncodedEntry], growth: Growth, checkpoint: StoredCheckpoint) -> Feed:
        """Writes a partner's entries; causal dependencies may keep them pending."""
        stored = local_log.append(self.conn, feed, entries, growth, checkpoint, now_ms=self.now_ms)
        if stored.waiting:
            self._followed.update(way for way in feed.origin.related if way != feed.origin)
        self.touched.add(feed.origin)
        self.added[feed.origin] += len(entries)
        return stored

    def seal(self) -> bool:
        """Writes the appended entries, with one signed checkpoint per chunk; True if there were any.

        A crash before the commit loses the checkpoint, but no partner has seen it: the next one may differ.
        """
        sealed = False
        for origin, pending in self._pending.items():
            feed = pending.feed
            for chunk in _chunks(pending.entries):
                feed = self._seal_chunk(origin, feed, chunk)
                self.touched.add(origin)
                sealed = True
        self._pending.clear()
        while self._followed:  # stored entries may depend on it
            followed = feeds.find(self.conn, self._followed.pop())
            if followed is not None:
                local_log.release_pending(self.conn, followed, now_ms=self.now_ms)
        return sealed

    def divide(self, origin: FeedOrigin, size: int) -> None:
        """Signs a checkpoint within an own feed, so that a narrow link can carry the entries before it alone.

        It is of the same tree: a crash leaves nothing that could contradict it.

        Raises:
            FeedBehindError, FeedForkedError, FeedUncomparedError: this may not be the history that was sent.
            FeedDamagedError: the stored tree doesn't lead from there to the head.
        """
        self.require_extensible(origin)
        feed = feeds.get(self.conn, origin)
        if not 0 < size < feed.size or heads.checkpoint_at(self.conn, feed.id, size) is not None:
            return
        root = provable_root_at(self.conn, feed, size)
        note = sign_checkpoint(Checkpoint(origin.line, size, root), self._signers.for_feed(origin))
        heads.add_checkpoint(self.conn, feed.id, StoredCheckpoint(size, root, note, b"", 0))

    def sign_again(self, origin: FeedOrigin, above: int) -> None:
        """Adds the second key's signature to checkpoints above a size that were signed before the key counted."""
        feed, signer = feeds.get(self.conn, origin), self._signers.for_feed(origin)
        if signer.second is None:
            return
        for checkpoint in heads.unreceipted(self.conn, feed.id, above):
            note = parse_note(checkpoint.note)
            if len(note.signatures) == 1:
                line = second_line(note.unverified_text, signer)
                heads.set_note(self.conn, feed.id, checkpoint.size, checkpoint.note + line)

    def project(self, limit: int, *, isolated: bool = True) -> bool:
        """Projects and seals, isolated as `EntryProjector.advance`; True when more may be left."""
        more = self._projector.advance(self, limit, isolated=isolated)
        return self.seal() or more

    def answer(self) -> None:
        """Answers applied entries whose answers have waited; `seal` writes that."""
        self._projector.answer(self)

    @property
    def is_behind(self) -> bool:
        """Whether stored entries aren't projected: new ones, or those to which a rebuild comes yet."""
        return journal.head_position(self.conn) > journal.projected_position(self.conn)

    def catch_up(self) -> None:
        """Projects all entries, so that a command sees the current state."""
        self.seal()
        while self.project(_PROJECT_AT_ONCE):
            pass

    def clear_projections(self) -> None:
        """Empties all projections for a rebuild."""
        self._projector.clear(self.conn)

    def _pending_of(self, origin: FeedOrigin) -> _PendingEntries:
        pending = self._pending.get(origin)
        if pending is None:
            found = self._found.pop(origin, None)
            known = found is not None and origin not in self.touched
            feed = found if found is not None and known else feeds.ensure(self.conn, origin, self.own_node)
            feed.require_sound()  # once for each signature: a wrong edge would be signed
            pending = self._pending[origin] = _PendingEntries(feed)
        return pending

    def _seal_chunk(self, origin: FeedOrigin, feed: Feed, chunk: Sequence[EncodedEntry]) -> Feed:
        growth = feed.tree.append([entry.leaf for entry in chunk])
        root = growth.tree.root
        note = sign_checkpoint(Checkpoint(origin.line, growth.tree.size, root), self._signers.for_feed(origin))
        checkpoint = StoredCheckpoint(growth.tree.size, root, note, b"", 0)
        grown = heads.append(self.conn, feed, chunk, growth, checkpoint, committed_at=self.now_ms)
        feeds.note_sound(grown)  # its edge has just led to the root that was signed
        local_log.release_pending(self.conn, grown, now_ms=self.now_ms)
        self.sizes[origin] = growth.tree.size
        self.added[origin] += len(chunk)
        self.trees[origin] = growth.tree
        self.sealed.append(SealedEntries(grown, feed.size, chunk, note))
        return grown


def require_extensible(feed: Feed) -> None:
    """Raises FeedBehindError or FeedForkedError for a blocked own feed."""
    if feed.state is FeedState.BEHIND and feed.state_reason == UNCOMPARED:
        raise FeedUncomparedError(f"feed {feed.origin}: {feed.state_reason}")
    if feed.state is FeedState.BEHIND:
        raise FeedBehindError(f"feed {feed.origin}: {feed.state_reason}")
    if feed.state in (FeedState.FORKED, FeedState.CLOSED):
        raise FeedForkedError(f"feed {feed.origin}: {feed.state_reason}")
    if feed.waiting:
        raise FeedBehindError(f"feed {feed.origin}: {waiting_reason(feed)}")


def waiting_reason(feed: Feed) -> str:
    """Why pending entries block an own feed."""
    waiting = counted(feed.waiting, "own entry waits", "own entries wait")
    return (
        f"recovered; {waiting} for entries of {feed.partner} or of other own feeds that this "
        "node had seen: they come with the link, own ones by `gateway recover`"
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


@contextmanager
def marked_transaction(
    database: Database, history: OwnHistory | None, begun: Callable[[Connection], Transaction]
) -> Iterator[Transaction]:
    """A transaction, which is durable with its marks after the block.

    On SQLite both are synced at once, since this process alone reads the database, and releases nothing before both are
    durable (feed.service.continuity.marks). On PostgreSQL other replicas read what is committed: the mark goes first.

    Raises:
        StoreUnavailableError: nothing was written.
        MarksBehindError: it is committed, and its marks aren't durable.
    """
    if history is None:
        with database.write(ahead=True) as conn:
            yield begun(conn)
        return
    marking = False
    try:
        with database.write(ahead=True) as conn:
            tx = begun(conn)
            history.compare(conn, tx.now_ms)
            yield tx
            if conn.dialect.name == "sqlite":
                marking = history.begin(tx.trees, tx.now_ms)
            else:
                history.sign(tx.trees, tx.now_ms)
    except BaseException:
        if marking:
            with suppress(MarksBehindError):  # that one says that the group is committed
                history.finish()
        raise
    # A crash before this leaves a head that was signed and not committed, or committed and not marked; neither was
    # released.
    if marking:
        history.finish()
    history.commit(tx.trees)
