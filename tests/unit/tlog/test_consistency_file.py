"""Consistency proofs as files: canonical, and wrong at any byte that a signature or hash covers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError, MalformedError, ProofInvalidError, SignatureInvalidError, TooLargeError
from gateway.tlog.checkpoint import Checkpoint, sign_checkpoint
from gateway.tlog.consistency_file import (
    MAX_FILE_BYTES,
    ConsistencyProof,
    parse_consistency_file,
    verify_consistency_file,
)
from tests.support import merkle_oracle
from tests.support.tlog_keys import TestKey

LOG = TestKey("gba.customs.example/cn/hk/alerts", "log")
OTHER = TestKey(LOG.name, "a thief's")
LEAVES = merkle_oracle.leaves(11)


def head(size: int) -> Checkpoint:
    return Checkpoint(LOG.name, size, merkle_oracle.root(LEAVES[:size]))


def proof_file(old: int, new: int, signer: TestKey = LOG) -> bytes:
    hashes = merkle_oracle.consistency(old, LEAVES[:new]) if 0 < old < new else []
    return ConsistencyProof(old, tuple(hashes), sign_checkpoint(head(new), signer)).encode()


DATA = proof_file(6, 11)


@pytest.mark.parametrize("new", range(12))
def test_every_size_extends_every_smaller_one(new: int) -> None:
    for old in range(new + 1):
        newer = verify_consistency_file(proof_file(old, new), head(old), [OTHER.verifier(), LOG.verifier()])
        assert newer.checkpoint == head(new)


def test_the_text_is_that_of_add_checkpoint() -> None:
    lines = DATA.decode().split("\n")
    hashes = len(parse_consistency_file(DATA).hashes)
    assert lines[0] == "old 6"
    assert lines[1 + hashes] == ""
    assert lines[2 + hashes : 4 + hashes] == [LOG.name, "11"]


@given(st.integers(0, len(DATA) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused(place: int, change: int) -> None:
    changed = DATA[:place] + bytes([DATA[place] ^ change]) + DATA[place + 1 :]
    with pytest.raises(GatewayError):
        verify_consistency_file(changed, head(6), [LOG.verifier()])


def test_a_log_that_was_rewritten_has_no_proof() -> None:
    rewritten = Checkpoint(LOG.name, 6, merkle_oracle.root([*LEAVES[:5], LEAVES[9]]))
    with pytest.raises(ProofInvalidError, match="old root"):
        verify_consistency_file(DATA, rewritten, [LOG.verifier()])


def test_a_proof_from_another_size_is_refused() -> None:
    with pytest.raises(ProofInvalidError, match="starts at 6 entries, the older checkpoint has 5"):
        verify_consistency_file(DATA, head(5), [LOG.verifier()])


def test_another_key_or_log_is_refused() -> None:
    for data, keys in ((proof_file(6, 11, OTHER), [LOG.verifier()]), (DATA, [OTHER.verifier()]), (DATA, [])):
        with pytest.raises(SignatureInvalidError):
            verify_consistency_file(data, head(6), keys)
    elsewhere = Checkpoint("gba.customs.example/cn/mo/alerts", 6, head(6).root)
    with pytest.raises(SignatureInvalidError):
        verify_consistency_file(DATA, elsewhere, [LOG.verifier()])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        DATA.replace(b"old 6", b"old 06"),
        DATA.replace(b"old 6", b"new 6"),
        DATA.replace(b"\n\n", b"\n", 1),
        b"old 6\n" + b"AAAA\n" + DATA.partition(b"\n")[2],
        b"old 6\n" + (b"A" * 43 + b"=\n") * 64 + DATA.partition(b"\n")[2],
    ],
)
def test_what_is_not_canonical_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_consistency_file(data)


def test_a_long_file_is_refused_before_it_is_read() -> None:
    with pytest.raises(TooLargeError):
        parse_consistency_file(b"old 6\n" + bytes(MAX_FILE_BYTES))
    with pytest.raises(MalformedError):
        ConsistencyProof(-1, (), sign_checkpoint(head(1), LOG))
