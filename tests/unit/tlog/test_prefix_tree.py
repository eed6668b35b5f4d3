"""The prefix tree against a dict and a definition without tiles, and hostile proofs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError, MalformedError, VerificationError
from gateway.tlog import prefix_tree
from gateway.tlog.prefix_tree import EMPTY, Leaf, MapProof, prove, verified_value
from tests.support.key_trees import StoredMap


def defined_root(leaves: Sequence[Leaf], bits: str = "") -> bytes:
    """The root by the definition alone."""
    under = [leaf for leaf in leaves if f"{int.from_bytes(leaf[0]):0256b}".startswith(bits)]
    if not under:
        return EMPTY
    if len(under) == 1:
        return sha256(b"\x00" + under[0][0] + under[0][1]).digest()
    return sha256(b"\x01" + defined_root(under, bits + "0") + defined_root(under, bits + "1")).digest()


near = st.integers(0, 2**12 - 1).map(lambda number: number.to_bytes(32))
"""Places that have 244 bits in common."""
far = st.binary(min_size=1, max_size=4).map(lambda data: sha256(data).digest())
places = st.one_of(near, far)
values = st.binary(min_size=32, max_size=32)


@given(st.lists(st.dictionaries(places, st.one_of(st.none(), values), max_size=60), max_size=4), places)
def test_roots_and_proofs_are_those_of_a_dict(steps: list[dict[bytes, bytes | None]], asked: bytes) -> None:
    tree, expected = StoredMap(), dict[bytes, bytes]()
    for changes in steps:
        tree.change(changes)
        for place, value in changes.items():
            if value is None:
                expected.pop(place, None)
            else:
                expected[place] = value
    assert tree.root == defined_root(sorted(expected.items()))
    for place in (asked, *list(expected)[:20]):
        assert verified_value(tree.root, place, prove(tree, place)) == expected.get(place)


def some_tree(count: int = 500) -> StoredMap:
    tree = StoredMap()
    tree.change({sha256(b"%d" % number).digest(): sha256(b"v%d" % number).digest() for number in range(count)})
    return tree


def test_a_large_tree_has_tiles_and_proves_by_them() -> None:
    tree = some_tree()
    assert len(tree.tiles) > 4
    for number in range(0, 1_000, 7):
        place = sha256(b"%d" % number).digest()
        proof = prove(tree, place)
        assert verified_value(tree.root, place, proof) == tree.values.get(place)
        assert len(proof.siblings) < 30


def test_a_tree_that_was_emptied_is_the_empty_tree() -> None:
    tree = some_tree()
    tree.change(dict.fromkeys(list(tree.values)))
    assert tree.root == EMPTY
    assert verified_value(EMPTY, bytes(32), prove(tree, bytes(32))) is None


@given(st.integers(0, 999), st.data())
def test_a_changed_proof_is_refused(number: int, data: st.DataObject) -> None:
    tree, place = TREE, sha256(b"%d" % number).digest()
    proof = prove(tree, place)
    at = data.draw(st.integers(0, len(proof.siblings) - 1))
    siblings = list(proof.siblings)
    siblings[at] = data.draw(values.filter(lambda value: value != proof.siblings[at]))
    with pytest.raises(VerificationError):
        verified_value(tree.root, place, replace(proof, siblings=tuple(siblings)))


@given(st.lists(values, max_size=40), st.one_of(st.none(), st.tuples(places, values)), places)
def test_a_made_up_proof_is_refused(siblings: list[bytes], leaf: Leaf | None, place: bytes) -> None:
    with pytest.raises(VerificationError):
        verified_value(TREE.root, place, MapProof(tuple(siblings), leaf))


def test_a_place_that_is_there_cant_be_proved_absent() -> None:
    place = sha256(b"7").digest()
    proof = prove(TREE, place)
    other = next(leaf for leaf in TREE.values.items() if leaf[0] != place)
    for leaf in (None, other, (place, bytes(32))):
        with pytest.raises(VerificationError):
            verified_value(TREE.root, place, replace(proof, leaf=leaf))
    for shorter in range(len(proof.siblings)):
        with pytest.raises(VerificationError):
            verified_value(TREE.root, place, MapProof(proof.siblings[:shorter], None))


def test_a_node_cant_pass_for_a_leaf() -> None:
    tree = StoredMap()
    tree.change({bytes(32): b"a" * 32, b"\xff" * 32: b"b" * 32})
    left, right = (prefix_tree.leaf_hash(*leaf) for leaf in sorted(tree.values.items()))
    with pytest.raises(VerificationError):
        verified_value(tree.root, left, MapProof((), (left, right)))


@pytest.mark.parametrize(
    "proof",
    [
        MapProof((b"",), None),
        MapProof((bytes(31),), None),
        MapProof((bytes(32),) * 257, None),
        MapProof((), (b"", bytes(32))),
        MapProof((), (bytes(32), b"")),
    ],
)
def test_what_has_not_the_form_of_a_proof_is_malformed(proof: MapProof) -> None:
    with pytest.raises(MalformedError):
        verified_value(TREE.root, bytes(32), proof)


def test_every_error_is_of_the_gateway() -> None:
    with pytest.raises(GatewayError):
        verified_value(b"", b"", MapProof((), None))


TREE = some_tree()
