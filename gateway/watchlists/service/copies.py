"""Compares partners' copies of own entries with our lists, by what they say."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection

from gateway.v1.watchlist_pb2 import WATCHLIST_END_NOT_RELEASABLE
from gateway.watchlists.codec import events as wire
from gateway.watchlists.codec.events import ListKey
from gateway.watchlists.service.updates import read_changes, read_copies
from gateway.watchlists.tables import lists as watchlists
from gateway.watchlists.tables import reconciliations
from gateway.watchlists.tables.lists import CopyRow, EntryRow

COPIES_AT_ONCE = 1_000
"""Copies compared at once; their payloads are read."""


def different_copies(conn: Connection, node: str, partner: str) -> Iterator[ListKey]:
    """Own entries whose copy at a partner, as it was distributed, says something else than our list.

    An end for one partner alone, and an end of an entry that isn't listed here either, differ in nothing.
    """
    after = ListKey("", "")
    while copies := reconciliations.copies_after(conn, partner, after, COPIES_AT_ONCE):
        keyed = {ListKey(copy.list, copy.entry_id): copy for copy in copies}
        rows = watchlists.find_all(conn, node, keyed)
        listed = [row for row in rows.values() if not row.ended]
        own, had = read_changes(conn, listed), read_copies(conn, [copy for copy in copies if not copy.ended])
        for key, copy in keyed.items():
            if _differs(rows.get(key), copy):
                yield key
            elif key in own and key in had:
                content = own[key].entered.content
                if partner not in content.releasable_to or wire.shared_digest(content) != wire.shared_digest(had[key]):
                    yield key
        after = ListKey(copies[-1].list, copies[-1].entry_id)


def _differs(row: EntryRow | None, copy: CopyRow) -> bool:
    """Whether revision or end differ."""
    listed = row is not None and not row.ended
    if not copy.ended:
        return not listed or (row is not None and row.revision != copy.revision)
    return listed and copy.ended != WATCHLIST_END_NOT_RELEASABLE and row is not None and row.revision <= copy.revision
