"""Applies entries of the local log to the projections of their channels."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from google.protobuf.message import Message
from sqlalchemy import Connection, Table, delete

from gateway.contract.ids import Channel, FeedOrigin
from gateway.contract.validation import violations
from gateway.db.database import savepoint
from gateway.errors import GatewayError, InvalidRequestError, MalformedError, StoreUnavailableError
from gateway.feed.codec import EntryFormat
from gateway.feed.projection.registry import Answers, LoggedEntry, Projection, Registry, outcome_name, send_waiting
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import dispositions, feeds, journal
from gateway.feed.tables.dispositions import DispositionRow
from gateway.feed.tables.feeds import Feed, StoredEntry
from gateway.feed.tables.journal import HeadMovedError, JournalRun
from gateway.feed.tables.schema import defects as defects_table
from gateway.feed.tables.schema import dispositions as dispositions_table
from gateway.v1 import feed_pb2

log = logging.getLogger(__name__)

_OWN_TABLES = (dispositions_table, defects_table)
"""The projector's tables, emptied with the projections."""


class _DefectError(GatewayError):
    """A defect of this software. A partner may see the message; `problem` is for the operator."""

    def __init__(self, problem: str) -> None:
        super().__init__("the recipient's gateway has a defect; its operator has been told")
        self.problem = problem


class Projector:
    """Projects the local log; implements EntryProjector, in the writer's thread alone. Marks an entry at which the
    software fails as a defect and goes on.
    """

    def __init__(self, registry: Registry) -> None:
        self.registry = registry

    @property
    def formats(self) -> Mapping[Channel, EntryFormat]:
        return self.registry.formats

    @property
    def tables(self) -> tuple[Table, ...]:
        """All tables that `clear` empties."""
        return (*_OWN_TABLES, *self.registry.tables)

    def advance(self, tx: Transaction, limit: int, *, isolated: bool = True) -> bool:
        """Projects about `limit` entries; without entries, advances one projection. True when more may be left.

        Args:
            isolated: leave out an entry at which the software fails; else its error ends the transaction.
        """
        position = journal.lock_projected(tx.conn)
        entries, more = self._read(tx, position, limit)
        if not entries:
            return any(projection.advance(tx) for projection in self.registry.projections)
        answers = self._isolated(tx, entries) if isolated else self._apply_all(tx, entries)
        answers.send(tx, entries)
        journal.move_projected(tx.conn, entries[-1].position)
        tx.projected.append(entries)
        return more or any(self.registry.of_channel(entry.feed.origin.channel).advances for entry in entries)

    def answer(self, tx: Transaction) -> None:
        """Answers what was applied and waits for others."""
        send_waiting(tx)

    def clear(self, conn: Connection) -> None:
        """Empties all projections; they are rebuilt from the first entry.

        Progress and tables are one transaction: after a crash the projections are whole, or the rebuild goes on.
        """
        journal.lock_projected(conn)  # keeps other projectors out until the commit
        for table in _OWN_TABLES:
            conn.execute(delete(table))
        self.registry.clear(conn)
        feeds.forget_applied(conn)
        journal.move_projected(conn, 0)

    def _read(self, tx: Transaction, position: int, limit: int) -> tuple[list[LoggedEntry], bool]:
        """Entries after a position, fewer where each holds many items; whether there are more."""
        entries: list[LoggedEntry] = []
        runs = journal.runs_after(tx.conn, position, limit)
        for run in runs:
            if entries and len(entries) + run.count > limit:
                return entries, True
            read = self._entries(tx, run, position, limit)
            entries.extend(read)
            if len(read) < run.first_position + run.count - 1 - max(position, run.first_position - 1):
                return entries, True
        return entries, len(runs) >= limit

    def _entries(self, tx: Transaction, run: JournalRun, position: int, limit: int) -> list[LoggedEntry]:
        own = (sealed.feed for sealed in tx.sealed if sealed.feed.id == run.feed_id)
        feed = next(own, None) or feeds.get_by_id(tx.conn, run.feed_id)
        skip = max(0, position + 1 - run.first_position)
        end = run.first_index + run.count
        items = self.formats[feed.origin.channel].items
        if items > 1:
            end = min(end, run.first_index + skip + max(1, limit // items))
        first = run.first_index + skip
        stored = feeds.read_entries(tx.conn, feed.id, first, end)
        return [self._entry(run, feed, entry) for entry in stored]

    def _entry(self, run: JournalRun, feed: Feed, entry: StoredEntry) -> LoggedEntry:
        event: Message | None = None
        error: GatewayError | None = None
        try:
            event = self.formats[feed.origin.channel].parse(entry.header, entry.payload)
            if event is not None and feed.direction == "in" and (broken := violations(event)):
                raise InvalidRequestError(broken)
        except GatewayError as refusal:
            error = refusal
        except Exception as defect:
            error = _defect(feed, entry.index, defect)
        position = run.first_position + entry.index - run.first_index
        return LoggedEntry(position, run.committed_at, feed, entry.index, event, error)

    def _isolated(self, tx: Transaction, entries: Sequence[LoggedEntry]) -> Answers:
        """Applies entries and returns their answers.

        After an unforeseen error the entries are applied one by one, so that only its cause is left out.
        """
        try:
            with savepoint(tx.conn):
                return self._apply_all(tx, entries)
        except (StoreUnavailableError, HeadMovedError):
            raise
        except Exception as defect:
            if len(entries) == 1:
                return self._give_up(tx, entries[0], defect)
            log.warning("entries are applied one by one: %r", defect)
        answers = Answers()
        for entry in entries:
            answers.extend(self._isolated(tx, [entry]))
        return answers

    def _apply_all(self, tx: Transaction, entries: Sequence[LoggedEntry]) -> Answers:
        pages = self._pages(entries)
        for projection, page in pages:
            projection.begin(tx, page)
        answers = Answers()
        for entry in entries:
            error = entry.error
            if error is None and entry.event is not None:
                error = self._refusal(tx, entry, entry.event)
            self._note(tx, entry, error, answers)
        for projection, _ in pages:
            projection.finish(tx)
        return answers

    def _pages(self, entries: Sequence[LoggedEntry]) -> list[tuple[Projection, list[LoggedEntry]]]:
        pages: dict[int, tuple[Projection, list[LoggedEntry]]] = {}
        for entry in entries:
            projection = self.registry.of_channel(entry.feed.origin.channel)
            page = pages.setdefault(id(projection), (projection, []))[1]
            if entry.error is None and entry.event is not None:
                page.append(entry)
        return list(pages.values())

    def _refusal(self, tx: Transaction, entry: LoggedEntry, event: Message) -> GatewayError | None:
        """Applies an event; returns the error that prevented it."""
        channel = entry.feed.origin.channel
        disposition = self.formats[channel].disposition_of(event)
        try:
            if disposition is not None:
                _note_disposition(tx, entry, disposition)
            else:
                self.registry.of_channel(channel).apply(tx, entry)
        except GatewayError as error:
            return error
        return None

    def _note(self, tx: Transaction, entry: LoggedEntry, error: GatewayError | None, answers: Answers) -> None:
        if isinstance(error, _DefectError):
            dispositions.add_defect(tx.conn, entry.feed.id, entry.index, error.problem, noted_at=tx.now_ms)
        elif error is not None:
            log.warning("entry %s of %s isn't applied: %s", entry.index, entry.feed.origin, error)
        if entry.feed.direction == "in" and self._is_answered(entry, error):
            answers.add(entry, error)

    def _give_up(self, tx: Transaction, entry: LoggedEntry, defect: Exception) -> Answers:
        """Marks an entry as not applied and returns its answer."""
        answers = Answers()
        self._note(tx, entry, _defect(entry.feed, entry.index, defect), answers)
        return answers

    def _is_answered(self, entry: LoggedEntry, error: GatewayError | None) -> bool:
        """Dispositions are never answered: there would be no end."""
        if entry.event is None:  # unreadable, or erased at the end of its retention
            return error is not None
        return self.formats[entry.feed.origin.channel].disposition_of(entry.event) is None


def _defect(feed: Feed, index: int, defect: Exception) -> _DefectError:
    log.error("entry %s of %s isn't applied: this gateway has a defect", index, feed.origin, exc_info=defect)
    return _DefectError(f"this gateway has a defect ({type(defect).__name__}; its log has the details)")


def _note_disposition(tx: Transaction, entry: LoggedEntry, disposition: feed_pb2.Disposition) -> None:
    origin = entry.feed.origin
    about = FeedOrigin.parse(disposition.origin)
    if about != origin.reverse:
        raise MalformedError(f"a disposition in {origin} can't speak of {about}")
    feed_id, size = journal.feed_at(tx.conn, about, entry.position) or (0, 0)
    if disposition.index + disposition.count > size:
        raise MalformedError(f"a disposition speaks of entries that {about} doesn't have")
    dispositions.add(
        tx.conn,
        DispositionRow(
            feed_id=feed_id,
            first_idx=disposition.index,
            count=disposition.count,
            outcome=outcome_name(disposition.outcome),
            reason=disposition.reason,
            message=disposition.SerializeToString(deterministic=True),
            position=entry.position,
        ),
    )
