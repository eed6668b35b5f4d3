"""Second keys, of ML-DSA-44: a published checkpoint verifies; where one counts, both signatures are needed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from gateway.errors import MalformedError, SignatureInvalidError
from gateway.tlog.checkpoint import (
    Checkpoint,
    cosign,
    sign_checkpoint,
    verify_checkpoint,
    verify_cosignature,
    verify_cosignature_lines,
)
from gateway.tlog.merkle import leaf_hash
from gateway.tlog.note import NoteSignature, SignatureType, Verifier, open_note, parse_note
from tests.support.public_files import REFERENCE
from tests.support.tlog_keys import SecondTestKey, TestKey

ORIGIN, COSIGNER = "gba.customs.example/cn/hk/alerts", "gba.customs.example/hk/receipts"
LOG_2, COSIGNER_2 = SecondTestKey(ORIGIN, "log 2"), SecondTestKey(COSIGNER, "cosigner 2")
LOG, RECIPIENT = TestKey(ORIGIN, "log", LOG_2), TestKey(COSIGNER, "cosigner", COSIGNER_2)
HEAD = Checkpoint(ORIGIN, 7, bytes(range(32)))
NOTE = sign_checkpoint(HEAD, LOG)
TIME = 1_768_435_200
LINES = cosign(NOTE, RECIPIENT, TIME)


def both(key: TestKey, *, since: int = 0, algorithm: SignatureType = SignatureType.ED25519) -> Verifier:
    assert key.second is not None
    return Verifier(key.name, key.public_key, algorithm, (key.second.verifier(),), since)


def without(note: bytes, name: str, *, second: bool) -> bytes:
    """The note without one of the lines of a name."""
    parsed = parse_note(note)
    kept = tuple(line for line in parsed.signatures if line.name != name or (len(line.signature) > 100) != second)
    return replace(parsed, signatures=kept).encode()


def test_a_published_checkpoint_verifies_under_its_published_key() -> None:
    vector = json.loads((REFERENCE / "ml_dsa_checkpoint.json").read_text(encoding="utf-8"))
    verifier, note = Verifier.from_vkey(vector["vkey"]), vector["checkpoint"].encode()
    assert verifier.algorithm is SignatureType.ML_DSA_44
    assert verifier.to_vkey() == vector["vkey"]
    (signature,) = open_note(note, [verifier]).signatures
    assert signature.timestamp == 0  # a log's own says no time
    for at in range(0, note.index(b"\n\n") - 1):
        if note[at : at + 1].isalnum():
            changed = note[:at] + (b"8" if note[at : at + 1] != b"8" else b"7") + note[at + 1 :]
            with pytest.raises((SignatureInvalidError, MalformedError)):
                open_note(changed, [verifier])


def test_readers_with_one_algorithm_pass_over_the_second() -> None:
    assert verify_checkpoint(NOTE, LOG.verifier(), ORIGIN).checkpoint == HEAD
    assert verify_cosignature(NOTE + LINES, RECIPIENT.cosigner()).timestamp == TIME


def test_both_signatures_verify_and_one_alone_does_not() -> None:
    assert verify_checkpoint(NOTE, both(LOG), ORIGIN).checkpoint == HEAD
    recipient = both(RECIPIENT, algorithm=SignatureType.COSIGNATURE)
    assert verify_cosignature(NOTE + LINES, recipient).timestamp == TIME
    assert verify_cosignature_lines(NOTE, LINES, recipient).timestamp == TIME
    for second in (True, False):
        with pytest.raises(SignatureInvalidError):
            verify_checkpoint(without(NOTE, ORIGIN, second=second), both(LOG), ORIGIN)
        with pytest.raises(SignatureInvalidError):
            verify_cosignature(without(NOTE + LINES, COSIGNER, second=second), recipient)
    with pytest.raises(SignatureInvalidError):
        verify_cosignature_lines(NOTE, LINES.splitlines(keepends=True)[0], recipient)


def test_a_receipt_from_before_the_second_key_needs_none() -> None:
    first = LINES.splitlines(keepends=True)[0]
    later = both(RECIPIENT, since=TIME + 1, algorithm=SignatureType.COSIGNATURE)
    assert verify_cosignature_lines(NOTE, first, later).timestamp == TIME
    with pytest.raises(SignatureInvalidError):
        verify_cosignature_lines(NOTE, first, both(RECIPIENT, since=TIME, algorithm=SignatureType.COSIGNATURE))


def test_the_second_signature_is_of_the_same_time_head_and_signer() -> None:
    recipient = both(RECIPIENT, algorithm=SignatureType.COSIGNATURE)
    first, second = LINES.splitlines(keepends=True)
    another_time = cosign(NOTE, RECIPIENT, TIME + 1).splitlines(keepends=True)[1]
    another_head = cosign(sign_checkpoint(replace(HEAD, size=8), LOG), RECIPIENT, TIME).splitlines(keepends=True)[1]
    stranger = replace(RECIPIENT, second=SecondTestKey(COSIGNER, "stranger"))
    strangers = cosign(NOTE, stranger, TIME).splitlines(keepends=True)[1]
    changed = bytearray(second)
    changed[-100] ^= 1
    for wrong in (another_time, another_head, strangers, bytes(changed), first):
        with pytest.raises((SignatureInvalidError, MalformedError)):
            verify_cosignature_lines(NOTE, first + wrong, recipient)


def test_a_cosignature_has_two_lines_at_most() -> None:
    """Others would be stored unread."""
    with pytest.raises(MalformedError, match="not 3"):
        verify_cosignature_lines(NOTE, LINES + LINES.splitlines(keepends=True)[1], RECIPIENT.cosigner())


def test_a_log_s_second_key_cannot_speak_for_another_log() -> None:
    other = TestKey(
        "gba.customs.example/cn/mo/alerts", "log", SecondTestKey("gba.customs.example/cn/mo/alerts", "log 2")
    )
    moved = replace(HEAD, origin=other.name)
    line = sign_checkpoint(moved, other).splitlines(keepends=True)[-1]
    renamed = line.replace(other.name.encode(), ORIGIN.encode())
    with pytest.raises(SignatureInvalidError):
        verify_checkpoint(without(NOTE, ORIGIN, second=True) + renamed, both(LOG), ORIGIN)


def test_further_lines_are_refused_since_this_type_would_not_sign_them() -> None:
    with pytest.raises(MalformedError, match="3 lines"):
        sign_checkpoint(replace(HEAD, extensions=("more",)), LOG)


def test_keys_of_another_length_and_second_keys_of_another_name_are_refused() -> None:
    with pytest.raises(MalformedError, match="1312 bytes"):
        Verifier(ORIGIN, leaf_hash(b""), SignatureType.ML_DSA_44)
    with pytest.raises(MalformedError, match="named"):
        sign_checkpoint(HEAD, replace(LOG, second=COSIGNER_2))


def test_a_line_of_the_right_key_and_a_wrong_length_is_refused() -> None:
    (line,) = [each for each in parse_note(NOTE).signatures if len(each.signature) > 100]
    short = NoteSignature(line.name, line.key_id, line.signature[:-1]).line()
    with pytest.raises(SignatureInvalidError, match="2419 bytes of 2420"):
        verify_checkpoint(without(NOTE, ORIGIN, second=True) + short, both(LOG), ORIGIN)
