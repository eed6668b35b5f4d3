"""Verifies Merkle proofs by the algorithms of RFC 9162, sections 2.1.3.2 and 2.1.4.2.

A proof holds only for the size and root given; verify those first (`checkpoint.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.errors import ProofInvalidError
from gateway.tlog.encoding import HASH_BYTES
from gateway.tlog.merkle import EMPTY_ROOT, node_hash

_INCLUSION = "inclusion proof"
_CONSISTENCY = "consistency proof"


def verify_inclusion(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Verifies that a leaf is number `index`, from 0, in the tree of `size` leaves with `root`.

    Args:
        leaf_hash, root: 32 bytes.
        proof: 32-byte hashes from the leaf's sibling up to the root's child.

    Raises:
        ProofInvalidError: the proof doesn't lead from the leaf to the root.
    """
    _require_hashes(_INCLUSION, root)
    if inclusion_root(leaf_hash, index, size, proof) != root:
        raise ProofInvalidError("the proof leads to another root", step=_INCLUSION)


def inclusion_root(leaf_hash: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root, 32 bytes, that a proof leads to; arguments as for `verify_inclusion`.

    It shows nothing before the root is known to be the tree's.

    Raises:
        ProofInvalidError: a tree of this size has no such proof.
    """
    _require_hashes(_INCLUSION, leaf_hash, *proof)
    if not 0 <= index < size:
        raise ProofInvalidError(f"a tree of {size} leaves has no leaf {index}", step=_INCLUSION)
    fn, sn, r = index, size - 1, leaf_hash
    for p in proof:
        if sn == 0:
            raise ProofInvalidError("the proof is too long for the tree", step=_INCLUSION)
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise ProofInvalidError("the proof is too short for the tree", step=_INCLUSION)
    return r


def verify_consistency(old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Verifies that the new tree begins with the old one.

    Equal sizes need equal roots, an old size of 0 the empty root; both need an empty proof. Hashes have 32 bytes,
    and the proof is in the order of RFC 9162's PROOF.

    Raises ProofInvalidError.
    """
    _require_hashes(_CONSISTENCY, old_root, new_root, *proof)
    if not 0 <= old_size <= new_size:
        raise ProofInvalidError(f"a log can't go from {old_size} to {new_size} leaves", step=_CONSISTENCY)
    if old_size in (0, new_size):
        _verify_trivial_consistency(old_size, old_root, new_size, new_root, proof)
        return
    if not proof:
        raise ProofInvalidError("the proof is empty", step=_CONSISTENCY)
    path = [old_root, *proof] if old_size.bit_count() == 1 else proof
    _walk_consistency(old_size, old_root, new_size, new_root, path)


def _verify_trivial_consistency(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> None:
    if proof:
        raise ProofInvalidError("there is nothing to prove, but the proof isn't empty", step=_CONSISTENCY)
    if (old_size == 0 and old_root != EMPTY_ROOT) or (new_size == 0 and new_root != EMPTY_ROOT):
        raise ProofInvalidError("the root isn't that of the empty tree", step=_CONSISTENCY)
    if old_size == new_size and old_root != new_root:
        raise ProofInvalidError(f"two roots of one size, {new_size} leaves", step=_CONSISTENCY)


def _walk_consistency(old_size: int, old_root: bytes, new_size: int, new_root: bytes, path: Sequence[bytes]) -> None:
    fn, sn = old_size - 1, new_size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            raise ProofInvalidError("the proof is too long for the trees", step=_CONSISTENCY)
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise ProofInvalidError("the proof is too short for the trees", step=_CONSISTENCY)
    if fr != old_root:
        raise ProofInvalidError("the proof doesn't lead to the old root", step=_CONSISTENCY)
    if sr != new_root:
        raise ProofInvalidError("the proof doesn't lead to the new root", step=_CONSISTENCY)


def _require_hashes(step: str, *hashes: bytes) -> None:
    if any(len(digest) != HASH_BYTES for digest in hashes):
        raise ProofInvalidError(f"a hash doesn't have {HASH_BYTES} bytes", step=step)
