"""Statements on tiles of 256 Merkle hashes."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, insert, select, update

from gateway.db.statements import Prepared
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
_EXTEND_TILE = Prepared(update(tiles).where(*_THIS_TILE).values(hashes=bindparam("hashes")))


def extend(conn: Connection, feed_id: int, growth: Growth) -> None:
    """Writes a tree's new hashes.

    Raises:
        VerificationError: the tiles don't end where it begins.
    """
    for write in growth.tiles:
        for tile, offset, hashes in split_by_tile(write):
            _extend_tile(conn, (feed_id, write.level, tile), offset, hashes)


def _extend_tile(conn: Connection, key: tuple[int, int, int], offset: int, hashes: bytes) -> None:
    feed_id, level, tile = key
    if offset == 0:
        _ADD_TILE(conn, feed_id=feed_id, level=level, tile=tile, hashes=hashes)
        return
    before = bytes(_TILE(conn, feed=feed_id, at_level=level, number=tile).scalar_one())
    if len(before) != offset * _HASH:
        raise VerificationError(f"tile {level}/{tile} of feed {feed_id} has {len(before)} bytes", step="tiles")
    _EXTEND_TILE(conn, feed=feed_id, at_level=level, number=tile, hashes=before + hashes)


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
