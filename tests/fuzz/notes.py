"""Targets: transparency-log formats. What parses is canonical, and only what was signed verifies."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from gateway.contract.ids import FeedOrigin
from gateway.errors import GatewayError
from gateway.feed.service.claims import Claim, claimed_feed, verify_claim
from gateway.tlog.checkpoint import (
    Checkpoint,
    cosign,
    parse_checkpoint_body,
    sign_checkpoint,
    verify_checkpoint,
    verify_cosignature,
    verify_cosignature_lines,
)
from gateway.tlog.consistency_file import ConsistencyProof, parse_consistency_file, verify_consistency_file
from gateway.tlog.cose_receipt import parse_cose_receipt, sign_cose_receipt, verify_cose_receipt
from gateway.tlog.encoding import decode_base64, decode_decimal, decode_hash, encode_base64
from gateway.tlog.merkle import Tree
from gateway.tlog.note import Verifier, open_note, parse_note, parse_signature_line
from gateway.tlog.proof_file import TlogProof, parse_proof, verify_proof
from tests.fuzz.target import target, text_of
from tests.support.tlog_keys import TestKey

ORIGIN = "gba.customs.example/cn/hk/alerts"
LOG = TestKey(ORIGIN)
RECIPIENT = TestKey("gba.customs.example/hk/receipts", seed="2")
LEAVES = [bytes([number]) * 32 for number in range(5)]
GROWTH = Tree.empty().append(LEAVES)
HEAD = Checkpoint(ORIGIN, 5, GROWTH.tree.root)
NOTE = sign_checkpoint(HEAD, LOG)
RECEIPT = cosign(NOTE, RECIPIENT, 1_770_000_000)
OLDER = Checkpoint(ORIGIN, 4, Tree.empty().append(LEAVES[:4]).tree.root)
EXTENDED = Checkpoint(ORIGIN, 5, GROWTH.tree.root, ("extension 1", "extension 2"))
CLAIMED = FeedOrigin.parse(ORIGIN)
CLAIMS = [
    Claim(CLAIMED, 5, HEAD.root, 1_770_000_000),
    Claim(CLAIMED, 0, Tree.empty().root, 1_770_000_000, 1_769_000_000, ("a line of a later release",)),
]
PROOF = TlogProof(4, (OLDER.root,), NOTE + RECEIPT, b"extra").encode()
CONSISTENCY = ConsistencyProof(4, (LEAVES[4],), NOTE).encode()
COSE_RECEIPT = sign_cose_receipt(
    HEAD, 4, (OLDER.root,), LEAVES[4], issuer="gba.customs.example/cn", at=1_770_000_000, signer=LOG
)


def _notes() -> Iterator[bytes]:
    yield from (NOTE, NOTE + RECEIPT, sign_checkpoint(EXTENDED, LOG), NOTE + RECEIPT + RECEIPT)
    yield NOTE.replace(b"\n\n", b"\n\n\n")


@target(_notes)
def note(data: bytes) -> None:
    """A parsed note encodes to its bytes; a verified one is a known text."""
    assert parse_note(data).encode() == data
    verified = open_note(data, [LOG.verifier(), RECIPIENT.cosigner()])
    assert verified.text in (HEAD.body(), EXTENDED.body())


@target(lambda: [NOTE.partition(b"\n\n")[2], RECEIPT])
def signature_line(data: bytes) -> None:
    """A parsed line encodes to its bytes."""
    assert parse_signature_line(data).line() == data
    assert verify_cosignature_lines(NOTE, data, RECIPIENT.cosigner()).checkpoint == HEAD


@target(lambda: [HEAD.body(), EXTENDED.body(), Checkpoint(ORIGIN, 0, Tree.empty().root).body()])
def checkpoint_body(data: bytes) -> None:
    """A parsed body encodes to its bytes."""
    assert parse_checkpoint_body(data).body() == data


@target(_notes)
def checkpoint(data: bytes) -> None:
    """Only heads that the log signed verify, and only a receipt that the recipient gave."""
    with contextlib.suppress(GatewayError):
        assert verify_checkpoint(data, LOG.verifier(), ORIGIN).checkpoint in (HEAD, EXTENDED)
    receipt = verify_cosignature(data, RECIPIENT.cosigner())
    assert (receipt.checkpoint, receipt.timestamp) == (HEAD, 1_770_000_000)


@target(lambda: [claimed.sign(RECIPIENT) for claimed in CLAIMS])
def claim(data: bytes) -> None:
    """Only what the recipient claimed verifies, and it is signed to the same bytes."""
    verified = verify_claim(data, RECIPIENT.cosigner(), CLAIMED)
    assert verified in CLAIMS
    assert verified.sign(RECIPIENT) == data
    assert claimed_feed(data) == CLAIMED


@target(lambda: [LOG.verifier().to_vkey().encode(), RECIPIENT.cosigner().to_vkey().encode()])
def verifier_key(data: bytes) -> None:
    """A parsed key is written as it was read."""
    text = text_of(data)
    assert Verifier.from_vkey(text).to_vkey() == text


@target(lambda: [PROOF, TlogProof(0, (), NOTE, None).encode()])
def proof_file(data: bytes) -> None:
    """A parsed proof encodes to its bytes; one that verifies is over the entry."""
    proof = parse_proof(data)
    assert proof.encode() == data
    verified = verify_proof(data, LEAVES[4], LOG.verifier(), [RECIPIENT.cosigner()], 0)
    assert (verified.index, verified.leaf_hash) == (4, LEAVES[4])
    assert verified.checkpoint.checkpoint in (HEAD, EXTENDED)


@target(lambda: [CONSISTENCY, ConsistencyProof(0, (), NOTE).encode()])
def consistency_file(data: bytes) -> None:
    """A parsed file encodes to its bytes; one that verifies extends the older head."""
    assert parse_consistency_file(data).encode() == data
    assert verify_consistency_file(data, OLDER, [LOG.verifier()]).checkpoint in (HEAD, EXTENDED)


@target(lambda: [COSE_RECEIPT])
def cose_receipt(data: bytes) -> None:
    """A parsed receipt encodes to its bytes; one that verifies is the one that the log signed."""
    assert parse_cose_receipt(data).encode() == data
    verified = verify_cose_receipt(data, LEAVES[4], LOG.verifier())
    assert (verified.index, verified.size, verified.signed_at) == (4, 5, 1_770_000_000)


@target(lambda: [b"AAECAwQ=", b"0", b"9223372036854775807", encode_base64(bytes(32))])
def encodings(data: bytes) -> None:
    """Numbers, hashes and Base64 have one form."""
    for parse, write in (
        (lambda: decode_decimal(data, "number", 2**63 - 1), lambda value: b"%d" % value),
        (lambda: decode_base64(data, "bytes"), encode_base64),
        (lambda: decode_hash(data, "hash"), encode_base64),
    ):
        try:
            value = parse()
        except GatewayError:
            continue
        assert write(value) == data  # type: ignore[operator]
