"""Reads list changes from feed entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from sqlalchemy import Connection

from gateway.feed.codec import parse_header
from gateway.feed.tables import feeds
from gateway.v1 import watchlist_pb2
from gateway.watchlists.codec import events as wire
from gateway.watchlists.codec.events import ListKey
from gateway.watchlists.tables.lists import CopyRow, EntryRow


def read_update(conn: Connection, feed_id: int, index: int) -> watchlist_pb2.WatchlistUpdate:
    """Changes in a feed's entry; empty if erased.

    A partner's copy from a gateway that still names all recipients of an entry is shown with its own recipient alone.
    """
    return read_effect(conn, feed_id, index).update


class ListEffect(NamedTuple):
    """Changes in a feed's entry, and whether they were taken over from partners' copies."""

    update: watchlist_pb2.WatchlistUpdate
    taken_over: bool = False


def read_effect(conn: Connection, feed_id: int, index: int) -> ListEffect:
    """As `read_update`."""
    (entry,) = feeds.read_entries(conn, feed_id, index, index + 1)
    if not entry.payload:
        return ListEffect(watchlist_pb2.WatchlistUpdate())
    type_name = parse_header(entry.header).type
    if type_name != wire.EVENT_TYPE:
        decision = wire.parse_decision(entry.payload)
        return ListEffect(wire.update_of(decision), decision.HasField("restored"))
    update = wire.parse_event(entry.payload).update
    if any(len(change.entered.content.releasable_to) > 1 for change in update.changes):
        recipient = feeds.get_by_id(conn, feed_id).origin.recipient
        copies = [wire.copy_for(change, recipient) for change in update.changes]
        update = watchlist_pb2.WatchlistUpdate(changes=copies, snapshot=update.snapshot)
    return ListEffect(update)


def read_copy_changes(conn: Connection, rows: Sequence[CopyRow]) -> dict[ListKey, watchlist_pb2.WatchlistChange]:
    """Changes that partners' copies come from, each payload read once; without erased ones."""
    wanted = {ListKey(row.list, row.entry_id): (row.feed_id, row.idx) for row in rows}
    found = {}
    for place in dict.fromkeys(wanted.values()):
        for change in read_update(conn, *place).changes:
            if wanted.get(wire.key_of(change)) == place:
                found[wire.key_of(change)] = change
    return found


def read_changes(
    conn: Connection,
    rows: Sequence[EntryRow],
    known: Mapping[tuple[int, int], watchlist_pb2.WatchlistUpdate] = MappingProxyType({}),
) -> dict[ListKey, watchlist_pb2.WatchlistChange]:
    """Newest changes of one publisher's entries, each payload read once; without erased ones.

    Args:
        known: updates that were read already, by feed id and index.
    """
    places: dict[tuple[int, int], list[EntryRow]] = {}
    for row in rows:
        places.setdefault((row.feed_id, row.idx), []).append(row)
    changes = {}
    for place, at_place in places.items():
        updated = list((known.get(place) or read_update(conn, *place)).changes)
        for row in at_place:
            if row.ordinal < len(updated):
                changes[ListKey(row.list, row.entry_id)] = updated[row.ordinal]
    return changes


def read_copies(conn: Connection, rows: Sequence[CopyRow]) -> dict[ListKey, watchlist_pb2.WatchlistContent]:
    """What a partner's copies say; without ended and erased ones."""
    changes = read_copy_changes(conn, rows).items()
    return {key: change.entered.content for key, change in changes if change.HasField("entered")}
