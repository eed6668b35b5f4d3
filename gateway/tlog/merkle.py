"""Hashes, grows and proves a Merkle tree: RFC 6962, section 2.1 (the same in RFC 9162), with SHA-256.

Appending needs only a log's `Tree`, at most 63 hashes, and returns the new hashes below as `TileWrite`s.

Roots and proofs are made from stored tiles (C2SP tlog-tiles). Tile level L holds the tree's nodes at height 8 x L, 256
to a tile; the seven heights between are hashed when needed, so a proof reads at most two tiles per level at any size. A
`TileReader` provides the storage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from gateway.errors import MalformedError, PositionUnknownError, TileMissingError
from gateway.tlog.encoding import HASH_BYTES

EMPTY_ROOT = sha256().digest()
"""SHA-256 of nothing."""

MAX_TREE_SIZE = 2**63 - 1
"""Largest tree: the maximum of a signed 64-bit column."""

TILE_HEIGHT = 8
"""Tree levels in a tile (C2SP tlog-tiles)."""


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 ‖ data), 32 bytes."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right), 32 bytes."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class TileWrite:
    """Hashes to append to a tile level.

    Attributes:
        level: tile level; its nodes are at height 8 x level.
        start: number of the first hash in the level.
        hashes: concatenated 32-byte hashes, across any number of tiles.
    """

    level: int
    start: int
    hashes: bytes


@dataclass(frozen=True, slots=True)
class Growth:
    """The larger tree and its new tile hashes, lowest level first."""

    tree: Tree
    tiles: tuple[TileWrite, ...]


@dataclass(frozen=True, slots=True)
class Tree:
    """A Merkle tree as its compact range.

    Attributes:
        size: number of leaves.
        edge: roots of the perfect subtrees, largest first; one for each bit set in `size`.

    Raises:
        MalformedError: the number of roots doesn't match the size.
    """

    size: int
    edge: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MAX_TREE_SIZE or len(self.edge) != self.size.bit_count():
            raise MalformedError(f"a tree of {self.size} leaves can't have {len(self.edge)} edge hashes")

    @classmethod
    def empty(cls) -> Tree:
        """An empty tree."""
        return cls(0, ())

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> Tree:
        """Parses `edge_bytes`; raises MalformedError for a wrong length."""
        if len(data) % HASH_BYTES:
            raise MalformedError(f"edge hashes of {len(data)} bytes aren't a whole number of hashes")
        return cls(size, tuple(data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)))

    def edge_bytes(self) -> bytes:
        """The edge's concatenated hashes, largest subtree first."""
        return b"".join(self.edge)

    @property
    def root(self) -> bytes:
        """Merkle tree hash, 32 bytes."""
        if not self.edge:
            return EMPTY_ROOT
        root = self.edge[-1]
        for left in self.edge[-2::-1]:
            root = sha256(b"\x01" + left + root).digest()
        return root

    def append(self, leaf_hashes: Sequence[bytes]) -> Growth:
        """Appends 32-byte leaf hashes, at one node hash per leaf on average; raises MalformedError."""
        # Row by row, so that the inner loop is one comprehension around SHA-256.
        if not set(map(len, leaf_hashes)) <= {HASH_BYTES}:
            raise MalformedError(f"a leaf hash doesn't have {HASH_BYTES} bytes")
        row, start, height = list(leaf_hashes), self.size, 0
        old_edge, new_edge, tiles = list(self.edge), [], []
        while row:
            if not height % TILE_HEIGHT:
                tiles.append(TileWrite(height // TILE_HEIGHT, start, b"".join(row)))
            if start & 1:
                row.insert(0, old_edge.pop())
            if len(row) & 1:
                new_edge.append(row.pop())
            pairs = iter(row)
            row = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
            start >>= 1
            height += 1
        tree = Tree(self.size + len(leaf_hashes), (*old_edge, *reversed(new_edge)))
        return Growth(tree, tuple(tiles))


TILE_WIDTH = 1 << TILE_HEIGHT
"""Hashes in a full tile."""

MAX_TILE_LEVEL = 63
"""Highest level in a tile path (C2SP tlog-tiles)."""


class TileReader(Protocol):
    """Stored node hashes of one log.

    A returned hash never changes. Calls read committed data and may come from any thread. No call crosses a
    tile's border.
    """

    def hashes(self, level: int, start: int, count: int) -> bytes:
        """Concatenated hashes (32 x count bytes) of a tile level, from `start`.

        Raises:
            GatewayError: some aren't stored.
        """
        ...


def tile_coordinates(level: int, index: int) -> tuple[int, int]:
    """The tile of hash `index` in `level`, and the offset in it; raises MalformedError."""
    if not 0 <= level <= MAX_TILE_LEVEL or index < 0:
        raise MalformedError(f"there is no hash {index} at tile level {level}")
    return divmod(index, TILE_WIDTH)


def split_by_tile(write: TileWrite) -> Iterator[tuple[int, int, bytes]]:
    """Cuts at tile borders: (tile, offset in hashes, concatenated hashes)."""
    at, index = 0, write.start
    while at < len(write.hashes):
        tile, offset = tile_coordinates(write.level, index)
        part = write.hashes[at : at + (TILE_WIDTH - offset) * HASH_BYTES]
        yield tile, offset, part
        at += len(part)
        index += TILE_WIDTH - offset


def tree_root(size: int, reader: TileReader) -> bytes:
    """Root of the first `size` leaves, 32 bytes.

    Raises:
        MalformedError: an invalid size.
        TileMissingError: the reader returned too few hashes (beside its own errors).
    """
    _require_size(size)
    return _Nodes(size, reader).root(0, size) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, reader: TileReader) -> list[bytes]:
    """Inclusion proof of leaf `index` in the tree of `size` leaves, sibling first (RFC 6962, section 2.1.1).

    Errors as `tree_root`; an index beyond the tree is a PositionUnknownError.
    """
    _require_size(size)
    if not 0 <= index < size:
        raise PositionUnknownError(f"a tree of {size} leaves has no leaf {index}")
    nodes, proof, low, high = _Nodes(size, reader), list[bytes](), 0, size
    while high - low > 1:
        middle = low + _left_width(high - low)
        if index < middle:
            proof.append(nodes.root(middle, high))
            high = middle
        else:
            proof.append(nodes.root(low, middle))
            low = middle
    proof.reverse()
    return proof


def consistency_proof(old: int, new: int, reader: TileReader) -> list[bytes]:
    """Consistency proof between two sizes (RFC 6962, section 2.1.2, SUBPROOF). Empty for equal sizes or an `old` of 0.

    Errors as `tree_root`; `old` above `new` is a PositionUnknownError.
    """
    _require_size(new)
    if not 0 <= old <= new:
        raise PositionUnknownError(f"a tree of {new} leaves doesn't contain one of {old}")
    if not old:
        return []
    nodes, proof, low, high = _Nodes(new, reader), list[bytes](), 0, new
    while high != old:
        middle = low + _left_width(high - low)
        if old <= middle:
            proof.append(nodes.root(middle, high))
            high = middle
        else:
            proof.append(nodes.root(low, middle))
            low = middle
    if low:  # otherwise the old root, which the verifier has
        proof.append(nodes.root(low, old))
    proof.reverse()
    return proof


def _left_width(leaves: int) -> int:
    """RFC 6962's k: the largest power of two below `leaves` (at least 2)."""
    return 1 << (leaves - 1).bit_length() - 1


def _require_size(size: int) -> None:
    if not 0 <= size <= MAX_TREE_SIZE:
        raise MalformedError(f"no tree has {size} leaves")


class _Nodes:
    """Nodes of the tree of `size` leaves; reads each tile once."""

    def __init__(self, size: int, reader: TileReader) -> None:
        self._size = size
        self._reader = reader
        self._tiles: dict[tuple[int, int], bytes] = {}

    def root(self, low: int, high: int) -> bytes:
        """Root over leaves `low` to `high`, a range from RFC 6962's splitting."""
        subtrees = []
        while low < high:  # `low` is aligned: the range's perfect subtrees, largest first
            height = (high - low).bit_length() - 1
            subtrees.append(self._perfect(height, low >> height))
            low += 1 << height
        root = subtrees.pop()
        while subtrees:
            root = node_hash(subtrees.pop(), root)
        return root

    def _perfect(self, height: int, index: int) -> bytes:
        level, inner = divmod(height, TILE_HEIGHT)
        tile, offset = tile_coordinates(level, index << inner)
        data = self._tile(level, tile)
        at = offset * HASH_BYTES
        row = [data[i : i + HASH_BYTES] for i in range(at, at + (HASH_BYTES << inner), HASH_BYTES)]
        while len(row) > 1:
            pairs = iter(row)
            row = [node_hash(left, right) for left, right in zip(pairs, pairs, strict=True)]
        return row[0]

    def _tile(self, level: int, tile: int) -> bytes:
        known = self._tiles.get((level, tile))
        if known is not None:
            return known
        start = tile * TILE_WIDTH
        # Only what this size implies: the stored log may be longer.
        count = min(TILE_WIDTH, (self._size >> TILE_HEIGHT * level) - start)
        data = self._reader.hashes(level, start, count)
        if len(data) != count * HASH_BYTES:
            raise TileMissingError(
                f"tile level {level}, hashes {start} to {start + count}: {len(data)} bytes of {count * HASH_BYTES}"
            )
        self._tiles[level, tile] = data
        return data
