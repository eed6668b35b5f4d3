"""Screens parties against all lists of this node, and entries against earlier parties.

The index takes the projected state of each changed entry. So a change without effect has none here either, and reading
one twice is harmless.

A lock keeps `start` and `follow` to one thread; any number may call `screen`. The index is in a file of derived data,
with the number of the last change in it; a damaged one, or one of another history, is built anew.
"""

from __future__ import annotations

import logging
import math
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from gateway.db.database import Database
from gateway.errors import UnavailableError
from gateway.screening.index.entries import IndexEntry
from gateway.screening.index.hits import SearchResult, Visible
from gateway.screening.index.index import MAX_HITS, NameIndex, PartyQuery
from gateway.screening.index.reading import ReadEntry, RefusedEntry
from gateway.screening.index.tables import IndexUnusableError
from gateway.screening.result import DEFAULT_THRESHOLDS, MatchClass, Thresholds
from gateway.v1 import screening_pb2, watchlist_pb2
from gateway.watchlists.codec import screening as wire
from gateway.watchlists.rules.matches import EntryKey, MatchPlace, SourceKey, SourceKind
from gateway.watchlists.service.index_ranges import (
    CHANGES_AT_ONCE,
    RangeReader,
    effects_of,
    ranges_of,
    read_range,
)
from gateway.watchlists.service.recent_parties import BackwardHit, Party, RecentParties
from gateway.watchlists.tables import lists as watchlists
from gateway.watchlists.tables import progress as list_progress
from gateway.watchlists.tables.lists import ChangeRow

log = logging.getLogger(__name__)

HITS_OF_A_PARTY = 20
"""Most matches of one party, and of a party of before with one update: only a very common name has more."""

MANY_UPDATES = 100
"""Updates, of at most 500 changes, from which on those that wait are indexed together, perhaps by other processes."""

TIDY_S = 0.2
"""Seconds of upkeep after following changes."""

_RETRY_AFTER_S = 2.0

OLD_SNAPSHOT = "screening.index"
"""File of earlier versions beside the index, which is removed."""

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
        path: Path,
        *,
        thresholds: Mapping[str, Thresholds],
        recent: RecentParties | None = None,
        read_ranges: RangeReader | None = None,
    ) -> None:
        """Reads nothing.

        Args:
            path: file of the index; its folder exists.
            thresholds: by `publisher/list` or list.
            read_ranges: reads many entries' names, perhaps in other processes; None: here.
        """
        self._database = database
        self._path = path
        self._thresholds = dict(thresholds)
        self._index = NameIndex()
        self._seq = 0
        self._skipped: set[EntryKey] = set()
        self.recent = RecentParties() if recent is None else recent
        self._writing, self._mending = threading.Lock(), threading.Lock()
        self._read_ranges = read_ranges or partial(map, partial(read_range, database))

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
        """Opens the index (True) or builds it, then reads newer changes; raises StoreUnavailableError."""
        self._path.with_name(OLD_SNAPSHOT).unlink(missing_ok=True)
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
            if self._index.is_damaged:
                self._build()
            done = self._catch_up(MANY_UPDATES, MANY_UPDATES_AT_ONCE)
            while True:
                with self._database.read() as conn:
                    changes = self._next(conn)
                    taken = [effect for change in changes for effect in effects_of(conn, change)]
                if changes:
                    with self._index.changing():
                        for key, entry in taken:
                            self._take(key, entry)
                        self._mark(changes[-1].seq, _named(changes[-1]))
                    self._seq = changes[-1].seq
                    done += len(taken)
                if not changes or time.monotonic() > end:
                    break
            end = time.monotonic() + TIDY_S
            while self._index.tidy() and time.monotonic() < end:
                pass
        return done

    def _mark(self, seq: int, source: str) -> None:
        """An index that lacks an entry isn't taken up: the next start tries that entry again and tells of it."""
        state = self._index.state
        state.seq, state.source, state.complete = seq, source, not self._skipped

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

    def close(self) -> None:
        """Ends writing."""
        self._index.close()

    def _take_up(self) -> bool:
        try:
            index = NameIndex(self._path)
        except IndexUnusableError as error:
            log.info("the screening index is built anew: %s", error.message)
            return False
        state = index.state
        with self._database.read() as conn:
            is_of_here = state.seq <= list_progress.applied(conn) and _source(conn, state.seq) == state.source
        if not (is_of_here and state.complete and state.seq):
            if state.seq:
                log.warning("the screening index is built anew: it lacks entries, or is of another history")
            index.close()
            return False
        self._index, self._seq = index, state.seq
        return True

    def _build(self) -> None:
        self._index.close()  # searches that go on read the removed file
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)
        self._index, self._seq = NameIndex(self._path), 0
        self._catch_up(least=1)

    def _catch_up(self, least: int, most: int = sys.maxsize) -> int:
        """Indexes so many waiting updates or more in one transaction; returns the entries."""
        with self._database.read() as conn:
            waiting = min(list_progress.applied(conn), watchlists.last_seq(conn)) - self._seq
        if waiting < least:
            return 0
        reached, ended, refused = self._seq, list[EntryKey](), list[RefusedEntry]()
        ranges = ranges_of(self._seq, self._seq + min(waiting, most))

        def entries() -> Iterator[ReadEntry]:
            nonlocal reached
            for span, made in zip(ranges, self._read_ranges(ranges), strict=False):
                if made is None:
                    return
                reached = span.upto
                ended.extend(made.ended)
                refused.extend(made.refused)
                for read in made.entries:
                    self._skipped.discard(_key_of(read.entry.group, read.entry.id))
                    yield read

        with self._index.changing():
            count = self._index.add(entries())
            for entry in refused:
                self._skip(_key_of(entry.group, entry.id), entry.error)
            for key in ended:
                self._take(key, None)
            with self._database.read() as conn:
                self._mark(reached, _source(conn, reached))
        self._seq = reached
        return count + len(ended)

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
        referred = [party for party in parties if party.subject.reference]
        if referred:  # first, since entries indexed from now on are compared with them
            with self.recent.changing():
                for party in referred:
                    self.recent.remember(SourceKey(SourceKind.SCREENED, "", party.subject.reference), 0, {"": party})
        return self.seek([party.sought for party in parties], visible=visible, at_ms=at_ms, max_hits=max_hits)

    def seek(
        self, wanted: Sequence[PartyQuery], *, visible: Visible = everybody, at_ms: int, max_hits: int = MAX_HITS
    ) -> ScreeningOutcome:
        """Runs queries; remembers no party.

        Raises:
            UnavailableError: the index is damaged, and is being built anew.
        """
        with self._database.look() as conn:
            known = watchlists.last_seq(conn)
        index, position = self._index, self._seq
        try:
            results = index.search_all(
                wanted, at_ms=at_ms, visible=visible, thresholds=self.limits, limit=max_hits or MAX_HITS
            )
        except IndexUnusableError as error:
            log.error("the screening index is built anew: %s", error.message)
            self._mend()
            raise UnavailableError("the screening index is being built anew", retry_after_s=_RETRY_AFTER_S) from error
        return ScreeningOutcome(results, position, max(0, known - position))

    def _mend(self) -> None:
        """Has a thread build the index anew, unless one does: following comes with news alone."""
        if not self._mending.acquire(blocking=False):
            return

        def mend() -> None:
            try:
                self.follow(0.0)
            except Exception:
                log.exception("the screening index wasn't built anew; the next search has it tried again")
            finally:
                self._mending.release()

        threading.Thread(target=mend, name="screening index", daemon=True).start()

    def limits(self, group: str) -> Thresholds:
        """The thresholds of a `publisher/list`."""
        thresholds = self._thresholds.get(group)
        return thresholds or self._thresholds.get(group.partition("/")[2], DEFAULT_THRESHOLDS)


def _key_of(group: str, entry_id: str) -> EntryKey:
    publisher, _, list_name = group.partition("/")
    return EntryKey(publisher, list_name, entry_id)


def _is_screened_and_identical(hit: BackwardHit) -> bool:
    return hit.place.source.kind is SourceKind.SCREENED and hit.hit.comparison.match_class is MatchClass.IDENTICAL


def _source(conn: Connection, seq: int) -> str:
    """After a restore another change has this number."""
    changes = watchlists.changes_after(conn, seq - 1, 1) if seq else []
    return "".join(_named(change) for change in changes if change.seq == seq)


def _named(change: ChangeRow) -> str:
    return f"{change.origin} {change.idx} {change.committed_at}"
