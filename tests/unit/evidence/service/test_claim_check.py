"""What a receipt and a later claim prove to others: each test changes one thing, and one numbered step fails."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import cache
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigurationError
from gateway.evidence.codec.bundle import Bundle
from gateway.evidence.service.claim_check import ClaimExamination, examine_denied_receipt, is_denied_receipt
from gateway.evidence.service.quarantine_check import is_quarantine
from gateway.feed.service.claims import TOLERANCE_S, Claim
from gateway.tlog.checkpoint import Checkpoint, cosign, sign_checkpoint
from gateway.tlog.note import sign_note
from gateway.trust.codec.directory import encode_directory
from gateway.trust.pki.keys import Ed25519Signer, load_signing_key
from gateway.trust.rules.directory import directory_key_name, receipts_key_name
from gateway.trust.service.directory_drafts import revoke
from gateway.trust.service.trial_federation import FEDERATION
from tests.support.nodes import NODES, START, federation, feed_of, signer, trusted

FEED = feed_of("cn", "hk")
AT = int(START.timestamp()) + 3600
ROOTS = [sha256(bytes([size])).digest() for size in range(8)]


def log_key(node: str, name: str = FEED.line) -> Ed25519Signer:
    return signer(federation(NODES).node(node).log_key, name)


def receipts_key(node: str) -> Ed25519Signer:
    return signer(federation(NODES).node(node).receipts_key, receipts_key_name(FEDERATION, node))


def receipt(size: int = 3, at: int = AT, *, key: str = "hk", log: str = "cn") -> bytes:
    note = sign_checkpoint(Checkpoint(FEED.line, size, ROOTS[size]), log_key(log))
    return note + cosign(note, receipts_key(key), at)


CLAIM = Claim(FEED, 1, ROOTS[1], AT + TOLERANCE_S)


@cache
def whole() -> dict[str, bytes]:
    return {
        "receipt.checkpoint": receipt(),
        "claim.note": CLAIM.sign(receipts_key("hk")),
        "directory.note": trusted().note,
    }


def examined(claim: Claim = CLAIM, *, key: str = "hk", **files: bytes | None) -> ClaimExamination:
    """Examines the files of a denied receipt by the directory; others take the place of those named, None of none."""
    found: dict[str, bytes | None] = {**whole(), "claim.note": claim.sign(receipts_key(key))}
    names = {"receipt": "receipt.checkpoint", "claim_note": "claim.note", "directory": "directory.note"}
    found |= {names[name]: content for name, content in files.items()}
    bundle = Bundle.of((name, content) for name, content in found.items() if content is not None)
    assert is_denied_receipt(bundle)
    assert not is_quarantine(bundle)
    return examine_denied_receipt(bundle, directory_note=trusted().note)


def failed(examination: ClaimExamination) -> str:
    assert examination.evidence is None
    return examination.steps[-1].name


def test_a_receipt_and_a_later_claim_of_less_prove_it() -> None:
    proof = examined().evidence
    assert proof is not None
    assert proof.told == (
        f"hk has signed at 2026-01-15 01:00:00 UTC that it holds 3 entries of {FEED}, and at 2026-01-15 01:05:00 UTC "
        "that it holds 1."
    )
    assert (proof.claim, proof.receipt.checkpoint.size, proof.directory_version) == (CLAIM, 3, 1)
    assert proof.claimed_at - proof.received_at == timedelta(seconds=TOLERANCE_S)


@pytest.mark.parametrize(
    ("claim", "problem"),
    [
        (replace(CLAIM, claimed_at=CLAIM.claimed_at - 1), "isn't 5 minutes later"),
        (replace(CLAIM, size=3, root=ROOTS[3]), "isn't below the receipt of 3"),
        (replace(CLAIM, size=4, root=ROOTS[4]), "isn't below the receipt of 3"),
        (replace(CLAIM, restored_at=AT + 1), "says in its claim that it was restored at 2026-01-15 01:00:01 UTC"),
        (replace(CLAIM, restored_at=AT - TOLERANCE_S), "was restored"),
        (replace(CLAIM, others=("a line of a later release",)), "this release doesn't know"),
    ],
)
def test_what_an_honest_recipient_may_have_signed_contradicts_nothing(claim: Claim, problem: str) -> None:
    examination = examined(claim)
    assert failed(examination) == "contradiction"
    assert problem in examination.steps[-1].detail


def test_a_restore_before_the_receipt_explains_nothing() -> None:
    assert examined(replace(CLAIM, restored_at=AT - TOLERANCE_S - 1)).evidence is not None


def test_only_what_the_two_have_signed_counts() -> None:
    assert failed(examined(receipt=receipt(log="hk"))) == "receipt"
    assert failed(examined(receipt=receipt(key="cn"))) == "receipt"
    assert failed(examined(receipt=sign_checkpoint(Checkpoint(FEED.line, 3, ROOTS[3]), log_key("cn")))) == "receipt"
    assert failed(examined(key="cn")) == "claim"
    assert failed(examined(replace(CLAIM, origin=feed_of("mo", "hk")))) == "claim"
    assert failed(examined(claim_note=receipt(1, CLAIM.claimed_at))) == "claim"
    assert failed(examined(claim_note=b"no claim")) == "claim"
    assert failed(examined(receipt=CLAIM.sign(receipts_key("hk")))) == "receipt"
    assert failed(examined(directory=b"no directory")) == "directory"
    assert failed(examined(directory=None)) == "files"


@pytest.mark.parametrize("at", [int(START.timestamp()) - 400 * 24 * 3600, 2**62], ids=["before the key", "year 10000"])
def test_the_recipients_key_is_valid_at_the_times_that_it_states(at: int) -> None:
    assert failed(examined(receipt=receipt(at=at))) == "receipt"
    if at < AT:
        assert failed(examined(replace(CLAIM, claimed_at=at))) == "claim"


def test_a_key_that_was_revoked_since_proves_nothing() -> None:
    """A thief of it could have stated any time."""
    later = START + timedelta(days=2)
    public_key = receipts_key("hk").public_key
    version = revoke(trusted().directory, issued_at=later, since=later, public_keys=[public_key])
    made = federation(NODES)
    keys = [load_signing_key(made.directory_key(node), name=directory_key_name(FEDERATION, node)) for node in NODES]
    note = sign_note(encode_directory(version), keys)
    bundle = Bundle(whole())
    examination = examine_denied_receipt(bundle, directory_note=note)
    assert failed(examination) == "receipt"
    assert "was revoked since" in examination.steps[-1].detail
    assert examine_denied_receipt(bundle, anchors=made.anchors).evidence is not None  # by the directory of then
    with pytest.raises(ConfigurationError):
        examine_denied_receipt(bundle)


@given(st.sampled_from(["receipt.checkpoint", "claim.note"]), st.data())
def test_no_bit_of_either_note_can_change(name: str, data: st.DataObject) -> None:
    changed = bytearray(whole()[name])
    bit = data.draw(st.integers(0, len(changed) * 8 - 1))
    changed[bit // 8] ^= 1 << bit % 8
    files = {**whole(), name: bytes(changed)}
    assert examine_denied_receipt(Bundle(files), directory_note=trusted().note).evidence is None
