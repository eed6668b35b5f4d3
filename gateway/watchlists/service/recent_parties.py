"""Keeps recent parties to compare new list entries with."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from gateway.screening.index.entries import EntryName, IndexEntry
from gateway.screening.index.hits import Hit, weakened
from gateway.screening.index.index import NameIndex, PartyQuery
from gateway.screening.result import MatchClass, Thresholds
from gateway.v1 import screening_pb2
from gateway.watchlists.codec import screening as wire
from gateway.watchlists.rules.matches import MatchPlace, SourceKey

RECENT_PARTIES = 100_000
"""Most parties: a day of a busy port, and some 100 MB."""

_PARTIES = "parties"


class Party(NamedTuple):
    """A party and its queries."""

    subject: screening_pb2.ScreeningSubject
    sought: PartyQuery


def parties_of(subjects: Mapping[str, screening_pb2.ScreeningSubject]) -> dict[str, Party]:
    """Building the queries takes half as long as a search."""
    return {field: Party(subject, wire.party_query(subject)) for field, subject in subjects.items()}


@dataclass(frozen=True, slots=True)
class BackwardHit:
    """An earlier party, its location, and its hit on an entry."""

    place: MatchPlace
    subject: screening_pb2.ScreeningSubject
    hit: Hit


@dataclass(frozen=True, slots=True)
class _Source:
    """Numbers of a source's parties, and when it was declared or published; 0: not known."""

    numbers: list[str]
    at_ms: int


class RecentParties:
    """Parties by source; the oldest source is dropped first. Thread-safe."""

    def __init__(self, most: int = RECENT_PARTIES) -> None:
        """Starts empty; keeps at most `most` parties."""
        self._most = most
        self._index = NameIndex()
        self._sources: OrderedDict[SourceKey, _Source] = OrderedDict()
        self._parties: dict[str, tuple[MatchPlace, bytes]] = {}
        self._number = 0
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._parties)

    def __bool__(self) -> bool:
        return bool(self._parties)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Makes several changes as one, which costs less."""
        with self._lock, self._index.changing():
            yield

    def remember(self, source: SourceKey, revision: int, parties: Mapping[str, Party], *, at_ms: int = 0) -> None:
        """Replaces a source's parties; `at_ms`: when it was declared or published."""
        with self.changing():
            self._forget(source)
            if parties:
                self._put(source, revision, parties, at_ms)
            while len(self._parties) > self._most:
                self._forget(next(iter(self._sources)))
            self._index.tidy()

    def remember_older(self, source: SourceKey, revision: int, parties: Mapping[str, Party], *, at_ms: int = 0) -> bool:
        """Adds a source older than all known; False when full."""
        with self.changing():
            if source in self._sources or not parties:
                return True  # newer revision known, or no parties
            if len(self._parties) + len(parties) > self._most:
                return False
            self._put(source, revision, parties, at_ms)
            self._sources.move_to_end(source, last=False)
            return True

    def _put(self, source: SourceKey, revision: int, parties: Mapping[str, Party], at_ms: int) -> None:
        numbers = list[str]()
        self._sources[source] = _Source(numbers, at_ms)
        for field, party in parties.items():
            self._number += 1
            number = str(self._number)
            names = [EntryName(text, kind) for text, kind in dict.fromkeys(party.sought.names)]
            identifiers = list(dict.fromkeys(party.sought.identifiers))
            self._parties[number] = (MatchPlace(source, revision, field), party.subject.SerializeToString())
            self._index.put(IndexEntry(_PARTIES, number, 0, 0, 0, 0, 0, names, identifiers))
            numbers.append(number)

    def _forget(self, source: SourceKey) -> None:
        known = self._sources.pop(source, None)
        for number in known.numbers if known is not None else ():
            self._index.remove(_PARTIES, number)
            del self._parties[number]

    def times_since(self, since_ms: int) -> dict[SourceKey, int]:
        """Sources that were declared or published since a time, with that time."""
        with self._lock:
            return {key: source.at_ms for key, source in self._sources.items() if source.at_ms >= since_ms}

    def hits(self, record: IndexEntry, limits: Callable[[str], Thresholds]) -> Iterator[BackwardHit]:
        """Parties that an entry may be about, each by its best name."""
        of_list = limits(record.group)
        best: dict[str, Hit] = {}
        if not self._parties:
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
            known = self._parties.get(party)
            if known is not None:  # not dropped meanwhile
                yield BackwardHit(known[0], screening_pb2.ScreeningSubject.FromString(known[1]), hit)


def _turned(hit: Hit, record: IndexEntry, weak: bool, limits: Thresholds) -> Hit:
    """Turns an entry's hit on a party around."""
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
