"""Finds the entries that a party may be, among a million and more, in memory.

For each name of the party:

1. Keys lead to rows in every run. Rows by a `SURE` key are candidates, up to `MAX_SURE`, of each owner of lists as
   many. Of the others the `MAX_CANDIDATES` with the most and rarest common keys are.
2. Dead, invalid and invisible entries are skipped, and rows whose features contradict the name's.
3. The rest is read and evaluated. Each entry keeps its best comparison; the best entries are explained.

Prepared names are cached, not stored: each takes a kilobyte.

One thread writes, any number search an immutable tuple of runs. New entries go into a growing run, sorted when full;
sorted runs of like size are merged step by step (`tidy`), so that no change blocks for more than milliseconds.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from gateway.screening.identifiers import identifier_keys
from gateway.screening.index.columns import EntryColumns, IndexEntry
from gateway.screening.index.hits import HitCollector, Limits, SearchResult, Visible, taken_in_turn
from gateway.screening.index.key_numbers import LOW, OTHER_SIDE, KeyKind, kind_of
from gateway.screening.index.keys import query_keys
from gateway.screening.index.organisation_features import HOPELESS_BELOW, OrganisationFilter
from gateway.screening.index.parts import PART_ENTRIES, IndexPart, PartJoiner, RefusedEntry, batches, build_part
from gateway.screening.index.person_features import HOPELESS_BELOW as HOPELESS_WORDS_BELOW
from gateway.screening.index.person_features import PersonFilter
from gateway.screening.index.prefilter import CorePrefilter
from gateway.screening.index.runs import GrowingRun, Run, SortedRun, may_merge, merge
from gateway.screening.prepared_name import PreparedName, prepare
from gateway.screening.result import DEFAULT_THRESHOLDS, NameKind, Thresholds

SURE = frozenset(
    {
        KeyKind.PERSON_HAN,
        KeyKind.PERSON_VARIANT,
        KeyKind.PERSON_LETTERS,
        KeyKind.HAN_IN_LINE,
        KeyKind.LETTERS_IN_LINE,
        KeyKind.IDENTIFIER,
    }
)
"""Kinds of keys shared only by (nearly) equal names, which are always compared."""

MAX_SURE = 1_000
"""More would all have one name."""

MAX_CANDIDATES = 150

MAX_GATHERED = 3_000
"""Most rows weighed per name; more common keys don't discriminate."""

GROWING_ROWS = 8_192
"""Sorting takes some tens of milliseconds."""

MERGE_RATIO = 4
"""Runs are merged unless the older is this many times larger."""

PREPARED_NAMES = 40_000
"""Cached names of entries: about 80 MB."""

PREPARED_QUERIES = 8_192
"""Cached names of parties, which recur."""

GC_THRESHOLD = 50_000
"""Allocations between cycle collections, for a searching process to set. A name makes some fifty objects and no cycles;
Python's default of 700 cost a fifth of the time.
"""

MAX_HITS = 20

NO_FILTER_BELOW = max(HOPELESS_BELOW, HOPELESS_WORDS_BELOW)
"""Lower thresholds have no prefilter."""


class PartyQuery(NamedTuple):
    """Names and identifiers of a party, as (scheme, value); an unknown scheme is empty."""

    names: Sequence[tuple[str, NameKind]] = ()
    identifiers: Sequence[tuple[str, str]] = ()


def _everything(_: str) -> bool:
    return True


def _raised(entry: RefusedEntry) -> None:
    raise entry.error


def _usual(_: str) -> Thresholds:
    return DEFAULT_THRESHOLDS


_Rows = tuple[EntryColumns, list[int]]


_GroupedSpan = tuple[tuple[int, int], int]


class _PreparedQuery(NamedTuple):
    name: PreparedName
    filter: OrganisationFilter
    prefilter: CorePrefilter
    person: PersonFilter
    keys: tuple[int, ...]


class NameIndex:
    """One thread writes, any number read."""

    def __init__(self, runs: Iterable[SortedRun] = (), groups: Sequence[str] = ()) -> None:
        self._growing = GrowingRun()
        self._runs: tuple[Run, ...] = (*runs, self._growing)
        self._groups = list(groups)
        self._group_numbers = {name: number for number, name in enumerate(self._groups)}
        self._merging: tuple[SortedRun, SortedRun, Generator[None, None, SortedRun]] | None = None
        self._read = lru_cache(maxsize=PREPARED_NAMES)(prepare)
        self._prepared = lru_cache(maxsize=PREPARED_QUERIES)(_prepare_query)

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

    def sorted_runs(self) -> tuple[SortedRun, ...]:
        """All runs, sorted, for a snapshot. Writing thread only."""
        self._sort_growing()
        return tuple(run for run in self._runs if isinstance(run, SortedRun))

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
        collector = HitCollector(self._groups, visible, thresholds, at_ms)
        runs = [run for run in self._runs if run.columns.rows]
        any_may_pass = any(thresholds(group).compatible <= NO_FILTER_BELOW for group in self._groups)
        for scheme, value in dict.fromkeys(party.identifiers):
            keys = [(key, key) for key in identifier_keys(scheme, value)]
            for run in runs:
                for span in run.spans(keys):
                    collector.identifiers((scheme, value), run.columns, run.rows(span))
        held = 0
        for run in runs:
            held |= run.held
        for text, kind in dict.fromkeys(party.names):
            query = self._prepared(text, kind, held)
            for columns, rows in _candidates(runs, query, self._groups, most, any_may_pass):
                collector.names(query.name, columns, rows, self._read)
        return collector.result(limit)


def _prepare_query(text: str, kind: NameKind, held: int) -> _PreparedQuery:
    """`held`: kinds of keys that the index has."""
    name = prepare(text, kind)
    keys = tuple(query_keys(name, held))
    return _PreparedQuery(name, OrganisationFilter(name), CorePrefilter(name), PersonFilter(name), keys)


def _ranges(keys: Sequence[int], any_may_pass: bool) -> list[tuple[int, int, int]]:
    """Keys (first, last), of one side or both, with the group whose candidates share a prefilter.

    Args:
        any_may_pass: those for low thresholds too, behind the others.
    """
    given = set(keys)
    ranges: list[tuple[int, int, int]] = []
    in_any_business: list[tuple[int, int, int]] = []
    for key in keys:
        if not key & OTHER_SIDE:
            last = key | OTHER_SIDE if key | OTHER_SIDE in given else key
        elif key ^ OTHER_SIDE not in given:
            last = key
        else:
            continue
        group = _GROUP_OF[key & LOW]
        (in_any_business if group == _ANY_BUSINESS else ranges).append((key, last, group))
    return ranges + in_any_business if any_may_pass else ranges


_SURE, _OTHER, _BRAND, _OPENING, _NEAR, _WORDS, _SOUNDS, _ANY_BUSINESS = range(8)
_SPECIAL = {
    KeyKind.CORE_SPELT: _OPENING,
    KeyKind.CORE_SOUNDS: _OPENING,
    KeyKind.CORE_NEAR: _NEAR,
    KeyKind.WORDS: _WORDS,
    KeyKind.PERSON_SOUNDS: _SOUNDS,
    KeyKind.CORE_BRAND: _BRAND,
    KeyKind.CORE_HAN: _ANY_BUSINESS,
    KeyKind.CORE_LETTERS: _ANY_BUSINESS,
}
_GROUPS = [_SURE if kind in SURE else _SPECIAL.get(kind, _OTHER) for kind in KeyKind]
"""By kind of key: the group whose candidates share a prefilter."""
_GROUP_OF = [_GROUPS[kind_of(low)] if kind_of(low) < len(_GROUPS) else _OTHER for low in range(LOW + 1)]
"""The same by a key's kind and side."""


_NO_FILTER = OrganisationFilter(None)


def _candidates(
    runs: Sequence[Run], query: _PreparedQuery, groups: Sequence[str], most: int, any_may_pass: bool
) -> Iterator[_Rows]:
    weighed: list[tuple[float, int, int]] = []
    for number, run in enumerate(runs):
        spans = run.spans_by_group(_ranges(run.may_hold(query.keys), any_may_pass))
        if not spans:
            continue
        plausible = (_NO_FILTER if any_may_pass else query.filter).plausible
        features = run.columns.features
        sure: set[int] = set()
        for span, group in spans:
            if group in _FOR_SURE:
                sure.update(run.rows(span))
        if sure:
            yield run.columns, taken_in_turn(plausible(sorted(sure), features), run.columns, groups, MAX_SURE)
        weighed += [(weight, number, row) for weight, row in _weighed(run, spans, query, sure, any_may_pass)]
    if len(weighed) > most:
        weighed = heapq.nlargest(most, weighed)
    by_run: dict[int, list[int]] = {}
    for _, number, row in weighed:
        by_run.setdefault(number, []).append(row)
    for number, rows in by_run.items():
        yield runs[number].columns, rows


_FOR_SURE = (_SURE, _ANY_BUSINESS)


def _weighed(
    run: Run,
    spans: Sequence[_GroupedSpan],
    query: _PreparedQuery,
    sure: Collection[int],
    any_may_pass: bool,
) -> list[tuple[float, int]]:
    """Rows of a run by other than sure keys, with their weights, those by opening syllables last."""
    plausible = (_NO_FILTER if any_may_pass else query.filter).plausible
    sifts = (
        ((_OTHER, _BRAND), plausible),
        ((_NEAR,), plausible if any_may_pass else query.filter.in_line),
        ((_WORDS,), plausible if any_may_pass else query.person.by_words),
        ((_SOUNDS,), query.person.by_sound),
    )
    weights: dict[int, float] = {}
    for groups, sift in sifts:
        of_groups = [span for span in spans if span[1] in groups]
        if of_groups:
            _weigh(run, of_groups, query, sift, weights)
    weighed = [(weight, row) for row, weight in weights.items() if row not in sure]
    opening = [span for span in spans if span[1] == _OPENING]
    if opening:
        in_length = plausible if any_may_pass else query.filter.in_length
        text, may_contain = run.columns.text, query.prefilter.may_contain
        weighed += [
            (weight, row)
            for row, weight in _weigh(run, opening, query, in_length, {}).items()
            if row not in sure and row not in weights and may_contain(text(row))
        ]
    return weighed


def _weigh(
    run: Run,
    spans: Sequence[_GroupedSpan],
    query: _PreparedQuery,
    plausible: Callable[[list[int], Sequence[int]], list[int]],
    weights: dict[int, float],
) -> dict[int, float]:
    """Weighs plausible rows by number and rarity of common keys."""
    gathered, any_plausible = 0, bool(weights)
    for span, group in spans:
        count = span[1] - span[0]
        if gathered > MAX_GATHERED and any_plausible:
            break
        gathered += count
        rarity = 1.0 / (8 + count)
        rows = plausible(run.rows(span)[:MAX_GATHERED], run.columns.features)
        any_plausible = any_plausible or bool(rows)
        if group == _BRAND:
            rows = query.prefilter.as_brands(rows, run.columns.brand)
        for row in rows:
            weights[row] = weights.get(row, 0.0) + rarity
    return weights
