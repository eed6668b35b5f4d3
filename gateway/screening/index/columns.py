"""Holds what an index knows of entries in columns: arrays of numbers and bytes, no object for each entry.

An entry has rows: one for each name, identifier and address. A row has the keys under which it is filed. A posting is
one 64-bit number, the 38 bits of a key (`key_numbers`) above 26 bits of the row's number, and the table of keys is
those numbers sorted: looking a key up is one binary search, and merging two tables is merging two sorted runs.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import NamedTuple

from gateway.errors import TooLargeError
from gateway.screening.identifiers import identifier_keys
from gateway.screening.index.key_numbers import KEY_BITS
from gateway.screening.index.keys import index_keys
from gateway.screening.index.organisation_features import organisation_features
from gateway.screening.index.person_features import person_features
from gateway.screening.prepared_name import prepare
from gateway.screening.result import NameKind

ROW_BITS = 26
ROW_MASK = (1 << ROW_BITS) - 1
MAX_ROWS = 1 << ROW_BITS
"""Rows of one run: 67 million; a list of a million entries has some three."""

MAX_FENCE_BITS = 20
"""Most parts, in bits, of a table of keys: a million numbers, which take a third of a second to make."""

_STRIDE = 64

_PARTS = 256
"""Parts, by the first bits of the key, into which postings are gathered before they are sorted part by part."""

WEAK = 0x10
"""Flag of a row beside its kind: a name that its source calls a weak alias."""

_KINDS = tuple(NameKind)
KIND_CODES = {kind: code for code, kind in enumerate(_KINDS)}


class EntryName(NamedTuple):
    """A name as it stands on an entry."""

    text: str
    kind: NameKind
    weak: bool = False


class IndexEntry(NamedTuple):
    """An entry as an index takes it.

    `group` is the list that it belongs to and `id` its id there, together its reference; `kind` and `action` are small
    numbers that come back with a hit. Times are milliseconds since 1970, 0 where there is none.
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
        """Whether it is valid at a time, as `hits.Search` has it for entries of an index."""
        return self.valid_from <= at_ms and not 0 < self.valid_until <= at_ms


def reference_hash(group: str, entry_id: str) -> int:
    """A reference in as many bits as a key."""
    digest = blake2b(f"{group}\0{entry_id}".encode(), digest_size=5).digest()
    return int.from_bytes(digest, "big") >> (8 * len(digest) - KEY_BITS)


NUMBERS = {
    "text_ends": "I",  # of each row, in `texts`
    "row_entries": "I",
    "row_flags": "B",  # the kind of name, and WEAK
    "features": "Q",  # of each row: OrganisationFeatures.packed or person_features
    "first_rows": "I",  # of each entry
    "id_ends": "I",  # of each entry, in `ids`
    "groups": "H",
    "revisions": "I",
    "kinds": "B",
    "actions": "B",
    "valid_from": "q",
    "valid_until": "q",
}
"""Columns and their types, in the order of a file."""


class Columns:
    """One run of entries. Grows at its end; an entry never changes but to become dead."""

    text_ends: array[int]
    row_entries: array[int]
    row_flags: array[int]
    features: array[int]
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
        """Appends an entry with its rows; gives its number.

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
        for name in record.names:
            self._add_row(name.text, entry, KIND_CODES[name.kind] | (WEAK if name.weak else 0))
        for scheme, value in record.identifiers:
            self._add_row(f"{scheme}\t{value}", entry, KIND_CODES[NameKind.IDENTIFIER])
        return entry

    def _add_row(self, text: str, entry: int, flags: int) -> None:
        self.texts += text.encode("utf-8", "replace")
        self.text_ends.append(len(self.texts))
        self.row_flags.append(flags)
        self.features.append(0)
        self.row_entries.append(entry)

    def copy(self, other: Columns, entry: int) -> int:
        """Appends a living entry of another run; gives its number here."""
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
            self.row_flags.append(other.row_flags[row])
            self.features.append(other.features[row])
            self.row_entries.append(here)
        return here

    def rows_of(self, entry: int) -> range:
        """Numbers of an entry's rows."""
        following = entry + 1
        end = self.first_rows[following] if following < len(self.first_rows) else len(self.row_entries)
        return range(self.first_rows[entry], end)

    def text(self, row: int) -> str:
        """Name of a row, or scheme and value of an identifier with a tabulator between."""
        start = self.text_ends[row - 1] if row else 0
        return self.texts[start : self.text_ends[row]].decode()

    def kind(self, row: int) -> NameKind:
        """Kind of name of a row."""
        return _KINDS[self.row_flags[row] & 0xF]

    def id(self, entry: int) -> str:
        """Id of an entry within its group."""
        return self._id(entry).decode()

    def _id(self, entry: int) -> bytearray:
        return self.ids[self.id_ends[entry - 1] if entry else 0 : self.id_ends[entry]]

    def kill(self, entry: int) -> None:
        """Marks an entry as gone."""
        if not self.dead[entry]:
            self.dead[entry] = 1
            self.dead_count += 1

    def read(self, row: int) -> Iterable[int]:
        """Reads a new row: notes its marks and gives the keys under which it is filed."""
        kind = self.kind(row)
        if kind is NameKind.IDENTIFIER:
            return identifier_keys(*self.text(row).split("\t", 1))
        name = prepare(self.text(row), kind)
        self.row_flags[row] = self.row_flags[row] & WEAK | KIND_CODES[name.kind]  # a kind that wasn't declared
        self.features[row] = person_features(name) if name.persons else organisation_features(name).packed()
        return index_keys(name)


class Postings:
    """A sorted table of keys with, above it, where each range of keys begins: few steps of search and not 24."""

    def __init__(self, values: array[int]) -> None:
        self.values = values
        depth = len(values).bit_length()
        self._shift = KEY_BITS + ROW_BITS - max(min(depth, MAX_FENCE_BITS), 1)
        self._fences = array("I", _fences(values, self._shift))

    def __len__(self) -> int:
        return len(self.values)

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Where the postings of the keys from `first` to `last` lie."""
        low, highest = first << ROW_BITS, ((last + 1) << ROW_BITS) - 1
        values, fences, shift = self.values, self._fences, self._shift
        start, end = fences[low >> shift], fences[(highest >> shift) + 1]
        if start == end:
            return start, end
        start = bisect_left(values, low, start, end)
        if start == end or values[start] > highest:
            return start, start
        return start, bisect_right(values, highest, start, end)

    def spans(self, ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """For each range of keys, the first and the last of it, its `span`; empty ones are left out."""
        fences, shift, found = self._fences, self._shift - ROW_BITS, []
        for first, last in ranges:
            if fences[first >> shift] != fences[(last >> shift) + 1] and (at := self.span(first, last))[0] < at[1]:
                found.append(at)
        return found

    def rows(self, start: int, end: int) -> list[int]:
        """Rows of a span."""
        return [value & ROW_MASK for value in self.values[start:end]]


def _fences(values: array[int], shift: int) -> Iterator[int]:
    """Where the values begin that have each first bits, and where all end; near the last place mostly."""
    at, length = 0, len(values)
    for fence in range(1 << (KEY_BITS + ROW_BITS - shift)):
        wanted = fence << shift
        near = min(at + _STRIDE, length)
        at = bisect_left(values, wanted, at, length if near < length and values[near] < wanted else near)
        yield at
    yield length


class PostingsBuilder:
    """Gathers postings in any order and sorts them part by part, so that no more than a part is ever a list."""

    def __init__(self) -> None:
        self._parts = [array("Q") for _ in range(_PARTS)]

    def add(self, row: int, hashes: Iterable[int]) -> None:
        """Files a row under keys."""
        parts = self._parts
        for key in hashes:
            parts[key >> (KEY_BITS - 8)].append(key << ROW_BITS | row)

    def finish(self, breathe: Callable[[], None] = lambda: None) -> Postings:
        """The sorted table; the builder is empty afterwards. `breathe` is called between parts."""
        values = array("Q")
        for number, part in enumerate(self._parts):
            self._parts[number] = array("Q")
            values.extend(array("Q", sorted(part)))
            breathe()
        return Postings(values)
