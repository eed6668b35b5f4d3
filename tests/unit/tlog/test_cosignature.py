"""Cosignatures cover time and body, stand for their maker alone, and never pass for a log's signature."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MalformedError, SignatureInvalidError
from gateway.tlog.checkpoint import (
    Checkpoint,
    cosign,
    sign_checkpoint,
    verify_checkpoint,
    verify_cosignature,
    verify_cosignature_lines,
)
from gateway.tlog.note import NoteSignature, add_signature, parse_signature_line, sign_note
from tests.support.tlog_keys import TestKey

LOG = TestKey("gba.customs.example/cn/hk/alerts", "log")
RECIPIENT = TestKey("gba.customs.example/hk/receipts", "recipient")
OTHER = TestKey("gba.customs.example/mo/receipts", "other")
HEAD = Checkpoint(LOG.name, 7, bytes(range(32)), ("extension",))
NOTE = sign_checkpoint(HEAD, LOG)
TIME = 1_768_435_200
LINE = cosign(NOTE, RECIPIENT, TIME)
COSIGNED = add_signature(NOTE, LINE)


@given(st.integers(0, 2**63 - 1))
def test_any_time_round_trips(timestamp: int) -> None:
    line = cosign(NOTE, RECIPIENT, timestamp)
    for verified in (
        verify_cosignature(add_signature(NOTE, line), RECIPIENT.cosigner()),
        verify_cosignature_lines(NOTE, line, RECIPIENT.cosigner()),
    ):
        assert (verified.name, verified.timestamp, verified.checkpoint) == (RECIPIENT.name, timestamp, HEAD)


def test_the_logs_signature_stays_valid_and_untouched() -> None:
    assert COSIGNED.startswith(NOTE)
    assert verify_checkpoint(COSIGNED, LOG.verifier(), LOG.name).checkpoint == HEAD


@given(st.integers(0, len(LINE) * 8 - 1))
def test_any_flipped_bit_of_the_line_is_found(bit: int) -> None:
    changed = bytearray(LINE)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises((MalformedError, SignatureInvalidError)):
        verify_cosignature_lines(NOTE, bytes(changed), RECIPIENT.cosigner())
    with pytest.raises((MalformedError, SignatureInvalidError)):
        verify_cosignature(NOTE + bytes(changed), RECIPIENT.cosigner())


@given(st.integers(0, len(HEAD.body()) * 8 - 1))
def test_any_flipped_bit_of_the_body_is_found(bit: int) -> None:
    changed = bytearray(COSIGNED)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises((MalformedError, SignatureInvalidError)):
        verify_cosignature(bytes(changed), RECIPIENT.cosigner())


def test_another_cosigner_has_not_cosigned() -> None:
    with pytest.raises(SignatureInvalidError):
        verify_cosignature(COSIGNED, OTHER.cosigner())
    with pytest.raises(SignatureInvalidError):
        verify_cosignature_lines(NOTE, LINE, OTHER.cosigner())


def test_a_cosignature_of_another_checkpoint_is_refused() -> None:
    later = sign_checkpoint(Checkpoint(LOG.name, 8, bytes(32)), LOG)
    with pytest.raises(SignatureInvalidError):
        verify_cosignature_lines(later, LINE, RECIPIENT.cosigner())


def test_the_types_do_not_stand_for_each_other() -> None:
    with pytest.raises(SignatureInvalidError) as caught:
        verify_cosignature(NOTE, LOG.verifier())
    assert caught.value.step == "cosigner key"
    with pytest.raises(SignatureInvalidError):
        verify_cosignature_lines(NOTE, NOTE.splitlines(keepends=True)[-1], LOG.verifier())
    plain = NoteSignature(RECIPIENT.name, RECIPIENT.cosigner().key_id, RECIPIENT.sign(HEAD.body())).line()
    with pytest.raises(SignatureInvalidError):
        verify_cosignature_lines(NOTE, plain, RECIPIENT.cosigner())


def test_the_latest_statement_counts_and_a_wrong_one_condemns() -> None:
    note = add_signature(add_signature(COSIGNED, cosign(NOTE, RECIPIENT, TIME + 5)), LINE)
    assert note.count(RECIPIENT.name.encode()) == 2
    assert verify_cosignature(note, RECIPIENT.cosigner()).timestamp == TIME + 5
    wrong = NoteSignature(RECIPIENT.name, RECIPIENT.cosigner().key_id, bytes(72)).line()
    with pytest.raises(SignatureInvalidError):
        verify_cosignature(note + wrong, RECIPIENT.cosigner())


@pytest.mark.parametrize("timestamp", [-1, 2**63])
def test_times_out_of_range(timestamp: int) -> None:
    with pytest.raises(MalformedError):
        cosign(NOTE, RECIPIENT, timestamp)


def test_a_time_out_of_range_is_refused_even_when_signed() -> None:
    signature = RECIPIENT.sign(b"cosignature/v1\ntime %d\n%b" % (2**63, HEAD.body()))
    line = NoteSignature(RECIPIENT.name, RECIPIENT.cosigner().key_id, (2**63).to_bytes(8, "big") + signature).line()
    with pytest.raises(SignatureInvalidError, match="2\\^63"):
        verify_cosignature_lines(NOTE, line, RECIPIENT.cosigner())


@pytest.mark.parametrize("length", [1, 8, 71, 73])
def test_other_lengths_are_refused(length: int) -> None:
    line = NoteSignature(RECIPIENT.name, RECIPIENT.cosigner().key_id, bytes(length)).line()
    with pytest.raises(SignatureInvalidError):
        verify_cosignature_lines(NOTE, line, RECIPIENT.cosigner())


def test_only_checkpoints_are_cosigned() -> None:
    note = sign_note(b"text\n", [LOG])
    with pytest.raises(MalformedError):
        cosign(note, RECIPIENT, TIME)
    with pytest.raises(MalformedError):
        cosign(NOTE, TestKey("two words"), TIME)
    body_signature = RECIPIENT.sign(b"cosignature/v1\ntime 1\ntext\n")
    line = NoteSignature(RECIPIENT.name, RECIPIENT.cosigner().key_id, (1).to_bytes(8, "big") + body_signature).line()
    for attempt in (
        lambda: verify_cosignature(note + line, RECIPIENT.cosigner()),
        lambda: verify_cosignature_lines(note, line, RECIPIENT.cosigner()),
    ):
        with pytest.raises(MalformedError):
            attempt()


def test_the_line_has_the_specified_layout() -> None:
    signature = parse_signature_line(LINE)
    assert signature.key_id == RECIPIENT.cosigner().key_id
    assert signature.signature[:8] == TIME.to_bytes(8, "big")
    assert signature.signature[8:] == RECIPIENT.sign(b"cosignature/v1\ntime 1768435200\n" + HEAD.body())
