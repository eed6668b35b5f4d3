"""The tree against the recursive definitions: every size up to 70, random larger ones, any split into batches."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MalformedError
from gateway.tlog.merkle import EMPTY_ROOT, MAX_TREE_SIZE, Tree, leaf_hash, node_hash, split_by_tile
from tests.support import merkle_oracle
from tests.support.merkle_oracle import MemoryTiles

LEAVES = merkle_oracle.leaves(3000)


def test_hashes_are_prefixed_by_kind() -> None:
    assert leaf_hash(b"data") == hashlib.sha256(b"\x00data").digest()
    assert node_hash(b"left", b"right") == hashlib.sha256(b"\x01leftright").digest()
    assert Tree.empty().root == hashlib.sha256(b"").digest() == EMPTY_ROOT


def test_root_at_every_small_size_leaf_by_leaf() -> None:
    tree = Tree.empty()
    for size in range(1, 71):
        tree = tree.append([LEAVES[size - 1]]).tree
        assert tree.size == size
        assert tree.root == merkle_oracle.root(LEAVES[:size])


def test_every_start_and_batch_gives_the_same_tree() -> None:
    trees = [Tree.empty().append(LEAVES[:size]).tree for size in range(71)]
    for old in range(71):
        for new in range(old, 71):
            assert trees[old].append(LEAVES[old:new]).tree == trees[new]


@given(st.lists(st.integers(0, 600), min_size=1, max_size=5))
def test_batches_of_any_size_write_every_tile_hash_once(batches: list[int]) -> None:
    tree, tiles = Tree.empty(), MemoryTiles()
    for batch in batches:
        growth = tree.append(LEAVES[tree.size : tree.size + batch])
        tiles.apply(growth.tiles)  # which asserts that nothing is skipped or rewritten
        tree = growth.tree
    assert tree.root == merkle_oracle.root(LEAVES[: tree.size])
    assert bytes(tiles.rows.get(0, b"")) == b"".join(LEAVES[: tree.size])
    full = tree.size // 256
    assert bytes(tiles.rows.get(1, b"")) == b"".join(
        merkle_oracle.root(LEAVES[at * 256 : (at + 1) * 256]) for at in range(full)
    )
    assert set(tiles.rows) <= {0, 1}


def test_second_tile_level_is_written_when_its_subtree_is_full() -> None:
    row = merkle_oracle.leaves(1)
    before = Tree.empty().append(row * 65535).tree
    growth = before.append(row)
    assert [(write.level, write.start, len(write.hashes)) for write in growth.tiles] == [
        (0, 65535, 32),
        (1, 255, 32),
        (2, 0, 32),
    ]
    assert growth.tiles[2].hashes == growth.tree.root


def test_appending_nothing_changes_nothing() -> None:
    tree = Tree.empty().append(LEAVES[:5]).tree
    growth = tree.append([])
    assert growth.tree == tree
    assert growth.tiles == ()


@given(st.integers(0, len(LEAVES)))
def test_edge_round_trips(size: int) -> None:
    tree = Tree.empty().append(LEAVES[:size]).tree
    assert Tree.from_bytes(size, tree.edge_bytes()) == tree
    assert len(tree.edge) == size.bit_count()


@pytest.mark.parametrize(
    ("size", "data"),
    [(1, b""), (0, bytes(32)), (3, bytes(32)), (1, bytes(31)), (1, bytes(33)), (-1, bytes(32)), (2**63, bytes(32))],
)
def test_an_edge_that_does_not_fit_the_size_is_refused(size: int, data: bytes) -> None:
    with pytest.raises(MalformedError):
        Tree.from_bytes(size, data)


@pytest.mark.parametrize("bad", [b"", bytes(31), bytes(33)])
def test_a_leaf_hash_of_wrong_length_is_refused(bad: bytes) -> None:
    with pytest.raises(MalformedError):
        Tree.empty().append([LEAVES[0], bad])


def test_hashes_of_wrong_lengths_that_add_up_are_refused() -> None:
    with pytest.raises(MalformedError):
        Tree.empty().append([bytes(31), bytes(33)])


def test_the_largest_tree_does_not_grow() -> None:
    largest = Tree(MAX_TREE_SIZE, tuple(LEAVES[:63]))
    with pytest.raises(MalformedError):
        largest.append(LEAVES[:1])


def test_a_write_is_cut_at_tile_borders() -> None:
    before = Tree.empty().append(LEAVES[:250]).tree
    write = before.append(LEAVES[250:800]).tiles[0]
    parts = list(split_by_tile(write))
    assert [(tile, offset, len(part) // 32) for tile, offset, part in parts] == [
        (0, 250, 6),
        (1, 0, 256),
        (2, 0, 256),
        (3, 0, 32),
    ]
    assert b"".join(part for _, _, part in parts) == write.hashes
    assert all(first[0] + 1 == second[0] for first, second in pairwise(parts))
