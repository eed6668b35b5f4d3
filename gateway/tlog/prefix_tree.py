"""A Merkle prefix tree: a map from 32-byte places to 32-byte values under one root hash.

A place's bits, the highest first, lead from the root to it. A subtree without a leaf is EMPTY, one with a single leaf
is that leaf, of any other the hash is SHA-256(0x01 ‖ left ‖ right); a leaf is SHA-256(0x00 ‖ place ‖ value). So under
one root a place has one value or none: hashes tell leaves from nodes, and the way to a place ends once.

Hashes of large subtrees are kept in tiles of four levels. `TreeReader` provides what is stored, `changed_tiles` what is
to be stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import groupby
from typing import NamedTuple, Protocol, TypeAlias

from gateway.errors import MalformedError, VerificationError

HASH_BYTES = 32
PLACE_BITS = 256

EMPTY = bytes(HASH_BYTES)
"""Hash of a subtree without a leaf; nothing hashes to it."""

LEAVES_WITHOUT_TILE = 32
"""Most leaves of a subtree that is hashed anew each time; a larger one gets a tile."""

_TILE_LEVELS = 4

Leaf: TypeAlias = tuple[bytes, bytes]
"""Place and value."""


class Subtree(NamedTuple):
    """A subtree's hash; `is_node` if it has several leaves."""

    hash: bytes = EMPTY
    is_node: bool = False


Tile: TypeAlias = tuple[Subtree, ...]
"""The 16 subtrees four levels below a subtree's root, from left to right."""


class TreeReader(Protocol):
    """What is stored of a tree, in one state."""

    def tile(self, prefix: str) -> Tile | None:
        """The tile of the subtree at a prefix in hexadecimal; None if there is none."""

    def leaves(self, prefix: str) -> Sequence[Leaf]:
        """The subtree's leaves, in order."""

    def leaf_below(self, first: bytes, last: bytes) -> Leaf:
        """The only leaf with a place in this range."""


@dataclass(frozen=True, slots=True)
class MapProof:
    """What a root says of a place.

    Attributes:
        siblings: hashes beside the way to it, from the root down.
        leaf: the leaf where the way ends; None where it ends in EMPTY.
    """

    siblings: tuple[bytes, ...]
    leaf: Leaf | None


def verified_value(root: bytes, place: bytes, proof: MapProof) -> bytes | None:
    """The value of a place under a root; None: it has none.

    Raises:
        MalformedError: no proof of this form.
        VerificationError: it leads to another root, or isn't of this place.
    """
    hashes = (root, place, *proof.siblings, *(proof.leaf or ()))
    if len(proof.siblings) > PLACE_BITS or any(len(each) != HASH_BYTES for each in hashes):
        raise MalformedError(f"a proof has at most {PLACE_BITS} hashes, of {HASH_BYTES} bytes each")
    depth = len(proof.siblings)
    if proof.leaf is not None and _bits(proof.leaf[0], depth) != _bits(place, depth):
        raise VerificationError("the proof ends at a leaf that isn't on the way to this place")
    at = EMPTY if proof.leaf is None else leaf_hash(*proof.leaf)
    for level in range(depth - 1, -1, -1):
        sibling = proof.siblings[level]
        at = _node_hash(sibling, at) if _bit(place, level) else _node_hash(at, sibling)
    if at != root:
        raise VerificationError("the proof leads to another root")
    return proof.leaf[1] if proof.leaf is not None and proof.leaf[0] == place else None


def leaf_hash(place: bytes, value: bytes) -> bytes:
    """SHA-256(0x00 ‖ place ‖ value), 32 bytes."""
    return sha256(b"\x00" + place + value).digest()


def subtree(leaves: Sequence[Leaf], depth: int = 0) -> Subtree:
    """The subtree of some leaves in order, whose first `depth` bits are equal."""
    if len(leaves) <= 1:
        return Subtree(leaf_hash(*leaves[0])) if leaves else Subtree()
    left, right = _halves(leaves, depth)
    return joined(subtree(left, depth + 1), subtree(right, depth + 1))


def joined(left: Subtree, right: Subtree) -> Subtree:
    """The subtree above two; a single leaf moves up."""
    if left.is_node or right.is_node or EMPTY not in (left.hash, right.hash):
        return Subtree(_node_hash(left.hash, right.hash), is_node=True)
    return right if left.hash == EMPTY else left


def prove(reader: TreeReader, place: bytes) -> MapProof:
    """The proof for a place."""
    siblings: list[bytes] = []
    prefix, digits = "", place.hex()
    while (tile := reader.tile(prefix)) is not None:
        end = _way_through(tile, int(digits[len(prefix)], 16), siblings)
        if not end.is_node:
            return MapProof(tuple(siblings), _only_leaf(reader, place, len(siblings), end))
        prefix = digits[: len(prefix) + 1]
    leaves = reader.leaves(prefix)
    while len(leaves) > 1:
        halves = _halves(leaves, len(siblings))
        way = _bit(place, len(siblings))
        siblings.append(subtree(halves[1 - way], len(siblings) + 1).hash)
        leaves = halves[way]
    return MapProof(tuple(siblings), leaves[0] if leaves else None)


@dataclass(slots=True)
class TreeChange:
    """The tree after some changes: its root, and tiles to store by prefix."""

    root: bytes = EMPTY
    tiles: dict[str, Tile] = field(default_factory=dict)


def changed_tiles(reader: TreeReader, changes: Mapping[bytes, bytes | None]) -> TreeChange:
    """The tree with other values at some places, None for no value; `reader` has it without the changes."""
    change = TreeChange()
    change.root = _changed(reader, "", sorted(changes.items()), change.tiles).hash
    return change


def root_of(tile: Tile) -> Subtree:
    """The subtree of a tile."""
    *_, (root,) = _levels(tile)
    return root


def _changed(
    reader: TreeReader, prefix: str, changes: Sequence[tuple[bytes, bytes | None]], tiles: dict[str, Tile]
) -> Subtree:
    tile = reader.tile(prefix)
    if tile is None:
        leaves = dict(reader.leaves(prefix)) | dict(changes)
        there = sorted((place, value) for place, value in leaves.items() if value is not None)
        return _grown(prefix, there, tiles)
    below = list(tile)
    for digit, of_child in groupby(changes, key=lambda change: change[0].hex()[len(prefix)]):
        below[int(digit, 16)] = _changed(reader, prefix + digit, list(of_child), tiles)
    tiles[prefix] = tuple(below)
    return root_of(tuple(below))


def _grown(prefix: str, leaves: Sequence[Leaf], tiles: dict[str, Tile]) -> Subtree:
    """The subtree of these leaves, with tiles where it has become large."""
    if len(leaves) <= LEAVES_WITHOUT_TILE:
        return subtree(leaves, len(prefix) * _TILE_LEVELS)
    below = [Subtree()] * (1 << _TILE_LEVELS)
    for digit, of_child in groupby(leaves, key=lambda leaf: leaf[0].hex()[len(prefix)]):
        below[int(digit, 16)] = _grown(prefix + digit, list(of_child), tiles)
    tiles[prefix] = tuple(below)
    return root_of(tuple(below))


def _levels(tile: Tile) -> Iterator[Sequence[Subtree]]:
    """A tile's subtrees, and those above them, level by level up to its root."""
    row: Sequence[Subtree] = tile
    yield row
    while len(row) > 1:
        row = [joined(row[at], row[at + 1]) for at in range(0, len(row), 2)]
        yield row


def _way_through(tile: Tile, digit: int, siblings: list[bytes]) -> Subtree:
    """The subtree where a place's way through a tile ends, or leaves it; adds what is beside it."""
    *levels, (at,) = _levels(tile)
    for height in range(len(levels) - 1, -1, -1):
        if not at.is_node:
            return at
        number = digit >> height
        siblings.append(levels[height][number ^ 1].hash)
        at = levels[height][number]
    return at


def _only_leaf(reader: TreeReader, place: bytes, depth: int, end: Subtree) -> Leaf | None:
    if end.hash == EMPTY:
        return None
    free = PLACE_BITS - depth
    first = int.from_bytes(place) >> free << free
    return reader.leaf_below(first.to_bytes(HASH_BYTES), (first | ((1 << free) - 1)).to_bytes(HASH_BYTES))


def _halves(leaves: Sequence[Leaf], depth: int) -> tuple[Sequence[Leaf], Sequence[Leaf]]:
    at = next((at for at, (place, _) in enumerate(leaves) if _bit(place, depth)), len(leaves))
    return leaves[:at], leaves[at:]


def _node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def _bit(place: bytes, depth: int) -> int:
    return place[depth >> 3] >> (7 - (depth & 7)) & 1


def _bits(place: bytes, depth: int) -> int:
    """The first `depth` bits."""
    return int.from_bytes(place) >> (PLACE_BITS - depth)
