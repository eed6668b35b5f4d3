"""Roots and proofs from tiles against the recursive definitions, at every historical size, and how little is read."""

from __future__ import annotations

import random

import pytest

from gateway.errors import MalformedError, PositionUnknownError, TileMissingError
from gateway.tlog.merkle import (
    EMPTY_ROOT,
    TileWrite,
    Tree,
    consistency_proof,
    inclusion_proof,
    split_by_tile,
    tile_coordinates,
    tree_root,
)
from gateway.tlog.proofs import verify_consistency, verify_inclusion
from tests.support import merkle_oracle
from tests.support.merkle_oracle import MemoryTiles
from tests.support.published_tiles import tiles_of

SMALL = 70
LARGE = 3000
HUGE = 70_000
LEAVES = merkle_oracle.leaves(LARGE)


def stored(count: int, leaf_hashes: list[bytes] = LEAVES) -> MemoryTiles:
    tiles = MemoryTiles()
    tiles.apply(Tree.empty().append(leaf_hashes[:count]).tiles)
    return tiles


@pytest.fixture(scope="module")
def huge() -> MemoryTiles:
    return stored(HUGE, merkle_oracle.leaves(HUGE))


def test_all_small_roots_and_inclusion_proofs_from_a_larger_log() -> None:
    tiles = stored(LARGE)
    for size in range(SMALL + 1):
        root = merkle_oracle.root(LEAVES[:size])
        assert tree_root(size, tiles) == root
        for index in range(size):
            proof = inclusion_proof(index, size, tiles)
            assert proof == merkle_oracle.inclusion(index, LEAVES[:size])
            verify_inclusion(LEAVES[index], index, size, proof, root)


def test_all_small_consistency_proofs_from_a_larger_log() -> None:
    tiles = stored(LARGE)
    roots = [merkle_oracle.root(LEAVES[:size]) for size in range(SMALL + 1)]
    for new in range(1, SMALL + 1):
        for old in range(1, new + 1):
            proof = consistency_proof(old, new, tiles)
            assert proof == merkle_oracle.consistency(old, LEAVES[:new])
            verify_consistency(old, roots[old], new, roots[new], proof)
        assert consistency_proof(0, new, tiles) == []
        verify_consistency(0, EMPTY_ROOT, new, roots[new], [])


@pytest.mark.parametrize("seed", range(12))
def test_larger_sizes_from_a_log_of_exactly_that_size(seed: int) -> None:
    rng = random.Random(seed)
    size = rng.choice([rng.randrange(SMALL, LARGE), 256, 257, 511, 512, 1024, 2560])
    old, index = rng.randrange(1, size), rng.randrange(size)
    tiles, leaves = stored(size), LEAVES[:size]
    root = merkle_oracle.root(leaves)
    assert tree_root(size, tiles) == root
    proof = inclusion_proof(index, size, tiles)
    assert proof == merkle_oracle.inclusion(index, leaves)
    verify_inclusion(leaves[index], index, size, proof, root)
    change = consistency_proof(old, size, tiles)
    assert change == merkle_oracle.consistency(old, leaves)
    verify_consistency(old, merkle_oracle.root(leaves[:old]), size, root, change)


@pytest.mark.parametrize("seed", range(20))
def test_three_tile_levels(huge: MemoryTiles, seed: int) -> None:
    rng = random.Random(seed)
    size = rng.choice([HUGE, 65536, 65537, rng.randrange(1, HUGE)])
    index, old = rng.randrange(size), rng.randrange(1, size + 1)
    root = tree_root(size, huge)
    leaf = bytes(huge.rows[0][index * 32 : index * 32 + 32])
    verify_inclusion(leaf, index, size, inclusion_proof(index, size, huge), root)
    verify_consistency(old, tree_root(old, huge), size, root, consistency_proof(old, size, huge))


def test_a_tree_read_from_tiles_is_the_tree_that_grew(huge: MemoryTiles) -> None:
    tree = Tree.empty().append(merkle_oracle.leaves(HUGE)).tree
    assert tree_root(HUGE, huge) == tree.root


@pytest.mark.parametrize("size", [HUGE, 65537, 65536, 300, 1])
def test_a_proof_reads_at_most_two_tiles_a_level_and_each_once(huge: MemoryTiles, size: int) -> None:
    levels = len({level for level, _, _ in tiles_of(size)})
    for index in {0, size // 2, size // 3, size - 1}:
        for make in (inclusion_proof, lambda old, new, reader: consistency_proof(old + 1, new, reader)):
            huge.reads.clear()
            make(index, size, huge)
            assert len(huge.reads) <= 2 * levels
            assert len(set(huge.reads)) == len(huge.reads)
            for level, start, count in huge.reads:
                assert start % 256 == 0
                assert 1 <= count <= 256
                assert start + count <= size >> 8 * level, "beyond what this size implies"


def test_a_missing_tile_is_the_readers_error() -> None:
    tiles = stored(300)
    with pytest.raises(TileMissingError):
        inclusion_proof(0, 301, tiles)


def test_a_short_tile_is_found() -> None:
    class Short(MemoryTiles):
        def hashes(self, level: int, start: int, count: int) -> bytes:
            return super().hashes(level, start, count)[:-1]

    tiles = Short()
    tiles.apply(Tree.empty().append(LEAVES[:300]).tiles)
    with pytest.raises(TileMissingError):
        tree_root(300, tiles)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 5)])
def test_no_inclusion_proof_beyond_the_tree(index: int, size: int) -> None:
    with pytest.raises(PositionUnknownError):
        inclusion_proof(index, size, stored(5))


@pytest.mark.parametrize(("old", "new"), [(6, 5), (-1, 5)])
def test_no_consistency_proof_backwards(old: int, new: int) -> None:
    with pytest.raises(PositionUnknownError):
        consistency_proof(old, new, stored(5))


@pytest.mark.parametrize("size", [-1, 2**63])
def test_sizes_no_tree_has(size: int) -> None:
    tiles = stored(5)
    with pytest.raises(MalformedError):
        tree_root(size, tiles)
    with pytest.raises(MalformedError):
        inclusion_proof(0, size, tiles)
    with pytest.raises(MalformedError):
        consistency_proof(1, size, tiles)


def test_coordinates() -> None:
    assert tile_coordinates(0, 0) == (0, 0)
    assert tile_coordinates(0, 255) == (0, 255)
    assert tile_coordinates(3, 256) == (1, 0)
    for level, index in ((-1, 0), (64, 0), (0, -1)):
        with pytest.raises(MalformedError):
            tile_coordinates(level, index)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 3000])
def test_the_tiles_of_a_tree_are_what_an_append_writes(size: int) -> None:
    written: dict[tuple[int, int], int] = {}
    for write in Tree.empty().append(LEAVES[:size]).tiles:
        for tile, offset, part in split_by_tile(write):
            assert offset == 0
            written[write.level, tile] = len(part) // 32
    assert {(level, tile): width for level, tile, width in tiles_of(size)} == written


def test_an_empty_write_has_no_parts() -> None:
    assert list(split_by_tile(TileWrite(0, 7, b""))) == []
