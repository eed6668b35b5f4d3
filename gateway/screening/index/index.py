"""Finds the entries that a party may be, among a million and more, in memory.

For each name of the party:

1. Keys lead to rows in every run. Rows by a `SURE` key are candidates, up to `MAX_SURE`, of each owner of lists as
   many. Of the others the `MAX_CANDIDATES` with the most and rarest common keys are.
2. Dead, invalid and invisible entries are skipped, and rows whose features contradict the name's.
3. The rest is read and evaluated. Each entry keeps its best comparison; the best entries are explained.

An entry's name isn't read again: its form (`compact_name`) stands beside it.

One thread writes, any number search an immutable tuple of runs. New entries go into a growing run, sorted when full;
sorted runs of like size are merged step by step (`tidy`), so that no change blocks for more than milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from gateway.screening.compact_name import restored
from gateway.screening.identifiers import identifier_keys
from gateway.screening.index.candidates import MAX_CANDIDATES, NO_FILTER_BELOW, candidates, prepare_query
from gateway.screening.index.columns import EntryColumns, IndexEntry
from gateway.screening.index.growing_columns import GrowingColumns
from gateway.screening.index.hits import GroupLimits, HitCollector, Limits, SearchResult, Visible
from gateway.screening.index.parts import PART_ENTRIES, IndexPart, PartJoiner, RefusedEntry, batches, build_part
from gateway.screening.index.runs import GrowingRun, Run, SortedRun, may_merge, merge
from gateway.screening.prepared_name import PreparedName, prepare
from gateway.screening.result import DEFAULT_THRESHOLDS, NameKind, Thresholds

GROWING_ROWS = 8_192
"""Sorting takes some tens of milliseconds."""

MERGE_RATIO = 4
"""Runs are merged unless the older is this many times larger."""

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

    def __init__(self, runs: Iterable[SortedRun] = (), groups: Sequence[str] = ()) -> None:
        self._growing = GrowingRun()
        self._runs: tuple[Run, ...] = (*runs, self._growing)
        self._groups = list(groups)
        self._group_numbers = {name: number for number, name in enumerate(self._groups)}
        self._merging: tuple[SortedRun, SortedRun, Generator[None, None, SortedRun]] | None = None
        self._read = lru_cache(maxsize=PREPARED_NAMES)(_read_or_restored)
        self._prepared = lru_cache(maxsize=PREPARED_QUERIES)(prepare_query)

    def __len__(self) -> int:
        return sum(run.columns.living for run in self._runs)

    @property
    def groups(self) -> tuple[str, ...]:
        """Past groups included."""
        return tuple(self._groups)

    @property
    def rows(self) -> int:
        """Rows, including those of dead entries until a merge."""
        return sum(run.columns.rows for run in self._runs)

    @property
    def rows_in_memory(self) -> int:
        """Rows of runs that aren't in a mapped file."""
        return sum(run.columns.rows for run in self._runs if isinstance(run.columns, GrowingColumns))

    def sorted_runs(self) -> tuple[SortedRun, ...]:
        """All runs, sorted, for a snapshot. Writing thread only."""
        self._sort_growing()
        return tuple(run for run in self._runs if isinstance(run, SortedRun))

    def continue_with(self, runs: Iterable[SortedRun]) -> None:
        """Takes the same entries in other runs, e.g. in those of a snapshot that was just written."""
        self._merging, self._growing = None, GrowingRun()  # a merge of the former runs begins anew
        self._runs = (*runs, self._growing)

    # Writing

    def put(self, record: IndexEntry) -> None:
        """Adds an entry in place of its earlier revision, which stays if this one can't be taken."""
        group = self._group(record.group)
        before = self._holding(group, record.group, record.id)
        growing = self._growing
        growing.add(record, group)
        for columns, entry in before:
            columns.kill(entry)
        if growing.columns.rows >= GROWING_ROWS:
            self._sort_growing()

    def remove(self, group: str, entry_id: str) -> bool:
        number = self._group_numbers.get(group)
        held = [] if number is None else self._holding(number, group, entry_id)
        for columns, entry in held:
            columns.kill(entry)
        return bool(held)

    def load(self, records: Iterable[IndexEntry], refused: Callable[[RefusedEntry], None] = _raised) -> None:
        """Adds many entries as one run, each in place of its earlier revision. No two may have one reference.

        Args:
            refused: gets an entry that can't be taken, and why; the others follow.
        """
        self.join(map(build_part, batches(records, PART_ENTRIES)), refused)

    def join(self, parts: Iterable[IndexPart], refused: Callable[[RefusedEntry], None] = _raised) -> None:
        """As `load`, from parts that were built before or elsewhere."""
        joiner, runs = PartJoiner(self._group), list[SortedRun]()
        for part in parts:
            for entry in part.refused:
                refused(entry)
            if not joiner.takes(part):
                runs.append(joiner.finish())
                joiner = PartJoiner(self._group)
            joiner.add(part)
        runs.append(joiner.finish())
        before = [held for run in runs for held in self._replaced_by(run.columns)] if len(self) else []
        self._sort_growing()
        self._runs = (*self._runs[:-1], *runs, self._runs[-1])
        for columns, held in before:
            columns.kill(held)

    def tidy(self) -> bool:
        """One bounded merge step; False if none is due."""
        if self._merging is None:
            pair = self._to_merge()
            if pair is None:
                return False
            self._merging = (*pair, merge(*pair))
        older, newer, steps = self._merging
        try:
            next(steps)
        except StopIteration as done:
            kept = [run for run in self._runs if run is not newer]
            self._runs = tuple(done.value if run is older else run for run in kept)
            self._merging = None
        return True

    def _group(self, name: str) -> int:
        number = self._group_numbers.get(name)
        if number is None:
            number = len(self._groups)
            self._groups.append(name)
            self._group_numbers[name] = number
        return number

    def _holding(self, group: int, name: str, entry_id: str) -> list[tuple[EntryColumns, int]]:
        return [(run.columns, entry) for run in self._runs for entry in run.entries_of(group, name, entry_id)]

    def _replaced_by(self, columns: EntryColumns) -> Iterator[tuple[EntryColumns, int]]:
        for entry, group in enumerate(columns.groups):
            if not columns.dead[entry]:
                yield from self._holding(group, self._groups[group], columns.id(entry))

    def _sort_growing(self) -> None:
        if len(self._growing.columns):
            done, self._growing = self._growing.sorted(), GrowingRun()
            self._runs = (*self._runs[:-1], done, self._growing)

    def _to_merge(self) -> tuple[SortedRun, SortedRun] | None:
        runs = [run for run in self._runs if isinstance(run, SortedRun)]
        for older, newer in reversed(list(pairwise(runs))):
            if older.columns.rows < MERGE_RATIO * newer.columns.rows and may_merge(older, newer):
                return older, newer
        return None

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
        runs = [run for run in self._runs if run.columns.rows]
        any_may_pass = any(thresholds(group).compatible <= NO_FILTER_BELOW for group in self._groups)
        held = 0
        for run in runs:
            held |= run.held
        limits = GroupLimits(self._groups, visible, thresholds, at_ms)
        collectors = [HitCollector(limits) for _ in parties]
        for party, collector in zip(parties, collectors, strict=True):
            if party.identifiers:
                _collect_identifiers(party, runs, collector)
        queries = [
            (self._prepared(text, kind, held), collector)
            for party, collector in zip(parties, collectors, strict=True)
            for text, kind in dict.fromkeys(party.names)
        ]
        found = [
            (query.name, collector, list(candidates(runs, query, self._groups, most, any_may_pass)))
            for query, collector in queries
        ]
        for name, collector, of_runs in found:
            for columns, rows in of_runs:
                collector.names(name, columns, rows, self._read)
        return [collector.result(limit) for collector in collectors]


def _collect_identifiers(party: PartyQuery, runs: Iterable[Run], collector: HitCollector) -> None:
    for scheme, value in dict.fromkeys(party.identifiers):
        keys = [(key, key) for key in identifier_keys(scheme, value)]
        for run in runs:
            for span in run.spans(keys):
                collector.identifiers((scheme, value), run.columns, run.rows(span))
