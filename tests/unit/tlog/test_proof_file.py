"""Proof files: canonical, self-contained, and wrong at any flipped bit that a signature or hash should cover."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import (
    ConfigurationError,
    GatewayError,
    MalformedError,
    ProofInvalidError,
    SignatureInvalidError,
    TooLargeError,
)
from gateway.tlog.checkpoint import Checkpoint, cosign, sign_checkpoint
from gateway.tlog.note import NoteSignature, SignatureType, Verifier, add_signature, sign_note
from gateway.tlog.proof_file import MAX_EXTRA_BYTES, MAX_PROOF_BYTES, TlogProof, parse_proof, verify_proof
from tests.support import merkle_oracle
from tests.support.tlog_keys import TestKey

LOG = TestKey("gba.customs.example/cn/hk/alerts", "log")
HK = TestKey("gba.customs.example/hk/receipts", "hk")
MO = TestKey("gba.customs.example/mo/receipts", "mo")
TIME = 1_768_435_200
LEAVES = merkle_oracle.leaves(11)
INDEX = 6
HEAD = Checkpoint(LOG.name, len(LEAVES), merkle_oracle.root(LEAVES))
SIGNED = sign_checkpoint(HEAD, LOG)
NOTE = add_signature(SIGNED, cosign(SIGNED, HK, TIME))
PROOF = TlogProof(INDEX, tuple(merkle_oracle.inclusion(INDEX, LEAVES)), NOTE)
DATA = PROOF.encode()
COSIGNERS = [HK.cosigner(), MO.cosigner()]


def test_a_proof_verifies() -> None:
    verified = verify_proof(DATA, LEAVES[INDEX], LOG.verifier(), COSIGNERS, 1)
    assert verified.index == INDEX
    assert verified.leaf_hash == LEAVES[INDEX]
    assert verified.checkpoint.checkpoint == HEAD
    assert [(each.name, each.timestamp) for each in verified.cosignatures] == [(HK.name, TIME)]
    assert verified.unauthenticated_extra is None


def test_the_text_is_as_specified() -> None:
    lines = dataclasses.replace(PROOF, extra=b"salt").encode().decode().split("\n")
    assert lines[:3] == ["c2sp.org/tlog-proof@v1", "extra c2FsdA==", "index 6"]
    assert lines[3 + len(PROOF.hashes)] == ""
    assert lines[4 + len(PROOF.hashes)] == LOG.name


def test_a_log_of_one_entry_needs_no_hash() -> None:
    note = sign_checkpoint(Checkpoint(LOG.name, 1, LEAVES[0]), LOG)
    data = TlogProof(0, (), note).encode()
    assert data == b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + note
    assert verify_proof(data, LEAVES[0], LOG.verifier(), [], 0).cosignatures == ()


@given(st.integers(0, len(DATA) * 8 - 1))
def test_any_flipped_bit_is_found(bit: int) -> None:
    changed = bytearray(DATA)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises((MalformedError, SignatureInvalidError, ProofInvalidError)):
        verify_proof(bytes(changed), LEAVES[INDEX], LOG.verifier(), COSIGNERS, 1)


@given(
    st.integers(0, 2**63 - 2),
    st.lists(st.binary(min_size=32, max_size=32), max_size=63),
    st.none() | st.binary(min_size=1, max_size=100),
)
def test_files_round_trip(index: int, hashes: list[bytes], extra: bytes | None) -> None:
    proof = TlogProof(index, tuple(hashes), NOTE, extra)
    assert parse_proof(proof.encode()) == proof


@given(st.binary(max_size=40) | st.text("extra index0=\nA", max_size=40).map(str.encode), st.integers(0, 60))
def test_what_parses_encodes_the_same(junk: bytes, at: int) -> None:
    for data in (junk, DATA[:at] + junk + DATA[at:], DATA[:23] + junk + b"\n" + DATA[23:], DATA + junk):
        try:
            parsed = parse_proof(data)
        except MalformedError:
            continue
        assert parsed.encode() == data


@given(st.binary(max_size=200))
def test_nothing_but_the_tree_of_errors_escapes(junk: bytes) -> None:
    for data in (junk, b"c2sp.org/tlog-proof@v1\n" + junk):
        with pytest.raises(GatewayError):
            verify_proof(data, LEAVES[INDEX], LOG.verifier(), COSIGNERS, 0)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"c2sp.org/tlog-proof@v1",
        b"c2sp.org/tlog-proof@v1\n\n" + NOTE,
        DATA.replace(b"@v1", b"@v2"),
        DATA.replace(b"index 6", b"index 06"),
        DATA.replace(b"index 6", b"index  6"),
        DATA.replace(b"index 6", b"index -6"),
        DATA.replace(b"index 6", b"index"),
        DATA.replace(b"index 6", b"index 9223372036854775807"),
        DATA.replace(b"index 6", b"extra \nindex 6"),
        DATA.replace(b"index 6", b"extra\nindex 6"),
        DATA.replace(b"index 6", b"extra AB==\nindex 6"),
        DATA.replace(b"index 6", b"index 6\nextra AAAA"),
        DATA.replace(b"index 6", b"extra AAAA\nextra AAAA\nindex 6"),
        DATA.replace(b"index 6\n", b"index 6\nAAAA\n"),
        DATA.replace(b"index 6\n", b"index 6\n" + b"A" * 43 + b"=\n" * 1 + (b"A" * 43 + b"=\n") * 63),
        DATA.replace(b"\n\n", b"\n\n\n", 1),
        DATA.replace(b"\n\n", b"\n", 1),
        DATA.replace(b"\n", b"\r\n"),
        DATA[:-1],
        b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + sign_note(b"text\n", [LOG]),
    ],
)
def test_other_forms_are_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_proof(data)


@pytest.mark.parametrize(
    "change",
    [
        {"index": -1},
        {"index": 2**63 - 1},
        {"hashes": (bytes(31),)},
        {"hashes": (bytes(32),) * 64},
        {"extra": b""},
        {"checkpoint_note": b"text\n"},
        {"extra": bytes(MAX_EXTRA_BYTES + 1)},
    ],
)
def test_what_no_file_can_hold(change: dict[str, object]) -> None:
    with pytest.raises(MalformedError):
        dataclasses.replace(PROOF, **change)


def test_limits() -> None:
    largest = dataclasses.replace(PROOF, extra=bytes(MAX_EXTRA_BYTES))
    assert parse_proof(largest.encode()) == largest
    with pytest.raises(TooLargeError):
        parse_proof(b"\xff" * (MAX_PROOF_BYTES + 1))
    heavy = NOTE + NoteSignature("heavy", bytes(4), bytes(MAX_PROOF_BYTES)).line()
    with pytest.raises(TooLargeError):
        dataclasses.replace(PROOF, checkpoint_note=heavy).encode()


def test_step_2_the_logs_signature() -> None:
    with pytest.raises(SignatureInvalidError):
        verify_proof(DATA, LEAVES[INDEX], TestKey(LOG.name, "another").verifier(), COSIGNERS, 1)
    with pytest.raises(SignatureInvalidError):
        verify_proof(DATA, LEAVES[INDEX], TestKey("another.log", "log").verifier(), COSIGNERS, 1)


def test_step_3_enough_cosigners() -> None:
    with pytest.raises(SignatureInvalidError) as caught:
        verify_proof(DATA, LEAVES[INDEX], LOG.verifier(), COSIGNERS, 2)
    assert caught.value.step == "cosignatures"
    with pytest.raises(SignatureInvalidError):
        verify_proof(DATA, LEAVES[INDEX], LOG.verifier(), [], 1)
    both = dataclasses.replace(PROOF, checkpoint_note=add_signature(NOTE, cosign(NOTE, MO, TIME))).encode()
    assert len(verify_proof(both, LEAVES[INDEX], LOG.verifier(), COSIGNERS, 2).cosignatures) == 2


def test_step_3_one_key_counts_once_and_the_logs_own_never() -> None:
    alias = TestKey("gba.customs.example/hk/alias", "hk")
    log_as_cosigner = TestKey("gba.customs.example/cn/receipts", "log")
    note = add_signature(NOTE, cosign(NOTE, alias, TIME))
    note = add_signature(note, cosign(NOTE, log_as_cosigner, TIME))
    data = dataclasses.replace(PROOF, checkpoint_note=note).encode()
    known = [HK.cosigner(), HK.cosigner(), alias.cosigner(), log_as_cosigner.cosigner()]
    assert verify_proof(data, LEAVES[INDEX], LOG.verifier(), known, 1).index == INDEX
    with pytest.raises(SignatureInvalidError, match="1 known cosigners signed; 2 are needed"):
        verify_proof(data, LEAVES[INDEX], LOG.verifier(), known, 2)


def test_step_3_a_known_cosigners_wrong_signature_condemns_even_when_none_is_required() -> None:
    wrong = NoteSignature(MO.name, MO.cosigner().key_id, bytes(72)).line()
    data = DATA + wrong
    assert verify_proof(data, LEAVES[INDEX], LOG.verifier(), [HK.cosigner()], 1).index == INDEX
    with pytest.raises(SignatureInvalidError):
        verify_proof(data, LEAVES[INDEX], LOG.verifier(), COSIGNERS, 0)


def test_step_3_a_key_of_another_type_does_not_cosign() -> None:
    plain = Verifier(LOG.name, LOG.public_key, SignatureType.ED25519)
    with pytest.raises(SignatureInvalidError):
        verify_proof(DATA, LEAVES[INDEX], LOG.verifier(), [plain], 1)


def test_step_4_another_leaf() -> None:
    with pytest.raises(ProofInvalidError):
        verify_proof(DATA, LEAVES[INDEX + 1], LOG.verifier(), COSIGNERS, 1)


def test_extra_data_is_handed_on_as_what_it_is() -> None:
    data = dataclasses.replace(PROOF, extra=b"salt").encode()
    assert verify_proof(data, LEAVES[INDEX], LOG.verifier(), COSIGNERS, 1).unauthenticated_extra == b"salt"


def test_a_negative_requirement_is_a_mistake() -> None:
    with pytest.raises(ConfigurationError):
        verify_proof(DATA, LEAVES[INDEX], LOG.verifier(), COSIGNERS, -1)
