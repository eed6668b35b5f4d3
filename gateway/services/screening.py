"""Screens parties against all lists that this node holds, and new entries against parties that were screened lately.

Owns the index of one node: fills it from the lists' changes in their order, follows them, keeps a snapshot on disk so
that a start needs only what has changed since, and remembers the last parties. Doesn't own how names are compared
(gateway.screening), how the lists came about (services.list_projection) or what is done about a hit.

The index follows the projection: of each entry that a change names it takes what the projection says of it now. So a
change that had no effect has none here, and one that is read twice changes nothing.

`start`, `follow`, `tidy` and `save` are for one thread at a time, and a lock holds them to it; `screen` is for any
number of threads meanwhile.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Connection

from gateway.model.ids import FeedOrigin
from gateway.screening import snapshot
from gateway.screening.columns import Listed, Record
from gateway.screening.index import MAX_HITS, Found, Hit, Index, Sought, Visible, weakened
from gateway.screening.result import DEFAULT_THRESHOLDS, MatchClass, Thresholds
from gateway.screening.snapshot import SnapshotUnusableError
from gateway.services.list_projection import read_update
from gateway.store import watchlists
from gateway.store.database import Database
from gateway.store.watchlists import ChangeRow, EntryRow
from gateway.v1 import watchlist_pb2
from gateway.wire import screening as wire
from gateway.wire.watchlist import key_of

log = logging.getLogger(__name__)

CHANGES_AT_ONCE = 20
"""Updates read in one go, each of at most 500 changes: the longest for which one read transaction stays open."""

RECENT_PARTIES = 100_000
"""Parties that are remembered for entries yet to come: a day of a busy port, and some 100 MB."""

_PARTIES = "parties"


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is looked for. `reference` is the caller's; without one the party isn't remembered."""

    reference: str
    sought: Sought


@dataclass(frozen=True, slots=True)
class Screened:
    """What was found for each subject, in order, and the last change of the lists that was considered."""

    found: list[Found]
    position: int


@dataclass(frozen=True, slots=True)
class BackwardHit:
    """A party screened before that a newly listed entry may be about; the party is the hit's query."""

    party: str
    hit: Hit


@dataclass(slots=True)
class Followed:
    """What following did: changes taken in, and hits of new entries on parties of before."""

    changes: int = 0
    backward: list[BackwardHit] = field(default_factory=list)


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
        recent_parties: int = RECENT_PARTIES,
    ) -> None:
        """Takes what it needs and reads nothing.

        Args:
            database: holds the lists.
            snapshot_path: where the snapshot of the index is kept; its folder exists.
            thresholds: scores that count, by list as `publisher/list` or by the list's name alone.
            recent_parties: how many parties are remembered.
        """
        self._database = database
        self._path = snapshot_path
        self._thresholds = dict(thresholds)
        self._index = Index()
        self._seq = 0
        self._saved = 0
        self._recent = _Recent(recent_parties)
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

    def follow(self) -> Followed:
        """Takes in what has changed; new and amended entries are sought among the parties of before.

        Raises:
            StoreUnavailableError: the database can't be read; what was taken in before stays.
        """
        done = Followed()
        with self._writing:
            while True:
                with self._database.read() as conn:
                    changes = self._next(conn)
                    taken = [(key, record) for change in changes for key, record in _effects(conn, change)]
                if not changes:
                    return done
                for (group, entry_id), record in taken:
                    if record is None:
                        self._index.remove(group, entry_id)
                    else:
                        self._index.put(record)
                        done.backward += self._recent.hits(record, self._limits)
                    self._index.tidy()
                self._seq = changes[-1].seq
                done.changes += len(taken)

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
            if found.seq > watchlists.applied(conn) or _source(conn, found.seq) != found.source:
                log.warning("the screening index is built anew: its snapshot is of another history than the database")
                return False
        self._index, self._seq, self._saved = found.index, found.seq, found.seq
        return True

    def _build(self) -> None:
        self._index, self._seq, self._saved = Index(), 0, 0
        self._index.load(self._all())

    def _all(self) -> Iterator[Record]:
        while True:
            with self._database.read() as conn:
                changes = self._next(conn)
                records = [record for change in changes for _, record in _effects(conn, change) if record is not None]
            if not changes:
                return
            yield from records
            self._seq = changes[-1].seq

    def _next(self, conn: Connection) -> list[ChangeRow]:
        applied = watchlists.applied(conn)
        if applied < self._seq:
            return []  # the projection is being built again: it will come back to where this index is
        changes = watchlists.changes_after(conn, self._seq, CHANGES_AT_ONCE)
        return [change for change in changes if change.seq <= applied]

    # Screening

    def screen(
        self, subjects: Sequence[Subject], *, visible: Visible = everybody, at_ms: int, max_hits: int = MAX_HITS
    ) -> Screened:
        """Seeks each subject among the entries that count now.

        Args:
            subjects: who and what to look for; those with a reference are remembered.
            visible: tells by `publisher/list` which lists the caller may see.
            at_ms: the time, in milliseconds since 1970; entries not valid at it don't count.
            max_hits: most hits for one subject.
        """
        index, position = self._index, self._seq
        found = [
            index.search(
                subject.sought, at_ms=at_ms, visible=visible, thresholds=self._limits, limit=max_hits or MAX_HITS
            )
            for subject in subjects
        ]
        self._recent.remember(subject for subject in subjects if subject.reference)
        return Screened(found, position)

    def _limits(self, group: str) -> Thresholds:
        found = self._thresholds.get(group)
        return found or self._thresholds.get(group.partition("/")[2], DEFAULT_THRESHOLDS)


class _Recent:
    """The last parties, compactly, the oldest forgotten first. Thread-safe."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._index = Index()
        self._order: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def remember(self, subjects: Iterator[Subject]) -> None:
        with self._lock:
            for subject in subjects:
                names = [Listed(text, kind) for text, kind in dict.fromkeys(subject.sought.names)]
                identifiers = list(dict.fromkeys(subject.sought.identifiers))
                self._index.put(Record(_PARTIES, subject.reference, 0, 0, 0, 0, 0, names, identifiers))
                self._order[subject.reference] = None
                self._order.move_to_end(subject.reference)
                if len(self._order) > self._most:
                    oldest, _ = self._order.popitem(last=False)
                    self._index.remove(_PARTIES, oldest)
                self._index.tidy()

    def hits(self, record: Record, limits: Callable[[str], Thresholds]) -> Iterator[BackwardHit]:
        """Parties that an entry may be about, each once, by its best name."""
        of_list = limits(record.group)
        best: dict[str, Hit] = {}
        if not self._order:
            return
        for sought, weak in wire.sought_by(record):
            for hit in self._index.search(sought, thresholds=lambda _: of_list, limit=self._most).hits:
                turned = _turned(hit, record, weak, of_list)
                party = hit.reference.id
                if turned.comparison.match_class > MatchClass.NONE and (
                    party not in best or turned.rank > best[party].rank
                ):
                    best[party] = turned
        for party, hit in best.items():
            yield BackwardHit(party, hit)


def _turned(hit: Hit, record: Record, weak: bool, limits: Thresholds) -> Hit:
    """A hit of an entry's name on a party, as a hit of the party on the entry."""
    comparison = hit.comparison.turned()
    return Hit(
        hit.reference._replace(group=record.group, id=record.id),
        record.revision,
        record.kind,
        record.action,
        weakened(comparison, limits) if weak else comparison,
        hit.listed,
        hit.query,
        weak,
    )


def _source(conn: Connection, seq: int) -> str:
    """Names the history of changes by its change of that number: after a restore another one has it."""
    changes = watchlists.changes_after(conn, seq - 1, 1) if seq else []
    return "".join(f"{change.origin} {change.idx} {change.committed_at}" for change in changes if change.seq == seq)


def _effects(conn: Connection, change: ChangeRow) -> list[tuple[tuple[str, str], Record | None]]:
    """What an update makes of the index: records that stand in it, None for what has ended in it."""
    publisher = FeedOrigin.parse(change.origin).publisher
    changes = read_update(conn, change.feed_id, change.idx).changes
    rows = watchlists.find_all(conn, publisher, map(key_of, changes))
    effects: list[tuple[tuple[str, str], Record | None]] = []
    for ordinal, one in enumerate(changes):
        key = key_of(one)
        row = rows.get(key)
        if row is not None and _stands_here(row, change, ordinal):
            effects.append(((wire.group_of(publisher, key.list), key.entry_id), _record(publisher, one, row)))
    return effects


def _stands_here(row: EntryRow, change: ChangeRow, ordinal: int) -> bool:
    return (row.feed_id, row.idx, row.ordinal) == (change.feed_id, change.idx, ordinal)


def _record(publisher: str, change: watchlist_pb2.WatchlistChange, row: EntryRow) -> Record | None:
    return None if row.ended else wire.record_of(publisher, change.entered)
