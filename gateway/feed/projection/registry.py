"""What projections do, by channel, and how partners' entries are answered: one disposition for a run of like outcomes.

gateway.node.projections lists the projections.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from google.protobuf.message import Message
from sqlalchemy import Connection, Table, delete

from gateway.contract.ids import Channel, FeedOrigin
from gateway.contract.messages import to_timestamp
from gateway.errors import GatewayError, InvalidRequestError, Violation
from gateway.feed.codec import FORMAT, EncodedEntry, EntryFormat, UnknownKindError
from gateway.feed.service.quotas import count, stored_as
from gateway.feed.service.writing.commands import new_entry
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import feeds
from gateway.feed.tables.dispositions import HELD
from gateway.feed.tables.feeds import Feed
from gateway.v1 import feed_pb2

MOST_ANSWER_BYTES = 512
"""A disposition without refusals is shorter, an alert mostly longer: it isn't parsed for this."""


@dataclass(frozen=True, slots=True)
class LoggedEntry:
    """An entry of the local log, as projections get it.

    Attributes:
        position: in the local log.
        committed_at: when it entered the local log, in milliseconds since 1970.
        event: None when it was erased or can't be read.
        error: why it can't be read.
    """

    position: int
    committed_at: int
    feed: Feed
    index: int
    event: Message | None
    error: GatewayError | None = None


class Projection(ABC):
    """Tables that are built from entries and can be rebuilt.

    Used in the writer's thread and transactions alone: tables, progress and dispositions move together.

    Attributes:
        formats: one per channel.
        tables: what `clear` empties, in an order that foreign keys allow.
        follows: built behind the others, by work of its own; not complete when all entries are projected.
    """

    formats: Sequence[EntryFormat] = ()
    tables: Sequence[Table] = ()
    follows: bool = False

    def clear(self, conn: Connection) -> None:
        """Empties the tables; a projection with progress resets that too."""
        for table in self.tables:
            conn.execute(delete(table))

    def begin(self, tx: Transaction, entries: Sequence[LoggedEntry]) -> None:
        """Reads what the next entries need in few statements, before `apply` for each."""
        return

    @abstractmethod
    def apply(self, tx: Transaction, entry: LoggedEntry) -> None:
        """Applies one entry that has an event.

        Raises:
            GatewayError: the entry isn't applied, and nothing of it was written; its partner gets the reason.
        """

    def finish(self, tx: Transaction) -> None:
        """Writes what `apply` gathered, in few statements."""
        return

    def advance(self, tx: Transaction) -> bool:
        """Does work beyond entries when none is left to apply; True when more may be left."""
        return False

    @property
    def advances(self) -> bool:
        """Whether entries make work for `advance`."""
        return type(self).advance is not Projection.advance

    def has_applied(self, conn: Connection, feed_id: int, index: int) -> bool:
        """Whether a formerly held entry has been applied."""
        return False


class Registry:
    """The projections of a node.

    Raises:
        ValueError: two projections name one channel, or a channel has none.
    """

    def __init__(self, projections: Iterable[Projection]) -> None:
        self.projections = tuple(projections)
        self._by_channel: dict[Channel, Projection] = {}
        formats: dict[Channel, EntryFormat] = {}
        for projection in self.projections:
            for entry_format in projection.formats:
                if entry_format.channel in formats:
                    raise ValueError(f"channel {entry_format.channel.value} has two projections")
                formats[entry_format.channel] = entry_format
                self._by_channel[entry_format.channel] = projection
        missing = [channel.value for channel in Channel if channel not in formats]
        if missing:
            raise ValueError(f"no projection for channel {', '.join(missing)}; node.projections lists them")
        self.formats: Mapping[Channel, EntryFormat] = formats

    @property
    def tables(self) -> tuple[Table, ...]:
        return tuple(table for projection in self.projections for table in projection.tables)

    @property
    def knowledge(self) -> bytes:
        """SHA-256 of the known kinds of entries; entries of other kinds are held."""
        known = " ".join(f"{one.type_name} {','.join(one.kinds)}" for one in self.formats.values())
        return sha256(f"{FORMAT} {known}".encode()).digest()

    def is_answer(self, origin: FeedOrigin, entry: EncodedEntry) -> bool:
        """Whether an entry is a disposition; False for what can't be read."""
        entry_format = self.formats[origin.channel]
        if len(entry.payload) > MOST_ANSWER_BYTES or entry_format.make_disposition is None:
            return False
        try:
            event = entry_format.parse(entry.header, entry.payload)
        except GatewayError:
            return False
        return event is not None and entry_format.disposition_of(event) is not None

    def of_channel(self, channel: Channel) -> Projection:
        return self._by_channel[channel]

    def clear(self, conn: Connection) -> None:
        for projection in self.projections:
            projection.clear(conn)


APPLIED = "applied"
REJECTED = "rejected"

_VALUES = {
    APPLIED: feed_pb2.DISPOSITION_OUTCOME_APPLIED,
    REJECTED: feed_pb2.DISPOSITION_OUTCOME_REJECTED,
    HELD: feed_pb2.DISPOSITION_OUTCOME_HELD,
}
_NAMES = {value: name for name, value in _VALUES.items()}

_MAX_FIELD_CHARS, _MAX_RULE_CHARS, _MAX_MESSAGE_CHARS, _MAX_VIOLATIONS = 512, 256, 1024, 200
"""Limits of the contract's Disposition and FieldViolation."""

MOST_WAITING = 50
"""Most entries of a feed in a page whose answers wait for others; those of a larger page are few beside it."""

MOST_AT_ONCE = 1_000
"""Most entries of a feed that are answered in one transaction: where this node couldn't answer for days, many wait."""

_READ_AT_ONCE = 50
"""Entries that are read together; a payload has up to MAX_PAYLOAD_BYTES."""

_MAX_VIOLATION_BYTES = 16 * 1024
"""Most bytes of the violations in a disposition: a small entry may break hundreds of rules."""


def outcome_name(value: feed_pb2.DispositionOutcome.ValueType) -> str:
    """Stored name of an outcome; an outcome of a newer version counts as held."""
    return _NAMES.get(value, HELD)


@dataclass(slots=True)
class _Run:
    """Consecutive entries of one feed with the same outcome."""

    feed: Feed
    first: int
    count: int
    outcome: str
    error: GatewayError | None


class Answers:
    """Dispositions for a page of entries."""

    def __init__(self) -> None:
        self._runs: list[_Run] = []

    def add(self, entry: LoggedEntry, error: GatewayError | None) -> None:
        if error is None:
            self.add_applied(entry.feed, entry.index)
        else:
            outcome = HELD if isinstance(error, UnknownKindError) else REJECTED
            self._runs.append(_Run(entry.feed, entry.index, 1, outcome, error))

    def add_applied(self, feed: Feed, index: int) -> None:
        last = self._runs[-1] if self._runs else None
        if last is not None and (last.feed.id, last.outcome, last.first + last.count) == (feed.id, APPLIED, index):
            last.count += 1
        else:
            self._runs.append(_Run(feed, index, 1, APPLIED, None))

    def extend(self, later: Answers) -> None:
        for run in later._runs:
            last = self._runs[-1] if self._runs else None
            if (
                last is not None
                and run.error is None
                and (last.feed.id, last.outcome, last.first + last.count) == (run.feed.id, run.outcome, run.first)
            ):
                last.count += run.count
            else:
                self._runs.append(run)

    def send(self, tx: Transaction, entries: Sequence[LoggedEntry]) -> None:
        """Answers a page of entries in own feeds, in the transaction that applied them.

        1. An unanswerable entry leaves a gap; nothing after it is answered before a StateCommand projects the gap
           again.
        2. A few entries that were all applied wait for others (`applied_size`), until `send_waiting`.
        3. All else is answered at once, after what waits; `disposed_size` moves in the same transaction: a crash before
           its commit leaves neither.
        """
        received: dict[int, list[LoggedEntry]] = {}
        for entry in entries:
            if entry.feed.direction == "in":
                received.setdefault(entry.feed.id, []).append(entry)
        runs: dict[int, list[_Run]] = {}
        for run in self._unsent():
            runs.setdefault(run.feed.id, []).append(run)
        for feed_id, of_feed in received.items():
            feed, end = of_feed[0].feed, of_feed[-1].index + 1
            reached = max(feed.disposed_size, feed.applied_size)
            if of_feed[0].index > reached:  # 1
                continue
            unsent, waiting = runs.get(feed_id, []), feed.applied_size > feed.disposed_size
            if len(of_feed) <= MOST_WAITING and (unsent or waiting) and all(run.error is None for run in unsent):  # 2
                if end > reached:
                    feeds.set_applied_size(tx.conn, feed_id, end)
                    tx.unanswered = True
                continue
            if (unsent or waiting) and not tx.is_extensible(feed.origin.reverse):  # 1
                continue
            if waiting:  # 3
                _send_waiting(tx, feed, feed.applied_size)
            for run in unsent:
                self._send(tx, run)
            if end > feed.disposed_size:
                feeds.set_disposed_size(tx.conn, feed_id, max(end, reached))

    def _send(self, tx: Transaction, run: _Run) -> None:
        answer = _entry(tx, run)
        tx.append(run.feed.origin.reverse, answer, urgent=False)
        if run.error is not None:
            _count(tx, run.feed, answer)

    def _unsent(self) -> Iterator[_Run]:
        """Parts of runs that weren't answered before, e.g. before a rebuild."""
        for run in self._runs:
            end = run.first + run.count
            first = max(run.first, run.feed.disposed_size, run.feed.applied_size)
            if first < end:
                yield _Run(run.feed, first, end - first, run.outcome, run.error)


def send_waiting(tx: Transaction) -> None:
    """Answers applied entries that waited for others, except where this node can't answer now."""
    for feed in feeds.unanswered(tx.conn):
        if tx.is_extensible(feed.origin.reverse):
            end = min(feed.applied_size, feed.disposed_size + MOST_AT_ONCE)
            _send_waiting(tx, feed, end)
            feeds.set_disposed_size(tx.conn, feed.id, end)
            if end < feed.applied_size:
                feeds.set_applied_size(tx.conn, feed.id, feed.applied_size)
                tx.unanswered = True


def _send_waiting(tx: Transaction, feed: Feed, end: int) -> None:
    """Answers all entries from `disposed_size` to `end` as applied, but for dispositions."""
    entry_format = tx.formats[feed.origin.channel]
    answers = Answers()
    for first in range(feed.disposed_size, end, _READ_AT_ONCE):
        for entry in feeds.read_entries(tx.conn, feed.id, first, min(first + _READ_AT_ONCE, end)):
            event = entry_format.parse(entry.header, entry.payload)
            if event is not None and entry_format.disposition_of(event) is None:
                answers.add_applied(feed, entry.index)
    for run in answers._runs:
        tx.append(feed.origin.reverse, _entry(tx, run))


def _count(tx: Transaction, feed: Feed, entry: EncodedEntry) -> None:
    """Counts a refusal with the partner's entries, since it may be larger than what it refuses."""
    count(tx.conn, feed.partner, stored_as(feed.origin.channel), items=0, size=entry.size_bytes, now_ms=tx.now_ms)


def can_answer(tx: Transaction, origin: FeedOrigin) -> bool:
    """Whether this node can answer entries of a partner's feed now."""
    return tx.is_extensible(origin.reverse)


def answer_applied(tx: Transaction, origin: FeedOrigin, index: int) -> None:
    """Answers a held entry as applied now; raises as `Transaction.append`."""
    feed = feeds.get(tx.conn, origin)
    tx.append(origin.reverse, _entry(tx, _Run(feed, index, 1, APPLIED, None)))


def _entry(tx: Transaction, run: _Run) -> EncodedEntry:
    disposition = feed_pb2.Disposition(
        origin=run.feed.origin.line,
        index=run.first,
        count=run.count,
        outcome=_VALUES[run.outcome],
        decided_at=to_timestamp(tx.now_ms),
    )
    if run.error is not None:
        disposition.reason = run.error.reason
        disposition.violations.extend(_listed(_violations(run.error)))
    entry_format = tx.formats[run.feed.origin.channel]
    assert entry_format.make_disposition is not None  # noqa: S101  the channel leads to partners
    event = entry_format.make_disposition(disposition, tx.now_ms)
    return new_entry(entry_format.type_name, event, now_ms=tx.now_ms, follows=run.feed.journaled_size)


def _listed(violations: Sequence[Violation]) -> Iterator[feed_pb2.FieldViolation]:
    """As many as fit; the first always."""
    room = _MAX_VIOLATION_BYTES
    for violation in violations[:_MAX_VIOLATIONS]:
        listed = feed_pb2.FieldViolation(
            field=violation.field[:_MAX_FIELD_CHARS],
            rule=violation.rule[:_MAX_RULE_CHARS],
            message=violation.message[:_MAX_MESSAGE_CHARS],
        )
        room -= listed.ByteSize()
        if room < 0:
            return
        yield listed


def _violations(error: GatewayError) -> Sequence[Violation]:
    if isinstance(error, InvalidRequestError):
        return error.violations
    return (Violation("", error.reason, error.message),)
