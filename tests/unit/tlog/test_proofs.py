"""A proof holds for exactly one statement: everything else near it is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ProofInvalidError
from gateway.tlog.merkle import EMPTY_ROOT
from gateway.tlog.proofs import verify_consistency, verify_inclusion
from tests.support import merkle_oracle

LEAVES = merkle_oracle.leaves(70)
ROOTS = [merkle_oracle.root(LEAVES[:size]) for size in range(71)]


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8 % len(data)] ^= 1 << bit % 8
    return bytes(changed)


@st.composite
def inclusions(draw: st.DrawFn) -> tuple[int, int, list[bytes]]:
    size = draw(st.integers(1, 70))
    index = draw(st.integers(0, size - 1))
    return index, size, merkle_oracle.inclusion(index, LEAVES[:size])


@st.composite
def changes(draw: st.DrawFn) -> tuple[int, int, list[bytes]]:
    new = draw(st.integers(2, 70))
    old = draw(st.integers(1, new - 1))
    return old, new, merkle_oracle.consistency(old, LEAVES[:new])


@given(inclusions(), st.data())
def test_any_flipped_bit_of_an_inclusion_is_found(case: tuple[int, int, list[bytes]], data: st.DataObject) -> None:
    index, size, proof = case
    parts = [LEAVES[index], ROOTS[size], *proof]
    at = data.draw(st.integers(0, len(parts) - 1))
    parts[at] = flipped(parts[at], data.draw(st.integers(0, 255)))
    with pytest.raises(ProofInvalidError):
        verify_inclusion(parts[0], index, size, parts[2:], parts[1])


@given(inclusions(), st.integers(0, 70))
def test_no_other_index_is_proved(case: tuple[int, int, list[bytes]], other: int) -> None:
    index, size, proof = case
    if other == index:
        verify_inclusion(LEAVES[index], other, size, proof, ROOTS[size])
    else:
        with pytest.raises(ProofInvalidError):
            verify_inclusion(LEAVES[index], other, size, proof, ROOTS[size])


@given(inclusions(), st.data())
def test_an_inclusion_proof_longer_or_shorter_is_refused(
    case: tuple[int, int, list[bytes]], data: st.DataObject
) -> None:
    index, size, proof = case
    for other in ([*proof, LEAVES[0]], [LEAVES[0], *proof], proof[:-1], proof[1:]):
        if other != proof:
            with pytest.raises(ProofInvalidError):
                verify_inclusion(LEAVES[index], index, size, other, ROOTS[size])


def test_a_hash_that_leads_to_the_root_over_fewer_steps_than_the_tree_has_is_refused() -> None:
    """An inner node must not pass for a leaf: here the root itself, without a proof."""
    with pytest.raises(ProofInvalidError, match="too short"):
        verify_inclusion(ROOTS[2], 0, 2, [], ROOTS[2])
    inner = merkle_oracle.root(LEAVES[:2])
    with pytest.raises(ProofInvalidError, match="too short"):
        verify_inclusion(inner, 0, 4, [merkle_oracle.root(LEAVES[2:4])], ROOTS[4])


def test_a_hash_that_leads_to_the_root_over_more_steps_than_the_tree_has_is_refused() -> None:
    with pytest.raises(ProofInvalidError, match="too long"):
        verify_inclusion(LEAVES[1], 0, 1, [LEAVES[0]], ROOTS[2])


@given(changes(), st.data())
def test_any_flipped_bit_of_a_consistency_is_found(case: tuple[int, int, list[bytes]], data: st.DataObject) -> None:
    old, new, proof = case
    parts = [ROOTS[old], ROOTS[new], *proof]
    at = data.draw(st.integers(0, len(parts) - 1))
    parts[at] = flipped(parts[at], data.draw(st.integers(0, 255)))
    with pytest.raises(ProofInvalidError):
        verify_consistency(old, parts[0], new, parts[1], parts[2:])


@given(changes())
def test_a_consistency_proof_longer_or_shorter_is_refused(case: tuple[int, int, list[bytes]]) -> None:
    old, new, proof = case
    for other in ([*proof, LEAVES[0]], [LEAVES[0], *proof], proof[:-1], proof[1:]):
        with pytest.raises(ProofInvalidError):
            verify_consistency(old, ROOTS[old], new, ROOTS[new], other)


@given(changes())
def test_no_other_old_size_is_proved(case: tuple[int, int, list[bytes]]) -> None:
    old, new, proof = case
    for other in range(new + 1):
        if other != old:
            with pytest.raises(ProofInvalidError):
                verify_consistency(other, ROOTS[old], new, ROOTS[new], proof)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 1), (0, -1)])
def test_an_index_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(ProofInvalidError):
        verify_inclusion(LEAVES[0], index, size, [], LEAVES[0])


def test_equal_sizes_need_equal_roots_and_no_proof() -> None:
    verify_consistency(7, ROOTS[7], 7, ROOTS[7], [])
    verify_consistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, [])
    with pytest.raises(ProofInvalidError, match="two roots of one size"):
        verify_consistency(7, ROOTS[7], 7, ROOTS[8], [])
    with pytest.raises(ProofInvalidError):
        verify_consistency(7, ROOTS[7], 7, ROOTS[7], [LEAVES[0]])


def test_the_empty_tree_begins_every_log() -> None:
    verify_consistency(0, EMPTY_ROOT, 7, ROOTS[7], [])
    with pytest.raises(ProofInvalidError):
        verify_consistency(0, ROOTS[1], 7, ROOTS[7], [])
    with pytest.raises(ProofInvalidError):
        verify_consistency(0, ROOTS[1], 0, ROOTS[1], [])
    with pytest.raises(ProofInvalidError):
        verify_consistency(0, EMPTY_ROOT, 7, ROOTS[7], [LEAVES[0]])


@pytest.mark.parametrize(("old", "new"), [(8, 7), (-1, 7)])
def test_a_log_does_not_shrink(old: int, new: int) -> None:
    with pytest.raises(ProofInvalidError):
        verify_consistency(old, ROOTS[8], new, ROOTS[7], [LEAVES[0]])


@pytest.mark.parametrize("bad", [b"", bytes(31), bytes(33)])
def test_hashes_of_wrong_length(bad: bytes) -> None:
    with pytest.raises(ProofInvalidError):
        verify_inclusion(LEAVES[0], 0, 2, [bad], ROOTS[2])
    with pytest.raises(ProofInvalidError):
        verify_inclusion(bad, 0, 1, [], bad)
    with pytest.raises(ProofInvalidError):
        verify_consistency(1, ROOTS[1], 2, ROOTS[2], [bad])


def test_the_error_names_the_step() -> None:
    with pytest.raises(ProofInvalidError) as caught:
        verify_inclusion(LEAVES[0], 0, 1, [], LEAVES[1])
    assert caught.value.step == "inclusion proof"
