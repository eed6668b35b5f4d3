"""Others' implementations verify what we write, and we verify what they write.

Two that share nothing with `gateway.tlog`: `proofbundle` (Python: checkpoints, cosignatures, tlog-proof files, RFC 6962
proofs) and `metamorphic-log` (Rust: signed notes, checkpoints, RFC 6962 proofs). Both are asked about changed bytes
too: a verifier that accepts everything would show nothing.
"""

from __future__ import annotations

import metamorphic_log
import pytest
from proofbundle import checkpoint as pb_checkpoint
from proofbundle import merkle as pb_merkle
from proofbundle import tlogproof as pb_proof

from gateway.tlog.checkpoint import Checkpoint, cosign, sign_checkpoint, verify_checkpoint, verify_cosignature
from gateway.tlog.merkle import Tree, consistency_proof, inclusion_proof, leaf_hash
from gateway.tlog.note import Verifier, add_signature, open_note, sign_note
from gateway.tlog.proof_file import TlogProof, parse_proof, verify_proof
from gateway.tlog.proofs import verify_consistency, verify_inclusion
from tests.support.merkle_oracle import MemoryTiles
from tests.support.tlog_keys import TestKey

LOG = TestKey("gba.customs.example/cn/hk/alerts", "log")
COSIGNER = TestKey("gba.customs.example/hk/receipts", "cosigner")
TIME = 1_768_435_200
SIZE = 700
DATA = [b"entry header %d" % number for number in range(SIZE)]
HASHES = [leaf_hash(each) for each in DATA]
SIZES = [1, 2, 3, 255, 256, 257, 511, 512, 513, SIZE]


class Log:
    """A log of ours with all its heads."""

    def __init__(self) -> None:
        self.tiles = MemoryTiles()
        self.heads: dict[int, Checkpoint] = {}
        tree = Tree.empty()
        for size in SIZES:
            growth = tree.append(HASHES[tree.size : size])
            self.tiles.apply(growth.tiles)
            tree = growth.tree
            self.heads[size] = Checkpoint(LOG.name, size, tree.root)

    def note(self, size: int) -> bytes:
        signed = sign_checkpoint(self.heads[size], LOG)
        return add_signature(signed, cosign(signed, COSIGNER, TIME))

    def proof(self, index: int, size: int, extra: bytes | None = None) -> bytes:
        return TlogProof(index, tuple(inclusion_proof(index, size, self.tiles)), self.note(size), extra).encode()


@pytest.fixture(scope="module")
def log() -> Log:
    return Log()


def indexes(size: int) -> list[int]:
    return sorted({0, size // 3, size // 2, size - 1})


def test_rust_verifies_our_notes() -> None:
    note = sign_note("通知\n\nText\n".encode(), [LOG]).decode()
    vkeys = [LOG.verifier().to_vkey()]
    assert metamorphic_log.verify_signed_note(note, vkeys) == 1
    with pytest.raises(metamorphic_log.VerifyError):
        metamorphic_log.verify_signed_note(note.replace("Text", "Test"), vkeys)


def test_rust_verifies_our_cosigned_checkpoints_and_inclusion(log: Log) -> None:
    vkeys = [LOG.verifier().to_vkey()]
    for size in SIZES:
        note = log.note(size).decode()
        head = metamorphic_log.checkpoint_verify(note, vkeys)
        assert (head.origin, head.size, head.root) == (LOG.name, size, log.heads[size].root)
        for index in indexes(size):
            proof = inclusion_proof(index, size, log.tiles)
            metamorphic_log.checkpoint_verify_inclusion(note, vkeys, index, HASHES[index], proof)
            with pytest.raises(metamorphic_log.VerifyError):
                metamorphic_log.checkpoint_verify_inclusion(note, vkeys, index, bytes(32), proof)


def test_rust_verifies_our_consistency_proofs(log: Log) -> None:
    vkeys = [LOG.verifier().to_vkey()]
    for old in SIZES:
        for new in (size for size in SIZES if size > old):
            proof = consistency_proof(old, new, log.tiles)
            older, newer = log.note(old).decode(), log.note(new).decode()
            metamorphic_log.checkpoint_verify_consistency(older, newer, vkeys, proof)
            with pytest.raises(metamorphic_log.VerifyError):
                metamorphic_log.checkpoint_verify_consistency(older, newer, vkeys, [bytes(32), *proof[1:]])


def test_python_verifies_our_proof_files(log: Log) -> None:
    for size in SIZES:
        for index in indexes(size):
            text = log.proof(index, size, extra=b"salt").decode()
            keys = (LOG.verifier().to_vkey(), [COSIGNER.cosigner().to_vkey()])
            verdict = pb_proof.verify_tlog_proof(text, DATA[index], *keys, threshold=1, expected_origin=LOG.name)
            assert verdict["ok"], verdict
            assert (verdict["index"], verdict["tree_size"]) == (index, size)
            assert not pb_proof.verify_tlog_proof(text, b"another", *keys, threshold=1)["ok"]
            spoilt = text.replace(f"\n{size}\n", f"\n{size + 1}\n")
            assert not pb_proof.verify_tlog_proof(spoilt, DATA[index], *keys, threshold=1)["ok"]


def test_python_verifies_our_cosignatures(log: Log) -> None:
    note = log.note(SIZE).decode()
    verdict = pb_checkpoint.verify_cosignature(note, COSIGNER.cosigner().to_vkey())
    assert verdict["ok"]
    assert verdict["timestamp"] == TIME
    other = TestKey(COSIGNER.name, "another").cosigner()
    assert not pb_checkpoint.verify_cosignature(note, other.to_vkey())["ok"]


def test_python_makes_the_same_trees_and_proofs(log: Log) -> None:
    for size in SIZES:
        assert pb_merkle.merkle_tree_hash(DATA[:size]) == log.heads[size].root
        for index in indexes(size):
            assert pb_merkle.inclusion_proof(DATA[:size], index) == inclusion_proof(index, size, log.tiles)
    for old in (1, 3, 256, 511):
        theirs = pb_merkle.consistency_proof(DATA, old)
        assert theirs == consistency_proof(old, SIZE, log.tiles)
        verify_consistency(old, log.heads[old].root, SIZE, log.heads[SIZE].root, theirs)


def test_we_verify_what_python_writes() -> None:
    root = pb_merkle.merkle_tree_hash(DATA)
    note = pb_checkpoint.sign_checkpoint(LOG.name, SIZE, root, LOG.private_key, LOG.name)
    note = pb_checkpoint.cosign_checkpoint(note, COSIGNER.private_key, COSIGNER.name, TIME)
    log_key = Verifier.from_vkey(pb_checkpoint.vkey(LOG.name, LOG.public_key))
    cosigner_key = Verifier.from_vkey(pb_checkpoint.cosign_vkey(COSIGNER.name, COSIGNER.public_key))
    assert verify_checkpoint(note.encode(), log_key, LOG.name).checkpoint.root == root
    assert verify_cosignature(note.encode(), cosigner_key).timestamp == TIME
    assert len(open_note(note.encode(), [log_key, cosigner_key], threshold=2).signatures) == 2
    proof = pb_merkle.inclusion_proof(DATA, 77)
    verify_inclusion(HASHES[77], 77, SIZE, proof, root)
    data = pb_proof.format_tlog_proof(77, proof, note, b"salt").encode()
    assert parse_proof(data).encode() == data
    assert verify_proof(data, HASHES[77], log_key, [cosigner_key], 1).cosignatures[0].name == COSIGNER.name


def test_the_same_keys_give_the_same_bytes(log: Log) -> None:
    theirs = pb_checkpoint.sign_checkpoint(LOG.name, SIZE, log.heads[SIZE].root, LOG.private_key, LOG.name)
    theirs = pb_checkpoint.cosign_checkpoint(theirs, COSIGNER.private_key, COSIGNER.name, TIME)
    assert log.note(SIZE) == theirs.encode()
