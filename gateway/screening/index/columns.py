"""Stores an index as arrays of numbers and bytes instead of an object per entry.

Each name, identifier and address of an entry is a row with index keys. A posting is a 64-bit number: 38 bits of key
(`key_numbers`) above 26 bits of row. Sorted postings make a look-up one binary search and a merge linear.
"""

from __future__ import annotations

import os
import weakref
from array import array
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Literal, NamedTuple

from gateway.screening.index.key_numbers import KEY_BITS
from gateway.screening.result import NameKind

ROW_BITS = 26
ROW_MASK = (1 << ROW_BITS) - 1
MAX_ROWS = 1 << ROW_BITS
"""67 million; a million entries have about two."""

MAX_TEXTS = 0xFFFF_0000
"""Bytes of a run's names; their ends are numbers of 32 bits. A row has some 60."""

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


Code = Literal["B", "H", "I", "Q", "q"]
"""Of the numbers of a column, as `array` and `memoryview` have it."""

NUMBERS: dict[str, Code] = {
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
BYTES = ("texts", "brands", "ids")
"""Columns of bytes, behind those."""

READ_FROM_FILE = frozenset({"texts", "ids", "postings", "reference_postings"})
"""Of a snapshot's, those of which a search needs a few pieces: the system maps sixteen pages for each."""

_NUMBER_BYTES = 8

FORM_END = "\n"
"""Stands between form and text; no form has it."""


class FileBytes:
    """A column that is read piece by piece from a file, whose pages then needn't be mapped."""

    def __init__(self, descriptor: int, start: int, length: int) -> None:
        """`descriptor`: of the open file; it is closed when nothing needs this column."""
        self.descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)
        self.start = start
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, part: slice) -> bytes:
        first, end, _ = part.indices(self._length)
        return self.read(first, end)

    def read(self, first: int, end: int) -> bytes:
        """As a slice, of places that exist."""
        return os.pread(self.descriptor, end - first, self.start + first)


class FileNumbers:
    """Numbers of 64 bits that are read piece by piece from a file."""

    def __init__(self, content: FileBytes) -> None:
        self.content = content
        self._place = content.descriptor, content.start

    def __len__(self) -> int:
        return len(self.content) // _NUMBER_BYTES

    def __getitem__(self, part: slice) -> array[int]:
        first, end = part.start or 0, len(self) if part.stop is None else part.stop
        descriptor, start = self._place
        return array("Q", os.pread(descriptor, (end - first) * _NUMBER_BYTES, start + first * _NUMBER_BYTES))


Bytes = bytearray | bytes | memoryview
"""Of a column in memory, or in a mapped file."""


class EntryColumns:
    """Columns to read, in memory or in a mapped file; entries can be marked dead."""

    text_ends: Sequence[int]
    row_entries: Sequence[int]
    row_flags: Sequence[int]
    features: Sequence[int]
    brand_ends: Sequence[int]
    first_rows: Sequence[int]
    id_ends: Sequence[int]
    groups: Sequence[int]
    revisions: Sequence[int]
    kinds: Sequence[int]
    actions: Sequence[int]
    valid_from: Sequence[int]
    valid_until: Sequence[int]
    texts: bytearray | memoryview | FileBytes
    brands: bytearray | memoryview
    ids: bytearray | memoryview | FileBytes

    def __init__(self, parts: Mapping[str, Any], dead: bytearray) -> None:
        """`parts`: columns by name."""
        for name in (*NUMBERS, *BYTES):
            setattr(self, name, parts[name])
        self.dead = dead
        self.dead_count = dead.count(1)

    def __len__(self) -> int:
        return len(self.first_rows)

    @property
    def rows(self) -> int:
        return len(self.row_entries)

    @property
    def living(self) -> int:
        return len(self.first_rows) - self.dead_count

    def has_room_for(self, other: EntryColumns) -> bool:
        """Whether one run takes both."""
        return self.rows + other.rows <= MAX_ROWS and len(self.texts) + len(other.texts) <= MAX_TEXTS

    def rows_of(self, entry: int) -> range:
        following = entry + 1
        end = self.first_rows[following] if following < len(self.first_rows) else len(self.row_entries)
        return range(self.first_rows[entry], end)

    def text(self, row: int) -> str:
        """A name, or scheme and value of an identifier, separated by a tab."""
        return self.text_and_form(row)[0]

    def text_and_form(self, row: int) -> tuple[str, str]:
        """A row's text, and what it was read as (`compact_name`); empty if it has no such form."""
        form, _, text = str(self.text_bytes(row), "utf-8").partition(FORM_END)
        return text, form

    def text_bytes(self, row: int) -> Bytes:
        """Form, `FORM_END` and text."""
        start, end, texts = self.text_ends[row - 1] if row else 0, self.text_ends[row], self.texts
        return texts.read(start, end) if isinstance(texts, FileBytes) else texts[start:end]

    def brand(self, row: int) -> str:
        """What a row's name sounds like as a brand (`near.packed`)."""
        return str(self.brand_bytes(row), "utf-8")

    def brands_of(self, rows: Iterable[int]) -> list[tuple[int, str]]:
        """Rows that have brands, with these."""
        brands, ends = self.brands, self.brand_ends
        return [
            (row, str(brands[start:end], "utf-8"))
            for row in rows
            if (start := ends[row - 1] if row else 0) < (end := ends[row])
        ]

    def brand_bytes(self, row: int) -> Bytes:
        return self.brands[self.brand_ends[row - 1] if row else 0 : self.brand_ends[row]]

    def kind(self, row: int) -> NameKind:
        return _KINDS[self.row_flags[row] & 0xF]

    def id(self, entry: int) -> str:
        return str(self.id_bytes(entry), "utf-8")

    def id_bytes(self, entry: int) -> Bytes:
        return self.ids[self.id_ends[entry - 1] if entry else 0 : self.id_ends[entry]]

    def kill(self, entry: int) -> None:
        if not self.dead[entry]:
            self.dead[entry] = 1
            self.dead_count += 1
