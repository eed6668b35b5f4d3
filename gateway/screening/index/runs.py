"""Keeps an index in runs: a growing one, sorted ones, and their stepwise merge."""

from __future__ import annotations

from array import array
from collections.abc import Generator, Sequence

from gateway.screening.index.columns import ROW_BITS, ROW_MASK, EntryColumns, IndexEntry, reference_hash
from gateway.screening.index.growing_columns import GrowingColumns
from gateway.screening.index.key_numbers import ALL_HELD, KEY_BITS, OTHER_SIDE, held_by
from gateway.screening.index.postings import Postings

_GONE = 0xFFFFFFFF
MERGE_ENTRIES = 1_000
"""Entries copied per merge step: a few milliseconds."""
MERGE_RANGES = 4_096
"""Key ranges of a merge, one per step: 2,500 of ten million postings."""


def _length(grouped: tuple[tuple[int, int], int]) -> int:
    start, end = grouped[0]
    return end - start


class SortedRun:
    """Entries with sorted keys; immutable but for deaths."""

    def __init__(self, columns: EntryColumns, postings: Postings, references: Postings, held: int = ALL_HELD) -> None:
        self.columns = columns
        self.held = held
        """Kinds of its keys, at least (`key_numbers.held_by`)."""
        self.postings = postings
        self.references = references

    def may_hold(self, keys: Sequence[int]) -> list[int]:
        """Those of the keys, in order, that it may have, on one side or the other."""
        return self.postings.may_hold(keys)

    def spans(self, keys: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Of keys (first, last), one or both sides of it; without empty ones."""
        return self.postings.spans(keys)

    def spans_by_group(self, keys: Sequence[tuple[int, int, int]]) -> list[tuple[tuple[int, int], int]]:
        """As `spans`, with each key's third number; rarest first."""
        found = self.postings.spans_by_group(keys)
        if len(found) > 1:
            found.sort(key=_length)
        return found

    def rows(self, span: tuple[int, int]) -> list[int]:
        return self.postings.rows(*span)

    def entries_of(self, group: int, group_name: str, entry_id: str) -> list[int]:
        key = reference_hash(group_name, entry_id)
        return _living(self.columns, self.references.rows(*self.references.span(key, key)), group, entry_id)


class GrowingRun:
    """The newest entries. One thread writes while others read: a row is complete before its keys."""

    def __init__(self) -> None:
        self.columns = GrowingColumns()
        self.held = 0
        self._rows: dict[int, list[int]] = {}
        self._entries: dict[int, list[int]] = {}

    def add(self, record: IndexEntry, group: int) -> None:
        columns = self.columns
        entry = columns.add(record, group)
        try:
            for row in columns.rows_of(entry):
                for key in columns.read(row):
                    self.held |= held_by(key)
                    self._rows.setdefault(key, []).append(row)
        except BaseException:
            columns.kill(entry)  # half of it would be found
            raise
        self._entries.setdefault(reference_hash(record.group, record.id), []).append(entry)

    def may_hold(self, keys: Sequence[int]) -> list[int]:
        """As `SortedRun.may_hold`."""
        rows = self._rows
        return [key for key in keys if key in rows or key ^ OTHER_SIDE in rows]

    def spans(self, keys: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """As `SortedRun.spans`, with keys instead of positions."""
        return [span for span, _ in self.spans_by_group([(first, last, 0) for first, last in keys])]

    def spans_by_group(self, keys: Sequence[tuple[int, int, int]]) -> list[tuple[tuple[int, int], int]]:
        """As `SortedRun.spans_by_group`, but in the keys' order."""
        rows = self._rows
        return [
            ((key, key + len(rows[key])), group)
            for first, last, group in keys
            for key in ((first,) if first == last else (first, last))
            if key in rows
        ]

    def rows(self, span: tuple[int, int]) -> list[int]:
        return self._rows[span[0]][: span[1] - span[0]]

    def entries_of(self, group: int, group_name: str, entry_id: str) -> list[int]:
        return _living(self.columns, self._entries.get(reference_hash(group_name, entry_id), ()), group, entry_id)

    def sorted(self) -> SortedRun:
        rows = array("Q", sorted(key << ROW_BITS | row for key, of_key in self._rows.items() for row in of_key))
        entries = array(
            "Q", sorted(key << ROW_BITS | entry for key, of_key in self._entries.items() for entry in of_key)
        )
        return SortedRun(self.columns, Postings(rows), Postings(entries), self.held)


Run = SortedRun | GrowingRun


def _living(columns: EntryColumns, entries: Sequence[int], group: int, entry_id: str) -> list[int]:
    return [e for e in entries if not columns.dead[e] and columns.groups[e] == group and columns.id(e) == entry_id]


def may_merge(older: SortedRun, newer: SortedRun) -> bool:
    """Whether both fit into one run."""
    return older.columns.has_room_for(newer.columns)


def merge(older: SortedRun, newer: SortedRun) -> Generator[None, None, SortedRun]:
    """Merges two runs, one bounded step per `yield`, and returns the new run.

    The old runs stay readable; the last step copies deaths that happened meanwhile.
    """
    columns, sources = GrowingColumns(), (older, newer)
    entry_maps = [array("I", [_GONE]) * len(run.columns) for run in sources]
    row_maps = [array("I", [_GONE]) * run.columns.rows for run in sources]
    for run, entry_map, row_map in zip(sources, entry_maps, row_maps, strict=True):
        for entry in range(len(run.columns)):
            if not run.columns.dead[entry]:
                entry_map[entry] = columns.copy(run.columns, entry)
                for old, new in zip(run.columns.rows_of(entry), columns.rows_of(entry_map[entry]), strict=True):
                    row_map[old] = new
            if entry % MERGE_ENTRIES == 0:
                yield
    postings = yield from _merge_tables([run.postings for run in sources], row_maps)
    references = yield from _merge_tables([run.references for run in sources], entry_maps)
    for run, entry_map in zip(sources, entry_maps, strict=True):
        at = run.columns.dead.find(1)
        while at >= 0:
            if entry_map[at] != _GONE:
                columns.kill(entry_map[at])
            at = run.columns.dead.find(1, at + 1)
    return SortedRun(columns, postings, references, older.held | newer.held)


def _merge_tables(tables: Sequence[Postings], maps: Sequence[array[int]]) -> Generator[None, None, Postings]:
    values = array("Q")
    width = (1 << KEY_BITS) // MERGE_RANGES
    for first in range(0, 1 << KEY_BITS, width):
        chunk = [
            value & ~ROW_MASK | row_map[value & ROW_MASK]
            for table, row_map in zip(tables, maps, strict=True)
            for value in table.values[slice(*table.span(first, first + width - 1))]
            if row_map[value & ROW_MASK] != _GONE
        ]
        chunk.sort()
        values.extend(array("Q", chunk))
        yield
    return Postings(values)
