"""Builds parts of the screening index from ranges of list changes, in this process or in others.

A part has the entries whose present state is a change of its range. So parts may be read at different times: an entry
that changes meanwhile stands behind all ranges then, and is followed from there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from gateway.contract.ids import FeedOrigin
from gateway.db.database import Database
from gateway.screening.index.columns import IndexEntry
from gateway.screening.index.parts import IndexPart, RefusedEntry, build_part
from gateway.v1 import watchlist_pb2
from gateway.watchlists.codec import screening as wire
from gateway.watchlists.codec.events import key_of
from gateway.watchlists.rules.matches import EntryKey
from gateway.watchlists.service.updates import read_update
from gateway.watchlists.tables import lists as watchlists
from gateway.watchlists.tables import progress as list_progress
from gateway.watchlists.tables.lists import ChangeRow, EntryRow

log = logging.getLogger(__name__)

CHANGES_AT_ONCE = 20
"""Updates, of at most 500 changes, read in one transaction: a part of the index."""

MAX_RANGES = 400
"""Of many small updates more are taken together."""


class ChangeRange(NamedTuple):
    """Changes by number: `after` < number ≤ `upto`."""

    after: int
    upto: int


class RangePart(NamedTuple):
    """A range's entries, and those that ended."""

    part: IndexPart
    ended: list[EntryKey]


RangeBuilder = Callable[[Sequence[ChangeRange]], Iterable[RangePart | None]]
"""Builds ranges, as `build_range`, in their order."""


def ranges_of(after: int, upto: int) -> list[ChangeRange]:
    """Ranges that take about equally long if updates are alike."""
    width = max(CHANGES_AT_ONCE, -(-(upto - after) // MAX_RANGES))
    return [ChangeRange(first, min(first + width, upto)) for first in range(after, upto, width)]


def build_range(database: Database, span: ChangeRange) -> RangePart | None:
    """None while the lists are being rebuilt, and behind the range.

    Raises:
        StoreUnavailableError: the database can't be read.
    """
    refused, ended, is_behind = list[RefusedEntry](), list[EntryKey](), False

    def entries() -> Iterator[IndexEntry]:
        nonlocal is_behind
        after = span.after
        while after < span.upto:
            with database.read() as conn:
                if is_behind := list_progress.applied(conn) < span.upto:
                    return
                changes = watchlists.changes_after(conn, after, min(CHANGES_AT_ONCE, span.upto - after))
                effects = [effect for change in changes for effect in effects_of(conn, change)]
            yield from _records(effects, ended, refused)
            after += CHANGES_AT_ONCE

    part = build_part(entries())
    return None if is_behind else RangePart(part._replace(refused=(*part.refused, *refused)), ended)


def build_range_to_send(database: Database, span: ChangeRange) -> RangePart | None:
    """As `build_range`, with errors that another process can read."""
    made = build_range(database, span)
    if made is None:
        return None
    for entry in made.part.refused:
        log.error("entry %s can't be read: %r", entry.id, entry.error, exc_info=entry.error)
    refused = tuple([entry._replace(error=RuntimeError(repr(entry.error))) for entry in made.part.refused])
    return made._replace(part=made.part._replace(refused=refused))


def _records(
    effects: Iterable[tuple[EntryKey, watchlist_pb2.WatchlistEntry | None]],
    ended: list[EntryKey],
    refused: list[RefusedEntry],
) -> Iterator[IndexEntry]:
    for key, entry in effects:
        if entry is None:
            ended.append(key)
            continue
        try:
            record = wire.record_of(key.publisher, entry)
        except Exception as error:  # whatever it is, it must not stop the others
            refused.append(RefusedEntry(wire.group_of(key.publisher, key.list), key.id, error))
        else:
            yield record


def effects_of(conn: Connection, change: ChangeRow) -> list[tuple[EntryKey, watchlist_pb2.WatchlistEntry | None]]:
    """Entries to index, None for ended ones."""
    publisher = FeedOrigin.parse(change.origin).publisher
    changes = read_update(conn, change.feed_id, change.idx).changes
    rows = watchlists.find_all(conn, publisher, map(key_of, changes))
    effects: list[tuple[EntryKey, watchlist_pb2.WatchlistEntry | None]] = []
    for ordinal, item in enumerate(changes):
        key = key_of(item)
        row = rows.get(key)
        if row is not None and _stands_here(row, change, ordinal):
            effects.append((EntryKey(publisher, key.list, key.entry_id), None if row.ended else item.entered))
    return effects


def _stands_here(row: EntryRow, change: ChangeRow, ordinal: int) -> bool:
    return (row.feed_id, row.idx, row.ordinal) == (change.feed_id, change.idx, ordinal)
