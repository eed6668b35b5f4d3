"""Keeps sorted postings: numbers of a key and a row, with a filter of the keys and fences for short searches."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, repeat
from operator import and_, rshift

from gateway.screening.index.columns import ROW_BITS, ROW_MASK, Bytes, FileNumbers
from gateway.screening.index.key_numbers import KEY_BITS

MAX_FENCE_BITS = 20
"""Finest partition of postings: a million fences, made in a third of a second."""

_STRIDE = 64

_MOST_READ = 128
"""Spans: of a few queries, since not all rows that were found are wanted."""

_FILTER_BITS = 2
"""A filter has four to eight bits for each posting: of keys that aren't there one in ten to twenty passes."""
_FILTERED_AT_ONCE = 1 << 16
_MOST_FLAGGED = 1 << 18
"""Bytes of a filter that is kept with a byte for each bit too, which is read in half the time: of 20,000 entries."""
_FLAGS = tuple(bytes(number >> bit & 1 for bit in range(8)) for number in range(256))
"""By byte of a filter."""


class Postings:
    """Sorted postings, with a filter of the keys that they have, and fences that shorten binary searches."""

    def __init__(
        self,
        values: array[int] | memoryview | FileNumbers,
        present: Bytes | None = None,
        fences: Sequence[int] | None = None,
    ) -> None:
        """`present`, `fences`: if they were made before."""
        self.values = values
        self._read: dict[tuple[int, int], Sequence[int]] = {}
        """Of a file, what was read to find a span, until its rows are wanted."""
        depth = len(values).bit_length()
        self._shift = KEY_BITS + ROW_BITS - max(min(depth, MAX_FENCE_BITS), 1)
        if fences is None or len(fences) != (1 << (KEY_BITS + ROW_BITS - self._shift)) + 1:
            fences = array("I", _fences(values[:], self._shift))
        self.fences = fences
        """Where values with each beginning are, and the end."""
        bits = max(depth + _FILTER_BITS, 3)
        self._filter_shift = max(KEY_BITS - bits, 1)
        if present is None or len(present) != 1 << (KEY_BITS - self._filter_shift - 3):
            present = _filter(values[:], self._filter_shift)
        self.present = present
        """A bit for each beginning of a key, set if there is one."""
        self._flags = b"".join(map(_FLAGS.__getitem__, present)) if len(present) <= _MOST_FLAGGED else b""

    def __len__(self) -> int:
        return len(self.values)

    def span(self, first: int, last: int) -> tuple[int, int]:
        low, highest = first << ROW_BITS, ((last + 1) << ROW_BITS) - 1
        values, fences, shift = self.values, self.fences, self._shift
        start, end = fences[low >> shift], fences[(highest >> shift) + 1]
        if start == end:
            return start, end
        between = values[start:end]
        first = bisect_left(between, low)
        if first == len(between) or between[first] > highest:
            return start, start
        last = bisect_right(between, highest, first)
        span = start + first, start + last
        if isinstance(values, FileNumbers):
            if len(self._read) >= _MOST_READ:
                self._read.clear()
            self._read[span] = between[first:last]
        return span

    def may_hold(self, keys: Sequence[int]) -> list[int]:
        """Those of the keys, in order, whose filter bit is set; both sides of a key share one."""
        present, shift, flags = self.present, self._filter_shift, self._flags
        if flags:
            return list(compress(keys, map(flags.__getitem__, map(rshift, keys, repeat(shift)))))
        return [key for key in keys if present[(bit := key >> shift) >> 3] >> (bit & 7) & 1]

    def spans(self, ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """Of keys (first, last), one or both sides of it; empty spans are omitted."""
        return [span for span, _ in self.spans_by_group([(first, last, 0) for first, last in ranges])]

    def spans_by_group(self, ranges: Iterable[tuple[int, int, int]]) -> list[tuple[tuple[int, int], int]]:
        """As `spans`, with each key's third number."""
        found = []
        for first, last, group in ranges:
            at = self.span(first, last)
            if at[0] < at[1]:
                found.append((at, group))
        return found

    def rows(self, start: int, end: int) -> list[int]:
        values = self._read.pop((start, end), None)
        return list(map(and_, self.values[start:end] if values is None else values, repeat(ROW_MASK)))


def _filter(values: Sequence[int], shift: int) -> bytearray:
    present, shift = bytearray(1 << (KEY_BITS - shift - 3)), shift + ROW_BITS
    for start in range(0, len(values), _FILTERED_AT_ONCE):
        for bit in {value >> shift for value in values[start : start + _FILTERED_AT_ONCE]}:
            present[bit >> 3] |= 1 << (bit & 7)
    return present


def _fences(values: Sequence[int], shift: int) -> Iterator[int]:
    """Where values with each prefix begin, and the end."""
    at, length = 0, len(values)
    for fence in range(1 << (KEY_BITS + ROW_BITS - shift)):
        wanted = fence << shift
        near = min(at + _STRIDE, length)
        at = bisect_left(values, wanted, at, length if near < length and values[near] < wanted else near)
        yield at
    yield length
