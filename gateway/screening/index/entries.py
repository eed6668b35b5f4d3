"""Entries of lists as an index takes them, and their names as it gives them back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gateway.screening.result import NameKind

WEAK = 0x10
"""A weak alias, beside the kind."""

KIND_CODES = {kind: code for code, kind in enumerate(NameKind)}
KIND_MASK = 0xF


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


class ListedName(NamedTuple):
    """A row of an index: a name or an identifier, and its entry.

    `entry` numbers the entry, `group` its list. `flags`: code of the kind, and `WEAK`. `form`: what the name was read
    as (`compact_name`), may be empty. `text`: the name, or scheme and value of an identifier, separated by a tab.
    """

    row: int
    entry: int
    group: int
    id: str
    revision: int
    kind: int
    action: int
    valid_from: int
    valid_until: int
    flags: int
    form: str
    text: str
