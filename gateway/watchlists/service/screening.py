"""Screens parties against all lists of this node, and entries against earlier parties.

The index takes the projected state of each changed entry. So a change without effect has none here either, and reading
one twice is harmless.

A lock keeps `start`, `follow`, `tidy` and `save` to one thread; any number may call `screen`.
"""

from __future__ import annotations

import logging
import math
import sys
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from gateway.db.database import Database
from gateway.free_memory import release_free_memory
from gateway.screening.index import snapshot
from gateway.screening.index.columns import IndexEntry
from gateway.screening.index.hits import SearchResult, Visible
from gateway.screening.index.index import MAX_HITS, NameIndex, PartyQuery
from gateway.screening.index.parts import IndexPart, RefusedEntry
from gateway.screening.index.snapshot import SnapshotUnusableError
from gateway.screening.result import DEFAULT_THRESHOLDS, MatchClass, Thresholds
from gateway.v1 import screening_pb2, watchlist_pb2
from gateway.watchlists.codec import screening as wire
from gateway.watchlists.rules.matches import EntryKey, MatchPlace, SourceKey, SourceKind
from gateway.watchlists.service.index_ranges import (
    CHANGES_AT_ONCE,
    ChangeRange,
    RangeBuilder,
    RangePart,
    build_range,
    effects_of,
    ranges_of,
)
from gateway.watchlists.service.recent_parties import BackwardHit, Party, RecentParties
from gateway.watchlists.tables import lists as watchlists
from gateway.watchlists.tables import progress as list_progress
from gateway.watchlists.tables.lists import ChangeRow

log = logging.getLogger(__name__)

HITS_OF_A_PARTY = 20
"""Most matches of one party, and of a party of before with one update: only a very common name has more."""

MANY_UPDATES = 100
"""Updates, of at most 500 changes, from which on those that wait are indexed together: entry by entry, an index that
grows is merged several times.
"""

MANY_UPDATES_AT_ONCE = 400
"""Most of them at once: matches are searched for in between."""


@dataclass(frozen=True, slots=True)
class ScreeningOutcome:
    """Hits by subject, in order.

    Attributes:
        position: last list change considered.
        unindexed: changes known before that weren't.
    """

    found: list[SearchResult]
    position: int
    unindexed: int


@dataclass(slots=True)
class BackwardComparison:
    """Last change compared, hits, and entries that ended or were amended.

    `screened`: entries that a party which an own system gave is identical with.
    """

    position: int
    hits: list[BackwardHit]
    changed: list[EntryKey]
    screened: dict[EntryKey, IndexEntry] = field(default_factory=dict)


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
        build_ranges: RangeBuilder | None = None,
    ) -> None:
        """Reads nothing.

        Args:
            snapshot_path: file of the index's snapshot; its folder exists.
            thresholds: by `publisher/list` or list.
            build_ranges: reads many entries' names, perhaps in other processes; None: here.
        """
        self._database = database
        self._path = snapshot_path
        self._thresholds = dict(thresholds)
        self._index = NameIndex()
        self._seq = 0
        self._saved = 0
        self._skipped: set[EntryKey] = set()
        self.recent = RecentParties() if recent is None else recent
        self._writing = threading.Lock()
        self._build_ranges = build_ranges or partial(map, partial(build_range, database))

    @property
    def position(self) -> int:
        """Number of the last indexed change."""
        return self._seq

    @property
    def entries(self) -> int:
        """Number of indexed entries."""
        return len(self._index)

    @property
    def skipped(self) -> frozenset[EntryKey]:
        """Entries that nothing is screened against in their present revision, since the index couldn't take them."""
        return frozenset(self._skipped)

    # Filling

    def start(self) -> bool:
        """Loads the snapshot (True) or builds the index, then reads newer changes; raises StoreUnavailableError."""
        with self._writing:
            taken = self._take_up()
            if not taken:
                self._build()
        self.follow()
        return taken

    def follow(self, within_s: float = math.inf) -> int:
        """Indexes new changes for at most `within_s` seconds; returns their number.

        Raises:
            StoreUnavailableError: indexed changes stay.
        """
        end = time.monotonic() + within_s
        with self._writing:
            done = self._catch_up(MANY_UPDATES, MANY_UPDATES_AT_ONCE)
            while True:
                with self._database.read() as conn:
                    changes = self._next(conn)
                    taken = [effect for change in changes for effect in effects_of(conn, change)]
                for key, entry in taken:
                    self._take(key, entry)
                    self._index.tidy()
                if changes:
                    self._seq = changes[-1].seq
                    done += len(taken)
                if not changes or time.monotonic() > end:
                    return done

    def _take(self, key: EntryKey, entry: watchlist_pb2.WatchlistEntry | None) -> None:
        """Indexes or removes an entry; one that can't be taken is skipped, so that the others are followed."""
        try:
            if entry is None:
                self._index.remove(wire.group_of(key.publisher, key.list), key.id)
            else:
                self._index.put(wire.record_of(key.publisher, entry))
            self._skipped.discard(key)
        except Exception as error:  # whatever it is, it must not stop the others
            self._skip(key, error)

    def _skip(self, key: EntryKey, error: Exception) -> None:
        self._skipped.add(key)
        # without the list's name, which not every reader of the log may know
        log.error("entry %s of %s isn't screened against: %r", key.id, key.publisher, error, exc_info=error)

    def compare_back(self, after: int, *, at_ms: int, within_s: float) -> BackwardComparison:
        """Compares indexed entries with earlier parties.

        Args:
            after: number of the change to start after.
            at_ms: entries not valid then are left out.
            within_s: seconds after which it stops.

        Raises:
            StoreUnavailableError: the database can't be read.
        """
        end, done = time.monotonic() + within_s, BackwardComparison(after, [], [])
        while done.position < self._seq:
            with self._database.read() as conn:
                if list_progress.applied(conn) < self._seq:
                    break  # the projection is being rebuilt
                changes = watchlists.changes_after(conn, done.position, 1)
                effects = [effect for change in changes for effect in effects_of(conn, change)]
            of_party: Counter[MatchPlace] = Counter()
            for key, entry in effects:
                if entry is None or entry.revision > 1:
                    done.changed.append(key)
                if entry is None or key in self._skipped:
                    continue
                record = wire.record_of(key.publisher, entry)
                if record.counts_at(at_ms):
                    for hit in self.recent.hits(record, self.limits):
                        of_party[hit.place] += 1
                        if of_party[hit.place] <= HITS_OF_A_PARTY:
                            done.hits.append(hit)
                            if _is_screened_and_identical(hit):
                                done.screened[key] = record
            done.position = changes[-1].seq if changes else self._seq
            if time.monotonic() > end:
                break
        return done

    def tidy(self) -> bool:
        """Does a bounded step of index upkeep; False when none is due."""
        with self._writing:
            return self._index.tidy()

    @property
    def rows_in_memory(self) -> int:
        """Names and identifiers that aren't in a mapped snapshot."""
        return self._index.rows_in_memory

    def save(self, *, for_good: bool = False) -> int:
        """Writes a changed index and searches it in its file from then on; returns its bytes or 0.

        One that lacks an entry isn't written: the next start builds it anew, tries that entry again and tells of it.

        Args:
            for_good: nothing is searched any more.

        Raises:
            OSError: it can't be written; the previous one remains.
        """
        with self._writing:
            if self._seq == self._saved or self._skipped:
                return 0
            with self._database.read() as conn:
                source = _source(conn, self._seq)
            size = snapshot.write(self._path, self._index, source=source, seq=self._seq)
            self._saved = self._seq
            if not for_good:
                self._continue_in_file()
            return size

    def _continue_in_file(self) -> None:
        """What the snapshot has needn't be in memory too."""
        try:
            written = snapshot.read(self._path)
        except SnapshotUnusableError as error:
            log.warning("the screening index stays in memory: %s", error.message)
            return
        self._index.continue_with(written.index.sorted_runs())
        release_free_memory()

    def _take_up(self) -> bool:
        try:
            index = snapshot.read(self._path)
        except SnapshotUnusableError as error:
            log.info("the screening index is built anew: %s", error.message)
            return False
        with self._database.read() as conn:
            if index.seq > list_progress.applied(conn) or _source(conn, index.seq) != index.source:
                log.warning("the screening index is built anew: its snapshot is of another history than the database")
                return False
        self._index, self._seq, self._saved = index.index, index.seq, index.seq
        return True

    def _build(self) -> None:
        self._index, self._seq, self._saved = NameIndex(), 0, 0
        self._catch_up(least=1)

    def _catch_up(self, least: int, most: int = sys.maxsize) -> int:
        """Indexes so many waiting updates or more at once, as parts that become one run; returns the entries."""
        with self._database.read() as conn:
            waiting = min(list_progress.applied(conn), watchlists.last_seq(conn)) - self._seq
        if waiting < least:
            return 0
        joined = _JoinedRanges(self._seq)
        ranges = ranges_of(self._seq, self._seq + min(waiting, most))
        self._index.join(joined.parts(ranges, self._build_ranges(ranges), self._skipped), joined.refused.append)
        self._skipped -= joined.taken
        for entry in joined.refused:
            self._skip(_key_of(entry.group, entry.id), entry.error)
        for key in joined.ended:
            self._take(key, None)
        self._seq = joined.reached
        return joined.count

    def _next(self, conn: Connection) -> list[ChangeRow]:
        applied = list_progress.applied(conn)
        if applied < self._seq:
            return []  # the projection is being rebuilt up to this position
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
        """Screens each subject against valid entries.

        Args:
            subjects: those with a reference are remembered.
            visible: whether the caller may see a `publisher/list`.
            at_ms: milliseconds since 1970.
            max_hits: per subject.
        """
        parties = [Party(subject, wire.party_query(subject)) for subject in subjects]
        for party in parties:
            if party.subject.reference:  # first, since entries indexed from now on are compared with it
                self.recent.remember(SourceKey(SourceKind.SCREENED, "", party.subject.reference), 0, {"": party})
        return self.seek([party.sought for party in parties], visible=visible, at_ms=at_ms, max_hits=max_hits)

    def seek(
        self, wanted: Sequence[PartyQuery], *, visible: Visible = everybody, at_ms: int, max_hits: int = MAX_HITS
    ) -> ScreeningOutcome:
        """Runs queries; remembers no party."""
        with self._database.look() as conn:
            known = watchlists.last_seq(conn)
        index, position = self._index, self._seq
        results = index.search_all(
            wanted, at_ms=at_ms, visible=visible, thresholds=self.limits, limit=max_hits or MAX_HITS
        )
        return ScreeningOutcome(results, position, max(0, known - position))

    def limits(self, group: str) -> Thresholds:
        """The thresholds of a `publisher/list`."""
        thresholds = self._thresholds.get(group)
        return thresholds or self._thresholds.get(group.partition("/")[2], DEFAULT_THRESHOLDS)


class _JoinedRanges:
    """What joining ranges comes to: entries taken, ended and refused, and the last change reached."""

    def __init__(self, reached: int) -> None:
        self.reached = reached
        self.taken: set[EntryKey] = set()
        self.ended: list[EntryKey] = []
        self.refused: list[RefusedEntry] = []
        self.count = 0

    def parts(
        self, ranges: Sequence[ChangeRange], built: Iterable[RangePart | None], skipped: Collection[EntryKey]
    ) -> Iterator[IndexPart]:
        """In order, until one couldn't be made; `skipped`: entries of which it matters whether they were taken."""
        for span, made in zip(ranges, built, strict=False):
            if made is None:
                return
            self.reached = span.upto
            self.ended += made.ended
            self.count += made.part.columns.living + len(made.ended)
            if skipped:
                self.taken |= {_key_of(group, entry_id) for group, entry_id in made.part.living()}
            yield made.part


def _key_of(group: str, entry_id: str) -> EntryKey:
    publisher, _, list_name = group.partition("/")
    return EntryKey(publisher, list_name, entry_id)


def _is_screened_and_identical(hit: BackwardHit) -> bool:
    return hit.place.source.kind is SourceKind.SCREENED and hit.hit.comparison.match_class is MatchClass.IDENTICAL


def _source(conn: Connection, seq: int) -> str:
    """After a restore another change has this number."""
    changes = watchlists.changes_after(conn, seq - 1, 1) if seq else []
    return "".join(f"{change.origin} {change.idx} {change.committed_at}" for change in changes if change.seq == seq)
