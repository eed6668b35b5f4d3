"""Statements on tiles of 256 Merkle hashes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, LargeBinary, bindparam, cast, func, insert, select, update

from gateway.db.statements import Prepared, Rows
from gateway.errors import VerificationError
from gateway.feed.tables.schema import tiles
from gateway.tlog.merkle import Growth
from gateway.tlog.tiles import TILE_WIDTH, split_by_tile

_HASH = 32

_THIS_TILE = (
    tiles.c.feed_id == bindparam("feed"),
    tiles.c.level == bindparam("at_level"),
    tiles.c.tile == bindparam("number"),
)
_TILE = Prepared(select(tiles.c.hashes).where(*_THIS_TILE))
_ADD_TILE = Prepared(insert(tiles))
_EXTEND_TILE = Prepared(
    update(tiles)
    .where(*_THIS_TILE, func.length(tiles.c.hashes) == bindparam("before"))
    .values(hashes=cast(tiles.c.hashes.concat(bindparam("added", type_=LargeBinary)), LargeBinary))
)
"""Adds hashes where the tile ends; SQLite calls joined bytes a text unless they are cast."""


@dataclass(frozen=True, slots=True)
class TileGrowth:
    """New hashes of one tile; `added` is the statement's result where the tile exists, None for a new one."""

    level: int
    tile: int
    hashes: bytes
    added: Rows | None


def extend(conn: Connection, feed_id: int, growth: Growth) -> list[TileGrowth]:
    """Adds a tree's new hashes to the tiles that exist, without waiting for results; `finish` must follow.

    What is written here is right only if the head hasn't moved: otherwise nothing is, or the transaction ends.
    """
    grown = []
    for write in growth.tiles:
        for tile, offset, hashes in split_by_tile(write):
            place = {"feed": feed_id, "at_level": write.level, "number": tile}
            added = _EXTEND_TILE(conn, before=offset * _HASH, added=hashes, **place) if offset else None
            grown.append(TileGrowth(write.level, tile, hashes, added))
    return grown


def finish(conn: Connection, feed_id: int, grown: Iterable[TileGrowth]) -> None:
    """Writes the new tiles, once it is known that the head hasn't moved.

    Raises:
        VerificationError: a tile didn't end where the tree began.
    """
    for new in grown:
        if new.added is None:
            _ADD_TILE(conn, feed_id=feed_id, level=new.level, tile=new.tile, hashes=new.hashes)
        elif new.added.rowcount != 1:
            before = _TILE(conn, feed=feed_id, at_level=new.level, number=new.tile).scalar_one_or_none()
            has = f"tile {new.level}/{new.tile} of feed {feed_id} has {len(before or b'')} bytes"
            raise VerificationError(has, step="tiles")


class StoredTiles:
    """tlog's TileReader on the database. Not thread-safe."""

    def __init__(self, conn: Connection, feed_id: int) -> None:
        self._conn = conn
        self._feed_id = feed_id
        self._cache: dict[tuple[int, int], bytes] = {}

    def hashes(self, level: int, start: int, count: int) -> bytes:
        """Concatenated hashes start … start + count - 1 of a level.

        Raises:
            VerificationError: the database was damaged.
        """
        found = bytearray()
        end = start + count
        while start < end:
            tile, offset = divmod(start, TILE_WIDTH)
            stop = min(end - tile * TILE_WIDTH, TILE_WIDTH)
            part = self._tile(level, tile)[offset * _HASH : stop * _HASH]
            if len(part) != (stop - offset) * _HASH:
                raise VerificationError(f"hashes are missing from tile {level}/{tile}", step="tiles")
            found += part
            start = tile * TILE_WIDTH + stop
        return bytes(found)

    def _tile(self, level: int, tile: int) -> bytes:
        key = (level, tile)
        if key not in self._cache:
            row = _TILE(self._conn, feed=self._feed_id, at_level=level, number=tile).scalar_one_or_none()
            self._cache[key] = b"" if row is None else bytes(row)
        return self._cache[key]
