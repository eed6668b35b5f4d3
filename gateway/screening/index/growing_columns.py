"""Columns of an index that entries are added to: read, keyed and copied."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

from gateway.errors import TooLargeError
from gateway.screening.compact_name import compact
from gateway.screening.identifiers import identifier_keys
from gateway.screening.index.columns import (
    BYTES,
    FORM_END,
    KIND_CODES,
    MAX_ROWS,
    MAX_TEXTS,
    NUMBERS,
    WEAK,
    EntryColumns,
    IndexEntry,
)
from gateway.screening.index.keys import index_keys
from gateway.screening.index.organisation_features import organisation_features
from gateway.screening.index.person_features import person_features
from gateway.screening.organisations.near import brand_sounds, packed
from gateway.screening.prepared_name import prepare
from gateway.screening.result import NameKind

_AS_THEY_ARE = ("row_flags", "features", "revisions", "kinds", "actions", "valid_from", "valid_until")
"""Columns that don't number anything."""


class GrowingColumns(EntryColumns):
    """Columns in memory; append-only, except that entries can be marked dead."""

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

    texts: bytearray
    brands: bytearray
    ids: bytearray

    def __init__(self) -> None:
        numbers = {name: array(code) for name, code in NUMBERS.items()}
        super().__init__(numbers | {name: bytearray() for name in BYTES}, bytearray())

    def add(self, record: IndexEntry, group: int) -> int:
        """Appends an entry and returns its number.

        Raises:
            TooLargeError: the run is full.
        """
        entry, count = len(self.first_rows), len(record.names) + len(record.identifiers)
        if len(self.row_entries) + count > MAX_ROWS or len(self.texts) > MAX_TEXTS:
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
        self.texts += FORM_END.encode() + text.encode("utf-8", "replace")
        self.text_ends.append(len(self.texts))
        self.row_flags.append(flags)
        self.features.append(0)
        self.brand_ends.append(len(self.brands))
        self.row_entries.append(entry)

    def extend(self, other: GrowingColumns, groups: Sequence[int]) -> None:
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
        self.ids += other.id_bytes(entry)
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
            self.texts += other.text_bytes(row)
            self.text_ends.append(len(self.texts))
            self.brands += other.brand_bytes(row)
            self.brand_ends.append(len(self.brands))
            self.row_flags.append(other.row_flags[row])
            self.features.append(other.features[row])
            self.row_entries.append(here)
        return here

    def read(self, row: int) -> Iterable[int]:
        """Stores the features of a row of the newest entry and returns its index keys. In the rows' order."""
        kind, text = self.kind(row), self.text(row)
        if kind is NameKind.IDENTIFIER:
            return identifier_keys(*text.split("\t", 1))
        name = prepare(text, kind)
        self._put_form(row, compact(name))
        self.row_flags[row] = self.row_flags[row] & WEAK | KIND_CODES[name.kind]  # the guess for an undeclared kind
        if name.persons:
            self.features[row] = person_features(name)
        else:
            self.features[row] = organisation_features(name).packed()
            self._put_brand(row, packed(brand_sounds(name.organisations)))
        return index_keys(name)

    def _put_form(self, row: int, form: str) -> None:
        if form:
            start, written = self.text_ends[row - 1] if row else 0, form.encode()
            self.texts[start:start] = written
            for following in range(row, self.rows):
                self.text_ends[following] += len(written)

    def _put_brand(self, row: int, text: str) -> None:
        if text:
            self.brands += text.encode()
            for following in range(row, self.rows):
                self.brand_ends[following] = len(self.brands)
