"""Statements on the tree of keys that proves answers complete: leaves, tiles, records to erase, and its head."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Connection, bindparam, delete, select

from gateway.db.schema import Progress
from gateway.db.statements import Prepared, PreparedList, insert_rows
from gateway.history.tables.schema import (
    key_tree_erasures,
    key_tree_leaves,
    key_tree_progress,
    key_tree_tiles,
)
from gateway.tlog.prefix_tree import EMPTY, HASH_BYTES, Leaf, Subtree, Tile

_ROWS_AT_ONCE = 1_000
_SUBTREE_BYTES = HASH_BYTES + 1


class KeyTreeState(NamedTuple):
    """The tree's head.

    Attributes:
        number: of the newest head; 0: the tree wasn't begun.
        position: the last item in the log of records that the tree has; 0 with a number: the tree is built again.
        secret: of its hidden places and names; empty before its first head.
    """

    number: int = 0
    position: int = 0
    root: bytes = EMPTY
    secret: bytes = b""


class LeafRow(NamedTuple):
    """What the tree has at a place."""

    place: bytes
    value: bytes
    records: bytes


class ErasureRow(NamedTuple):
    """A key under which an erased record stands in the tree."""

    record_id: str
    key: int


_values: BindParameter[Any] = bindparam("values", expanding=True)
_STATE = Progress(key_tree_progress, KeyTreeState)
_LEAVES = PreparedList(select(key_tree_leaves).where(key_tree_leaves.c.place.in_(_values)))
_LEAVES_BETWEEN = Prepared(
    select(key_tree_leaves.c.place, key_tree_leaves.c.value)
    .where(key_tree_leaves.c.place >= bindparam("first"), key_tree_leaves.c.place <= bindparam("last"))
    .order_by(key_tree_leaves.c.place)
)
_TILES = PreparedList(select(key_tree_tiles).where(key_tree_tiles.c.prefix.in_(_values)))
_TILE = Prepared(select(key_tree_tiles.c.subtrees).where(key_tree_tiles.c.prefix == bindparam("at")))
_REMOVE_LEAVES = PreparedList(delete(key_tree_leaves).where(key_tree_leaves.c.place.in_(_values)))
_REMOVE_TILES = PreparedList(delete(key_tree_tiles).where(key_tree_tiles.c.prefix.in_(_values)))
_ERASURES = Prepared(
    select(key_tree_erasures).order_by(key_tree_erasures.c.record_id, key_tree_erasures.c.key).limit(bindparam("most"))
)
_ERASED = Prepared(
    delete(key_tree_erasures).where(
        key_tree_erasures.c.record_id == bindparam("of_record"), key_tree_erasures.c.key == bindparam("under")
    )
)


def state(conn: Connection) -> KeyTreeState:
    """The head."""
    return KeyTreeState(*map(_value, _STATE.read(conn)))


def lock(conn: Connection) -> KeyTreeState:
    """The head, locked until the transaction ends (PostgreSQL)."""
    return KeyTreeState(*map(_value, _STATE.lock(conn)))


def put_state(conn: Connection, moved: KeyTreeState) -> None:
    """Sets the head."""
    _STATE.write(conn, **moved._asdict())


def all_leaves(conn: Connection) -> Iterator[LeafRow]:
    """Everything in the tree."""
    for row in conn.execution_options(yield_per=_ROWS_AT_ONCE).execute(select(key_tree_leaves)):
        yield LeafRow(*map(bytes, row))


def clear(conn: Connection) -> None:
    """Empties the tree, to be built again under later numbers."""
    for table in (key_tree_leaves, key_tree_tiles, key_tree_erasures):
        conn.execute(delete(table))
    if state(conn).number:
        _STATE.write(conn, position=0, root=EMPTY)


def leaves(conn: Connection, places: Collection[bytes]) -> dict[bytes, LeafRow]:
    """What is at these places."""
    return {bytes(row[0]): LeafRow(*map(bytes, row)) for row in _LEAVES(conn, places)}


def put(conn: Connection, rows: Sequence[LeafRow], gone: Collection[bytes], tiles: Mapping[str, Tile]) -> None:
    """Writes leaves and tiles in place of those that are there, and removes leaves."""
    _REMOVE_LEAVES.execute(conn, [*(row.place for row in rows), *gone])
    insert_rows(conn, key_tree_leaves, LeafRow._fields, sorted(rows))
    _REMOVE_TILES.execute(conn, list(tiles))
    insert_rows(conn, key_tree_tiles, ("prefix", "subtrees"), [(at, _encoded(tiles[at])) for at in sorted(tiles)])


def add_erasures(conn: Connection, rows: Iterable[ErasureRow]) -> None:
    """Notes keys of erased records, which the tree still has."""
    insert_rows(conn, key_tree_erasures, ErasureRow._fields, sorted(set(rows)), or_ignore=True)


def erasures(conn: Connection, most: int) -> list[ErasureRow]:
    """The next keys to remove."""
    return [ErasureRow(*row) for row in _ERASURES(conn, most=most)]


def remove_erasures(conn: Connection, rows: Iterable[ErasureRow]) -> None:
    """Forgets keys that the tree no longer has."""
    for row in rows:
        _ERASED(conn, of_record=row.record_id, under=row.key).wait()


class StoredKeyTree:
    """The tree in one transaction (tlog.prefix_tree.TreeReader)."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._tiles: dict[str, Tile | None] = {}

    def fetch_tiles(self, places: Collection[bytes]) -> None:
        """Reads the tiles on the way to many places, in few statements."""
        digits = [place.hex() for place in places]
        length = 0
        while digits:
            wanted = {each[:length] for each in digits}
            there = {row[0]: _decoded(bytes(row[1])) for row in _TILES(self._conn, wanted)}
            self._tiles |= {prefix: there.get(prefix) for prefix in wanted}
            digits = [each for each in digits if each[:length] in there]
            length += 1

    def tile(self, prefix: str) -> Tile | None:
        if prefix not in self._tiles:
            row = _TILE(self._conn, at=prefix).one_or_none()
            self._tiles[prefix] = None if row is None else _decoded(bytes(row[0]))
        return self._tiles[prefix]

    def leaves(self, prefix: str) -> Sequence[Leaf]:
        first, last = (bytes.fromhex(prefix.ljust(2 * HASH_BYTES, end)) for end in "0f")
        return self._between(first, last)

    def leaf_below(self, first: bytes, last: bytes) -> Leaf:
        (leaf,) = self._between(first, last)
        return leaf

    def _between(self, first: bytes, last: bytes) -> Sequence[Leaf]:
        return [(bytes(row[0]), bytes(row[1])) for row in _LEAVES_BETWEEN(self._conn, first=first, last=last)]


def _value(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value


def _encoded(tile: Tile) -> bytes:
    return b"".join(bytes([below.is_node]) + below.hash for below in tile)


def _decoded(data: bytes) -> Tile:
    parts = (data[at : at + _SUBTREE_BYTES] for at in range(0, len(data), _SUBTREE_BYTES))
    return tuple(Subtree(part[1:], bool(part[0])) for part in parts)
