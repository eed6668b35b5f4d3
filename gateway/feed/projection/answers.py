"""Answers partners' entries with dispositions, one per run of entries with the same outcome."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.contract.ids import FeedOrigin
from gateway.contract.timestamps import to_timestamp
from gateway.errors import GatewayError, InvalidRequestError, Violation
from gateway.feed.codec import EncodedEntry, UnknownKindError
from gateway.feed.projection.registry import LoggedEntry
from gateway.feed.service.quotas import count, stored_as
from gateway.feed.service.writing.commands import new_entry
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import feeds
from gateway.feed.tables.dispositions import HELD
from gateway.feed.tables.feeds import Feed
from gateway.v1 import feed_pb2

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
            if not _extensible(tx, feed):  # 1
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
        if _extensible(tx, feed):
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
    return _extensible(tx, feeds.get(tx.conn, origin))


def answer_applied(tx: Transaction, origin: FeedOrigin, index: int) -> None:
    """Answers a held entry as applied now; raises as `Transaction.append`."""
    feed = feeds.get(tx.conn, origin)
    tx.append(origin.reverse, _entry(tx, _Run(feed, index, 1, APPLIED, None)))


def _extensible(tx: Transaction, feed: Feed) -> bool:
    answering = feeds.find(tx.conn, feed.origin.reverse)
    return answering is None or answering.extensible


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
