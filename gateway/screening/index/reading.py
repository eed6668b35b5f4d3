"""Reads the names of entries for an index: keys, features and short forms.

Reading takes nearly all of the time of indexing and needs nothing but the entry, so other processes can do it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from gateway.screening.compact_name import compact
from gateway.screening.identifiers import identifier_keys
from gateway.screening.index.entries import KIND_CODES, WEAK, EntryName, IndexEntry
from gateway.screening.index.keys import index_keys
from gateway.screening.index.organisation_features import organisation_features
from gateway.screening.index.person_features import person_features
from gateway.screening.organisations.near import brand_sounds, packed
from gateway.screening.prepared_name import prepare
from gateway.screening.result import NameKind


class ReadName(NamedTuple):
    """A row of an index to be.

    `text`, `flags`, `form`: as `entries.ListedName` has them. `brand`: what it sounds like as a brand
    (`near.packed`), may be empty. `features`: 60 bits of `organisation_features` or `person_features`.
    """

    text: str
    flags: int
    form: str
    brand: str
    features: int
    keys: tuple[int, ...]


class ReadEntry(NamedTuple):
    """An entry, without its names, and its names as they were read."""

    entry: IndexEntry
    names: list[ReadName]


class RefusedEntry(NamedTuple):
    """An entry that can't be taken, and why."""

    group: str
    id: str
    error: Exception


def read_entry(entry: IndexEntry) -> ReadEntry:
    """Reads all names and identifiers."""
    names = [_read_name(name) for name in entry.names]
    names += [_read_identifier(scheme, value) for scheme, value in entry.identifiers]
    return ReadEntry(entry._replace(names=(), identifiers=()), names)


def read_entries(entries: Iterable[IndexEntry], refused: Callable[[RefusedEntry], object]) -> Iterator[ReadEntry]:
    """Reads entries in order; `refused` gets one that can't be read, and the others follow."""
    for entry in entries:
        try:
            read = read_entry(entry)
        except Exception as error:  # whatever it is, it must not stop the others
            refused(RefusedEntry(entry.group, entry.id, error))
        else:
            yield read


def _read_name(listed: EntryName) -> ReadName:
    text = _storable(listed.text)
    name = prepare(text, listed.kind)
    flags = KIND_CODES[name.kind] | (WEAK if listed.weak else 0)  # the guess for an undeclared kind
    if name.persons:
        brand, features = "", person_features(name)
    else:
        brand, features = packed(brand_sounds(name.organisations)), organisation_features(name).packed()
    return ReadName(text, flags, compact(name), brand, features, tuple(index_keys(name)))


def _read_identifier(scheme: str, value: str) -> ReadName:
    text = _storable(f"{scheme}\t{value}")
    return ReadName(text, KIND_CODES[NameKind.IDENTIFIER], "", "", 0, identifier_keys(*text.split("\t", 1)))


def _storable(text: str) -> str:
    """Without halves of pairs of surrogates."""
    return text.encode("utf-8", "replace").decode()
