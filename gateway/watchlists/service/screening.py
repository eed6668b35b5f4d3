"""Screens parties against all lists that this node holds, and entries against parties of before.

The index follows the projection: of each entry that a change names it takes what the projection says of it now. So a
change that had no effect has none here, and one that is read twice changes nothing.

`start`, `follow`, `tidy` and `save` are for one thread at a time, and a lock holds them to it; `screen` is for any
number of threads meanwhile.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from gateway.contract.ids import FeedOrigin
from gateway.db.database import Database
from gateway.screening.index import snapshot
from gateway.screening.index.columns import IndexEntry
from gateway.screening.index.hits import SearchResult, Visible
from gateway.screening.index.index import MAX_HITS, NameIndex, PartyQuery
from gateway.screening.index.snapshot import SnapshotUnusableError
from gateway.screening.result import DEFAULT_THRESHOLDS, Thresholds
from gateway.v1 import screening_pb2, watchlist_pb2
from gateway.watchlists.codec import screening as wire
from gateway.watchlists.codec.events import key_of
from gateway.watchlists.rules.matches import EntryKey, SourceKey, SourceKind
from gateway.watchlists.service.recent_parties import BackwardHit, Party, RecentParties
from gateway.watchlists.service.updates import read_update
from gateway.watchlists.tables import lists as watchlists
from gateway.watchlists.tables import progress as list_progress
from gateway.watchlists.tables.lists import ChangeRow, EntryRow

log = logging.getLogger(__name__)

CHANGES_AT_ONCE = 20
"""Updates read in one go, each of at most 500 changes: the longest for which one read transaction stays open."""


@dataclass(frozen=True, slots=True)
class ScreeningOutcome:
    """What was found for each subject, in order, and the last change of the lists that was considered."""

    found: list[SearchResult]
    position: int


@dataclass(slots=True)
class BackwardComparison:
    """What comparing changes with the parties of before gave: up to which change, hits, and the entries that have ended
    or were amended."""

    position: int
    hits: list[BackwardHit]
    changed: list[EntryKey]


def everybody(_: str) -> bool:
    """Predicate of a caller who may see all lists."""
    return True


class Screener:
    """The index of one node."""

    def __init__(
        self,
        database: Database,
        snapshot_path: Path,
        *,
        thresholds: Mapping[str, Thresholds],
        recent: RecentParties | None = None,
    ) -> None:
        """Takes what it needs and reads nothing.

        Args:
            database: holds the lists.
            snapshot_path: where the snapshot of the index is kept; its folder exists.
            thresholds: scores that count, by list as `publisher/list` or by the list's name alone.
            recent: the parties of before.
        """
        self._database = database
        self._path = snapshot_path
        self._thresholds = dict(thresholds)
        self._index = NameIndex()
        self._seq = 0
        self._saved = 0
        self.recent = RecentParties() if recent is None else recent
        self._writing = threading.Lock()

    @property
    def position(self) -> int:
        """Number of the last change that the index shows."""
        return self._seq

    @property
    def entries(self) -> int:
        """Entries in the index."""
        return len(self._index)

    # Filling

    def start(self) -> bool:
        """Takes up the snapshot, or builds the index anew, and then what has changed since; True for a snapshot.

        Raises:
            StoreUnavailableError: the database can't be read.
        """
        with self._writing:
            taken = self._take_up()
            if not taken:
                self._build()
        self.follow()
        return taken

    def follow(self, within_s: float = math.inf) -> int:
        """Takes in what has changed.

        Args:
            within_s: seconds after which it ends although there is more.

        Returns:
            Number of changes that were taken in.

        Raises:
            StoreUnavailableError: the database can't be read; what was taken in before stays.
        """
        end, done = time.monotonic() + within_s, 0
        with self._writing:
            while True:
                with self._database.read() as conn:
                    changes = self._next(conn)
                    taken = [effect for change in changes for effect in _effects(conn, change)]
                for key, record in taken:
                    if record is None:
                        self._index.remove(wire.group_of(key.publisher, key.list), key.id)
                    else:
                        self._index.put(record)
                    self._index.tidy()
                if changes:
                    self._seq = changes[-1].seq
                    done += len(taken)
                if not changes or time.monotonic() > end:
                    return done

    def compare_back(self, after: int, *, at_ms: int, within_s: float) -> BackwardComparison:
        """Compares entries that changed after a change, and are in the index, with the parties of before.

        Args:
            after: number of a change.
            at_ms: entries that aren't valid at this time don't count.
            within_s: seconds after which it ends although there is more.

        Raises:
            StoreUnavailableError: the database can't be read.
        """
        end, done = time.monotonic() + within_s, BackwardComparison(after, [], [])
        while done.position < self._seq:
            with self._database.read() as conn:
                if list_progress.applied(conn) < self._seq:
                    break  # the projection is being built again
                changes = watchlists.changes_after(conn, done.position, 1)
                effects = [effect for change in changes for effect in _effects(conn, change)]
            for key, record in effects:
                if record is None or record.revision > 1:
                    done.changed.append(key)
                if record is not None and record.counts_at(at_ms):
                    done.hits += self.recent.hits(record, self._limits)
            done.position = changes[-1].seq if changes else self._seq
            if time.monotonic() > end:
                break
        return done

    def tidy(self) -> bool:
        """Does a bounded step of the index's own upkeep; False when there is none to do. For idle moments."""
        with self._writing:
            return self._index.tidy()

    def save(self) -> int:
        """Writes a snapshot when something has changed since the last one; gives its size in bytes, 0 for none.

        Raises:
            OSError: it can't be written; the one before is still there.
        """
        with self._writing:
            if self._seq == self._saved:
                return 0
            with self._database.read() as conn:
                source = _source(conn, self._seq)
            size = snapshot.write(self._path, self._index, source=source, seq=self._seq)
            self._saved = self._seq
            return size

    def _take_up(self) -> bool:
        try:
            found = snapshot.read(self._path)
        except SnapshotUnusableError as error:
            log.info("the screening index is built anew: %s", error.message)
            return False
        with self._database.read() as conn:
            if found.seq > list_progress.applied(conn) or _source(conn, found.seq) != found.source:
                log.warning("the screening index is built anew: its snapshot is of another history than the database")
                return False
        self._index, self._seq, self._saved = found.index, found.seq, found.seq
        return True

    def _build(self) -> None:
        self._index, self._seq, self._saved = NameIndex(), 0, 0
        self._index.load(self._all())

    def _all(self) -> Iterator[IndexEntry]:
        while True:
            with self._database.read() as conn:
                changes = self._next(conn)
                records = [record for change in changes for _, record in _effects(conn, change) if record is not None]
            if not changes:
                return
            yield from records
            self._seq = changes[-1].seq

    def _next(self, conn: Connection) -> list[ChangeRow]:
        applied = list_progress.applied(conn)
        if applied < self._seq:
            return []  # the projection is being built again: it will come back to where this index is
        changes = watchlists.changes_after(conn, self._seq, CHANGES_AT_ONCE)
        return [change for change in changes if change.seq <= applied]

    # Screening

    def screen(
        self,
        subjects: Sequence[screening_pb2.ScreeningSubject],
        *,
        visible: Visible = everybody,
        at_ms: int,
        max_hits: int = MAX_HITS,
    ) -> ScreeningOutcome:
        """Seeks each subject among the entries that count now.

        Args:
            subjects: who and what to look for; those with a reference are remembered.
            visible: whether the caller may see a list, given as `publisher/list`.
            at_ms: the time, in milliseconds since 1970; entries not valid at it don't count.
            max_hits: most hits for one subject.
        """
        parties = [Party(subject, wire.sought_of(subject)) for subject in subjects]
        for party in parties:
            if party.subject.reference:  # before the search: what comes to the lists from now on looks for it
                self.recent.remember(SourceKey(SourceKind.SCREENED, "", party.subject.reference), 0, {"": party})
        return self.seek([party.sought for party in parties], visible=visible, at_ms=at_ms, max_hits=max_hits)

    def seek(
        self, wanted: Sequence[PartyQuery], *, visible: Visible = everybody, at_ms: int, max_hits: int = MAX_HITS
    ) -> ScreeningOutcome:
        """Seeks what subjects are sought by; nobody is remembered."""
        index, position = self._index, self._seq
        found = [
            index.search(sought, at_ms=at_ms, visible=visible, thresholds=self._limits, limit=max_hits or MAX_HITS)
            for sought in wanted
        ]
        return ScreeningOutcome(found, position)

    def _limits(self, group: str) -> Thresholds:
        found = self._thresholds.get(group)
        return found or self._thresholds.get(group.partition("/")[2], DEFAULT_THRESHOLDS)


def _source(conn: Connection, seq: int) -> str:
    """Names the history of changes by its change of that number: after a restore another one has it."""
    changes = watchlists.changes_after(conn, seq - 1, 1) if seq else []
    return "".join(f"{change.origin} {change.idx} {change.committed_at}" for change in changes if change.seq == seq)


def _effects(conn: Connection, change: ChangeRow) -> list[tuple[EntryKey, IndexEntry | None]]:
    """What an update makes of the index: records that stand in it, None for what has ended in it."""
    publisher = FeedOrigin.parse(change.origin).publisher
    changes = read_update(conn, change.feed_id, change.idx).changes
    rows = watchlists.find_all(conn, publisher, map(key_of, changes))
    effects: list[tuple[EntryKey, IndexEntry | None]] = []
    for ordinal, one in enumerate(changes):
        key = key_of(one)
        row = rows.get(key)
        if row is not None and _stands_here(row, change, ordinal):
            effects.append((EntryKey(publisher, key.list, key.entry_id), _record(publisher, one, row)))
    return effects


def _stands_here(row: EntryRow, change: ChangeRow, ordinal: int) -> bool:
    return (row.feed_id, row.idx, row.ordinal) == (change.feed_id, change.idx, ordinal)


def _record(publisher: str, change: watchlist_pb2.WatchlistChange, row: EntryRow) -> IndexEntry | None:
    return None if row.ended else wire.record_of(publisher, change.entered)
