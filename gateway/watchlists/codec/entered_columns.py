"""Reads the entries of an update field by field.

Reading one field of many messages takes half the time of reading many fields of one message, several times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter, methodcaller

from gateway.contract.messages import to_ms
from gateway.v1 import watchlist_pb2

_IS_ENTERED = methodcaller("HasField", "entered")
_ENTERED = attrgetter("entered")
_OF_ENTRY = attrgetter("list", "id", "revision", "content")
_KEY = attrgetter("list", "id", "revision")
_OF_CONTENT = attrgetter("kind", "purpose")
_HAS_END = methodcaller("HasField", "valid_until")


@dataclass(frozen=True, slots=True)
class EnteredColumns:
    """New entries and revisions of an update, one sequence for each field, all of one length.

    Attributes:
        ordinals: of the changes in the update; the ends of entries are left out.
        valid_until: milliseconds since 1970; 0 without end.
        ends: number of changes that end an entry.
    """

    ordinals: Sequence[int]
    lists: Sequence[str]
    ids: Sequence[str]
    revisions: Sequence[int]
    kinds: Sequence[int]
    purposes: Sequence[str]
    valid_until: Sequence[int]
    ends: int


def columns_of(update: watchlist_pb2.WatchlistUpdate) -> EnteredColumns:
    """The columns of an update."""
    changes = list(update.changes)
    entered = list(map(_IS_ENTERED, changes))
    ends = entered.count(False)
    ordinals: Sequence[int] = range(len(changes))
    if ends:
        ordinals = [ordinal for ordinal in ordinals if entered[ordinal]]
        changes = [changes[ordinal] for ordinal in ordinals]
    if not changes:
        return EnteredColumns((), (), (), (), (), (), (), ends)
    lists, ids, revisions, contents = zip(*map(_OF_ENTRY, map(_ENTERED, changes)), strict=True)
    kinds, purposes = zip(*map(_OF_CONTENT, contents), strict=True)
    valid_until = [
        to_ms(content.valid_until) if has_end else 0
        for content, has_end in zip(contents, map(_HAS_END, contents), strict=True)
    ]
    return EnteredColumns(ordinals, lists, ids, revisions, kinds, purposes, valid_until, ends)


def entered_keys(update: watchlist_pb2.WatchlistUpdate) -> list[tuple[str, str, int]] | None:
    """List, id and revision of each entry; None if entries end."""
    if not all(map(_IS_ENTERED, update.changes)):
        return None
    return list(map(_KEY, map(_ENTERED, update.changes)))
