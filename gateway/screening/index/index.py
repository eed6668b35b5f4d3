"""Finds the entries that a party may be, among a million and more, in tables of a database.

For each name of the party:

1. Keys lead to rows. Rows by a `SURE` key are candidates, up to `MAX_SURE`, of each owner of lists as many. Of the
   others the `MAX_CANDIDATES` with the most and rarest common keys are. Rows whose features contradict the name's are
   skipped.
2. Names are read from their short forms (`compact_name`) and evaluated, without invalid and invisible entries. Each
   entry keeps its best comparison; the best entries are explained.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from gateway.screening.compact_name import restored
from gateway.screening.identifiers import identifier_keys
from gateway.screening.index.candidates import MAX_CANDIDATES, NO_FILTER_BELOW, candidates, prepare_query
from gateway.screening.index.entries import IndexEntry
from gateway.screening.index.hits import GroupLimits, HitCollector, Limits, SearchResult, Visible
from gateway.screening.index.reading import ReadEntry, RefusedEntry, read_entries, read_entry
from gateway.screening.index.tables import IndexState, NameTables, TableReader
from gateway.screening.prepared_name import PreparedName, prepare
from gateway.screening.result import DEFAULT_THRESHOLDS, NameKind, Thresholds

PREPARED_NAMES = 8_192
"""Cached names of entries: about 16 MB."""

PREPARED_QUERIES = 8_192
"""Cached names of parties, which recur."""

GC_THRESHOLD = 50_000
"""Allocations between cycle collections, for a searching process to set. A name makes some fifty objects and no cycles;
Python's default of 700 cost a fifth of the time.
"""

MAX_HITS = 20


class PartyQuery(NamedTuple):
    """Names and identifiers of a party, as (scheme, value); an unknown scheme is empty."""

    names: Sequence[tuple[str, NameKind]] = ()
    identifiers: Sequence[tuple[str, str]] = ()


def _read_or_restored(text: str, kind: NameKind, form: str) -> PreparedName:
    return restored(text, kind, form) if form else prepare(text, kind)


def _everything(_: str) -> bool:
    return True


def _raised(entry: RefusedEntry) -> None:
    raise entry.error


def _usual(_: str) -> Thresholds:
    return DEFAULT_THRESHOLDS


class NameIndex:
    """One thread writes, any number read."""

    def __init__(self, path: Path | None = None) -> None:
        """Opens or makes an index in a file; without a path, one in memory.

        Raises:
            IndexUnusableError: it is damaged, or was made by other rules.
        """
        self._tables = NameTables(path)
        self._read = lru_cache(maxsize=PREPARED_NAMES)(_read_or_restored)
        self._prepared = lru_cache(maxsize=PREPARED_QUERIES)(prepare_query)

    def __len__(self) -> int:
        """Entries with a name or an identifier."""
        with self._tables.reading() as tables:
            return tables.entries()

    @property
    def state(self) -> IndexState:
        """Of the whole index; changed within `changing`."""
        return self._tables.state

    @property
    def is_damaged(self) -> bool:
        """Whether a search has found that the file is damaged."""
        return self._tables.is_damaged

    def close(self) -> None:
        """Ends writing."""
        self._tables.close()

    # Writing

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Changes that become visible and durable together.

        Raises:
            StoreUnavailableError: they can't be written; nothing is changed.
        """
        with self._tables.changing():
            yield

    def put(self, record: IndexEntry) -> None:
        """Adds an entry in place of its earlier revision, which stays if this one can't be taken."""
        self.add((read_entry(record),))

    def remove(self, group: str, entry_id: str) -> bool:
        """Removes an entry; False if there is none with a name."""
        with self.changing():
            return self._tables.remove(group, entry_id)

    def load(self, records: Iterable[IndexEntry], refused: Callable[[RefusedEntry], object] = _raised) -> int:
        """Adds many entries; `refused` gets one that can't be taken, and why, and the others follow."""
        return self.add(read_entries(records, refused))

    def add(self, entries: Iterable[ReadEntry]) -> int:
        """Adds entries that were read before or elsewhere, each in place of its earlier revision; returns how many."""
        with self.changing():
            return self._tables.add(entries)

    def tidy(self) -> bool:
        """One bounded step of upkeep; False if none is due."""
        return self._tables.purge()

    # Searching

    def search(
        self,
        party: PartyQuery,
        *,
        at_ms: int = 0,
        visible: Visible = _everything,
        thresholds: Limits = _usual,
        limit: int = MAX_HITS,
        most: int = MAX_CANDIDATES,
    ) -> SearchResult:
        """Entries that a party may be, best first.

        Args:
            at_ms: skip entries not valid at this time; 0 skips none.
            visible: groups that the caller may see.
            thresholds: by group.
            most: candidates per name beyond those by `SURE` keys.
        """
        return self.search_all((party,), at_ms=at_ms, visible=visible, thresholds=thresholds, limit=limit, most=most)[0]

    def search_all(
        self,
        parties: Sequence[PartyQuery],
        *,
        at_ms: int = 0,
        visible: Visible = _everything,
        thresholds: Limits = _usual,
        limit: int = MAX_HITS,
        most: int = MAX_CANDIDATES,
    ) -> list[SearchResult]:
        """As `search`, of some parties: each step for all before the next, whose code and tables then stay cached."""
        with self._tables.reading() as tables:
            groups, held = self.state.groups, self.state.held
            any_may_pass = any(thresholds(group).compatible <= NO_FILTER_BELOW for group in groups)
            limits = GroupLimits(groups, visible, thresholds, at_ms)
            collectors = [HitCollector(limits) for _ in parties]
            for party, collector in zip(parties, collectors, strict=True):
                if party.identifiers:
                    _collect_identifiers(party, tables, collector)
            queries = [
                (self._prepared(text, kind, held), collector)
                for party, collector in zip(parties, collectors, strict=True)
                for text, kind in dict.fromkeys(party.names)
            ]
            found = [
                (query.name, collector, candidates(tables, query, groups, most, any_may_pass))
                for query, collector in queries
            ]
        for name, collector, listed in found:
            if listed:
                collector.names(name, listed, self._read)
        return [collector.result(limit) for collector in collectors]


def _collect_identifiers(party: PartyQuery, tables: TableReader, collector: HitCollector) -> None:
    for scheme, value in dict.fromkeys(party.identifiers):
        for key in identifier_keys(scheme, value):
            collector.identifiers((scheme, value), tables.names(tables.find((key,)).rows(key, key)))
