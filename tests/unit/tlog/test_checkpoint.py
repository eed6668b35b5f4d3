"""Checkpoints: canonical bodies, and a log's key speaks for that log alone."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import MalformedError, SignatureInvalidError, TooLargeError
from gateway.tlog.checkpoint import (
    MAX_BODY_BYTES,
    Checkpoint,
    parse_checkpoint_body,
    sign_checkpoint,
    verify_checkpoint,
)
from gateway.tlog.merkle import EMPTY_ROOT
from gateway.tlog.note import sign_note
from tests.support.tlog_keys import TestKey

ORIGIN = "gba.customs.example/cn/hk/alerts"
KEY = TestKey(ORIGIN, "log")
ROOT = bytes(range(32))
HEAD = Checkpoint(ORIGIN, 1234, ROOT)
NOTE = sign_checkpoint(HEAD, KEY)

lines = st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs"]), min_size=1, max_size=30)


@given(lines, st.integers(1, 2**63 - 1), st.binary(min_size=32, max_size=32), st.lists(lines, max_size=3))
def test_bodies_round_trip(origin: str, size: int, root: bytes, extensions: list[str]) -> None:
    checkpoint = Checkpoint(origin, size, root, tuple(extensions))
    assert parse_checkpoint_body(checkpoint.body()) == checkpoint


@given(st.binary(max_size=120) | st.text("a0=\n", max_size=80).map(str.encode))
def test_what_parses_encodes_the_same(data: bytes) -> None:
    for body in (data, HEAD.body() + data, b"log\n" + data + b"\n" + HEAD.body().split(b"\n")[2] + b"\n"):
        try:
            parsed = parse_checkpoint_body(body)
        except MalformedError:
            continue
        assert parsed.body() == body


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n\n",
        HEAD.body()[:-1],
        HEAD.body() + b"\n",
        b"\n" + HEAD.body(),
        HEAD.body().replace(b"1234", b"01234"),
        HEAD.body().replace(b"1234", b"9223372036854775808"),
        HEAD.body().replace(b"1234", b"-1"),
        HEAD.body().replace(b"1234", b"0"),
        HEAD.body().replace(b"=", b""),
        b"log\n1234\nAAAA\n",
        b"log\n1234\n",
        b"\xff" + HEAD.body(),
        HEAD.body() + b"\xff\n",
        b"l\tog" + HEAD.body(),
        HEAD.body() + b"ext\r\n",
    ],
)
def test_other_bodies_are_refused(body: bytes) -> None:
    with pytest.raises(MalformedError):
        parse_checkpoint_body(body)


def test_the_empty_log_has_one_root() -> None:
    empty = Checkpoint(ORIGIN, 0, EMPTY_ROOT)
    assert parse_checkpoint_body(empty.body()) == empty
    with pytest.raises(MalformedError):
        Checkpoint(ORIGIN, 0, ROOT)


@pytest.mark.parametrize(
    "change",
    [
        {"origin": ""},
        {"origin": "a\nb"},
        {"origin": "\ud800"},
        {"size": -1},
        {"size": 2**63},
        {"root": bytes(31)},
        {"extensions": ("",)},
        {"extensions": ("a\nb",)},
    ],
)
def test_what_no_checkpoint_can_say(change: dict[str, object]) -> None:
    with pytest.raises(MalformedError):
        dataclasses.replace(HEAD, **change)


def test_limits() -> None:
    room = MAX_BODY_BYTES - len(HEAD.body()) - 1
    assert len(dataclasses.replace(HEAD, extensions=("x" * room,)).body()) == MAX_BODY_BYTES
    with pytest.raises(TooLargeError):
        dataclasses.replace(HEAD, extensions=("x" * (room + 1),))
    with pytest.raises(TooLargeError):
        parse_checkpoint_body(b"\xff" * (MAX_BODY_BYTES + 1))


def test_a_signed_checkpoint_verifies() -> None:
    verified = verify_checkpoint(NOTE, KEY.verifier(), ORIGIN)
    assert verified.checkpoint == HEAD
    assert verified.note == NOTE


@given(st.integers(0, len(NOTE) * 8 - 1))
def test_any_flipped_bit_is_found(bit: int) -> None:
    changed = bytearray(NOTE)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises((MalformedError, SignatureInvalidError)):
        verify_checkpoint(bytes(changed), KEY.verifier(), ORIGIN)


def test_a_key_signs_for_its_own_log_alone() -> None:
    with pytest.raises(MalformedError):
        sign_checkpoint(HEAD, TestKey("gba.customs.example/cn/mo/alerts"))


def test_a_checkpoint_of_another_log_under_the_right_key_is_refused() -> None:
    foreign = sign_note(dataclasses.replace(HEAD, origin="gba.customs.example/cn/mo/alerts").body(), [KEY])
    with pytest.raises(SignatureInvalidError) as caught:
        verify_checkpoint(foreign, KEY.verifier(), ORIGIN)
    assert caught.value.step == "origin"


def test_a_key_of_another_log_or_of_a_cosigner_is_refused() -> None:
    for verifier in (TestKey("gba.customs.example/cn/mo/alerts", "log").verifier(), KEY.cosigner()):
        with pytest.raises(SignatureInvalidError) as caught:
            verify_checkpoint(NOTE, verifier, ORIGIN)
        assert caught.value.step == "log key"


def test_a_signed_text_that_is_no_checkpoint_is_refused() -> None:
    with pytest.raises(MalformedError):
        verify_checkpoint(sign_note(b"text\n", [KEY]), KEY.verifier(), ORIGIN)
