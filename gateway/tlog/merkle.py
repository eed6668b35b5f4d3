"""Hashes and grows a Merkle tree: RFC 6962, section 2.1 (the same in RFC 9162), with SHA-256.

Appending needs only a log's `Tree`, at most 63 hashes, and returns the new hashes below as `TileWrite`s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from gateway.errors import MalformedError
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
