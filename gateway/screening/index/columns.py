"""Stores an index as arrays of numbers and bytes instead of an object per entry.

Each name, identifier and address of an entry is a row with index keys. A posting is a 64-bit number: 38 bits of key
(`key_numbers`) above 26 bits of row. Sorted postings make a look-up one binary search and a merge linear.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import compress, repeat
from operator import rshift
from typing import NamedTuple

from gateway.errors import TooLargeError
from gateway.screening.identifiers import identifier_keys
from gateway.screening.index.key_numbers import KEY_BITS
from gateway.screening.index.keys import index_keys
from gateway.screening.index.organisation_features import organisation_features
from gateway.screening.index.person_features import person_features
from gateway.screening.organisations.near import brand_sounds, packed
from gateway.screening.prepared_name import prepare
from gateway.screening.result import NameKind

ROW_BITS = 26
ROW_MASK = (1 << ROW_BITS) - 1
MAX_ROWS = 1 << ROW_BITS
"""67 million; a million entries have about two."""

MAX_FENCE_BITS = 20
"""Finest partition of postings: a million fences, made in a third of a second."""

_STRIDE = 64

_FILTER_BITS = 2
"""A filter has four to eight bits for each posting: of keys that aren't there one in ten to twenty passes."""
_FILTERED_AT_ONCE = 1 << 16
_MOST_FLAGGED = 1 << 18
"""Bytes of a filter that is kept with a byte for each bit too, which is read in half the time: of 20,000 entries."""
_FLAGS = tuple(bytes(number >> bit & 1 for bit in range(8)) for number in range(256))
"""By byte of a filter."""

WEAK = 0x10
"""A weak alias, beside the kind."""

_KINDS = tuple(NameKind)
KIND_CODES = {kind: code for code, kind in enumerate(_KINDS)}


class EntryName(NamedTuple):
    """A name."""

    text: str
    kind: NameKind
    weak: bool = False


class IndexEntry(NamedTuple):
    """An entry of a list.

    `group` (the list) and `id` are its reference. `kind` and `action` are returned with a hit. Times are milliseconds
    since 1970, 0 for none.
    """

    group: str
    id: str
    revision: int
    kind: int
    action: int
    valid_from: int
    valid_until: int
    names: Sequence[EntryName]
    identifiers: Sequence[tuple[str, str]]

    def counts_at(self, at_ms: int) -> bool:
        """Whether it is valid, by the rule of `hits.HitCollector`."""
        return self.valid_from <= at_ms and not 0 < self.valid_until <= at_ms


def reference_hash(group: str, entry_id: str) -> int:
    """As wide as a key."""
    digest = blake2b(f"{group}\0{entry_id}".encode(), digest_size=5).digest()
    return int.from_bytes(digest, "big") >> (8 * len(digest) - KEY_BITS)


NUMBERS = {
    "text_ends": "I",  # by row, in `texts`
    "row_entries": "I",
    "row_flags": "B",  # kind of name, and WEAK
    "features": "Q",  # by row: OrganisationFeatures.packed or person_features
    "brand_ends": "I",  # by row, in `brands`
    "first_rows": "I",  # by entry
    "id_ends": "I",  # by entry, in `ids`
    "groups": "H",
    "revisions": "I",
    "kinds": "B",
    "actions": "B",
    "valid_from": "q",
    "valid_until": "q",
}
"""Columns in file order."""
_AS_THEY_ARE = ("row_flags", "features", "revisions", "kinds", "actions", "valid_from", "valid_until")
"""Columns that don't number anything."""


class EntryColumns:
    """Append-only, except that entries can be marked dead."""

    text_ends: array[int]
    row_entries: array[int]
    row_flags: array[int]
    features: array[int]
    brand_ends: array[int]
    first_rows: array[int]
    id_ends: array[int]
    groups: array[int]
    revisions: array[int]
    kinds: array[int]
    actions: array[int]
    valid_from: array[int]
    valid_until: array[int]

    def __init__(self) -> None:
        for name, code in NUMBERS.items():
            setattr(self, name, array(code))
        self.texts = bytearray()
        self.brands = bytearray()
        self.ids = bytearray()
        self.dead = bytearray()
        self.dead_count = 0

    def __len__(self) -> int:
        return len(self.first_rows)

    @property
    def rows(self) -> int:
        return len(self.row_entries)

    @property
    def living(self) -> int:
        return len(self.first_rows) - self.dead_count

    def add(self, record: IndexEntry, group: int) -> int:
        """Appends an entry and returns its number.

        Raises:
            TooLargeError: the run is full.
        """
        entry, count = len(self.first_rows), len(record.names) + len(record.identifiers)
        if len(self.row_entries) + count > MAX_ROWS:
            raise TooLargeError(f"one run of the index takes {MAX_ROWS} names; split the lists among nodes")
        self.ids += record.id.encode()
        self.dead.append(0)
        self.id_ends.append(len(self.ids))
        self.groups.append(group)
        self.revisions.append(record.revision)
        self.kinds.append(record.kind)
        self.actions.append(record.action)
        self.valid_from.append(record.valid_from)
        self.valid_until.append(record.valid_until)
        self.first_rows.append(len(self.row_entries))
        try:
            for name in record.names:
                self._add_row(name.text, entry, KIND_CODES[name.kind] | (WEAK if name.weak else 0))
            for scheme, value in record.identifiers:
                self._add_row(f"{scheme}\t{value}", entry, KIND_CODES[NameKind.IDENTIFIER])
        except BaseException:
            self.kill(entry)  # half of it would be found
            raise
        return entry

    def _add_row(self, text: str, entry: int, flags: int) -> None:
        self.texts += text.encode("utf-8", "replace")
        self.text_ends.append(len(self.texts))
        self.row_flags.append(flags)
        self.features.append(0)
        self.brand_ends.append(len(self.brands))
        self.row_entries.append(entry)

    def extend(self, other: EntryColumns, groups: Sequence[int]) -> None:
        """Appends all entries of others; `groups`: numbers here by the others' numbers."""
        rows, entries, texts, ids = self.rows, len(self), len(self.texts), len(self.ids)
        brands = len(self.brands)
        self.text_ends.extend([end + texts for end in other.text_ends])
        self.brand_ends.extend([end + brands for end in other.brand_ends])
        self.row_entries.extend([entry + entries for entry in other.row_entries])
        self.first_rows.extend([row + rows for row in other.first_rows])
        self.id_ends.extend([end + ids for end in other.id_ends])
        self.groups.extend([groups[group] for group in other.groups])
        for name in _AS_THEY_ARE:
            getattr(self, name).extend(getattr(other, name))
        self.texts += other.texts
        self.brands += other.brands
        self.ids += other.ids
        self.dead += other.dead
        self.dead_count += other.dead_count

    def copy(self, other: EntryColumns, entry: int) -> int:
        here = len(self.first_rows)
        self.ids += other._id(entry)
        self.dead.append(0)
        self.id_ends.append(len(self.ids))
        self.groups.append(other.groups[entry])
        self.revisions.append(other.revisions[entry])
        self.kinds.append(other.kinds[entry])
        self.actions.append(other.actions[entry])
        self.valid_from.append(other.valid_from[entry])
        self.valid_until.append(other.valid_until[entry])
        self.first_rows.append(len(self.row_entries))
        for row in other.rows_of(entry):
            start = other.text_ends[row - 1] if row else 0
            self.texts += other.texts[start : other.text_ends[row]]
            self.text_ends.append(len(self.texts))
            self.brands += other._brand(row)
            self.brand_ends.append(len(self.brands))
            self.row_flags.append(other.row_flags[row])
            self.features.append(other.features[row])
            self.row_entries.append(here)
        return here

    def rows_of(self, entry: int) -> range:
        following = entry + 1
        end = self.first_rows[following] if following < len(self.first_rows) else len(self.row_entries)
        return range(self.first_rows[entry], end)

    def text(self, row: int) -> str:
        """A name, or scheme and value of an identifier, separated by a tab."""
        start = self.text_ends[row - 1] if row else 0
        return self.texts[start : self.text_ends[row]].decode()

    def brand(self, row: int) -> str:
        """What a row's name sounds like as a brand (`near.packed`)."""
        return self._brand(row).decode()

    def _brand(self, row: int) -> bytearray:
        return self.brands[self.brand_ends[row - 1] if row else 0 : self.brand_ends[row]]

    def kind(self, row: int) -> NameKind:
        return _KINDS[self.row_flags[row] & 0xF]

    def id(self, entry: int) -> str:
        return self._id(entry).decode()

    def _id(self, entry: int) -> bytearray:
        return self.ids[self.id_ends[entry - 1] if entry else 0 : self.id_ends[entry]]

    def kill(self, entry: int) -> None:
        if not self.dead[entry]:
            self.dead[entry] = 1
            self.dead_count += 1

    def read(self, row: int) -> Iterable[int]:
        """Stores the features of a row of the newest entry and returns its index keys. In the rows' order."""
        kind = self.kind(row)
        if kind is NameKind.IDENTIFIER:
            return identifier_keys(*self.text(row).split("\t", 1))
        name = prepare(self.text(row), kind)
        self.row_flags[row] = self.row_flags[row] & WEAK | KIND_CODES[name.kind]  # the guess for an undeclared kind
        if name.persons:
            self.features[row] = person_features(name)
        else:
            self.features[row] = organisation_features(name).packed()
            self._put_brand(row, packed(brand_sounds(name.organisations)))
        return index_keys(name)

    def _put_brand(self, row: int, text: str) -> None:
        if text:
            self.brands += text.encode()
            for following in range(row, self.rows):
                self.brand_ends[following] = len(self.brands)


class Postings:
    """Sorted postings, with a filter of the keys that they have, and fences that shorten binary searches."""

    def __init__(self, values: array[int], present: bytearray | None = None) -> None:
        """`present`: the filter, if it was made before."""
        self.values = values
        depth = len(values).bit_length()
        self._shift = KEY_BITS + ROW_BITS - max(min(depth, MAX_FENCE_BITS), 1)
        self._fences = array("I", _fences(values, self._shift))
        bits = max(depth + _FILTER_BITS, 3)
        self._filter_shift = max(KEY_BITS - bits, 1)
        if present is None or len(present) != 1 << (KEY_BITS - self._filter_shift - 3):
            present = _filter(values, self._filter_shift)
        self.present = present
        """A bit for each beginning of a key, set if there is one."""
        self._flags = b"".join(map(_FLAGS.__getitem__, present)) if len(present) <= _MOST_FLAGGED else b""

    def __len__(self) -> int:
        return len(self.values)

    def span(self, first: int, last: int) -> tuple[int, int]:
        low, highest = first << ROW_BITS, ((last + 1) << ROW_BITS) - 1
        values, fences, shift = self.values, self._fences, self._shift
        start, end = fences[low >> shift], fences[(highest >> shift) + 1]
        if start == end:
            return start, end
        start = bisect_left(values, low, start, end)
        if start == end or values[start] > highest:
            return start, start
        return start, bisect_right(values, highest, start, end)

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
        return [value & ROW_MASK for value in self.values[start:end]]


def _filter(values: array[int], shift: int) -> bytearray:
    present, shift = bytearray(1 << (KEY_BITS - shift - 3)), shift + ROW_BITS
    for start in range(0, len(values), _FILTERED_AT_ONCE):
        for bit in {value >> shift for value in values[start : start + _FILTERED_AT_ONCE]}:
            present[bit >> 3] |= 1 << (bit & 7)
    return present


def _fences(values: array[int], shift: int) -> Iterator[int]:
    """Where values with each prefix begin, and the end."""
    at, length = 0, len(values)
    for fence in range(1 << (KEY_BITS + ROW_BITS - shift)):
        wanted = fence << shift
        near = min(at + _STRIDE, length)
        at = bisect_left(values, wanted, at, length if near < length and values[near] < wanted else near)
        yield at
    yield length
