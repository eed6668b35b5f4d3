"""Reads entries' names for the screening index by ranges of list changes, in this process or in others.

A range has the entries whose present state is a change of it. So ranges may be read at different times: an entry that
changes meanwhile stands behind all ranges then, and is followed from there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from gateway.contract.ids import FeedOrigin
from gateway.db.database import Database
from gateway.screening.index.entries import IndexEntry
from gateway.screening.index.reading import ReadEntry, RefusedEntry, read_entries
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
"""Updates, of at most 500 changes, read in one transaction."""

MAX_RANGES = 400
"""Of many small updates more are taken together."""


class ChangeRange(NamedTuple):
    """Changes by number: `after` < number ≤ `upto`."""

    after: int
    upto: int


class ReadRange(NamedTuple):
    """A range's entries, those that ended, and those that couldn't be read."""

    entries: list[ReadEntry]
    ended: list[EntryKey]
    refused: list[RefusedEntry]


RangeReader = Callable[[Sequence[ChangeRange]], Iterable[ReadRange | None]]
"""Reads ranges, as `read_range`, in their order."""


def ranges_of(after: int, upto: int) -> list[ChangeRange]:
    """Ranges that take about equally long if updates are alike."""
    width = max(CHANGES_AT_ONCE, -(-(upto - after) // MAX_RANGES))
    return [ChangeRange(first, min(first + width, upto)) for first in range(after, upto, width)]


def read_range(database: Database, span: ChangeRange) -> ReadRange | None:
    """None while the lists are being rebuilt, and behind the range.

    Raises:
        StoreUnavailableError: the database can't be read.
    """
    made, after = ReadRange([], [], []), span.after
    while after < span.upto:
        with database.read() as conn:
            if list_progress.applied(conn) < span.upto:
                return None
            changes = watchlists.changes_after(conn, after, min(CHANGES_AT_ONCE, span.upto - after))
            effects = [effect for change in changes for effect in effects_of(conn, change)]
        made.entries.extend(read_entries(_records(effects, made.ended, made.refused), made.refused.append))
        after += CHANGES_AT_ONCE
    return made


def read_range_to_send(database: Database, span: ChangeRange) -> ReadRange | None:
    """As `read_range`, with errors that another process can read."""
    made = read_range(database, span)
    if made is None:
        return None
    for entry in made.refused:
        log.error("entry %s can't be read: %r", entry.id, entry.error, exc_info=entry.error)
    return made._replace(refused=[entry._replace(error=RuntimeError(repr(entry.error))) for entry in made.refused])


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
