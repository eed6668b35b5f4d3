"""COSE receipts: what was signed verifies, and nothing else does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cbor2
import pytest

from gateway.errors import MalformedError, ProofInvalidError, SignatureInvalidError, TooLargeError
from gateway.tlog.checkpoint import Checkpoint, sign_checkpoint
from gateway.tlog.cose_receipt import (
    MAX_RECEIPT_BYTES,
    CoseReceipt,
    parse_cose_receipt,
    sign_cose_receipt,
    verify_cose_receipt,
)
from gateway.tlog.merkle import Tree, inclusion_proof, leaf_hash
from gateway.tlog.note import SignatureType, Verifier, parse_note, sign_note
from gateway.tlog.proofs import inclusion_root
from tests.support.merkle_oracle import MemoryTiles
from tests.support.tlog_keys import TestKey

ORIGIN, ISSUER, TIME = "gba.customs.example/cn/hk/alerts", "gba.customs.example/cn", 1_770_000_000
LOG = TestKey(ORIGIN, "log")
LEAVES = [leaf_hash(b"entry header %d" % number) for number in range(7)]
TILES = MemoryTiles()


def _head() -> Checkpoint:
    growth = Tree.empty().append(LEAVES)
    TILES.apply(growth.tiles)
    return Checkpoint(ORIGIN, len(LEAVES), growth.tree.root)


HEAD = _head()


def signed(index: int = 3, key: TestKey = LOG) -> bytes:
    hashes = tuple(inclusion_proof(index, HEAD.size, TILES))
    return sign_cose_receipt(HEAD, index, hashes, LEAVES[index], issuer=ISSUER, at=TIME, signer=key)


def changed(**header: Any) -> bytes:
    """The receipt with another protected header, signed with the key all the same; names are c1 for label 1."""
    receipt = parse_cose_receipt(signed())
    labels = {**cbor2.loads(receipt.protected), **{int(name[1:]): value for name, value in header.items()}}
    protected = cbor2.dumps({label: value for label, value in labels.items() if value is not None}, canonical=True)
    signature = LOG.sign(cbor2.dumps(["Signature1", protected, b"", HEAD.root]))
    return with_parts(protected=protected, signature=signature)


def with_parts(**parts: Any) -> bytes:
    protected, unprotected, payload, signature = cbor2.loads(signed()).value
    values = {"protected": protected, "unprotected": unprotected, "payload": payload, "signature": signature, **parts}
    return cbor2.dumps(cbor2.CBORTag(18, list(values.values())), canonical=True)


def with_proof(size: int, index: int, hashes: list[bytes]) -> bytes:
    return with_parts(unprotected={396: {-1: [cbor2.dumps([size, index, hashes])]}})


@pytest.mark.parametrize("index", range(7))
def test_each_entry_of_a_signed_tree_has_a_receipt(index: int) -> None:
    receipt = verify_cose_receipt(signed(index), LEAVES[index], LOG.verifier())
    assert (receipt.origin, receipt.issuer, receipt.size, receipt.index) == (ORIGIN, ISSUER, 7, index)
    assert receipt.key_id == LOG.verifier().key_id
    assert receipt.signed_at == TIME
    assert receipt.encode() == signed(index)


def test_the_form_is_that_of_the_rfc() -> None:
    outer = cbor2.loads(signed())
    assert outer.tag == 18
    protected, unprotected, payload, signature = outer.value
    header = cbor2.loads(protected)
    assert (header[1], header[395], header[4]) == (-8, 1, LOG.verifier().key_id)
    assert {label: header[15][label] for label in (1, 2, 6)} == {1: ISSUER, 2: ORIGIN, 6: TIME}
    size, index, hashes = cbor2.loads(unprotected[396][-1][0])
    assert (size, index, list(hashes)) == (7, 3, inclusion_proof(3, 7, TILES))
    assert payload is None
    LOG.private_key.public_key().verify(signature, cbor2.dumps(["Signature1", protected, b"", HEAD.root]))


def test_another_record_root_or_key_does_not_verify() -> None:
    for leaf in (LEAVES[2], bytes(32)):
        with pytest.raises(SignatureInvalidError, match="hasn't signed the root"):
            verify_cose_receipt(signed(), leaf, LOG.verifier())
    other = Tree.empty().append([*LEAVES[:6], bytes(32)])
    tiles = MemoryTiles()
    tiles.apply(other.tiles)
    with pytest.raises(SignatureInvalidError, match="hasn't signed the root"):
        verify_cose_receipt(with_proof(7, 3, inclusion_proof(3, 7, tiles)), LEAVES[3], LOG.verifier())
    with pytest.raises(SignatureInvalidError, match="another log or key"):
        verify_cose_receipt(signed(), LEAVES[3], TestKey(ORIGIN, "another").verifier())
    with pytest.raises(SignatureInvalidError, match="another log or key"):
        verify_cose_receipt(signed(), LEAVES[3], TestKey("gba.customs.example/cn/mo/alerts", "log").verifier())
    forged = replace(parse_cose_receipt(signed(key=TestKey(ORIGIN, "another"))), key_id=LOG.verifier().key_id)
    with pytest.raises(SignatureInvalidError, match="hasn't signed the root"):
        verify_cose_receipt(forged.encode(), LEAVES[3], LOG.verifier())
    cosigner = Verifier(ORIGIN, LOG.public_key, SignatureType.COSIGNATURE)
    with pytest.raises(SignatureInvalidError, match="another log or key"):
        verify_cose_receipt(signed(), LEAVES[3], cosigner)


def test_a_cut_proof_does_not_verify() -> None:
    hashes = inclusion_proof(3, 7, TILES)
    with pytest.raises(ProofInvalidError, match="too short"):
        verify_cose_receipt(with_proof(7, 3, hashes[:-1]), LEAVES[3], LOG.verifier())
    with pytest.raises(ProofInvalidError, match="too long"):
        verify_cose_receipt(with_proof(7, 3, [*hashes, bytes(32)]), LEAVES[3], LOG.verifier())


def test_the_signature_is_over_size_and_index_too() -> None:
    """The last of seven leaves has a proof that leads to the same root as one of another place in another tree."""
    hashes = inclusion_proof(6, 7, TILES)
    assert inclusion_root(LEAVES[6], 3, 4, hashes) == HEAD.root
    receipt = parse_cose_receipt(signed(6))
    elsewhere = replace(receipt, size=4, index=3)
    with pytest.raises(SignatureInvalidError):
        verify_cose_receipt(elsewhere.encode(), LEAVES[6], LOG.verifier())
    moved = with_proof(4, 3, hashes)
    with pytest.raises(MalformedError, match="size and index"):
        parse_cose_receipt(moved)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (changed(c395=2), "verifiable data structure 2"),
        (changed(c395=None), "needs alg, kid"),
        (changed(c1=-7), "alg -7"),
        (changed(c4=None), "needs alg, kid"),
        (changed(c4=b"abc"), "key id has 4 bytes"),
        (changed(c15={1: ISSUER, 2: ORIGIN}), "needs alg, kid"),
        (changed(c15={1: 7, 2: ORIGIN, 6: TIME, "size": 7, "index": 3}), "issuer is text"),
        (changed(c15={1: ISSUER, 2: ORIGIN, 6: -1, "size": 7, "index": 3}), "time is a number"),
        (changed(c2=[395]), "deterministic"),
        (with_parts(payload=HEAD.root), "no payload"),
        (with_parts(signature=bytes(63)), "signature has 64 bytes"),
        (with_proof(7, 3, [bytes(31)]), "hash has 32 bytes"),
        (with_proof(7, 3, [bytes(32)] * 64), "at most 63"),
        (with_proof(7, 4, []), "size and index"),
        (with_parts(unprotected={396: {-1: []}}), "one inclusion proof"),
        (with_parts(unprotected={}), "one inclusion proof"),
        (signed() + b"\0", "more in it"),
        (signed()[:-1], "cut"),
        (signed()[1:], "tag 18"),
        (b"", "tag 18"),
        (b"\xd2" + b"\x81" * 4000, "nested too deeply"),
        (b"\xd2" + b"\xa1\x01" * 2000, "nested too deeply"),
        (b"\xd2\x9f" + signed()[2:] + b"\xff", "isn't CBOR"),
        (b"\xd2\xc5\x82\x1a\x7f\xff\xff\xff\x01", "isn't CBOR"),
        (b"\xd2\x9b\x7f\xff\xff\xff\xff\xff\xff\xff", "isn't CBOR"),
        (b"\xd2\x98\x04" + signed()[2:], "deterministic"),
    ],
)
def test_another_form_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(MalformedError, match=message):
        verify_cose_receipt(data, LEAVES[3], LOG.verifier())


def test_a_long_receipt_is_refused_unread() -> None:
    with pytest.raises(TooLargeError):
        parse_cose_receipt(signed() + bytes(MAX_RECEIPT_BYTES))


def test_only_a_head_with_the_entry_is_signed() -> None:
    with pytest.raises(ProofInvalidError):
        sign_cose_receipt(HEAD, 3, (), LEAVES[3], issuer=ISSUER, at=TIME, signer=LOG)
    with pytest.raises(ProofInvalidError):
        sign_cose_receipt(HEAD, 3, tuple(inclusion_proof(3, 7, TILES)), LEAVES[4], issuer=ISSUER, at=TIME, signer=LOG)


def test_what_is_signed_is_never_a_note_and_no_note_is_a_receipt() -> None:
    """The key signs notes too, which are UTF-8 text; what COSE signs starts with bytes that no such text has."""
    receipt = parse_cose_receipt(signed())
    message = receipt.signed_bytes(HEAD.root)
    assert message.startswith(b"\x84\x6aSignature1")
    with pytest.raises(UnicodeDecodeError):
        message[:1].decode()
    with pytest.raises(MalformedError):
        sign_note(message, [LOG])
    note = parse_note(sign_checkpoint(HEAD, LOG))
    swapped = replace(receipt, signature=note.signatures[0].signature)
    with pytest.raises(SignatureInvalidError):
        verify_cose_receipt(swapped.encode(), LEAVES[3], LOG.verifier())


def test_values_out_of_range_are_refused() -> None:
    for field, value in (("issuer", ""), ("origin", "o" * 256), ("size", 0), ("index", 7), ("size", True)):
        with pytest.raises(MalformedError):
            replace(parse_cose_receipt(signed()), **{field: value})
    assert isinstance(parse_cose_receipt(signed()), CoseReceipt)
