"""Policies of witnesses (C2SP tlog-policy): what is read, what is enough, and what is refused."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.errors import MalformedError, SignatureInvalidError, TooLargeError
from gateway.tlog.checkpoint import Checkpoint, cosign, sign_checkpoint
from gateway.tlog.note import SignatureType, Verifier, parse_note
from gateway.tlog.policy import MAX_POLICY_BYTES, MAX_WITNESSES, parse_policy
from gateway.trust.pki.keys import Ed25519Signer, create_second_keys


def signer(name: str) -> Ed25519Signer:
    return Ed25519Signer(name, Ed25519PrivateKey.from_private_bytes(sha256(name.encode()).digest()))


def vkey(name: str, kind: SignatureType = SignatureType.COSIGNATURE) -> str:
    return Verifier(name, signer(name).public_key, kind).to_vkey()


A, B, C = (f"witness {name} {vkey(f'w.example/{name}')}" for name in "abc")


def policy(*lines: str) -> str:
    return "\n".join([A, B, C, *lines, ""])


@pytest.mark.parametrize(
    ("lines", "enough", "too_few"),
    [
        (["quorum a"], ["a", "ab"], ["", "bc"]),
        (["quorum none"], [""], []),
        (["group g any a b", "quorum g"], ["a", "b"], ["c", ""]),
        (["group g all a b", "quorum g"], ["ab", "abc"], ["a", "ac"]),
        (["group g 2 a b c", "quorum g"], ["ab", "bc", "abc"], ["a", "", "x"]),
        (["group g any a b", "group h all g c", "quorum h"], ["ac", "bc"], ["ab", "c", "g"]),
        (["# a comment", "", "log l.example+1+x https://log", "quorum b"], ["b"], ["a"]),
    ],
)
def test_who_is_enough(lines: list[str], enough: list[str], too_few: list[str]) -> None:
    parsed = parse_policy(policy(*lines))
    assert all(parsed.is_met({*names}) for names in enough)
    assert not any(parsed.is_met({*names}) for names in too_few)


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        ([], "names no quorum"),
        (["quorum x"], "no line before it defines 'x'"),
        (["quorum a", "quorum b"], "line 5"),
        (["group g 2 a", "quorum g"], "threshold"),
        (["group g 0 a", "quorum g"], "at least one"),
        (["group g any", "quorum g"], "line 4"),
        (["group g any a a", "quorum g"], "twice"),
        (["group a any b", "quorum a"], "is taken"),
        (["group none any b", "quorum none"], "is taken"),
        (["group g any h", "group h any g", "quorum g"], "no line before it defines 'h'"),
        ([f"witness d {vkey('w.example/d', SignatureType.ED25519)}", "quorum d"], "type 0x01"),
        ([f"witness d {vkey('w.example/d')}x", "quorum d"], "line 4"),
        (["require a"], "isn't a witness"),
    ],
)
def test_what_is_no_policy_is_refused(lines: list[str], problem: str) -> None:
    with pytest.raises(MalformedError, match=problem):
        parse_policy(policy(*lines))


def test_a_policy_is_bounded() -> None:
    with pytest.raises(TooLargeError, match="bytes"):
        parse_policy("#" * (MAX_POLICY_BYTES + 1))
    lines = [f"witness n{number} {vkey(f'w.example/n{number}')}" for number in range(MAX_WITNESSES + 1)]
    with pytest.raises(TooLargeError, match="witnesses"):
        parse_policy("\n".join([*lines, "quorum none"]))


def test_cosignatures_are_found_by_their_key_and_verified() -> None:
    log = signer("log.example")
    note = sign_checkpoint(Checkpoint("log.example", 1, b"r" * 32), log)
    parsed = parse_policy(policy("group g 2 a b", "quorum g"))
    both = parse_note(note + cosign(note, signer("w.example/a"), 7) + cosign(note, signer("w.example/x"), 8))
    verified = parsed.verified(both.unverified_text, both.signatures)
    assert {name: timestamp for name, (_, timestamp) in verified.items()} == {"a": 7}
    other = sign_checkpoint(Checkpoint("log.example", 1, b"s" * 32), log)
    moved = parse_note(note + cosign(other, signer("w.example/b"), 7))
    with pytest.raises(SignatureInvalidError, match="isn't this key's signature"):
        parsed.verified(moved.unverified_text, moved.signatures)


def test_a_key_of_the_second_algorithm_is_a_witness_of_the_policy_too(tmp_path: Path) -> None:
    name = "w.example/a"
    second = create_second_keys(tmp_path)[0].named(name)
    alone = signer(name)
    witness = alone.beside(second)
    keys = [
        Verifier(name, witness.public_key, SignatureType.COSIGNATURE),
        Verifier(name, second.public_key, SignatureType.ML_DSA_44),
    ]
    lines = [f"witness {number} {key.to_vkey()}" for number, key in zip(("first", "second"), keys, strict=True)]
    parsed = parse_policy("\n".join([*lines, "group both all first second", "quorum both"]))
    note = sign_checkpoint(Checkpoint("log.example", 1, b"r" * 32), signer("log.example"))
    cosigned = parse_note(note + cosign(note, witness, 9))
    assert parsed.is_met(parsed.verified(cosigned.unverified_text, cosigned.signatures).keys())
    first = parse_note(note + cosign(note, alone, 9))
    assert not parsed.is_met(parsed.verified(first.unverified_text, first.signatures).keys())
