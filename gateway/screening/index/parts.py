"""Builds an index in parts, which several processes can make at once, and joins them.

Reading an entry's names takes nearly all of the time, and needs nothing but the entry. So a part is read, keyed and
sorted by itself, wherever; joining parts only shifts row numbers and merges what is sorted.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple, TypeVar

from gateway.screening.index.columns import ROW_BITS, IndexEntry, reference_hash
from gateway.screening.index.growing_columns import GrowingColumns
from gateway.screening.index.key_numbers import KEY_BITS, LOW
from gateway.screening.index.postings import Postings
from gateway.screening.index.runs import SortedRun

PART_ENTRIES = 10_000
"""Entries of a part: some seconds of reading, and three megabytes to send."""

_RANGE_BITS = 8
"""Postings are joined in so many ranges of keys (a power of two), which bounds memory."""
_RANGES = 1 << _RANGE_BITS
_RANGE_SHIFT = KEY_BITS + ROW_BITS - _RANGE_BITS


class RefusedEntry(NamedTuple):
    """An entry that can't be taken, and why."""

    group: str
    id: str
    error: Exception


class IndexPart(NamedTuple):
    """Some entries, read and keyed.

    `groups`: names by the group numbers of `columns`. `postings` and `references`: sorted, with rows and entries of
    this part. `held`: as `key_numbers.held_by` has it.
    """

    columns: GrowingColumns
    groups: tuple[str, ...]
    postings: array[int]
    references: array[int]
    held: int
    refused: tuple[RefusedEntry, ...]

    def living(self) -> Iterator[tuple[str, str]]:
        """Group and id of each entry that was taken."""
        for entry, group in enumerate(self.columns.groups):
            if not self.columns.dead[entry]:
                yield self.groups[group], self.columns.id(entry)


T = TypeVar("T")


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of so many items, the last perhaps shorter."""
    following = iter(items)
    while batch := list(islice(following, size)):
        yield batch


def build_part(entries: Iterable[IndexEntry]) -> IndexPart:
    """Reads entries; one that can't be read is refused, and the others follow."""
    columns, groups, refused = GrowingColumns(), dict[str, int](), list[RefusedEntry]()
    postings, references = array("Q"), array("Q")
    for record in entries:
        try:
            entry = columns.add(record, groups.setdefault(record.group, len(groups)))
            try:
                for row in columns.rows_of(entry):
                    postings.extend([key << ROW_BITS | row for key in columns.read(row)])
            except BaseException:
                columns.kill(entry)  # half of it would be found
                raise
            references.append(reference_hash(record.group, record.id) << ROW_BITS | entry)
        except Exception as error:
            refused.append(RefusedEntry(record.group, record.id, error))
    held = 0
    for low in {posting >> ROW_BITS & LOW for posting in postings}:
        held |= 1 << low
    rows, entries_by_reference = array("Q", sorted(postings)), array("Q", sorted(references))
    return IndexPart(columns, tuple(groups), rows, entries_by_reference, held, tuple(refused))


class PartJoiner:
    """Joins parts into one run, in the order in which they are added."""

    def __init__(self, group_number: Callable[[str], int]) -> None:
        self._group_number = group_number
        self._columns = GrowingColumns()
        self._postings = [array("Q") for _ in range(_RANGES)]
        self._references = [array("Q") for _ in range(_RANGES)]
        self._held = 0

    def takes(self, part: IndexPart) -> bool:
        """Whether a run has room for it."""
        return self._columns.has_room_for(part.columns)

    def add(self, part: IndexPart) -> None:
        """Adds a part for which there is room."""
        _distribute(part.postings, self._columns.rows, self._postings)
        _distribute(part.references, len(self._columns), self._references)
        self._columns.extend(part.columns, [self._group_number(name) for name in part.groups])
        self._held |= part.held

    def finish(self) -> SortedRun:
        """Empties the joiner."""
        return SortedRun(self._columns, _joined(self._postings), _joined(self._references), self._held)


def _distribute(values: array[int], base: int, ranges: Sequence[array[int]]) -> None:
    """Appends to each range its sorted values, with row numbers from `base` on."""
    start = 0
    for number, held in enumerate(ranges, 1):
        end = len(values) if number == _RANGES else bisect_left(values, number << _RANGE_SHIFT, start)
        if end > start:
            held.extend(array("Q", [value + base for value in values[start:end]]) if base else values[start:end])
            start = end


def _joined(ranges: list[array[int]]) -> Postings:
    """Empties the ranges, each of which consists of a few sorted stretches."""
    values = array("Q")
    for number, held in enumerate(ranges):
        ranges[number] = array("Q")
        values.extend(array("Q", sorted(held)))
    return Postings(values)
