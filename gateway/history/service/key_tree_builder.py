"""Prepares the next head of the tree of keys: enters recorded items, and takes erased ones out.

A number's place costs a tenth of a millisecond, so this is done in a worker process, behind the commits of records.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import Connection

from gateway.db.database import Database
from gateway.feed.service.writing.commands import random_bytes
from gateway.history.codec import shipments as wire
from gateway.history.rules.key_tree import SECRET_BYTES, HiddenNames, changed_names
from gateway.history.rules.provable_numbers import provable_keys_of
from gateway.history.tables import key_tree, shipments
from gateway.history.tables import progress as record_progress
from gateway.history.tables.key_tree import ErasureRow, KeyTreeState, LeafRow, StoredKeyTree
from gateway.history.tables.shipments import LogRow
from gateway.tlog.prefix_tree import Tile, changed_tiles

KEY_TREE_ITEMS = 250
"""Items entered at once: a third of a second, which a search for names waits. A hundred cost the writer three times as
much each."""

KEY_TREE_ERASURES = 2_500
"""Keys of erased records taken out at once."""


@dataclass(frozen=True, slots=True)
class KeyTreeBatch:
    """The tree's next state.

    Attributes:
        before: the state that it follows.
        after: the next one, with the number of the one before.
        leaves: new and changed.
        gone: places that have no record any more.
        erasures: done with it.
    """

    before: KeyTreeState
    after: KeyTreeState
    leaves: tuple[LeafRow, ...]
    gone: tuple[bytes, ...]
    tiles: dict[str, Tile]
    erasures: tuple[ErasureRow, ...]

    @property
    def is_full(self) -> bool:
        """Whether there may be more."""
        items = self.after.position - self.before.position
        return items >= KEY_TREE_ITEMS or len(self.erasures) >= KEY_TREE_ERASURES


class _Names:
    """Hidden names by place, from keys and record ids."""

    def __init__(self, hidden: HiddenNames) -> None:
        self._hidden = hidden
        self.by_place: dict[bytes, set[bytes]] = defaultdict(set)

    def add(self, key: int, record_id: str) -> None:
        place = self._hidden.place(key)
        self.by_place[place].add(self._hidden.name(place, record_id))


class KeyTreeBuilder:
    """Prepares batches."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._hidden = lru_cache(maxsize=1)(HiddenNames)

    def next(self, most: int = KEY_TREE_ITEMS) -> KeyTreeBatch | None:
        """The next state of the tree; None if it has everything."""
        with self._database.read() as conn:
            before = key_tree.state(conn)
            erasures = key_tree.erasures(conn, KEY_TREE_ERASURES)
            rows = _rows(conn, before.position, most) if len(erasures) < KEY_TREE_ERASURES else []
            if not rows and not erasures:
                return None
            secret = before.secret or random_bytes(SECRET_BYTES)
            added, erased = _Names(self._hidden(secret)), _Names(self._hidden(secret))
            _enter(added, rows)
            for erasure in erasures:
                erased.add(erasure.key, erasure.record_id)
            leaves, gone, root, tiles = _changed(conn, added, erased)
        position = rows[-1].position if rows else before.position
        after = before._replace(position=position, root=root, secret=secret)
        return KeyTreeBatch(before, after, tuple(leaves), tuple(gone), tiles, tuple(erasures))


def _rows(conn: Connection, after: int, most: int) -> list[LogRow]:
    """Indexed items alone: what a purge erases, it has found in the index, so a record that comes again stays."""
    indexed = record_progress.indexed(conn)
    return [row for row in shipments.log_after(conn, after, most) if row.position <= indexed]


def _enter(names: _Names, rows: Sequence[LogRow]) -> None:
    for row in rows:
        item = wire.readable(row.kind, row.content) if row.content else None
        for key in provable_keys_of(item) if item is not None else ():
            names.add(key, row.record_id)


def _changed(
    conn: Connection, added: _Names, erased: _Names
) -> tuple[list[LeafRow], list[bytes], bytes, dict[str, Tile]]:
    """Leaves, places without a record, root and tiles after a change."""
    places = {*added.by_place, *erased.by_place}
    there = key_tree.leaves(conn, places)
    leaves, gone = list[LeafRow](), list[bytes]()
    for place in places:
        row = there.get(place) or LeafRow(place, b"", b"")
        records, value = changed_names(row.records, row.value, added.by_place[place], erased.by_place[place])
        if value == row.value:
            continue
        if value:
            leaves.append(LeafRow(place, value, records))
        else:
            gone.append(place)
    reader = StoredKeyTree(conn)
    reader.fetch_tiles(places)
    change = changed_tiles(reader, {row.place: row.value for row in leaves} | dict.fromkeys(gone))
    return leaves, gone, change.root, change.tiles
